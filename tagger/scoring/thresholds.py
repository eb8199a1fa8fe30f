"""Per-label thresholds for a stated objective, from out-of-sample probabilities.

What: the threshold that is best under a Platt curve of the label, held near the curve of all labels;
counting takes over as positives come in. Why: the threshold of the best F1 on the data at hand fits its
noise; the F1 curve is flat and ragged near its top. Measured: means of 200 random splits, thresholds chosen
on a half and scored on the other half. The photos' probabilities were of an earlier head; those of another
run give other digits in the third place.

    python benchmarks/thresholds.py FILE.npz     14 labels of 8,000 photos (38 to 2,560 positives), out-of-fold
    python benchmarks/thresholds.py synthetic    14 labels of different share, difficulty and bias

                                           photos: macro-F1 (wins)  micro-F1    synthetic: macro-F1 (wins)  micro-F1
    best shared threshold, for macro-F1            .6216              .7246                .5089              .6507
    best shared threshold, for micro-F1            .6213    42 %      .7281                .4974     14 %     .6654
    best F1 on the data at hand                    .6215    52 %      .7207                .5328     96 %     .6593
    the same, curve blurred                        .6226    61 %      .7212                .5346     98 %     .6608
    the same, mean over bootstrap draws: counting  .6276    89 %      .7236                .5364     98 %     .6620
    counting, shrunk to shared by n / (n + 25)     .6272    88 %      .7252                .5348     99 %     .6656
    counting, shrunk to shared by its variance     .6244    77 %      .7256                .5353     99 %     .6652
    model (F*/2 of a Platt curve), no prior        .6297    96 %      .7262                .5398    100 %     .6622
    model, prior 50                                .6302    98 %      .7263                .5397    100 %     .6620
    model, prior 300                               .6316    98 %      .7260                .5363     98 %     .6594
    choose_thresholds                              .6301    98 %      .7261                .5394    100 %     .6626

A prior of 300 suits labels that are alike (the photos) and hurts others; 50 is near the best on both. The
shrinkage of n / (n + 2) towards the shared threshold is kept, at a cost of .0003, so that a label of few
positives cannot go astray.

A label with known cells of one side only is chosen nowhere: its threshold is ``NEVER``. Any other threshold
would be a guess. Where all known cells are yes, F1 is best when every photo is chosen.

B here: bootstrap draws.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tagger.arrays import NO, UNKNOWN, YES, Bools, Cells, Floats, labels_with_both_sides, logit, sigmoid
from tagger.scoring.best_thresholds import (
    EPS,
    best_shared_threshold,
    empirical_threshold,
    model_based_threshold,
)
from tagger.scoring.bootstrap import image_weights
from tagger.scoring.calibration import fit_scale
from tagger.scoring.finite_checks import check_finite_fields, check_scores
from tagger.scoring.metrics import NEVER
from tagger.scoring.pooled_limit import PooledLimit, limit_pooled_loss
from tagger.scoring.threshold_objective import ThresholdObjective, parse_objective
from tagger.text import shortlist

NEVER_CHOSEN = "never chosen: "  # how the threshold of such a label begins


@dataclass(frozen=True)
class LabelThreshold:
    """One label's threshold and where it comes from."""

    value: float
    # "own", "shrunk", "own: precision>=0.9 not reached (best 0.84)", "shared: not enough data (7 positives)",
    # "never chosen: no known negative"
    how: str
    low: float | None  # 95 % bootstrap interval of the threshold; None where it is not the label's own
    high: float | None
    positives: int

    @property
    def never_chosen(self) -> bool:
        """Whether no probability reaches it, as nothing is known of one side."""
        return self.value > 1


