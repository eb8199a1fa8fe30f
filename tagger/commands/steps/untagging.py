"""Plans of ``tagger untag``: each sidecar as it was before tagger wrote to it, as far as nobody else wrote since."""

import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from tagger.data.formats.label_text import parse_label_text, remove_labels
from tagger.data.formats.text_file import read_text
from tagger.data.formats.written_record import WrittenRecords, WrittenSidecar, digest, written_labels
from tagger.data.formats.xmp import label_of_prediction, read_predictions, read_words
from tagger.data.formats.xmp_said import said_only_there
from tagger.data.formats.xmp_untag import without_labels
from tagger.data.images.hashes import identify_file
from tagger.data.images.listing import IMAGE_SUFFIXES
from tagger.errors import TaggerError

UNTAGGED = "tagger untag"  # in place of a run, in the record


@dataclass(frozen=True)
class Selection:
    """Which writes are taken back: those of a run (its names), from a day on, up to a day (both included)."""

    run: frozenset[str] | None = None
    since: str | None = None
    until: str | None = None

    @property
    def is_all(self) -> bool:
        """Whether nothing is left out."""
        return self == Selection()

    def takes(self, run: str, day: str) -> bool:
        """Whether a write of this run on this day is one of them.

        >>> Selection(since="2026-02-01").takes("a", "2026-01-31"), Selection(frozenset("a")).takes("a", "2026-01-31")
        (False, True)
        """
        in_time = (self.since is None or day >= self.since) and (self.until is None or day <= self.until)
        return in_time and (self.run is None or run in self.run)


@dataclass(frozen=True)
class Untagging:
    """What happens to one sidecar: its bytes after (None: the file goes), and the keywords that go.

    ``exact``: these are the bytes from before tagger wrote.
    """

    path: Path
    before: bytes
    after: bytes | None
    removed: list[str]
    exact: bool


def sidecars_below(folder: Path, records: WrittenRecords) -> Iterator[Path]:
    """Every sidecar below a folder that tagger may have written: XMP files, and what its records name."""
    found = set()
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found |= {Path(place, name) for name in files if name.lower().endswith(".xmp")}
        record = records.record(Path(place))
        found |= {Path(os.path.normpath(Path(place, name))) for name in record.names()}
    for parent in Path(os.path.abspath(folder)).parents:
        record = records.record(parent)
        found |= {
            parent / name for name in record.names() if (parent / name).is_relative_to(folder.resolve())
        }
    yield from sorted({path.resolve(): path for path in sorted(found) if path.is_file()}.values())


def plan_untagging(path: Path, records: WrittenRecords, selection: Selection) -> Untagging | None:
    """What untagging changes in a sidecar; None if nothing. TaggerError if it cannot be read."""
    before = path.read_bytes()
    writes = records.writes(path, before)
    chosen = [one for one in writes if one.run != UNTAGGED and selection.takes(one.run, one.time[:10])]
    data, earlier, left = _restored(before, writes, chosen)
    if not left and chosen and data != before and not _loses_last_copy(path, before, data):
        ours = {label for write in chosen for label in write.added}
        gone = [word for word in _gone(path, before, data) if word in ours]
        return Untagging(path, before, data, gone, exact=True)
    if data is None or not left:
        data, earlier, left = before, writes, chosen
    labels = _own_labels(path, data, earlier, left, selection)
    after = _cut(path, data, labels, everything=selection.is_all, made=bool(writes) and not writes[0].was)
    removed = _gone(path, before, after)
    return Untagging(path, before, after, removed, exact=False) if after != before else None


def _loses_last_copy(path: Path, before: bytes, after: bytes | None) -> bool:
    """Whether a person's words would go that tagger had copied from a photo, and that are nowhere else any more."""
    return path.suffix.lower() == ".xmp" and bool(said_only_there(path, before, after, _photos_beside(path)))


