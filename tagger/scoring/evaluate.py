"""How good is a model on labelled images? One table of everything, with intervals, ready for JSON."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tagger.arrays import UNKNOWN, Cells, Floats
from tagger.scoring.bootstrap import draw, estimate
from tagger.scoring.decide import NOTHING, Structure, decide
from tagger.scoring.measure import PER_LABEL, Measure, choice_metrics
from tagger.scoring.ordinal import GROUP_METRICS, GroupMeasure

MIN_POSITIVES = 10  # below it a label's values are printed without an interval, and with a note


def evaluate(
    labels_NK: Cells,
    probs_NK: Floats,
    thresholds_K: Floats,
    names: Sequence[str],
    structure: Structure = NOTHING,
    *,
    shared: float,
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Every metric of these predictions, overall and per label: {"value", "low", "high"} (95 % bootstrap of images).

    ``thresholds_K`` and ``shared`` (the best single threshold) come from other data. Undefined values are None and the
    label's note says why; unknown cells count in nothing. "thresholds_compared" holds plain values for the per-label
    thresholds, for 0.5 and for ``shared``; "threshold_gain" is per-label minus shared, over the same draws. Decisions
    keep to ``structure``; with groups in it, "groups" holds what ``GroupMeasure.row`` gives of each, by name.

    >>> labels, probs = np.array([[1], [0], [1], [0]]), np.array([[0.9], [0.1], [0.4], [0.3]])
    >>> table = evaluate(labels, probs, np.array([0.35]), ["cat"], shared=0.5, draws=20)
    >>> table["overall"]["micro_f1"]["value"], table["per_label"]["cat"]["note"]
    (1.0, 'not enough data (2 positives)')
    """
    labels_NK, probs_NK = np.asarray(labels_NK), np.asarray(probs_NK, dtype=np.float64)
    thresholds_K = np.broadcast_to(np.asarray(thresholds_K, dtype=np.float64), (labels_NK.shape[1],))
    measure = Measure(labels_NK, probs_NK, thresholds_K, structure)
    groups = [GroupMeasure(one, labels_NK, probs_NK, measure.chosen_NK) for one in structure.groups]
    once_N1 = np.ones((len(labels_NK), 1))
    overall, per_label = measure(once_N1)
    choices: dict[str, Any] = {"per_label": thresholds_K, "0.5": 0.5, "best_shared": shared}
    chosen = {name: decide(probs_NK, choice, structure) for name, choice in choices.items()}
    compared = {name: choice_metrics(labels_NK, chosen_NK, once_N1) for name, chosen_NK in chosen.items()}

    def all_draws(weights_NB: Floats) -> dict[str, Floats]:
        whole, parts = measure(weights_NB)
        other = choice_metrics(labels_NK, chosen["best_shared"], weights_NB)
        more: dict[str, Floats] = {f"gain {name}": whole[name] - values for name, values in other.items()}
        for group in groups:
            more |= {f"group {group.one.name} {name}": values for name, values in group(weights_NB).items()}
        return whole | {f"label {name}": values for name, values in parts.items()} | more

    drawn = draw(all_draws, len(labels_NK), draws=draws, seed=seed) if len(labels_NK) else {}

    def label_row(k: int) -> dict[str, Any]:
        yes, no = int(measure.positives_K[k]), int(measure.negatives_K[k])
        row: dict[str, Any] = {"positives": yes, "negatives": no, "threshold": float(thresholds_K[k])}
        for name in PER_LABEL:
            draws_B = drawn[f"label {name}"][k] if drawn and yes >= MIN_POSITIVES and no else None
            row[name] = estimate(float(per_label[name][k, 0]), draws_B, shift=name == "calibration_error")
        return row | {"note": _note(yes, no, row)}

    by_group = {group.one.name: group.row(names, _of_group(drawn, group.one.name)) for group in groups}
    return {
        "num_images": len(labels_NK),
        "num_cells": int((labels_NK != UNKNOWN).sum()),
        "overall": {
            name: estimate(float(values[0]), drawn.get(name), shift=name == "calibration_error")
            for name, values in overall.items()
        },
        "per_label": {name: label_row(k) for k, name in enumerate(names)},
        "thresholds_compared": {
            choice: {name: estimate(float(values[0]))["value"] for name, values in row.items()}
            | ({} if choice == "per_label" else {"threshold": float(choices[choice])})
            for choice, row in compared.items()
        },
        "threshold_gain": {
            name: estimate(float((compared["per_label"][name] - values)[0]), drawn.get(f"gain {name}"))
            for name, values in compared["best_shared"].items()
        },
    } | ({"groups": by_group} if by_group else {})


def _of_group(drawn: dict[str, Floats], name: str) -> dict[str, Floats]:
    """The draws of one group's metrics, by the metric's name."""
    return {metric: drawn[f"group {name} {metric}"] for metric in GROUP_METRICS if f"group {name} {metric}" in drawn}


def _note(yes: int, no: int, row: dict[str, Any]) -> str:
    """What a reader of a label's row must know, or nothing."""
    if yes < MIN_POSITIVES:
        return f"not enough data ({yes} positive{'' if yes == 1 else 's'})"
    if no == 0:
        return "not enough data (no known negative)"
    return "never chosen: precision is undefined" if row["precision"]["value"] is None else ""
