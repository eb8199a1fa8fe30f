"""The record of what tagger wrote to sidecars: ``FOLDER/.tagger/written.jsonl`` in the folder that they are in.

Text sidecars have no place for it, and some programs drop what they do not know from an XMP file. So each write adds
one line: the sidecar, the photos it is for (by the hashes of their pictures), when, by which run, the labels added
and removed, and what gives back the bytes before. The line comes before the write, and one that it is done after it:
a write that was never done, of a sidecar that still is what it was, did not happen.
"""

import base64
import hashlib
import json
import os
import zlib
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

RECORD = Path(".tagger", "written.jsonl")


@dataclass(frozen=True)
class WrittenSidecar:
    """One write. ``was`` and ``now`` are hashes of the bytes before (empty: no file) and after.

    ``undo`` gives the bytes before (``bytes_before``). ``photos`` are hashes of the pictures that it is for.
    ``predicted``: a model chose the labels, and nobody has checked them. ``settled`` are those that people chose
    and that were there already.
    """

    sidecar: str
    photos: list[str]
    time: str
    run: str
    added: list[str]
    removed: list[str]
    predicted: bool
    was: str
    now: str
    undo: str = ""
    settled: list[str] = field(default_factory=list)

    def bytes_before(self, after: bytes) -> bytes | None:
        """The bytes before the write; None if there was no file. ``after`` are those that it wrote."""
        if not self.was:
            return None
        return zlib.decompressobj(zdict=_dictionary(after)).decompress(base64.b64decode(self.undo))


def undo_of(before: bytes | None, after: bytes) -> str:
    """What gives back the bytes before; a hundred characters, as it need not hold what both have.

    >>> len(undo_of(bytes(range(256)) * 9, bytes(range(256)) * 9 + b"more")) < 100
    True
    """
    if before is None:
        return ""
    packer = zlib.compressobj(9, zdict=_dictionary(after))
    return base64.b64encode(packer.compress(before) + packer.flush()).decode()


def digest(data: bytes | None) -> str:
    """The hash of a sidecar; empty if there is none.

    >>> digest(None), len(digest(b"cat"))
    ('', 32)
    """
    return "" if data is None else hashlib.blake2b(data, digest_size=16).hexdigest()


class WrittenRecord:
    """All writes to the sidecars of one folder, by sidecar, in their order."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.path = folder / RECORD
        self._writes: dict[str, list[WrittenSidecar]] = defaultdict(list)
        self._undone: dict[
            str, WrittenSidecar
        ] = {}  # the last write of a sidecar, if it may not have happened
        self._torn = False  # a kill has cut off the last line
        for row in self._rows():
            self._take_in(row)

    def __bool__(self) -> bool:
        return bool(self._writes)

    def name_of(self, sidecar: Path) -> str:
        """The name by which a sidecar of the folder is recorded."""
        return os.path.relpath(sidecar, self.folder).replace(os.sep, "/")

    def names(self) -> list[str]:
        """All recorded sidecars."""
        return sorted(self._writes)

    def writes(self, name: str, current: bytes | None) -> list[WrittenSidecar]:
        """The writes to a sidecar that happened, oldest first."""
        found = self._writes.get(name, [])
        last = self._undone.get(name)
        return [write for write in found if write is not last or write.was != digest(current)]

    def begin(self, write: WrittenSidecar) -> None:
        """Append a write, before it is made."""
        self._append(asdict(write))

    def end(self, write: WrittenSidecar) -> None:
        """Append that it is done."""
        self._append({"done": write.sidecar})

    def without(self, names: Collection[str]) -> str:
        """The text of the record without the writes to some sidecars."""
        kept = [write for name in self.names() if name not in names for write in self._writes[name]]
        return "".join(_line(asdict(write)) + _line({"done": write.sidecar}) for write in kept)

    def _append(self, row: dict[str, Any]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(("\n" if self._torn else "") + _line(row))
        self._torn = False
        self._take_in(row)

    def _take_in(self, row: dict[str, Any]) -> None:
        if "done" in row:
            self._undone.pop(row["done"], None)
            return
        write = WrittenSidecar(**{key: value for key, value in row.items() if key in KNOWN})
        before = self._undone.get(write.sidecar)
        if before is not None and before.was == write.was:
            self._writes[write.sidecar].remove(before)  # it never happened
        self._writes[write.sidecar].append(write)
        self._undone[write.sidecar] = write

    def _rows(self) -> Iterator[dict[str, Any]]:
        """The rows of the file; a line that was cut off by a kill is left out."""
        try:
            text = self.path.read_text("utf-8", "replace")
        except (FileNotFoundError, NotADirectoryError):
            return
        self._torn = bool(text) and not text.endswith("\n")
        for line in text.split("\n"):
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(row, dict) and ("done" in row or row.keys() >= REQUIRED):
                yield row


class WrittenRecords:
    """The records of all folders that a sidecar is in: tagger may have been called on any of them."""

    def __init__(self) -> None:
        self._record_of: dict[str, WrittenRecord] = {}

    def writes(self, sidecar: Path, current: bytes | None) -> list[WrittenSidecar]:
        """The writes to a sidecar that happened, oldest first."""
        whole = Path(os.path.abspath(sidecar))
        records = [self.record(folder) for folder in whole.parents]
        return _in_order([record.writes(record.name_of(whole), current) for record in records if record])

    def record(self, folder: Path) -> WrittenRecord:
        """The record of one folder."""
        whole = os.path.abspath(folder)
        if whole not in self._record_of:
            self._record_of[whole] = WrittenRecord(Path(whole))
        return self._record_of[whole]


def _in_order(records: list[list[WrittenSidecar]]) -> list[WrittenSidecar]:
    """The writes of several records as one history: each found the bytes that the one before had left.

    The time only decides where others wrote in between: a clock counts seconds here, and may be set back.
    """
    queues = [deque(writes) for writes in records if writes]
    found: list[WrittenSidecar] = []
    while queues:
        left = found[-1].now if found else ""
        queue = min(queues, key=lambda queue: (queue[0].was != left, queue[0].time))
        found.append(queue.popleft())
        queues = [queue for queue in queues if queue]
    return found


def written_labels(
    writes: Iterable[WrittenSidecar], photos: Collection[str] | None = None, *, predicted: bool = False
) -> list[str]:
    """The labels that tagger wrote to a sidecar of these photos and did not remove; only ``predicted`` ones."""
    found: dict[str, None] = {}
    for write in writes:
        if photos is not None and not set(write.photos) & set(photos):
            continue
        counts = write.predicted or not predicted
        gone = {*write.removed, *([] if counts else [*write.added, *write.settled])}
        found = {label: None for label in found if label not in gone}
        found |= dict.fromkeys(write.added if counts else [])
    return list(found)


KNOWN = {one.name for one in fields(WrittenSidecar)}
REQUIRED = KNOWN - {"undo", "settled"}


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


def _dictionary(data: bytes) -> bytes:
    return data[-32_000:]
