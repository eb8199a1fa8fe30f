"""People's votes in a store, weighed by how reliable each is for each label (``scoring/votes.py``)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tagger.arrays import NO, UNKNOWN, YES, Floats
from tagger.review.cell_state import counting_votes, effective_decisions
from tagger.review.decision import VERDICT_VALUES, Cell, RecordedDecision
from tagger.review.disagreement import majority
from tagger.review.label_operations import EditedVocabulary
from tagger.scoring.votes import MIN_SHARED, WeighedVotes, weigh_votes

PEOPLE_COLUMNS = ["person", "votes", "shared", "sensitivity", "specificity"]


@dataclass(frozen=True, kw_only=True)
class StoreVotes:
    """The votes that count, and what they say once they are weighed."""

    people: tuple[str, ...]
    labels: tuple[str, ...]
    vocabulary: EditedVocabulary
    cells: dict[Cell, int]  # column of ``votes_PC``, by (hash, current label)
    votes_PC: np.ndarray
    weighed: WeighedVotes

    def decide(self, votes: Sequence[RecordedDecision]) -> int | None:
        """What a disputed cell is: by the weighed votes, or the majority where there are too few votes on its label."""
        label = self.vocabulary.resolve(votes[0].label) or ""
        at = self.cells.get((votes[0].hash, label))
        if at is None or not self.weighed.enough_K[self.labels.index(label)]:
            return majority(votes)
        return YES if self.weighed.probs_C[at] > 0.5 else NO

    def people_table(self) -> pd.DataFrame:
        """A row for each person: votes, and how often a yes is called yes and a no is called no, over all labels.

        ``shared``: the votes on what somebody else answered, too. With few of them there are no rates.
        """
        belief_C = self.weighed.probs_C
        shared_C = (self.votes_PC != UNKNOWN).sum(axis=0) > 1
        rows = []
        for person, votes_C in zip(self.people, self.votes_PC, strict=True):
            known_C = votes_C != UNKNOWN
            shared = int((known_C & shared_C).sum())
            yes, no = belief_C[known_C].sum(), (1 - belief_C[known_C]).sum()
            enough = shared >= MIN_SHARED
            sensitivity = belief_C[votes_C == YES].sum() / yes if enough and yes >= 1 else None
            specificity = (1 - belief_C[votes_C == NO]).sum() / no if enough and no >= 1 else None
            rows.append([person, int(known_C.sum()), shared, sensitivity, specificity])
        return pd.DataFrame(rows, columns=PEOPLE_COLUMNS)


def weigh_store_votes(
    rows: Iterable[RecordedDecision],
    vocabulary: EditedVocabulary,
    hashes: Sequence[str],
    probs_NK: Floats | None,
) -> StoreVotes:
    """The votes on the current labels. ``probs_NK``: the model's held-out probability, K as in the run, or None."""
    by_cell: dict[Cell, list[RecordedDecision]] = {}
    for row in effective_decisions(rows):
        if (name := vocabulary.resolve(row.label)) is not None:
            by_cell.setdefault((row.hash, name), []).append(row)
    votes = {cell: found for cell, about in by_cell.items() if (found := counting_votes(about))}
    people = tuple(sorted({vote.reviewer for found in votes.values() for vote in found}))
    person_row = {person: p for p, person in enumerate(people)}
    votes_PC = np.full((len(people), len(votes)), UNKNOWN, np.int8)
    for c, found in enumerate(votes.values()):
        for vote in found:
            votes_PC[person_row[vote.reviewer], c] = VERDICT_VALUES[vote.verdict]
    labels = vocabulary.names
    label_C = np.array([labels.index(label) for _, label in votes], np.int64)
    probs_C = None if probs_NK is None else _model_probs(votes, vocabulary, hashes, probs_NK)
    return StoreVotes(
        people=people,
        labels=labels,
        vocabulary=vocabulary,
        cells={cell: c for c, cell in enumerate(votes)},
        votes_PC=votes_PC,
        weighed=weigh_votes(votes_PC, label_C, len(labels), probs_C),
    )


def _model_probs(
    cells: Iterable[Cell], vocabulary: EditedVocabulary, hashes: Sequence[str], probs_NK: Floats
) -> Floats:
    """The model's probability of each cell; NaN for a photo or a label that the run does not have."""
    row_of = {hash: n for n, hash in enumerate(hashes)}
    columns = {name: vocabulary.run_column(name) for name in vocabulary.names}
    found = []
    for hash, name in cells:
        row, column = row_of.get(hash), columns[name]
        found.append(np.nan if row is None or column is None else probs_NK[row, column])
    return np.array(found, float)