@dataclass(frozen=True)
class Thresholds:
    """One threshold per label, in K's order; a label is chosen where ``probs >= value``."""

    labels: tuple[LabelThreshold, ...]
    shared: float  # the best single threshold for all labels
    objective: str
    note: str = ""  # why the labels' own thresholds were moved; empty where they were not

    @property
    def values_K(self) -> Floats:
        """The thresholds as an array, (K,) float64."""
        return np.array([label.value for label in self.labels], dtype=np.float64)

    def never_chosen_note(self, names: Sequence[str], *, quote: Callable[[str], str] = repr) -> str:
        """Sentence on the labels that are chosen nowhere; empty if there are none. ``quote`` writes a name.

        >>> one = Thresholds((LabelThreshold(NEVER, "never chosen: no known negative", None, None, 12),), 0.3, "f1")
        >>> one.never_chosen_note(["cat"])
        "Labels chosen on no photo: 'cat' (no known negative). Give some photos the other answer, then train again."
        """
        found = [
            f"{quote(name)} ({label.how.removeprefix(NEVER_CHOSEN)})"
            for name, label in zip(names, self.labels, strict=True)
            if label.never_chosen
        ]
        if not found:
            return ""
        what_to_do = "Give some photos the other answer, then train again."
        return f"Labels chosen on no photo: {shortlist(found)}. {what_to_do}"

    def replaced(self, values: Mapping[str, float], names: Sequence[str], *, how: str) -> "Thresholds":
        """These thresholds with those of some labels replaced by values chosen by hand; ``how`` says where from.

        >>> one = Thresholds((LabelThreshold(0.25, "own", 0.2, 0.3, 40),), 0.3, "f1")
        >>> one.replaced({"cat": 0.5, "gone": 0.1}, ["cat"], how="strict").labels[0].value
        0.5
        """
        rows = [
            LabelThreshold(float(values[name]), how, None, None, row.positives) if name in values else row
            for name, row in zip(names, self.labels, strict=True)
        ]
        return replace(self, labels=tuple(rows))

    def to_json(self) -> dict[str, Any]:
        """What ``json`` can write: aim, shared, and per label value, how, interval [low, high] or None, positives."""
        rows = []
        for t in self.labels:
            interval = None if t.low is None else [t.low, t.high]
            rows.append({"value": t.value, "how": t.how, "interval": interval, "positives": t.positives})
        # The key "aim" is historic: the objective had that name, and files of earlier runs have it.
        document = {"aim": self.objective, "shared": self.shared, "labels": rows}
        return document | ({"note": self.note} if self.note else {})

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Thresholds":
        """What ``to_json`` gave, back again; TaggerError for a number that is none.

        >>> one = Thresholds((LabelThreshold(0.25, "own", 0.2, 0.3, 40),), 0.3, "f1")
        >>> Thresholds.from_json(one.to_json()) == one
        True
        """
        check_finite_fields([data], "shared")
        check_finite_fields(data["labels"], "value")
        rows = []
        for row in data["labels"]:
            low, high = row["interval"] or (None, None)
            rows.append(
                LabelThreshold(float(row["value"]), str(row["how"]), low, high, int(row["positives"]))
            )
        return cls(tuple(rows), float(data["shared"]), str(data["aim"]), str(data.get("note", "")))


