"""Numbers of a finished training: their thresholds, metrics, and what is said of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tagger.commands.console.screen import Screen
from tagger.scoring import Calibration, Thresholds
from tagger.scoring.number_metrics import number_metrics
from tagger.training.training_data import TrainingData, TrainingResult

HOW = "the predicted number reaches yes_from"


def with_number_thresholds(
    thresholds: Thresholds, data: TrainingData, calibration: Calibration, names: Sequence[str]
) -> Thresholds:
    """The thresholds, of labels that are numbers at the calibrated probability of a prediction of ``yes_from``."""
    if data.numbers is None:
        return thresholds
    even_K = calibration.apply(np.full((1, len(names)), 0.5))[0]
    values = {
        name: float(even_K[k]) for name, k in zip(data.numbers.names, data.numbers.columns, strict=True)
    }
    return thresholds.replaced(values, names, how=HOW)


def number_report(data: TrainingData, result: TrainingResult) -> dict[str, Any]:
    """Metrics of each label that is a number, on the test split, else out of fold."""
    assert data.numbers is not None
    rows = data.rows("test")
    where = "the test split" if len(rows) else "train and validation, out of fold"
    rows = rows if len(rows) else np.flatnonzero(data.fold_N >= 0)
    predicted_RM = data.numbers.predicted(result.logits_NK[rows])
    return {
        name: {
            "yes_from": float(data.numbers.yes_from_M[m]),
            "deviation": float(data.numbers.std_M[m]),
            "where": where,
            **number_metrics(data.numbers.values_NM[rows, m], predicted_RM[:, m]),
        }
        for m, name in enumerate(data.numbers.names)
    }


def tell_numbers(metrics: Mapping[str, Any], screen: Screen) -> None:
    """One table of the numbers, if there are any."""
    found = metrics.get("numbers")
    if not found:
        return
    keys = ("mae", "mse", "pcc", "icc")
    rows = [
        [name, row["num_images"], row["yes_from"], *(row[key] for key in keys)] for name, row in found.items()
    ]
    where = next(iter(found.values()))["where"]
    screen.table(f"Numbers ({where})", ["label", "photos", "yes from", "MAE", "MSE", "PCC", "ICC(3,1)"], rows)
    screen.say()
