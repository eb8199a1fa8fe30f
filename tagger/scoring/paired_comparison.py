"""Paired comparison of two models on the same images, with intervals of every difference."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tagger.arrays import Cells, Floats, Indices
from tagger.scoring.bootstrap import MetricsBySet, bootstrap_draws, resample, value_with_interval
from tagger.scoring.evaluation import MIN_POSITIVES
from tagger.scoring.group_metrics import GroupMetrics
from tagger.scoring.label_constraints import NO_CONSTRAINTS, LabelConstraints
from tagger.scoring.metric_set import Metrics, MetricSet

COMPARED_METRICS = ("average_precision", "f1", "precision", "recall")  # per label


def paired_table(
    labels_NK: Cells,
    probs_a_NK: Floats,
    thresholds_a_K: Floats,
    probs_b_NK: Floats,
    thresholds_b_K: Floats,
    names: Sequence[str],
    constraints: tuple[LabelConstraints, LabelConstraints] = (NO_CONSTRAINTS, NO_CONSTRAINTS),
    *,
    draws: int = 1000,
    seed: int = 0,
    related_N: Indices | None = None,
) -> dict[str, Any]:
    """{"overall": {metric: row}, "per_label": {label: {metric: row, "positives": n}}}, b against a.

    A row is {"a", "b", "difference", "low", "high"}, None where undefined; an interval that leaves out 0
    speaks for a real difference. Both are measured on the same draws (of whole sets of images with
    ``related_N``), which removes what easy and hard
    images have in common: far narrower than the distance of two separate intervals. A label with fewer than
    ``MIN_POSITIVES`` images gets none. ``constraints`` are those of a and of b;
    "groups" (if both know one, of the same labels) holds rows of its metrics.

    >>> labels, probs = np.array([[1], [0], [1], [0]]), np.array([[0.9], [0.1], [0.8], [0.3]])
    >>> half = np.array([0.5])
    >>> paired_table(labels, probs, half, 1 - probs, half, ["cat"], draws=9)["per_label"]["cat"]["f1"]["difference"]
    -1.0
    """
    resampling: dict[str, Any] = {"draws": draws, "seed": seed, "related_N": related_N}
    a = MetricSet(labels_NK, probs_a_NK, thresholds_a_K, constraints[0])
    b = MetricSet(labels_NK, probs_b_NK, thresholds_b_K, constraints[1])
    per_label: dict[str, Any] = {}

    def label_rows(at: slice, values: MetricsBySet, drawn: MetricsBySet) -> None:
        for place, k in enumerate(range(at.start, at.stop)):
            enough = drawn["a"] and a.positives_K[k] >= MIN_POSITIVES and a.negatives_K[k]
            rows = {
                name: _difference_row(
                    values["a"][name][place, 0],
                    values["b"][name][place, 0],
                    drawn["b"][name][place] - drawn["a"][name][place] if enough else None,
                )
                for name in COMPARED_METRICS
            }
            per_label[names[k]] = rows | {"positives": int(a.positives_K[k])}

    values, drawn = resample(
        {"a": a, "b": b}, a.labels_NK.shape, label_rows, draws=draws, seed=seed, related_N=related_N
    )
    by_group = {
        group: _group_rows(one, two, len(labels_NK), **resampling)
        for group, (one, two) in _common_groups(labels_NK, (a, b), constraints).items()
    }
    return {
        "overall": {
            name: _difference_row(
                values["a"][name][0], values["b"][name][0], drawn["b"][name] - of_a if drawn["a"] else None
            )
            for name, of_a in (drawn["a"] or values["a"]).items()
        },
        "per_label": per_label,
    } | ({"groups": by_group} if by_group else {})


def _common_groups(
    labels_NK: Cells,
    metric_sets: tuple[MetricSet, MetricSet],
    constraints: tuple[LabelConstraints, LabelConstraints],
) -> dict[str, tuple[GroupMetrics, GroupMetrics]]:
    """Both sides' measures of each group that both know, by name and labels; judged alike: where one may have
    none, so may the other.
    """
    known = {one.name: one for one in constraints[0].groups}
    found = {}
    for two in constraints[1].groups:
        one = known.get(two.name)
        if one is not None and one.columns == two.columns:
            judged = replace(two, always=one.always and two.always)
            first, second = (
                GroupMetrics(judged, labels_NK, side.probs_NK, side.chosen_NK) for side in metric_sets
            )
            found[two.name] = first, second
    return found


def _group_rows(
    one: GroupMetrics,
    two: GroupMetrics,
    num_images: int,
    *,
    draws: int,
    seed: int,
    related_N: Indices | None = None,
) -> dict[str, Any]:
    """Each metric of a group, judged by both."""

    def differences(weights_NB: Floats) -> Metrics:
        of_one = one(weights_NB)
        of_two = two(weights_NB)
        return {name: of_two[name] - of_one[name] for name in of_one}

    of_one, of_two = (side(np.ones((num_images, 1))) for side in (one, two))
    drawn = bootstrap_draws(differences, num_images, draws=draws, seed=seed, related_N=related_N)
    return {name: _difference_row(of_one[name][0], of_two[name][0], drawn.get(name)) for name in of_one}


def _difference_row(a: float, b: float, draws_B: Floats | None) -> dict[str, float | None]:
    ends = value_with_interval(float(b) - float(a), draws_B)
    values = {"a": value_with_interval(float(a))["value"], "b": value_with_interval(float(b))["value"]}
    return {**values, "difference": ends["value"], "low": ends["low"], "high": ends["high"]}
