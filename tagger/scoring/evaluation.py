"""Table of all metrics of one model on labelled images, with intervals, ready for JSON."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tagger.arrays import UNKNOWN, Cells, Floats, Indices
from tagger.scoring.bootstrap import (
    BlockwiseMetrics,
    MetricsBySet,
    bootstrap_draws,
    resample,
    value_with_interval,
)
from tagger.scoring.group_metrics import GroupMetrics
from tagger.scoring.label_constraints import NO_CONSTRAINTS, LabelConstraints
from tagger.scoring.metric_set import LABEL_METRICS, DecisionMetrics, Metrics, MetricSet
from tagger.scoring.metrics import NEVER
from tagger.scoring.predicted_labels import predict_labels

MIN_POSITIVES = 10  # below it a label's values are printed without an interval, and with a note


def evaluate(
    labels_NK: Cells,
    probs_NK: Floats,
    thresholds_K: Floats,
    names: Sequence[str],
    constraints: LabelConstraints = NO_CONSTRAINTS,
    *,
    shared: float,
    draws: int = 1000,
    seed: int = 0,
    related_N: Indices | None = None,
) -> dict[str, Any]:
    """Every metric of these predictions, overall and per label: {"value", "low", "high"} (95 % bootstrap of
    images, or of sets of images that belong together, ``related_N``).

    ``thresholds_K`` and ``shared`` (the best single threshold) come from other data. Undefined values are
    None and the label's note says why; unknown cells count in nothing. A label whose known cells are all yes has
    neither precision nor F1, and counts in no macro average. "thresholds_compared" holds plain
    values for the per-label thresholds, for 0.5 and for ``shared``; "threshold_gain" is per-label minus
    shared, over the same draws. Decisions keep to ``constraints``; with groups in them, "groups" holds what
    ``GroupMetrics.row`` gives of each, by name.

    >>> labels, probs = np.array([[1], [0], [1], [0]]), np.array([[0.9], [0.1], [0.4], [0.3]])
    >>> table = evaluate(labels, probs, np.array([0.35]), ["cat"], shared=0.5, draws=20)
    >>> table["overall"]["micro_f1"]["value"], table["per_label"]["cat"]["note"]
    (1.0, 'not enough data (2 positives)')
    """
    labels_NK = np.asarray(labels_NK)
    probs_NK = np.asarray(probs_NK, dtype=np.float64)
    thresholds_K = np.broadcast_to(np.asarray(thresholds_K, dtype=np.float64), (labels_NK.shape[1],))
    resampling: dict[str, Any] = {"draws": draws, "seed": seed, "related_N": related_N}
    measure = MetricSet(labels_NK, probs_NK, thresholds_K, constraints)
    per_label: dict[str, Any] = {}

    def label_rows(at: slice, values: MetricsBySet, drawn: MetricsBySet) -> None:
        for index, k in enumerate(range(at.start, at.stop)):
            row = _label_row(measure, k, index, values["per_label"], drawn["per_label"])
            yes, no = row["positives"], row["negatives"]
            per_label[names[k]] = row | {"threshold": float(thresholds_K[k]), "note": _note(yes, no, row)}

    other, half = (
        DecisionMetrics(
            labels_NK, predict_labels(probs_NK, np.where(thresholds_K > 1, NEVER, choice), constraints)
        )
        for choice in (shared, 0.5)
    )
    metric_sets: dict[str, BlockwiseMetrics] = {"per_label": measure, "best_shared": other}
    values, drawn = resample(metric_sets, labels_NK.shape, label_rows, **resampling)
    values |= resample({"0.5": half}, labels_NK.shape, draws=0)[0]
    groups = [GroupMetrics(group, labels_NK, probs_NK, measure.chosen_NK) for group in constraints.groups]
    by_group = {
        group.group.name: group.row(names, bootstrap_draws(group, len(labels_NK), **resampling))
        for group in groups
    }
    return {
        "num_images": len(labels_NK),
        "num_cells": int((labels_NK != UNKNOWN).sum()),
        "overall": {
            name: value_with_interval(
                float(value[0]), drawn["per_label"].get(name), shift=name == "calibration_error"
            )
            for name, value in values["per_label"].items()
        },
        "per_label": per_label,
        "thresholds_compared": _thresholds_compared(values, shared),
        "threshold_gain": _threshold_gain(values, drawn),
    } | ({"groups": by_group} if by_group else {})


def _label_row(measure: MetricSet, k: int, index: int, values: Metrics, drawn: Metrics) -> dict[str, Any]:
    """Counts and metrics of label k, which is at ``index`` in the block of ``values`` (L, 1) and ``drawn`` (L, B)."""
    yes = int(measure.positives_K[k])
    no = int(measure.negatives_K[k])
    row: dict[str, Any] = {"positives": yes, "negatives": no, "threshold": None}
    for name in LABEL_METRICS:
        draws_B = drawn[name][index] if drawn and yes >= MIN_POSITIVES and no else None
        row[name] = value_with_interval(
            float(values[name][index, 0]), draws_B, shift=name == "calibration_error"
        )
    return row


def _thresholds_compared(values: MetricsBySet, shared: float) -> dict[str, dict[str, Any]]:
    """Plain values for the per-label thresholds, for 0.5 and for the best shared threshold."""
    thresholds = {"per_label": {}, "0.5": {"threshold": 0.5}, "best_shared": {"threshold": float(shared)}}
    return {
        choice: {
            name: value_with_interval(float(values[choice][name][0]))["value"]
            for name in values["best_shared"]
        }
        | threshold
        for choice, threshold in thresholds.items()
    }


def _threshold_gain(values: MetricsBySet, drawn: MetricsBySet) -> dict[str, Any]:
    """Per-label thresholds minus the best shared one, over the same draws."""
    of_labels, of_shared = values["per_label"], values["best_shared"]
    draws = {name: drawn["per_label"][name] - draws_B for name, draws_B in drawn["best_shared"].items()}
    return {
        name: value_with_interval(float((of_labels[name] - of_shared[name])[0]), draws.get(name))
        for name in of_shared
    }


def _note(yes: int, no: int, row: dict[str, Any]) -> str:
    """What a reader of a label's row must know, or nothing."""
    if yes and no == 0:
        return "not measured: not enough data (no known negative)"
    if yes < MIN_POSITIVES:
        return f"not enough data ({yes} positive{'' if yes == 1 else 's'})"
    return "never chosen: precision is undefined" if row["precision"]["value"] is None else ""
