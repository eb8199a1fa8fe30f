"""``tagger decisions import --as verified``: a table of labels whose yes and no are taken as decided by a person."""

import hashlib
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from tagger.arrays import NO, UNKNOWN, YES
from tagger.commands.console.screen import Screen
from tagger.commands.decisions.import_decisions import bring_in
from tagger.commands.decisions.place import DecisionPlace, find_place
from tagger.commands.steps.dataset_reading import read_with_progress
from tagger.commands.steps.reviewed_labels import correct_labels, store_is_missing
from tagger.data import Dataset
from tagger.data.known_hashes import known_hashes
from tagger.errors import TaggerError, did_you_mean
from tagger.review import CorrectedLabels, RecordedDecision, Store, vocabulary_after
from tagger.review.cell_state import effective_decisions
from tagger.review.decision import Cell
from tagger.review.decision_log import DecisionLog
from tagger.review.photo_identity import photo_rows
from tagger.review.store_import import PlannedImport, read_log
from tagger.runs import RunFolder, data_folder
from tagger.text import counted, quoted

VERDICTS = {YES: "yes", NO: "no"}


def import_verified(
    file: str | Path,
    *,
    labels: list[str] | None = None,
    run: str | Path | None = None,
    store: str | None = None,
    data: str | Path | None = None,
    reviewer: str,
    preview: bool = False,
    screen: Screen | None = None,
) -> PlannedImport:
    """Record each yes and no of a table (any format that tagger reads) as a decision of ``reviewer``.

    Unknown cells stay undecided, and what is checked with this value already is not recorded again. ``labels``: only
    these. TaggerError where there is no run: photos and labels are those of a run.
    """
    screen = screen or Screen(quiet=True)
    place = find_place(run, store, data, screen.say)
    if place.run is None:
        raise TaggerError("--as verified needs a run, whose photos and labels the table is about: --run RUN.")
    read = _read(Path(file), place.run, labels, screen)
    log = _decisions(read, place.run, _present(place), reviewer, screen)
    return bring_in(log, place, "verified", str(file), reviewer, preview, screen)


@dataclass(frozen=True)
class _VerifiedTable:
    """The table, its columns that count, and the digest of all that it says."""

    dataset: Dataset
    columns: list[int]

    @property
    def digest(self) -> str:
        """The same for the same content, whatever the file is called."""
        told = hashlib.blake2b(digest_size=8)
        for part in (self.dataset.images["hash"].tolist(), [self.dataset.labels[k] for k in self.columns]):
            told.update(repr(part).encode())
        told.update(self.dataset.labels_NK[:, self.columns].tobytes())
        return told.hexdigest()


def _read(file: Path, run: RunFolder, wanted: list[str] | None, screen: Screen) -> _VerifiedTable:
    settings = run.load_settings()
    root = data_folder(run, holds_decisions=False)
    dataset = read_with_progress(root, file, read_options=settings.data, track=screen.track)
    images = dataset.images.assign(hash=known_hashes(dataset.images, run.load_images()))
    dataset = replace(dataset, images=images)
    screen.say(dataset.source)
    if unknown := [name for name in wanted or () if name not in dataset.labels]:
        near = did_you_mean(unknown[0], dataset.labels)
        raise TaggerError(f"--label {unknown[0]}: {file} has no such label.{near}")
    left_out = [*dataset.unreadable, *(problem for problem in dataset.problems if problem.row is not None)]
    if left_out:
        screen.say(f"{counted(len(left_out), 'problem')} of the table:")
        screen.say_list(left_out)
    return _VerifiedTable(
        dataset, [k for k, name in enumerate(dataset.labels) if not wanted or name in wanted]
    )


def _present(place: DecisionPlace) -> DecisionLog:
    """What is decided, as decisions on the photos of the run."""
    if store_is_missing(place.url):
        return DecisionLog()
    with closing(Store.open(place.url)) as opened, opened.reading() as connection:
        log, on_run = read_log(opened), place.on_run_photos(photo_rows(connection))
    return replace(log, decisions=tuple(on_run(log.decisions)))