def _restored(
    data: bytes, writes: Sequence[WrittenSidecar], chosen: Sequence[WrittenSidecar]
) -> tuple[bytes | None, Sequence[WrittenSidecar], Sequence[WrittenSidecar]]:
    """(bytes before the last chosen writes, the writes before them, chosen writes that cannot be taken back so).

    What a write has replaced comes back, also where others wrote before it.
    """
    left = list(chosen)
    found: tuple[bytes | None, Sequence[WrittenSidecar], Sequence[WrittenSidecar]] = data, writes, chosen
    now: bytes | None = data
    for number, write in reversed(list(enumerate(writes))):
        if not left or digest(now) != write.now:
            break
        if write is not left[-1] and write.run != UNTAGGED:
            break
        now = write.bytes_before(now or b"")
        if digest(now) != write.was:
            return data, writes, chosen
        if write is left[-1]:
            left.pop()
            found = (
                now,
                writes[:number],
                [] if now is None else list(left),
            )  # no file: nothing from before is left
    return found


def _own_labels(
    path: Path,
    data: bytes,
    writes: Sequence[WrittenSidecar],
    chosen: Sequence[WrittenSidecar],
    selection: Selection,
) -> set[str]:
    """The labels that the chosen writes added, and no other one; in XMP also those that the file lists itself."""
    chosen = _of_this_photo(path, chosen)
    others = written_labels([write for write in writes if not any(write is one for one in chosen)])
    recorded = set(written_labels(writes)) & {label for write in chosen for label in write.added}
    if path.suffix.lower() != ".xmp":
        return recorded - set(others)
    words = read_words(data, where=path.name)
    if selection.is_all:
        return {*words.ours, *(recorded & set(words.keywords) - set(words.paths))}
    noted = {label_of_prediction(item) for item in _predictions(path, data, selection)}
    return ((recorded | noted) & set(words.keywords) - set(words.paths)) - set(others)


def _of_this_photo(sidecar: Path, writes: Sequence[WrittenSidecar]) -> list[WrittenSidecar]:
    """The writes for the photo that the sidecar is beside now: another one may have got its name."""
    hashes = {identify_file(photo).picture_hash for photo in _photos_beside(sidecar)} if writes else set()
    return [write for write in writes if not hashes or hashes & set(write.photos)]


def _photos_beside(sidecar: Path) -> list[Path]:
    stems = {sidecar.stem, Path(sidecar.stem).stem}
    beside = [path for path in sidecar.parent.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES]
    return [path for path in beside if path.stem in stems or path.name in stems]


def _predictions(path: Path, data: bytes, selection: Selection) -> list[str]:
    """The predictions in an XMP file that are of the chosen run and days."""
    found = []
    for item in read_predictions(data, where=path.name):
        _, day, run, *label = [*item.split(" ", 3), "", "", ""][:4]
        if label and selection.takes(unquote(run), day):
            found.append(item)
    return found


def _cut(path: Path, data: bytes, labels: set[str], *, everything: bool, made: bool) -> bytes | None:
    """The bytes without these labels; None if tagger ``made`` the file and nothing is left in it."""
    if path.suffix.lower() == ".xmp":
        return without_labels(data, labels, everything=everything, where=path.name)
    text = read_text(path) if data == path.read_bytes() else data.decode("utf-8-sig")
    there = [label for label in _parsed(path, text) if label in labels]
    shorter = remove_labels(text, there) if there else text
    if shorter is None:
        raise TaggerError(f"{path.name}: its labels cannot be removed without changing the rest. Edit it")
    if made and not shorter.strip():
        return None
    mark = data[:3] if data.startswith(b"\xef\xbb\xbf") else b""
    return mark + shorter.encode() if there else data


def _gone(path: Path, before: bytes, after: bytes | None) -> list[str]:
    """The keywords that go."""
    if path.suffix.lower() == ".xmp":
        left = [] if after is None else read_words(after, where=path.name).keywords
        return [word for word in read_words(before, where=path.name).keywords if word not in left]
    left = [] if after is None else _parsed(path, after.decode("utf-8-sig"))
    return [label for label in _parsed(path, before.decode("utf-8-sig")) if label not in left]


def _parsed(path: Path, text: str) -> list[str]:
    try:
        return parse_label_text(text)
    except csv.Error as error:
        raise TaggerError(f"{path.name}: broken quoting ({error}). Correct it") from None
