"""Two models on the same images: every difference, overall and per label, with an interval over paired draws."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tagger.arrays import Cells, Floats
from tagger.scoring.bootstrap import Metrics, draw, estimate
from tagger.scoring.evaluate import MIN_POSITIVES
from tagger.scoring.measure import Measure

COMPARED = ("average_precision", "f1", "precision", "recall")  # per label


def paired_table(
    labels_NK: Cells,
    probs_a_NK: Floats,
    thresholds_a_K: Floats,
    probs_b_NK: Floats,
    thresholds_b_K: Floats,
    names: Sequence[str],
    *,
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """{"overall": {metric: row}, "per_label": {label: {metric: row, "positives": n}}}, b against a.

    A row is {"a", "b", "difference", "low", "high"}, None where undefined; the overall ones are those of
    ``paired_difference``. A label with fewer than ``MIN_POSITIVES`` images gets no interval.

    >>> labels, probs = np.array([[1], [0], [1], [0]]), np.array([[0.9], [0.1], [0.8], [0.3]])
    >>> half = np.array([0.5])
    >>> paired_table(labels, probs, half, 1 - probs, half, ["cat"], draws=9)["per_label"]["cat"]["f1"]["difference"]
    -1.0
    """
    a, b = Measure(labels_NK, probs_a_NK, thresholds_a_K), Measure(labels_NK, probs_b_NK, thresholds_b_K)
    (whole_a, parts_a), (whole_b, parts_b) = (side(np.ones((len(labels_NK), 1))) for side in (a, b))

    def differences(weights_NB: Floats) -> Metrics:
        (of_a, labels_a), (of_b, labels_b) = a(weights_NB), b(weights_NB)
        parts: Metrics = {f"label {name}": labels_b[name] - labels_a[name] for name in COMPARED}
        return parts | {name: of_b[name] - of_a[name] for name in of_a}

    drawn = draw(differences, len(labels_NK), draws=draws, seed=seed)

    def label_row(k: int) -> dict[str, Any]:
        enough = a.positives_K[k] >= MIN_POSITIVES and a.negatives_K[k]
        rows = {
            name: _row(
                parts_a[name][k, 0], parts_b[name][k, 0], drawn[f"label {name}"][k] if enough and drawn else None
            )
            for name in COMPARED
        }
        return rows | {"positives": int(a.positives_K[k])}

    return {
        "overall": {name: _row(whole_a[name][0], whole_b[name][0], drawn.get(name)) for name in whole_a},
        "per_label": {name: label_row(k) for k, name in enumerate(names)},
    }


def _row(a: float, b: float, draws_B: Floats | None) -> dict[str, float | None]:
    ends = estimate(float(b) - float(a), draws_B)
    values = {"a": estimate(float(a))["value"], "b": estimate(float(b))["value"]}
    return {**values, "difference": ends["value"], "low": ends["low"], "high": ends["high"]}
