"""Corrected labels and the list of changes, from the original labels and the decisions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tagger.arrays import UNKNOWN, Cells
from tagger.data.formats.label_column import reads_back
from tagger.data.formats.prediction_columns import label_column
from tagger.review.cell_replay import ReplayedCells, replay_decisions
from tagger.review.cell_state import effective_decisions
from tagger.review.decision import VERDICT_VALUES, Cell, RecordedDecision, RecordedOperation
from tagger.review.disagreement import Decide, DisputedLabel, leave_open
from tagger.review.label_operations import EditedVocabulary, vocabulary_after

CHANGE_COLUMNS = ["file", "hash", "label", "before", "after", "reviewers", "time", "decisions"]


@dataclass(frozen=True, kw_only=True)
class CorrectedLabels:
    """What people made of the labels. K follows ``names``, the labels after all operations."""

    names: tuple[str, ...]
    labels_NK: Cells
    verified_NK: np.ndarray  # bool: people decided it
    blind_NK: np.ndarray  # bool: ... without seeing what the model thinks
    changes: pd.DataFrame  # one row a cell whose value decisions changed, by file and label
    unmatched: tuple[
        RecordedDecision, ...
    ]  # decisions that count but name an image or a label that is not here
    problems: tuple[str, ...]  # operations that no longer make sense, in words
    disputed: tuple[DisputedLabel, ...] = ()  # people differ and nobody settled, by label and photo


def apply_decisions(
    files: Sequence[str],
    hashes: Sequence[str],
    labels_NK: Cells,
    names: Sequence[str],
    rows: Iterable[RecordedDecision],
    operations: Iterable[RecordedOperation] = (),
    *,
    decide: Decide = leave_open,
) -> CorrectedLabels:
    """The labels after the decisions and operations, whatever the order of images or rows.

    Where people differ, ``decide`` may give the label a value (``disagreement.WAYS``); else it stays as given.

    ``before`` in the changes is the value without decisions (after merges); times are of the last decision.

    >>> apply_decisions(["a.jpg"], ["a1"], np.array([[1]], np.int8), ["sea"], []).labels_NK.tolist()
    [[1]]
    """
    now = vocabulary_after(names, operations)
    rows = effective_decisions(rows)
    done = replay_decisions(hashes, labels_NK, now, rows, decide=decide)
    known = set(hashes)
    about: dict[Cell, list[RecordedDecision]] = {}
    unmatched = []
    for row in rows:
        name = now.resolve(row.label)
        if name is None or row.hash not in known:
            unmatched.append(row)
        elif row.value is not None:
            about.setdefault((row.hash, name), []).append(row)
    changes = _changes(files, hashes, labels_NK, now, about, done)
    return CorrectedLabels(
        names=now.names,
        labels_NK=done.values_NK,
        verified_NK=done.verified_NK,
        blind_NK=done.blind_NK,
        changes=pd.DataFrame(sorted(changes), columns=CHANGE_COLUMNS),
        unmatched=tuple(unmatched),
        problems=tuple(now.problems),
        disputed=_disputed_labels(done),
    )


def _disputed_labels(done: ReplayedCells) -> tuple[DisputedLabel, ...]:
    return tuple(
        DisputedLabel(
            hash=hash,
            label=label,
            verdicts=tuple(
                sorted((who, said) for who, said in state.verdicts.items() if said in VERDICT_VALUES)
            ),
            value=state.value,
        )
        for (hash, label), state in sorted(done.disputed.items(), key=lambda one: (one[0][1], one[0][0]))
    )


def _changes(
    files: Sequence[str],
    hashes: Sequence[str],
    labels_NK: Cells,
    vocabulary: EditedVocabulary,
    decisions_by_cell: dict[Cell, list[RecordedDecision]],
    done: ReplayedCells,
) -> list[tuple]:
    """A row of ``CHANGE_COLUMNS`` for each cell of each image whose value decisions changed."""
    column = {name: k for k, name in enumerate(vocabulary.names)}
    decided = {hash for hash, _ in decisions_by_cell}
    touched = [row for row, hash in enumerate(hashes) if hash in decided]
    before = replay_decisions([hashes[row] for row in touched], labels_NK[touched], vocabulary, []).values_NK
    index_of_row = {row: index for index, row in enumerate(touched)}
    rows_of_hash: dict[str, list[int]] = {}
    for row in touched:
        rows_of_hash.setdefault(hashes[row], []).append(row)
    changes = []
    for (hash, name), decisions in decisions_by_cell.items():
        people = ", ".join(sorted({decision.reviewer for decision in decisions}))
        ids = " ".join(str(decision.id) for decision in decisions)
        for row in rows_of_hash[hash]:
            old = int(before[index_of_row[row], column[name]])
            new = int(done.values_NK[row, column[name]])
            if old != new:
                changes.append((files[row], hash, name, old, new, people, decisions[-1].time, ids))
    return changes


def label_table(
    files: Sequence[str],
    names: Sequence[str],
    labels_NK: Cells,
    *,
    joined: bool = True,
    words: tuple[str, str, str] = ("", "0", "1"),
) -> pd.DataFrame:
    """The labels as a table of text that ``--labels`` reads, sorted by file: the same labels give the same
    bytes.

    ``file,labels`` joined by ``|`` where that says everything (all cells known, no ``|`` in a name, each label
    used) and readers take it so (``joined``); else ``file`` and one 0/1/empty column per label. ``words`` are those
    for unknown, no and yes under the settings of the run.

    >>> label_table(["a.jpg"], ["sea"], np.array([[1]], np.int8))
        file labels
    0  a.jpg    sea
    """
    order = sorted(range(len(files)), key=lambda row: files[row])
    cells = labels_NK[order]
    table: dict[str, list[str]] = {"file": [files[row] for row in order]}
    plain = joined and all(name == name.strip() and name and "|" not in name for name in names)
    if plain and (cells != UNKNOWN).all() and (cells == 1).any(axis=0).all():
        names_K = np.array(names, object)
        chosen = [names_K[row == 1].tolist() for row in cells]
        texts = ["|".join(labels) for labels in chosen]
        if reads_back(texts, chosen):
            return pd.DataFrame(table | {"labels": texts})
    for name, column in zip(names, cells.T, strict=True):
        table[label_column(name)] = np.array(words, object)[column + 1].tolist()
    return pd.DataFrame(table)
