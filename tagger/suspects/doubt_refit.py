"""Doubts refitted to a person's verdicts by a Bayesian logistic regression.

A logistic regression on the decided suspects, started from the prior doubt: log-odds = a * prior log-odds +
direction + (label, direction) + signals. Every weight has a Gaussian prior around "the prior doubt is
right" (a = 1, all else 0), so that few verdicts change little and many speak for themselves. How far labels
and signals may differ is itself chosen by the verdicts, as the spread under which they are most probable
(MacKay 1992, "The evidence framework applied to classification networks").

A verdict is about one (label, direction), so that those weights touch each other only through the few
others: Newton's steps take them out of the system first (its Schur complement), and cost grows with
verdicts, not with labels squared.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tagger.arrays import Floats
from tagger.scoring.newton import newton_minimize
from tagger.suspects.evidence import log_odds

SCALE_PRIOR_STD = (
    0.1  # only the most doubtful are judged first: they say little about how doubts spread below
)
DIRECTION_PRIOR_STD = 0.7
PRIOR_STD_GRID = ((0.1, 0.05), (0.3, 0.1), (1.0, 0.1), (0.3, 0.3), (1.0, 0.3))  # of labels, of signals
MAX_STEPS = 25
MAX_ABS_LOG_ODDS = 3.0  # nats: one surprise at a doubt of 0.999 does not outweigh fifty verdicts


def refit_doubt(table: pd.DataFrame, verdicts: pd.DataFrame) -> NDArray[np.float32]:
    """The doubt (float32) of every row of the suspects table, given verdicts; without verdicts, the table's own.

    ``verdicts`` has ``position`` (row of the table) and ``wrong`` (whether the given label was wrong).
    Verdicts on cells that were chosen for their doubt and on random ones count alike: both tell how often
    such a cell is wrong.

    >>> table = pd.DataFrame({"doubt": [0.5, 0.5], "label": ["a", "b"], "direction": ["missing"] * 2})
    >>> refit_doubt(table, pd.DataFrame({"position": [0], "wrong": [False]})).astype(float).round(2).tolist()
    [0.44, 0.45]
    """
    doubt = table["doubt"].to_numpy(np.float32)
    if not len(verdicts):
        return doubt
    reviewed_rows = verdicts["position"].to_numpy(np.int64)
    wrong = verdicts["wrong"].to_numpy(bool).astype(np.float64)
    columns = _DesignMatrix(table, reviewed_rows)
    start = log_odds(doubt, 1e-5).astype(np.float64)
    seen = columns.of(reviewed_rows)
    fits = [
        _fit_map(
            seen,
            start[reviewed_rows].clip(-MAX_ABS_LOG_ODDS, MAX_ABS_LOG_ODDS),
            wrong,
            columns.precision(*sizes),
        )
        for sizes in PRIOR_STD_GRID
    ]
    weights = max(fits, key=lambda fit: fit[1])[0]
    out = np.empty(len(table), np.float32)
    for at in range(0, len(table), 65_536):
        rows = np.arange(at, min(at + 65_536, len(table)))
        out[rows] = 1 / (1 + np.exp(-(start[rows] + _linear_predictor(columns.of(rows), weights))))
    return out


class _DesignRows(NamedTuple):
    """Design matrix of some rows: dense columns (V, F), and the index of each row's (label, direction), -1 for none."""

    dense_VF: Floats
    label_direction_V: NDArray[np.int64]


class _Weights(NamedTuple):
    """Weights of the dense columns and of each (label, direction); or as many gradients, steps or precisions."""

    dense_F: Floats
    label_direction_L: Floats


def _linear_predictor(seen: _DesignRows, weights: _Weights) -> Floats:
    """What the weights add to each row's log-odds."""
    return seen.dense_VF @ weights.dense_F + np.append(weights.label_direction_L, 0.0)[seen.label_direction_V]


