"""Identity of decided photos: what was decided on an earlier file of a photo counts for its present file.

A decision names a photo by the hash of its file. When metadata is written into the file, the hash changes, and the
picture does not. So the store keeps, for each decided photo, the hash of its picture and the name of its file.
Decisions are read as those on the photos of the run at hand:

* A decision whose hash is that of a photo of the run is on that photo.
* Otherwise it is on the photo with the same picture. Where the run has several such photos, which are files of one
  picture with different metadata, it is on the one of the same name; without one, on all, as on equal files.

Files with different bytes that are both in the run so keep their own decisions. Nothing is changed in the log.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, insert, select

from tagger.review import store_schema
from tagger.review.decision import RecordedDecision

HASHES_PER_QUERY = 500
PhotoRow = tuple[str, str, str]  # hash, hash of the picture, file


@dataclass(frozen=True)
class RunPhotos:
    """The photos of a run: names, hashes of the files, and of the pictures (the file's where it is not known)."""

    files: Sequence[str]
    hashes: Sequence[str]
    picture_hashes: Sequence[str]


@dataclass
class DecidedPhoto:
    """What the store knows of one hash: the pictures that its file had, and the file's last name."""

    pictures: set[str] = field(default_factory=set)
    file: str = ""


class PhotoIdentities:
    """The hashes of decisions as hashes of a run's photos."""

    def __init__(self, photos: RunPhotos):
        self._row_of = dict(zip(reversed(photos.hashes), range(len(photos.hashes) - 1, -1, -1), strict=True))
        self._photos = photos
        self._rows_of_picture: dict[str, list[int]] = {}
        for row, picture in enumerate(photos.picture_hashes):
            self._rows_of_picture.setdefault(picture, []).append(row)
        self._known: dict[str, DecidedPhoto] = {}

    def register(self, connection: Connection, decided: Iterable[str]) -> None:
        """Note in the store the pictures and names of these hashes, as far as the run has them."""
        decided = dict.fromkeys(decided)
        self._load(connection, decided)
        rows = []
        for hash in decided:
            if (row := self._row_of.get(hash)) is None:
                continue
            picture, file = self._photos.picture_hashes[row], self._photos.files[row]
            known = self._known[hash]
            if picture not in known.pictures or file != known.file:
                rows.append({"hash": hash, "picture_hash": picture, "file": file})
                known.pictures.add(picture)
                known.file = file
        if rows:
            connection.execute(insert(store_schema.photos), rows)

    def translate(self, connection: Connection, decisions: list[RecordedDecision]) -> list[RecordedDecision]:
        """The decisions as those on the photos of the run; one on no photo of the run stays as it is."""
        self._load(connection, {decision.hash for decision in decisions} - self._row_of.keys())
        return self.on_run_photos(decisions)

    def on_run_photos(self, decisions: Iterable[RecordedDecision]) -> list[RecordedDecision]:
        """``translate`` by what is known already."""
        found = []
        for decision in decisions:
            hashes = () if decision.hash in self._row_of else self.resolve(decision.hash)
            found += [replace(decision, hash=hash) for hash in hashes] or [decision]
        return found

    def learn(self, rows: Iterable[PhotoRow]) -> None:
        """Take in what a store knows of photos, oldest first."""
        for hash, picture, file in rows:
            known = self._known.setdefault(hash, DecidedPhoto())
            known.pictures.add(picture)
            known.file = file

    def resolve(self, hash: str) -> tuple[str, ...]:
        """The hashes in the run of the photo that had this hash; none if the run does not have it."""
        if hash in self._row_of:
            return (hash,)
        known = self._known.get(hash, DecidedPhoto())
        rows = [row for picture in sorted(known.pictures) for row in self._rows_of_picture.get(picture, ())]
        same_name = [row for row in rows if self._photos.files[row] == known.file]
        return tuple(dict.fromkeys(self._photos.hashes[row] for row in same_name or rows))

    def aliases(self, connection: Connection, hash: str) -> list[str]:
        """All hashes in the store whose decisions are on the photo with this hash in the run."""
        self._load(connection, connection.scalars(select(store_schema.photos.c.hash)).all())
        return [hash, *(other for other in self._known if other != hash and hash in self.resolve(other))]

    def _load(self, connection: Connection, hashes: Iterable[str]) -> None:
        """Read what the store knows of these hashes."""
        table = store_schema.photos
        missing = [hash for hash in hashes if hash not in self._known or not self._known[hash].pictures]
        for start in range(0, len(missing), HASHES_PER_QUERY):
            wanted = missing[start : start + HASHES_PER_QUERY]
            self._known |= {hash: DecidedPhoto() for hash in wanted}
            query = select(table).where(table.c.hash.in_(wanted)).order_by(table.c.id)
            for one in connection.execute(query):
                self._known[one.hash].pictures.add(one.picture_hash)
                self._known[one.hash].file = one.file


def file_names(connection: Connection) -> dict[str, str]:
    """The last known name of each decided photo's file, by hash."""
    table = store_schema.photos
    return {one.hash: one.file for one in connection.execute(select(table).order_by(table.c.id))}


def pictures_by_hash(connection: Connection) -> dict[str, set[str]]:
    """The pictures by which each decided photo is known, by hash."""
    found: dict[str, set[str]] = {}
    for one in connection.execute(select(store_schema.photos)):
        found.setdefault(one.hash, set()).add(one.picture_hash)
    return found


def photo_rows(connection: Connection) -> list[PhotoRow]:
    """All that the store knows of photos, oldest first."""
    table = store_schema.photos
    query = select(table.c.hash, table.c.picture_hash, table.c.file).order_by(table.c.id)
    return [tuple(row) for row in connection.execute(query)]


def add_photo_rows(connection: Connection, rows: Iterable[PhotoRow]) -> None:
    """Take in what another store knows of photos; the names that this one knows stay the last ones."""
    here = photo_rows(connection)
    names = {hash: file for hash, _, file in here}
    known = {(hash, picture) for hash, picture, _ in here}
    new = [row for row in dict.fromkeys(rows) if row[:2] not in known]
    values = [
        {"hash": hash, "picture_hash": picture, "file": names.get(hash, file)} for hash, picture, file in new
    ]
    if values:
        connection.execute(insert(store_schema.photos), values)
