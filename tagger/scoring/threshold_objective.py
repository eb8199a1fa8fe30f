"""Threshold objectives: F-beta, least cost, precision or recall at least p."""

import re
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

from tagger.arrays import Floats
from tagger.errors import TaggerError

EXAMPLES = "f1 | f2 | f0.5 | precision>=0.9 | recall>=0.8 | cost fp=1 fn=5"


@dataclass(frozen=True)
class ThresholdObjective:
    """One objective; ``parse_objective`` makes it from text and ``str`` gives the text back."""

    kind: Literal["f", "precision", "recall", "cost"]
    beta: float = 1.0  # f: recall counts beta times as much as precision
    target: float = 0.0  # precision and recall: what must be reached
    fp: float = 1.0  # cost of a wrong yes
    fn: float = 1.0  # cost of a missed yes

    def __str__(self) -> str:
        """The text that ``parse_objective`` reads.

        >>> str(parse_objective(" Precision >= .9"))
        'precision>=0.9'
        """
        if self.kind == "f":
            return f"f{self.beta:g}"
        return (
            f"cost fp={self.fp:g} fn={self.fn:g}" if self.kind == "cost" else f"{self.kind}>={self.target:g}"
        )

    @property
    def is_constraint(self) -> bool:
        """Whether something must be reached (precision, recall) rather than made as good as possible (f, cost)."""
        return self.kind in ("precision", "recall")

    def utility(
        self,
        tp: Floats,
        fp: Floats,
        yes: Floats | float,
        no: Floats | float,
        *,
        confidence: float | None = None,
    ) -> Floats:
        """How good it is to choose so many true and false positives out of so many yes and no cells; broadcasts.

        Higher is better. A constraint that is not met gives below -1, the closer to -1 the nearer, so that
        one argmax finds the best point or else the nearest. Met, precision>=p wants the most recall and
        recall>=r the fewest chosen. With ``confidence`` the constraint must hold for the one-sided lower
        limit (Wilson 1927) of precision or recall.

        >>> parse_objective("f1").utility(np.array([1.0, 2.0]), np.array([0.0, 3.0]), 2, 8).round(3).tolist()
        [0.667, 0.571]
        """
        tp = np.asarray(tp, dtype=np.float64)
        fp = np.asarray(fp, dtype=np.float64)
        if self.kind == "f":
            b2 = self.beta**2
            return (1 + b2) * tp / np.maximum(tp + fp + b2 * yes, 1e-12)
        if self.kind == "cost":
            return -(self.fp * fp + self.fn * (yes - tp)) / np.maximum(yes + no, 1e-12)
        chosen = tp + fp
        whole = chosen if self.kind == "precision" else np.broadcast_to(yes, tp.shape)
        value = _wilson_lower_limit(tp, whole, confidence)
        wanted = (
            tp / np.maximum(yes, 1e-12) if self.kind == "precision" else -chosen / np.maximum(yes + no, 1e-12)
        )
        return np.where(value >= self.target - 1e-12, wanted, value - 2.0)

    def optimal_threshold(self, best: Floats) -> Floats:
        """The probability from which yes is better, if probabilities are right and ``best`` is the best utility.

        F-beta: F* / (1 + beta^2), which is F*/2 for F1 (Lipton et al. 2014); cost: fp / (fp + fn), whatever
        the best is.

        >>> float(parse_objective("f1").optimal_threshold(0.6))
        0.3
        >>> float(parse_objective("cost fp=1 fn=4").optimal_threshold(-0.1))
        0.2
        """
        assert not self.is_constraint, "a constraint has no such cutoff"
        return (
            np.asarray(best) / (1 + self.beta**2)
            if self.kind == "f"
            else np.full(np.shape(best), self.fp / (self.fp + self.fn))
        )


def _wilson_lower_limit(part: Floats, whole: Floats, confidence: float | None) -> Floats:
    """``part / whole`` or its one-sided Wilson lower limit; 0 where ``whole`` is 0."""
    share = part / np.maximum(whole, 1e-12)
    if confidence is None:
        return share
    z = NormalDist().inv_cdf(confidence)
    n = np.maximum(whole, 1e-12)
    middle = share + z**2 / (2 * n)
    return (middle - z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))) / (1 + z**2 / n)


_NUMBER_PATTERN = r"(\d+\.?\d*|\.\d+)"


def parse_objective(text: str) -> ThresholdObjective:
    """The objective that a text states; TaggerError with examples if it states none.

    >>> parse_objective("f0.5").beta
    0.5
    >>> parse_objective("cost fn=5 fp=1")
    ThresholdObjective(kind='cost', beta=1.0, target=0.0, fp=1.0, fn=5.0)
    """
    plain = " ".join(str(text).lower().split())
    if found := re.fullmatch(rf"f ?-?{_NUMBER_PATTERN}", plain):
        if float(found[1]) > 0:
            return ThresholdObjective("f", beta=float(found[1]))
        raise TaggerError(
            f"threshold objective {text!r}: the number after f must be above 0. Examples: {EXAMPLES}"
        )
    if found := re.fullmatch(rf"(precision|recall) ?>=? ?{_NUMBER_PATTERN}", plain):
        if 0 < float(found[2]) <= 1:
            return ThresholdObjective(
                "precision" if found[1] == "precision" else "recall", target=float(found[2])
            )
        raise TaggerError(
            f"threshold objective {text!r}: {found[1]} must be above 0 and at most 1. Examples: {EXAMPLES}"
        )
    if plain.startswith("cost"):
        costs = dict(re.findall(rf"(fp|fn) ?= ?{_NUMBER_PATTERN}", plain))
        rest = re.sub(rf"(fp|fn) ?= ?{_NUMBER_PATTERN}", "", plain.removeprefix("cost")).strip(" ,")
        if set(costs) == {"fp", "fn"} and not rest and min(map(float, costs.values())) > 0:
            return ThresholdObjective("cost", fp=float(costs["fp"]), fn=float(costs["fn"]))
        raise TaggerError(
            f"threshold objective {text!r}: a cost names fp and fn, both above 0. Examples: {EXAMPLES}"
        )
    raise TaggerError(f"Unknown threshold objective {text!r}. Examples: {EXAMPLES}")
