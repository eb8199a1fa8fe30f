"""Metrics of predicted numbers: mean absolute and squared error, Pearson's correlation, and ICC(3,1).

ICC(3,1) is the intraclass correlation of Shrout and Fleiss 1979: two fixed raters (the truth and the model), single
measures, consistency. The thesis says ICC without the form; this one is ours.
"""

import numpy as np

from tagger.arrays import Floats


def number_metrics(truth_N: Floats, predicted_N: Floats) -> dict[str, float | int | None]:
    """``mae``, ``mse``, ``pcc`` and ``icc`` (None where a side does not vary) over the images with a known number.

    >>> number_metrics(np.array([0.0, 1.0, np.nan]), np.array([0.0, 2.0, 9.0]))["mae"]
    0.5
    """
    known_N = np.isfinite(truth_N) & np.isfinite(predicted_N)
    truth_N, predicted_N = truth_N[known_N].astype(np.float64), predicted_N[known_N].astype(np.float64)
    if not len(truth_N):
        return {"num_images": 0, "mae": None, "mse": None, "pcc": None, "icc": None}
    error_N = predicted_N - truth_N
    return {
        "num_images": len(truth_N),
        "mae": float(np.abs(error_N).mean()),
        "mse": float((error_N**2).mean()),
        "pcc": pearson(truth_N, predicted_N),
        "icc": icc_3_1(np.stack([truth_N, predicted_N], axis=1)),
    }


def pearson(a_N: Floats, b_N: Floats) -> float | None:
    """Pearson's correlation; None if a side does not vary."""
    if len(a_N) < 2 or not a_N.std() or not b_N.std():
        return None
    return float(np.corrcoef(a_N, b_N)[0, 1])


def icc_3_1(ratings_NR: Floats) -> float | None:
    """ICC(3,1) of N targets by R raters: (BMS - EMS) / (BMS + (R - 1) EMS); None without variance.

    BMS is the mean square between targets, EMS that of the residual of target and rater.

    >>> ratings = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])
    >>> round(icc_3_1(ratings), 2)  # the example of Shrout and Fleiss
    0.71
    """
    num, raters = ratings_NR.shape
    if num < 2:
        return None
    mean = ratings_NR.mean()
    rows_N1, columns_1R = ratings_NR.mean(1, keepdims=True), ratings_NR.mean(0, keepdims=True)
    between = raters * ((rows_N1 - mean) ** 2).sum() / (num - 1)
    residual = ((ratings_NR - rows_N1 - columns_1R + mean) ** 2).sum() / ((num - 1) * (raters - 1))
    total = between + (raters - 1) * residual
    return float((between - residual) / total) if total > 0 else None