def choose_thresholds(
    labels_NK: Cells,
    probs_NK: Floats,
    objective: ThresholdObjective | str = "f1",
    *,
    decidable_K: Bools | None = None,
    min_positives: int = 10,
    shrinkage: float = 2.0,
    prior: float = 50.0,
    counting_half_weight: float = 1000.0,
    confidence: float | None = None,
    pooled_loss: float = 0.01,
    draws: int = 100,
    seed: int = 0,
) -> Thresholds:
    """A threshold per label that is good for ``objective`` on other images, from out-of-sample probabilities.

    For f and cost three estimates are mixed in log-odds, by the number n of positives: counting (the bagged
    best threshold) weighs n / (n + counting_half_weight) against a model (Platt curve held near the shared
    one by ``prior``), and both together weigh n / (n + shrinkage) against the shared threshold. A constraint takes
    the threshold that just meets it here, or, with ``confidence`` such as 0.9, the one whose lower
    confidence limit meets it; one that cannot be met takes the nearest and says so. A label with fewer than
    ``min_positives`` positives, or no negative here, takes the shared threshold and says so. A label that is
    not in ``decidable_K`` (default: those with a known yes and no here) gets ``NEVER``, and shapes no other's.
    Where the pooled utility of all is more than ``pooled_loss`` (a share) below that of the best single
    threshold, they are moved towards it (``pooled_limit``).
    TaggerError if the probability of a known cell is NaN.

    >>> rng = np.random.default_rng(0)
    >>> labels = (rng.random((500, 2)) < [0.3, 0.006]).astype(np.int8)
    >>> chosen = choose_thresholds(labels, sigmoid(3 * labels - 2 + rng.normal(size=labels.shape)))
    >>> [label.how for label in chosen.labels]
    ['own', 'shared: not enough data (5 positives)']
    """
    objective = parse_objective(objective) if isinstance(objective, str) else objective
    probs_NK = np.asarray(probs_NK, dtype=np.float64)
    check_scores(labels_NK, probs_NK)
    labels_NK = np.asarray(labels_NK)
    decidable_K = labels_with_both_sides(labels_NK) if decidable_K is None else decidable_K
    shared = best_shared_threshold(labels_NK[:, decidable_K], probs_NK[:, decidable_K], objective)
    known_NK = (labels_NK != UNKNOWN) & decidable_K
    centre = fit_scale(logit(probs_NK[known_NK], eps=EPS), labels_NK[known_NK] == YES)
    draws = int(np.clip(2_000_000 // max(len(labels_NK), 1), 20, draws))  # keeps memory bounded on huge sets
    weights_NB = np.hstack(list(image_weights(len(labels_NK), draws, seed=seed)))

    def label_threshold(k: int) -> LabelThreshold:
        cells_N = labels_NK[:, k]
        yes = int((cells_N == YES).sum())
        no = int((cells_N == NO).sum())
        if not decidable_K[k]:
            return LabelThreshold(NEVER, NEVER_CHOSEN + _missing_side(yes, no), None, None, yes)
        if yes < max(min_positives, 1) or no == 0:
            few = "no known negative" if yes >= max(min_positives, 1) else f"{yes} positives"
            return LabelThreshold(shared, f"shared: not enough data ({few})", None, None, yes)
        counted = empirical_threshold(cells_N, probs_NK[:, k], objective, weights_NB, confidence=confidence)
        if objective.is_constraint:
            missed = counted.reached is not None
            how = f"own: {objective} not reached (best {counted.reached:.2g})" if missed else "own"
            return _with_interval(counted.value, counted.draws_B, how, yes)
        modelled = model_based_threshold(
            cells_N, probs_NK[:, k], objective, weights_NB, centre=centre, prior=prior
        )
        count_share = yes / (yes + counting_half_weight)
        own_share = yes / (yes + shrinkage)
        counted_B = np.append(counted.value, counted.draws_B)
        own_B = count_share * counted_B + (1 - count_share) * np.append(modelled.value, modelled.draws_B)
        mixed_B = own_share * own_B + (1 - own_share) * logit(np.array(shared), eps=EPS)
        return _with_interval(float(mixed_B[0]), mixed_B[1:], "own" if own_share > 0.95 else "shrunk", yes)

    labels = tuple(label_threshold(k) for k in range(labels_NK.shape[1]))
    chosen = Thresholds(labels, shared, str(objective))
    limit = limit_pooled_loss(
        labels_NK,
        probs_NK,
        chosen.values_K,
        objective,
        decidable_K=decidable_K,
        judged_K=np.array([label.low is not None for label in labels], dtype=bool),
        tolerated=pooled_loss,
    )
    return _limited(chosen, limit) if limit else chosen


def _limited(chosen: Thresholds, limit: PooledLimit) -> Thresholds:
    """The thresholds with the values that the limit allows."""
    rows = [_moved(label, limit, float(limit.values_K[k])) for k, label in enumerate(chosen.labels)]
    return Thresholds(tuple(rows), limit.single, chosen.objective, limit.note(chosen.objective))


def _moved(label: LabelThreshold, limit: PooledLimit, value: float) -> LabelThreshold:
    """A label's threshold with the value that the limit allows, and its interval moved alike."""
    if label.never_chosen:
        return label
    if label.low is None or label.high is None:
        return replace(label, value=value)
    ends = sigmoid(
        limit.share * logit(np.array([label.low, label.high]), eps=EPS)
        + (1 - limit.share) * logit(np.array(limit.single), eps=EPS)
    )
    low, high = min(float(ends[0]), value), max(float(ends[1]), value)
    return LabelThreshold(value, "near the shared", low, high, label.positives)


def _missing_side(yes: int, no: int) -> str:
    """What is not known of a label that is never chosen."""
    if yes and not no:
        return "no known negative"
    return "no known positive" if no and not yes else "neither yes nor no known"


def _with_interval(logit_value: float, draws_B: Floats, how: str, positives: int) -> LabelThreshold:
    """A threshold in log-odds and its draws, as a probability with a 95 % interval that holds it."""
    low, high = np.quantile(draws_B, [0.025, 0.975])
    ends = sigmoid(np.array([min(low, logit_value), logit_value, max(high, logit_value)]))
    return LabelThreshold(float(ends[1]), how, float(ends[0]), float(ends[2]), positives)
