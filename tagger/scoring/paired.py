"""Two models on the same images: every difference, overall and per label, with an interval over paired draws."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tagger.arrays import Cells, Floats
from tagger.scoring.bootstrap import Metrics, draw, estimate
from tagger.scoring.decide import NOTHING, Structure
from tagger.scoring.evaluate import MIN_POSITIVES
from tagger.scoring.measure import Measure
from tagger.scoring.ordinal import GroupMeasure

COMPARED = ("average_precision", "f1", "precision", "recall")  # per label


def paired_table(
    labels_NK: Cells,
    probs_a_NK: Floats,
    thresholds_a_K: Floats,
    probs_b_NK: Floats,
    thresholds_b_K: Floats,
    names: Sequence[str],
    structures: tuple[Structure, Structure] = (NOTHING, NOTHING),
    *,
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """{"overall": {metric: row}, "per_label": {label: {metric: row, "positives": n}}}, b against a.

    A row is {"a", "b", "difference", "low", "high"}, None where undefined; the overall ones are those of
    ``paired_difference``. A label with fewer than ``MIN_POSITIVES`` images gets no interval. ``structures`` are what
    the decisions of a and of b keep to; "groups" (if both know one, of the same labels) holds rows of its metrics.

    >>> labels, probs = np.array([[1], [0], [1], [0]]), np.array([[0.9], [0.1], [0.8], [0.3]])
    >>> half = np.array([0.5])
    >>> paired_table(labels, probs, half, 1 - probs, half, ["cat"], draws=9)["per_label"]["cat"]["f1"]["difference"]
    -1.0
    """
    a = Measure(labels_NK, probs_a_NK, thresholds_a_K, structures[0])
    b = Measure(labels_NK, probs_b_NK, thresholds_b_K, structures[1])
    groups = _common_groups(labels_NK, (a, b), structures)
    (whole_a, parts_a), (whole_b, parts_b) = (side(np.ones((len(labels_NK), 1))) for side in (a, b))

    def differences(weights_NB: Floats) -> Metrics:
        (of_a, labels_a), (of_b, labels_b) = a(weights_NB), b(weights_NB)
        parts: Metrics = {f"label {name}": labels_b[name] - labels_a[name] for name in COMPARED}
        for group, (one, two) in groups.items():
            of_one, of_two = one(weights_NB), two(weights_NB)
            parts |= {f"group {group} {name}": of_two[name] - of_one[name] for name in of_one}
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

    def group_rows(group: str) -> dict[str, Any]:
        one, two = (side(np.ones((len(labels_NK), 1))) for side in groups[group])
        return {name: _row(one[name][0], two[name][0], drawn.get(f"group {group} {name}")) for name in one}

    by_group = {group: group_rows(group) for group in groups}
    return {
        "overall": {name: _row(whole_a[name][0], whole_b[name][0], drawn.get(name)) for name in whole_a},
        "per_label": {name: label_row(k) for k, name in enumerate(names)},
    } | ({"groups": by_group} if by_group else {})


def _common_groups(
    labels_NK: Cells, sides: tuple[Measure, Measure], structures: tuple[Structure, Structure]
) -> dict[str, tuple[GroupMeasure, GroupMeasure]]:
    """Both sides' measures of each group that both know, by name and labels; judged alike: where one may have none, so
    may the other."""
    known = {one.name: one for one in structures[0].groups}
    found = {}
    for two in structures[1].groups:
        one = known.get(two.name)
        if one is not None and one.columns == two.columns:
            judged = replace(two, always=one.always and two.always)
            first, second = (GroupMeasure(judged, labels_NK, side.probs_NK, side.chosen_NK) for side in sides)
            found[two.name] = first, second
    return found


def _row(a: float, b: float, draws_B: Floats | None) -> dict[str, float | None]:
    ends = estimate(float(b) - float(a), draws_B)
    values = {"a": estimate(float(a))["value"], "b": estimate(float(b))["value"]}
    return {**values, "difference": ends["value"], "low": ends["low"], "high": ends["high"]}
