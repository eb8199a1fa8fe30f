"""A run whose photos were looked for: its table of images has their present names and pictures."""

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tagger.arrays import Cells
from tagger.config import Settings
from tagger.data.images.locate_photos import FoundPhotos, SoughtPhotos, known_pictures, locate_photos
from tagger.progress import Track, no_track
from tagger.runs.folder import RunFolder


class LocatedRun(RunFolder):
    """A run with its photos under their present names; its own files do not change.

    ``hash`` of an image stays what it was at the training, by which decisions name the photo, and
    ``picture_hash`` is that of its file now. A photo that was not found keeps its former name.
    """

    def __init__(self, run: RunFolder, found: FoundPhotos | None):
        super().__init__(run.path)
        self.former = run  # as it was, with its data folder
        self.found = found  # None: the data folder is not there, and nothing was looked for

    def load_settings(self) -> Settings:
        """The settings, with the data folder that the photos were looked for in."""
        return self.former.load_settings()

    def load_images(self) -> pd.DataFrame:
        """The images of the run with present names and pictures."""
        images = self.former.load_images()
        if self.found is None:
            return images
        former = images.get("picture_hash", pd.Series("", index=images.index))
        pictures = [now or before for now, before in zip(self.found.pictures, former, strict=True)]
        images["file"] = pd.Series(self.found.files, dtype=str)
        return images.assign(picture_hash=pd.Series(pictures, dtype=str))

    @property
    def missing(self) -> dict[int, str]:
        """Row -> reason of each photo that was not found."""
        return {} if self.found is None else self.found.missing

    @property
    def num_renamed(self) -> int:
        """The number of photos that were found under another name."""
        if self.found is None:
            return 0
        pairs = zip(self.found.files, self.former.load_images()["file"], strict=True)
        return sum(now != then for now, then in pairs)

    @property
    def changed_rows(self) -> list[int]:
        """The rows of photos whose file has other bytes than at the training, as far as that was looked at."""
        if self.found is None:
            return []
        pairs = enumerate(zip(self.found.hashes, self.former.load_images()["hash"], strict=True))
        return [row for row, (now, then) in pairs if now and now != then]

    def present(self) -> "PresentPhotos":
        """The run with the photos that are there."""
        return PresentPhotos(self.former, self.found)


class PresentPhotos(LocatedRun):
    """A located run without the photos that were not found: only images and cells fit together."""

    def load_images(self) -> pd.DataFrame:
        """The images that were found."""
        return super().load_images()[self._is_present()].reset_index(drop=True)

    def load_cells(self) -> Cells:
        """The cells of the images that were found."""
        return super().load_cells()[self._is_present()]

    def _is_present(self) -> NDArray[np.bool_]:
        is_present_N = np.ones(len(self.former.load_images()), dtype=bool)
        is_present_N[list(self.missing)] = False
        return is_present_N


def locate_run(
    run: RunFolder,
    pictures_of: Mapping[str, Collection[str]] | None = None,
    *,
    track: Track = no_track,
    verify: bool = True,
) -> LocatedRun:
    """The run with its photos as they are found in its data folder now.

    ``pictures_of`` are pictures that the review store knows by hash. Without ``verify`` a file at the old name is taken
    as it is, without reading it.
    """
    from tagger.runs.moved_run import is_absent

    root = Path(run.load_settings().data.path)
    if is_absent(root):
        return LocatedRun(run, None)
    return LocatedRun(run, locate_photos(root, sought_photos(run, pictures_of), track=track, verify=verify))


def sought_photos(run: RunFolder, pictures_of: Mapping[str, Collection[str]] | None = None) -> SoughtPhotos:
    """The photos of a run, as far as it and the store know them."""
    images = run.load_images()
    hashes = images["hash"].tolist()
    own = images["picture_hash"].tolist() if "picture_hash" in images else None
    sizes = images["size"].tolist() if "size" in images else [-1] * len(images)
    return SoughtPhotos(
        images["file"].tolist(), hashes, sizes, known_pictures(hashes, own, pictures_of or {})
    )