def _decisions(
    table: _VerifiedTable, run: RunFolder, present: DecisionLog, reviewer: str, screen: Screen
) -> DecisionLog:
    """A decision for each known cell that is not checked with this value yet."""
    applied = correct_labels(run, present.decisions, present.operations).applied
    rows, columns = _places(table, run, applied, present, screen)
    labels_NK = table.dataset.labels_NK[:, table.columns]
    unknown = int(np.sum(labels_NK == UNKNOWN))
    screen.say(f"{unknown:,} of {labels_NK.size:,} labels of the table are unknown: they stay undecided.")
    said = _said_by(reviewer, run, present)
    begin = RecordedDecision(
        hash="", label="", verdict="yes", before=UNKNOWN, suggested=None, doubt=None, run=run.path.name,
        reviewer=reviewer, seconds=None, client=_client(table.digest, reviewer, present), seq=0, source="import", id=0,
        time=datetime.now(UTC).isoformat(timespec="microseconds"),
    )  # fmt: skip
    hashes: list[str] = table.dataset.images["hash"].tolist()
    found: dict[Cell, RecordedDecision] = {}  # copies of a photo have one decision
    for n, at in np.argwhere(labels_NK != UNKNOWN).tolist():
        row, column, value = rows[n], columns[at], int(labels_NK[n, at])
        if row < 0 or column is None:
            continue
        cell = hashes[n], applied.names[column]
        now = int(applied.labels_NK[row, column])
        if cell in found or said.get(cell) == value or (applied.verified_NK[row, column] and now == value):
            continue
        found[cell] = replace(
            begin, hash=cell[0], label=cell[1], verdict=VERDICTS[value], before=now, id=len(found) + 1,
            seq=n * len(table.columns) + at + 1,
        )  # fmt: skip
    return DecisionLog(decisions=tuple(found.values()))


def _said_by(reviewer: str, run: RunFolder, present: DecisionLog) -> dict[Cell, int]:
    """What this person said last about each cell, by its current name."""
    vocabulary = vocabulary_after(run.load_labels(), present.operations)
    return {
        (row.hash, vocabulary.resolve(row.label) or row.label): row.value
        for row in effective_decisions(present.decisions)
        if row.reviewer == reviewer and row.value is not None
    }


def _places(
    table: _VerifiedTable, run: RunFolder, applied: CorrectedLabels, present: DecisionLog, screen: Screen
) -> tuple[list[int], list[int | None]]:
    """The run's row of each photo of the table (-1: none), and its column of each label; what has none is told."""
    row_of = {hash: n for n, hash in enumerate(run.load_images()["hash"])}
    rows = [row_of.get(hash, -1) for hash in table.dataset.images["hash"]]
    if missing := [file for file, row in zip(table.dataset.images["file"], rows, strict=True) if row < 0]:
        screen.say(
            f"Not imported: {counted(len(missing), 'photo')} that {run.path} does not have: {quoted(missing, 5)}"
        )
    vocabulary = vocabulary_after(run.load_labels(), present.operations)
    names = [table.dataset.labels[k] for k in table.columns]
    current = [vocabulary.resolve(name) for name in names]
    if strange := [name for name, now in zip(names, current, strict=True) if now is None]:
        screen.say(
            f"Not imported: {counted(len(strange), 'label')} that the run does not have: {quoted(strange, 5)}."
            " Add them on the page Labels of tagger review, and import again."
        )
    column_of = {name: k for k, name in enumerate(applied.names)}
    return rows, [None if now is None else column_of[now] for now in current]


def _client(digest: str, reviewer: str, present: DecisionLog) -> str:
    """The same table of the same person has the same keys everywhere; a second time here, new ones."""
    stem = f"table-{digest}-{hashlib.blake2b(reviewer.encode(), digest_size=4).hexdigest()}-"
    used = {row.client for row in present.decisions if row.client.startswith(stem)}
    return f"{stem}{len(used) + 1}"
