"""Landmarks of the photos that a finished run sees: those given, the run's own, or those in the photos' folder.

A photo that the run was trained on is known by its bytes, or its picture, wherever it lies now. Where the landmarks of
the training lay in the data folder, other photos have theirs at the same place in their own folder.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tagger.batches import AlignedPhotos
from tagger.commands.console.screen import Screen
from tagger.commands.steps.alignment_steps import load_alignment
from tagger.config import Settings
from tagger.data import list_images
from tagger.data.images.hashes import identify_file
from tagger.data.landmarks.landmark_set import LandmarkSource
from tagger.data.landmarks.procrustes import has_shape
from tagger.errors import TaggerError
from tagger.runs import RunFolder
from tagger.text import counted, shortlist

Points = NDArray[np.float32]


class PhotoLandmarks:
    """The landmarks of a run's photos and of new ones. TaggerError if ``given`` cannot be used with this run."""

    def __init__(self, run: RunFolder, settings: Settings, given: str | Path | None, screen: Screen):
        self.run = run
        self.settings = settings
        self.screen = screen
        self.alignment = load_alignment(run, settings)
        if self.alignment is None and given is not None:
            raise TaggerError(f"--landmarks {given}: {run.path} does not align photos. Leave the option out.")
        self.given = LandmarkSource.open(given) if given is not None else None
        if self.given is not None:
            self._check_count(self.given)
        self._tables: dict[Path, dict[str, Points]] = {}
        self._beside_of: dict[Path, LandmarkSource | None] = {}
        self._told: set[Path] = set()

    def aligned(self, root: Path, files: Sequence[str]) -> AlignedPhotos | None:
        """The landmarks of photos ``root / file``; None if the run does not align. Says how many have none."""
        if self.alignment is None:
            return None
        points_NP2 = np.full((len(files), len(self.alignment.mean_P2), 2), np.nan, np.float32)
        named = self._named(root, files)
        for row, file in enumerate(files):
            found = named.get(file) if self.given is not None else None
            found = self._own(root / file) if found is None else found
            found = named.get(file) if found is None else found
            if found is not None:
                points_NP2[row] = found
        skips = self.settings.align.missing == "skip"
        missing = [files[row] for row in np.flatnonzero(~has_shape(points_NP2)).tolist()]
        self._tell_missing([file for file in missing if root / file not in self._told], len(files), skips)
        self._told |= {root / file for file in missing}
        return AlignedPhotos(self.alignment, points_NP2, skips)

    def _named(self, root: Path, files: Sequence[str]) -> dict[str, Points]:
        """{file: landmarks} of the given source, or of the one in the photos' folder."""
        if root not in self._beside_of:
            self._beside_of[root] = None if self.given else self._beside(root)
        source = self.given or self._beside_of[root]
        if source is None or not files:
            return {}
        if len(files) == 1 or root == Path() or not root.is_dir():
            return self._match(source, root, files)
        if (
            root not in self._tables
        ):  # among all photos: a batch alone would hide that a name may be two of them
            self._tables[root] = self._match(source, root, list_images(root).files)
        return self._tables[root]

    def _match(self, source: LandmarkSource, root: Path, files: Sequence[str]) -> dict[str, Points]:
        """{file: its landmarks in a source}. TaggerError if those that were given are of none of several photos."""
        try:
            found = source.match(root, files)
        except TaggerError:
            if self.given is not None and len(files) > 1:
                raise
            return {}
        for note in found.notes if len(files) > 1 else ():
            self.screen.say(note)
        return {file: found.points_NP2[row] for row, file in enumerate(files) if row not in found.reasons}

    def _beside(self, root: Path) -> LandmarkSource | None:
        """The landmarks in a folder of photos, where those of the training lay in its data folder."""
        own, data = Path(self.settings.align.landmarks), Path(self.run.load_settings().data.path)
        if not own.is_relative_to(data) or root == Path():
            return None
        place = root / own.relative_to(data)
        if not place.exists() or place.resolve() == own.resolve():
            return None
        try:
            source = LandmarkSource.open(place)
        except TaggerError as error:
            self.screen.say(f"The landmarks in {place} are not used. {error}")
            return None
        self._check_count(source)
        return source

    def _own(self, path: Path) -> Points | None:
        """The landmarks of a photo of the run, by its bytes or its picture."""
        row_of_hash, row_of_picture = self._rows
        now = identify_file(path)
        row = row_of_hash.get(now.hash, row_of_picture.get(now.picture_hash) if now.picture_hash else None)
        return None if row is None or not now.hash else self._points_NP2[row]

    @cached_property
    def _points_NP2(self) -> Points:
        return self.run.load_landmarks()

    @cached_property
    def _rows(self) -> tuple[dict[str, int], dict[str, int]]:
        """({hash: row}, {picture hash: row}) of the run's photos; of copies the first with landmarks."""
        images = self.run.load_images()
        known = np.flatnonzero(has_shape(self._points_NP2))[::-1].tolist()
        hashes = images["hash"].tolist()
        pictures = images["picture_hash"].tolist() if "picture_hash" in images else [""] * len(images)
        return {hashes[n]: n for n in known}, {pictures[n]: n for n in known if pictures[n]}

    def _check_count(self, source: LandmarkSource) -> None:
        assert self.alignment is not None, "only a run that aligns has a source"
        wanted = len(self.alignment.mean_P2)
        if source.num_points != wanted:
            raise TaggerError(
                f"{source.path}: {counted(source.num_points, 'point')}, and {self.run.path} was trained with {wanted}."
            )

    def _tell_missing(self, missing: Sequence[str], num: int, skips: bool) -> None:
        if missing:
            has = "has no landmarks and is" if len(missing) == 1 else "have no landmarks and are"
            become = "not read (align.missing = skip)" if skips else "read whole, unaligned"
            self.screen.say(
                f"{len(missing):,} of {counted(num, 'photo')} {has} {become}: {shortlist(missing, 3)}."
                " To give them: --landmarks FILE"
            )
