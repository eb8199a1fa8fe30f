"""What have people decided about the cells of a run? The store's log, applied to the run's labels."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from tagger.arrays import UNKNOWN, Floats
from tagger.commands.screen import Screen
from tagger.data.wording import counted
from tagger.review import (
    Applied,
    Recorded,
    RecordedOperation,
    Store,
    apply_decisions,
    default_url,
    vocabulary,
)
from tagger.runs import RunFolder
from tagger.suspects import learn


@dataclass(frozen=True)
class Decided:
    """The labels after all decisions, and the log that they follow from."""

    applied: Applied
    rows: Sequence[Recorded]
    operations: Sequence[RecordedOperation]

    @property
    def last_decision(self) -> int:
        """The id of the last decision, 0 if there is none."""
        return max((row.id for row in self.rows), default=0)

    @property
    def last_operation(self) -> int:
        """The id of the last operation on the vocabulary, 0 if there is none."""
        return max((operation.id for operation in self.operations), default=0)


def store_url(run: RunFolder, store: str | None) -> str:
    """The address of the review store: the one named, else the one of the run's data folder."""
    return store or default_url(Path(run.load_settings().data.path))


def read_decisions(url: str) -> tuple[list[Recorded], list[RecordedOperation]]:
    """Everything in the store; nothing where there is no such file yet."""
    if absent(url):
        return [], []
    with closing(Store.open(url)) as store:
        return store.decisions(), store.operations()


def absent(url: str) -> bool:
    """Whether ``url`` names a file that does not exist; anything else that is wrong with it is for ``Store.open``.

    >>> absent("sqlite:////nowhere/review.db"), absent("postgresql://server/db"), absent("no address")
    (True, False, False)
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        return False
    return parsed.drivername.startswith("sqlite") and not Path(parsed.database or "").is_file()


def without_password(url: str) -> str:
    """The address as it may be shown and written down.

    >>> without_password("postgresql://ann:secret@server/db")
    'postgresql://ann:***@server/db'
    """
    return make_url(url).render_as_string(hide_password=True)


def decide(run: RunFolder, rows: Sequence[Recorded], operations: Sequence[RecordedOperation]) -> Decided:
    """The run's labels after these decisions and operations."""
    images = run.load_images()
    files, hashes = images["file"].tolist(), images["hash"].tolist()
    applied = apply_decisions(files, hashes, run.load_cells(), run.load_labels(), rows, operations)
    return Decided(applied, rows, operations)


def judged_cells(run: RunFolder, decided: Decided, test_N: np.ndarray) -> np.ndarray:
    """judged_NK (bool): the cells of the test split by which this run and its successor may be compared.

    Those that a person verified blind, and those that nobody decided, which keep the label they came with. Cells that
    were decided because a model had picked them would let the model mark its own work.
    """
    applied = decided.applied
    may_NK = np.where(applied.verified_NK, applied.blind_NK, True) & (applied.labels_NK != UNKNOWN)
    before_NK, names = run.load_judged(), run.load_labels()
    if before_NK is not None:  # what was left out once stays out unless somebody verified it blind since
        now, cells_NK = vocabulary(names, decided.operations), run.load_cells()
        place = {name: k for k, name in enumerate(applied.names)}
        for k, name in enumerate(names):
            if (current := now.resolve(name)) is not None:
                out_N = (cells_NK[:, k] != UNKNOWN) & ~before_NK[:, k]
                may_NK[:, place[current]] &= ~out_N | applied.blind_NK[:, place[current]]
    return may_NK & test_N[:, None]


def doubt_left(run: RunFolder, suspects: pd.DataFrame, decided: Decided) -> Floats:
    """doubt_NK of the suspects, learnt from the verdicts so far; 0 for cells that are none, NaN for verified ones."""
    applied, now = decided.applied, vocabulary(run.load_labels(), decided.operations)
    place = {name: k for k, name in enumerate(applied.names)}
    doubt_NK = np.zeros(applied.labels_NK.shape, dtype=np.float32)
    current = {name: now.resolve(name) for name in suspects["label"].unique()}
    column = suspects["label"].map({name: place[to] for name, to in current.items() if to is not None})
    rows, given = suspects["row"].to_numpy(np.int64), suspects["given"].to_numpy()
    usable = (column.notna() & (rows < len(doubt_NK))).to_numpy()
    at = rows[usable], column[usable].to_numpy(np.int64)
    verified, positions = applied.verified_NK[at], np.flatnonzero(usable)
    verdicts = pd.DataFrame(
        {"position": positions[verified], "wrong": (applied.labels_NK[at] != given[usable])[verified]}
    )
    doubt = learn(suspects, verdicts)[usable]
    doubt_NK[at] = np.where(applied.labels_NK[at] == given[usable], doubt, 0)
    return np.where(applied.verified_NK, np.float32(np.nan), doubt_NK)


def summarise(decided: Decided, url: str, screen: Screen) -> None:
    """What was decided, and what of it has no place in the run, on the screen."""
    applied = decided.applied
    verified = counted(int(np.sum(applied.verified_NK)), "cell")
    screen.say(
        f"{counted(len(decided.rows), 'decision')} in {without_password(url)}: {verified} verified,"
        f" {counted(len(applied.changes), 'label')} changed."
    )
    if len(applied.unmatched):
        screen.say(f"{counted(len(applied.unmatched), 'decision')} on images or labels that this run does not have:")
        screen.few([f"{row.label!r} of image {row.hash[:12]} ({row.verdict})" for row in applied.unmatched])
    for problem in applied.problems:
        screen.say(problem)