class _DesignMatrix:
    """What a row of the table is described by; labels nobody has judged yet have no column of their own."""

    def __init__(self, table: pd.DataFrame, reviewed_rows: NDArray[np.int64]):
        self.start = log_odds(table["doubt"].to_numpy(np.float32), 1e-5)
        self.middle = float(self.start[reviewed_rows].mean())
        self.missing = (table["direction"] == "missing").to_numpy()
        label, self.names = pd.factorize(table["label"])
        cell = 2 * label + self.missing
        self.label_directions = np.unique(cell[reviewed_rows])
        self.place = np.full(2 * len(self.names), -1)
        self.place[self.label_directions] = np.arange(len(self.label_directions))
        self.cell = cell
        names = [name for name in table.columns if name.startswith("signal_")]
        self.signals = table[names].to_numpy(np.float32).clip(-6, 6)

    def precision(self, of_label: float, of_signal: float) -> _Weights:
        """1 over the prior variance of every weight."""
        spread_F = [SCALE_PRIOR_STD, *[DIRECTION_PRIOR_STD] * 2, *[of_signal] * self.signals.shape[1]]
        return _Weights(np.array(spread_F) ** -2.0, np.full(len(self.label_directions), of_label**-2.0))

    def of(self, rows: NDArray[np.int64]) -> _DesignRows:
        """Those rows' description."""
        out = np.zeros((len(rows), 3 + self.signals.shape[1]))
        out[:, 0] = self.start[rows] - self.middle
        out[np.arange(len(rows)), 1 + self.missing[rows].astype(int)] = 1
        out[:, 3:] = self.signals[rows]
        return _DesignRows(out, self.place[self.cell[rows]])


def _fit_map(
    seen: _DesignRows, start_V: Floats, wrong_V: Floats, precision: _Weights
) -> tuple[_Weights, float]:
    """Weights of the maximum a posteriori (Newton's method, halved steps) and the log evidence (Laplace). Each
    row of ``seen`` has a (label, direction).
    """
    num_dense = len(precision.dense_F)
    log_determinant = 0.0

    def evaluate(weights_W: Floats) -> tuple[float, Callable[[], Floats]]:
        weights = _Weights(weights_W[:num_dense], weights_W[num_dense:])
        logits_V = start_V + _linear_predictor(seen, weights)
        penalty = sum(float((p * w**2).sum()) for p, w in zip(precision, weights, strict=True)) / 2

        def newton_step() -> Floats:
            nonlocal log_determinant
            prob_V = 1 / (1 + np.exp(-logits_V))
            step, log_determinant = _newton_step(seen, prob_V, wrong_V, precision, weights)
            return np.concatenate(step)

        return float((np.logaddexp(0, logits_V) - wrong_V * logits_V).sum()) + penalty, newton_step

    start_W = np.zeros(num_dense + len(precision.label_direction_L))
    found_W = newton_minimize(evaluate, start_W, max_steps=MAX_STEPS, loss_tolerance=1e-6)
    log_prior = sum(float(np.log(part).sum()) for part in precision)
    evidence = -evaluate(found_W)[0] + (log_prior - log_determinant) / 2
    return _Weights(found_W[:num_dense], found_W[num_dense:]), evidence


def _newton_step(
    seen: _DesignRows, prob_V: Floats, wrong_V: Floats, precision: _Weights, weights: _Weights
) -> tuple[_Weights, float]:
    """Newton's step (to be taken away) and the logarithm of the curvature's determinant."""
    label_direction_V = seen.label_direction_V
    num = len(precision.label_direction_L)
    off_V = prob_V - wrong_V
    weight_V = prob_V * (1 - prob_V)
    gradient_F = seen.dense_VF.T @ off_V + precision.dense_F * weights.dense_F
    gradient_L = (
        np.bincount(label_direction_V, off_V, num) + precision.label_direction_L * weights.label_direction_L
    )
    weighed_VF = seen.dense_VF * weight_V[:, None]
    own_L = (
        np.bincount(label_direction_V, weight_V, num) + precision.label_direction_L
    )  # (label, direction) weights among themselves: a diagonal
    across_LF = np.stack([np.bincount(label_direction_V, column_V, num) for column_V in weighed_VF.T], axis=1)
    ratio_LF = across_LF / own_L[:, None]
    left_FF = weighed_VF.T @ seen.dense_VF + np.diag(precision.dense_F) - across_LF.T @ ratio_LF
    step_F = np.linalg.solve(left_FF, gradient_F - ratio_LF.T @ gradient_L)
    step_L = gradient_L / own_L - ratio_LF @ step_F
    return _Weights(step_F, step_L), float(np.log(own_L).sum() + np.linalg.slogdet(left_FF)[1])
