"""Doubts of an answered photo's other labels, and of its copies, judged anew at once after the answer.

Learning from verdicts moves labels and directions; computing all doubts again waits for many verdicts. What
an answer says about the same photo does not wait: the rules and the label context see the corrected labels,
weighed as they were last learnt.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tagger.arrays import NO, YES, Cells, Floats
from tagger.suspects.cell_doubt import combine_signals
from tagger.suspects.constraint_violations import MIN_DOUBT, SAME_SHARE
from tagger.suspects.evidence import Evidence
from tagger.suspects.exclusive_labels import Exclusions, shifted_doubts
from tagger.suspects.signals import LabelContext, MinedRules, build_signals


class AnsweredPhotos:
    """What the signals of a photo's other labels make of corrected labels."""

    def __init__(self, evidence: Evidence, *, min_positives: int = 10):
        self._evidence = evidence
        found = build_signals(evidence)
        fitted = combine_signals(evidence, found, evidence.rankable_K(min_positives))
        self._weight_K = {name: part.weight_K for name, part in fitted.contributions.items()}
        rules, context = found["rules"], found["label_context"]
        assert isinstance(rules, MinedRules)
        assert isinstance(context, LabelContext)
        self._rules, self._context = rules, context
        self._column = {name: k for k, name in enumerate(evidence.names)}
        self._exclusions = Exclusions(evidence)
        self._nats: dict[tuple[int, ...], Floats] = {}  # of photos, by row and answered columns
        self._settled = self._settled_values()  # (label, value) -> {label: value that follows}

    def _settled_values(self) -> dict[tuple[int, int], dict[int, int]]:
        settled: dict[tuple[int, int], dict[int, int]] = {}
        for rule in self._evidence.rules:
            premise, implied = self._column[rule.premise], self._column[rule.implied]
            settled.setdefault((premise, YES), {})[implied] = YES
            settled.setdefault((implied, NO), {})[premise] = NO
        for group in self._evidence.groups.values():
            members = [self._column[name] for name in group["labels"]] if group["kind"] != "multi" else []
            for one in members:
                settled.setdefault((one, YES), {}).update({other: NO for other in members if other != one})
        return settled

    def rejudged(self, table: pd.DataFrame, doubt_S: Floats, verdicts: pd.DataFrame) -> NDArray[np.float32]:
        """The doubts after these verdicts (``position``, ``wrong``); those of other photos stay."""
        out_S = np.array(doubt_S, np.float32)
        answered = verdicts["position"].to_numpy(np.int64)
        rows_S = table["row"].to_numpy()
        columns_S = table["label"].map(self._column).to_numpy()
        given_S = table["given"].to_numpy()
        flipped = answered[verdicts["wrong"].to_numpy(bool)]
        for row in np.unique(rows_S[flipped]):
            cells = np.flatnonzero(rows_S == row)
            own = flipped[rows_S[flipped] == row]
            key = int(row), *columns_S[own].tolist()
            if key not in self._nats:
                self._nats[key] = self._nats_for_yes(int(row), columns_S[own], given_S[own])
            nats_K = self._nats[key]
            out_S[cells] = shifted_doubts(out_S[cells], given_S[cells] == YES, nats_K[columns_S[cells]])
        self._settle_by_rules(out_S, rows_S, columns_S, given_S, verdicts)
        self._decide_copies(out_S, rows_S, columns_S, given_S, verdicts)
        out_S[answered] = np.asarray(doubt_S)[answered]
        return out_S

    def _nats_for_yes(self, row: int, columns: NDArray[np.integer], given: Cells) -> Floats:
        """What the evidence for *yes* of each label gains when these cells of a photo are not as given."""
        before_K = self._evidence.labels_NK[row].copy()
        before_K[columns] = given
        after_K = before_K.copy()
        after_K[columns] = np.where(given == YES, NO, YES)
        nats_K = self._weight_K["rules"] * self._rules.gain(before_K, after_K)
        nats_K = nats_K + self._weight_K["label_context"] * self._context.gain(before_K, after_K)
        excluded = [self._exclusions.nats_K(int(k)) for k in columns[given == NO]]
        return np.asarray(nats_K + (np.min(excluded, axis=0) if excluded else 0.0))

    def _settle_by_rules(
        self,
        out_S: Floats,
        rows_S: NDArray[np.integer],
        columns_S: NDArray[np.integer],
        given_S: Cells,
        verdicts: pd.DataFrame,
    ) -> None:
        """What declared rules and groups make of verified cells: no doubt is left about it, in place."""
        for position, wrong in zip(verdicts["position"], verdicts["wrong"], strict=True):
            told = NO if (given_S[position] == YES) == wrong else YES
            settled = self._settled.get((int(columns_S[position]), told), {})
            for other in np.flatnonzero(rows_S == rows_S[position]) if settled else ():
                if (value := settled.get(int(columns_S[other]))) is not None:
                    out_S[other] = MIN_DOUBT if given_S[other] == value else 1 - MIN_DOUBT

    def _decide_copies(
        self,
        out_S: Floats,
        rows_S: NDArray[np.integer],
        columns_S: NDArray[np.integer],
        given_S: Cells,
        verdicts: pd.DataFrame,
    ) -> None:
        """The same label of a verified cell's copies, in place."""
        group_S = self._evidence.duplicate_group_N[rows_S]
        sizes_G = np.bincount(self._evidence.duplicate_group_N)
        for position, wrong in zip(verdicts["position"], verdicts["wrong"], strict=True):
            if sizes_G[group_S[position]] < 2:
                continue
            same = (group_S == group_S[position]) & (columns_S == columns_S[position])
            copies = np.flatnonzero(same & (rows_S != rows_S[position]))
            agree = (given_S[copies] == given_S[position]) != wrong
            out_S[copies] = (1 - SAME_SHARE) * out_S[copies] + np.where(agree, 0, SAME_SHARE)
