"""Labels that tagger wrote to sidecars and a person took off: found, offered, and recorded as decided *no*."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path
from uuid import uuid4

from tagger.commands.console.screen import Screen
from tagger.commands.steps.reviewed_labels import ReviewedLabels
from tagger.data.formats.keyword_sources import sidecars_of
from tagger.data.formats.label_text import parse_label_text
from tagger.data.formats.text_file import read_text
from tagger.data.formats.written_record import WrittenRecords, written_labels
from tagger.data.formats.xmp import missing_labels, read_words
from tagger.data.images.hashes import identify_file
from tagger.errors import Problem, TaggerError
from tagger.review import Decision, RecordedDecision, RecordedOperation, Store, vocabulary_after
from tagger.review.cell_state import effective_decisions
from tagger.runs import RunFolder
from tagger.text import counted


@dataclass(frozen=True)
class TakenOff:
    """A label that tagger wrote to a sidecar of a photo and that is gone from it; ``hash`` is that of the run."""

    file: str
    hash: str
    label: str
    sidecar: str


def find_taken_off(
    root: Path, files: Sequence[str], hashes: Sequence[str]
) -> tuple[list[TakenOff], list[Problem]]:
    """(labels that were taken off, sidecars that cannot be read) of the images in ``root``."""
    records = WrittenRecords()
    found = []
    problems = []
    for file, hash in zip(files, hashes, strict=True):
        photo = root / file
        for sidecar in (*sidecars_of(photo), photo.with_suffix(".txt")):
            try:
                labels = list(_taken_off(photo, sidecar, records)) if sidecar.is_file() else []
            except (TaggerError, OSError, csv.Error) as error:
                problems.append(Problem(file, None, f"its sidecar cannot be read: {error}"))
                continue
            found += [TakenOff(file, hash, label, sidecar.name) for label in labels]
    return found, problems


def _taken_off(photo: Path, sidecar: Path, records: WrittenRecords) -> Iterator[str]:
    """The labels of one sidecar: those that it lists itself, and those in tagger's record."""
    data = sidecar.read_bytes()
    writes = records.writes(sidecar, data)
    recorded = written_labels(writes, [identify_file(photo).picture_hash]) if writes else []
    if sidecar.suffix == ".txt":
        there = parse_label_text(read_text(sidecar)) if recorded else []
        yield from missing_labels(recorded, there, recorded)
        return
    words = read_words(data, where=sidecar.name)
    gone = missing_labels(recorded, words.keywords, recorded)
    yield from dict.fromkeys([*words.taken_off, *gone])


def undecided_of_run(
    run: RunFolder,
    found: Sequence[TakenOff],
    decisions: Sequence[RecordedDecision],
    operations: Sequence[RecordedOperation],
) -> tuple[list[TakenOff], dict[str, str]]:
    """(those on photos and labels of the run on which nobody decided yet, present name of each label)."""
    vocabulary = vocabulary_after(run.load_labels(), operations)
    decided = {
        (one.hash, vocabulary.resolve(one.label))
        for one in effective_decisions(decisions)
        if one.value is not None
    }
    names = {one.label: now for one in found if (now := vocabulary.resolve(one.label)) is not None}
    hashes = set(run.load_images()["hash"])
    open_ones = {
        (one.hash, names[one.label]): one
        for one in found
        if one.label in names and one.hash in hashes and (one.hash, names[one.label]) not in decided
    }
    return list(open_ones.values()), names


def offer_taken_off(run: RunFolder, root: Path, corrected: ReviewedLabels, screen: Screen) -> None:
    """Say how many tags were taken off and are not decided, and the command that learns them as *no*."""
    images = run.load_images()
    found, _ = find_taken_off(root, images["file"].tolist(), images["hash"].tolist())
    open_ones, _ = undecided_of_run(run, found, corrected.decisions, corrected.operations)
    if open_ones:
        screen.say(
            f"{counted(len(open_ones), 'tag')} that tagger wrote to sidecars, taken off by somebody since. To learn"
            f" them as no: tagger data taken-off --run {run.path} --record"
        )


def record_as_no(
    run: RunFolder, url: str, found: Sequence[TakenOff], names: Mapping[str, str], reviewer: str | None
) -> int:
    """Record a *no* for each in the review store, as the person's decision; the number of them."""
    cells_NK = run.load_cells()
    row_of = {hash: row for row, hash in enumerate(run.load_images()["hash"])}
    column_of = {label: k for k, label in enumerate(run.load_labels())}
    client = f"taken-off-{uuid4().hex}"
    rows = [
        Decision(
            hash=one.hash, label=names[one.label], verdict="no",
            before=int(cells_NK[row_of[one.hash], column_of[one.label]]) if one.label in column_of else -1,
            suggested=None, doubt=None, run=run.path.name, reviewer=reviewer or account_name(), seconds=None,
            client=client, seq=seq, source="edit",
        )
        for seq, one in enumerate(found, 1)
    ]  # fmt: skip
    with closing(Store.open(url)) as store:
        return len(store.record(rows))


def account_name() -> str:
    """The name of the person whose account this is."""
    try:
        return getuser()
    except (OSError, KeyError):
        return "reviewer"
