"""The store that options name, and the run whose photos it is about, if there is one."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from sqlalchemy import URL

from tagger.commands.steps.reviewed_labels import store_is_missing, store_url
from tagger.errors import TaggerError
from tagger.review import RecordedDecision, Store, default_url
from tagger.review.photo_identity import PhotoIdentities, PhotoRow, RunPhotos
from tagger.runs import RunFolder, find_run, is_absent, with_data
from tagger.runs.located_run import locate_run

OnRunPhotos = Callable[[Iterable[RecordedDecision]], list[RecordedDecision]]


@dataclass(frozen=True)
class DecisionPlace:
    """A store, and the run it belongs to; without a run, photos are known by their hash only."""

    url: str
    run: RunFolder | None

    def images(self) -> pd.DataFrame:
        """file and hash of the photos of the run; none without a run."""
        return self.run.load_images() if self.run else pd.DataFrame({"file": [], "hash": []}, dtype=str)

    def present_images(self) -> pd.DataFrame:
        """The photos of the run under their present names, and under former ones that no other photo has now."""
        if self.run is None or is_absent(Path(self.run.load_settings().data.path)):
            return self.images()
        present = locate_run(self.run).present().load_images()
        images = self.run.load_images()
        return pd.concat([present, images[~images["file"].isin(present["file"])]], ignore_index=True)

    def pictures(self, store: Store) -> dict[str, set[str]]:
        """The pictures of decided photos, by hash, as far as the store and the run know them."""
        found = store.photo_pictures()
        for hash, picture in self._run_pictures():
            found.setdefault(hash, set()).add(picture)
        return found

    def _run_pictures(self) -> Iterator[tuple[str, str]]:
        images = self.images()
        if "picture_hash" in images:
            yield from zip(images["hash"], images["picture_hash"], strict=True)

    def on_run_photos(self, known: Iterable[PhotoRow]) -> OnRunPhotos:
        """A function from decisions to those on the photos of the run, by what is ``known`` of their pictures."""
        images = self.images()
        hashes, picture_of = images["hash"].tolist(), dict(self._run_pictures())
        shown = [picture_of.get(hash) or hash for hash in hashes]
        identities = PhotoIdentities(RunPhotos(images["file"].tolist(), hashes, shown))
        identities.learn(known)
        return identities.on_run_photos

    def require_store(self) -> None:
        """TaggerError if the store is a file that is not there."""
        if store_is_missing(self.url):
            raise TaggerError(f"{self.url}: there are no decisions yet, or they are elsewhere: --store URL.")


def find_place(
    run: str | Path | None, store: str | None, data: str | Path | None, say: Callable[[str], None]
) -> DecisionPlace:
    """The store of the options. A run is needed only where no ``store`` and no ``data`` is named.

    ``say`` is told which run is used, if none is given.
    """
    in_use: list[str] = []
    try:
        folder = with_data(find_run(run, in_use.append), data)
    except TaggerError:
        if run is not None or (store is None and data is None):
            raise
        return DecisionPlace(store_address(store) if store else default_url(_folder(Path(data or "."))), None)
    for line in in_use:
        say(line)
    return DecisionPlace(store_url(folder, store_address(store) if store else None, may_be_new=True), folder)


def store_address(text: str, *, must_exist: bool = False) -> str:
    """The address of a store that was named by its URL, its file, or its photo folder.

    >>> store_address("postgresql://server/db"), store_address("/nowhere/review.db")
    ('postgresql://server/db', 'sqlite:////nowhere/review.db')
    """
    url = text if "://" in text else _file_address(Path(text))
    if must_exist and store_is_missing(url):
        raise TaggerError(f"{text}: there is no store of decisions. Absent is not empty: nothing was done.")
    return url


def _file_address(path: Path) -> str:
    if path.is_dir():
        return default_url(path.resolve())
    return URL.create("sqlite", database=str(path.absolute())).render_as_string()


def photo_finder(images: pd.DataFrame) -> Callable[[str], str | None]:
    """A function from a file name to the hash of the photo: by its path, or by its name where only one has it."""
    hashes: dict[str, str] = dict(zip(images["file"], images["hash"], strict=True))
    by_name: dict[str, set[str]] = {}
    for file, hash in hashes.items():
        by_name.setdefault(file.rpartition("/")[2], set()).add(hash)

    def find(file: str) -> str | None:
        name = file.replace("\\", "/")
        found = by_name.get(name, set())
        return hashes.get(name) or (next(iter(found)) if len(found) == 1 else None)

    return find


def files_by_hash(images: pd.DataFrame) -> Mapping[str, str]:
    """The first file of each hash."""
    return dict(zip(reversed(images["hash"].tolist()), reversed(images["file"].tolist()), strict=True))


def _folder(data: Path) -> Path:
    if not data.is_dir():
        raise TaggerError(f"--data {data}: there is no such folder.")
    return data.resolve()
