"""Writing of sidecars with a record of every write, so that it is known later what tagger wrote."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tagger.commands.writers.sidecars import (
    MergeRules,
    SidecarChange,
    SidecarOrigin,
    SidecarWriter,
    write_change,
)
from tagger.data.formats.written_record import (
    WrittenRecord,
    WrittenRecords,
    WrittenSidecar,
    digest,
    undo_of,
    written_labels,
)
from tagger.data.images.hashes import identify_file
from tagger.runs import disk_error


@dataclass(frozen=True)
class SidecarRequest:
    """What is to be written to one sidecar: labels of the images ``rows``, whose files are ``photos``.

    ``predicted`` holds what to note of labels that a model predicted; None if people chose them.
    """

    path: Path
    rows: list[int]
    photos: list[Path]
    labels: list[str]
    merge: MergeRules | None
    complete: bool = True
    predicted: Mapping[str, str] | None = None


@dataclass(frozen=True)
class KeywordChange:
    """A keyword that a sidecar gets, loses, or does not get as a person took it off before.

    It is that of ``files[row]``, and of others that share the sidecar. ``what``: added, removed, kept off, or copied
    from the photo.
    """

    row: int
    keyword: str
    sidecar: Path
    what: str = "removed"


@dataclass
class RecordedSidecars:
    """A writer of sidecars in one folder, the record of its writes, and what it has changed so far.

    Without a ``run`` nothing is recorded; what was recorded before is known all the same.
    """

    writer: SidecarWriter
    folder: Path
    run: str | None = None
    time: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    changes: list[KeywordChange] = field(default_factory=list)
    deleted: list[Path] = field(default_factory=list)  # written before as a whole, and gone as a whole
    other_name: list[Path] = field(default_factory=list)  # sidecars that another naming made
    _hashes: dict[Path, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.records = WrittenRecords()
        self.record = self.records.record(self.folder)

    def path_of(self, file: str) -> Path:
        """The sidecar of an image: the one that it has, or a new one."""
        path = self.writer.existing_or_new(self.folder, file)
        if path != self.folder / self.writer.sidecar_path(file) and path not in self.other_name:
            self.other_name.append(path)
        return path

    def plan(self, request: SidecarRequest) -> SidecarChange:
        """What a write will change. TaggerError if what is there cannot be read."""
        recorded: list[str] = []
        if request.path.is_file():
            writes = self.records.writes(request.path, request.path.read_bytes())
            recorded = written_labels(writes, self._photo_hashes(request)) if writes else []
        origin = SidecarOrigin(request.photos, request.predicted, recorded)
        return self.writer.plan(
            request.path, request.labels, request.merge, origin, complete=request.complete
        )

    def write(self, request: SidecarRequest) -> None:
        """Write a sidecar, with the record of it. TaggerError if what is there cannot be read."""
        change = self.plan(request)
        if change.before is None and self.records.writes(request.path, None):
            self.deleted.append(request.path)
        write = self._record_of(request, change) if self.run is not None else None
        with recording(self.record, write):
            write_change(request.path, change)
        self.changes += keyword_changes(request, change)

    def _record_of(self, request: SidecarRequest, change: SidecarChange) -> WrittenSidecar | None:
        """The line of the record; None if there is nothing to record."""
        name = self.record.name_of(request.path)
        settled: list[str] = []
        if request.predicted is None:
            unchecked = written_labels(self.records.writes(request.path, change.before), predicted=True)
            settled = [label for label in request.labels if label in unchecked]
        if change.after == change.before and not settled:
            return None
        ours = [label for label in change.added if label in request.labels]
        return WrittenSidecar(
            name, self._photo_hashes(request), self.time, self.run or "", ours, change.removed,
            request.predicted is not None, digest(change.before), digest(change.after),
            undo_of(change.before, change.after), settled,
        )  # fmt: skip

    def _photo_hashes(self, request: SidecarRequest) -> list[str]:
        for photo in request.photos:
            if photo not in self._hashes:
                self._hashes[photo] = identify_file(photo).picture_hash
        return [self._hashes[photo] for photo in request.photos]


@contextmanager
def recording(record: WrittenRecord, write: WrittenSidecar | None) -> Iterator[None]:
    """Record a write that the block makes; None: nothing. A full disk is an error that names the record."""
    if write is None:
        yield
        return
    try:
        record.begin(write)
    except OSError as error:
        raise disk_error(error, record.path) from None
    yield
    try:
        record.end(write)
    except OSError as error:
        raise disk_error(error, record.path) from None


def keyword_changes(request: SidecarRequest, change: SidecarChange) -> list[KeywordChange]:
    """The changes of one sidecar, a row each."""
    added = [word for word in change.added if word in request.labels]
    copied = [word for word in change.added if word not in request.labels]
    kinds = (
        ("added", added),
        ("copied", copied),
        ("removed", change.removed),
        ("kept off", change.kept_off),
    )
    return [
        KeywordChange(request.rows[0], word, request.path, what) for what, words in kinds for word in words
    ]
