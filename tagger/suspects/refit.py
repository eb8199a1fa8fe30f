"""The ranking, refitted from a person's own verdicts: which signals, labels and directions really pay off?

A logistic regression on the decided suspects, started from the prior doubt: log-odds = a * prior log-odds + direction +
(label, direction) + signals. Every weight has a Gaussian prior around "the prior doubt is right" (a = 1, all else 0),
so that few verdicts change little and many speak for themselves. How far labels and signals may differ is itself
chosen by the verdicts, as the spread under which they are most probable (MacKay 1992, "The evidence framework applied
to classification networks").
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tagger.arrays import Floats
from tagger.suspects.evidence import log_odds

SPREAD_SCALE, SPREAD_DIRECTION = 0.3, 0.7
SPREADS = ((0.1, 0.05), (0.3, 0.1), (1.0, 0.1), (0.3, 0.3), (1.0, 0.3))  # of labels, of signals
STEPS = 25
HELD = 3.0  # nats: one surprise at a doubt of 0.999 does not outweigh fifty verdicts


def learn(table: pd.DataFrame, verdicts: pd.DataFrame) -> NDArray[np.float32]:
    """The doubt (float32) of every row of the suspects table, given verdicts; without verdicts, the table's own.

    ``verdicts`` has ``position`` (row of the table) and ``wrong`` (whether the given label was wrong). Verdicts on
    cells that were chosen for their doubt and on random ones count alike: both tell how often such a cell is wrong.

    >>> table = pd.DataFrame({"doubt": [0.5, 0.5], "label": ["a", "b"], "direction": ["missing"] * 2})
    >>> learn(table, pd.DataFrame({"position": [0], "wrong": [False]})).astype(float).round(2).tolist()
    [0.44, 0.45]
    """
    doubt = table["doubt"].to_numpy(np.float32)
    if not len(verdicts):
        return doubt
    told = verdicts["position"].to_numpy(np.int64)
    wrong = verdicts["wrong"].to_numpy(bool).astype(np.float64)
    columns = _Columns(table, told)
    start = log_odds(doubt, 1e-5).astype(np.float64)
    seen_VF = columns.of(told)
    fits = [_fit(seen_VF, start[told].clip(-HELD, HELD), wrong, columns.spread(*sizes)) for sizes in SPREADS]
    weights = max(fits, key=lambda fit: fit[1])[0]
    out = np.empty(len(table), np.float32)
    for at in range(0, len(table), 65_536):
        rows = np.arange(at, min(at + 65_536, len(table)))
        out[rows] = 1 / (1 + np.exp(-(start[rows] + columns.of(rows) @ weights)))
    return out


class _Columns:
    """What a row of the table is described by; labels nobody has judged yet have no column of their own."""

    def __init__(self, table: pd.DataFrame, told: NDArray[np.int64]):
        self.start = log_odds(table["doubt"].to_numpy(np.float32), 1e-5)
        self.middle = float(self.start[told].mean())
        self.missing = (table["direction"] == "missing").to_numpy()
        label, self.names = pd.factorize(table["label"])
        cell = 2 * label + self.missing
        self.kinds = np.unique(cell[told])
        self.place = np.full(2 * len(self.names), -1)
        self.place[self.kinds] = np.arange(len(self.kinds))
        self.cell = cell
        names = [name for name in table.columns if name.startswith("signal_")]
        self.signals = table[names].to_numpy(np.float32).clip(-6, 6)

    def spread(self, of_label: float, of_signal: float) -> Floats:
        """The prior standard deviation of every weight."""
        num = self.signals.shape[1]
        return np.array([SPREAD_SCALE, *[SPREAD_DIRECTION] * 2, *[of_label] * len(self.kinds), *[of_signal] * num])

    def of(self, rows: NDArray[np.int64]) -> Floats:
        """(rows, columns) float64."""
        out = np.zeros((len(rows), 3 + len(self.kinds) + self.signals.shape[1]))
        out[:, 0] = self.start[rows] - self.middle
        out[np.arange(len(rows)), 1 + self.missing[rows].astype(int)] = 1
        kind = self.place[self.cell[rows]]
        has = kind >= 0
        out[np.flatnonzero(has), 3 + kind[has]] = 1
        out[:, 3 + len(self.kinds) :] = self.signals[rows]
        return out


def _fit(columns_VF: Floats, start_V: Floats, wrong_V: Floats, spread_F: Floats) -> tuple[Floats, float]:
    """Weights of the maximum a posteriori (Newton's method, halved steps) and the log evidence (Laplace)."""
    precision_F = 1 / spread_F**2
    weights_F = np.zeros(columns_VF.shape[1])

    def loss(weights_F: Floats) -> float:
        logits_V = start_V + columns_VF @ weights_F
        return float((np.logaddexp(0, logits_V) - wrong_V * logits_V).sum() + (precision_F * weights_F**2).sum() / 2)

    now, curvature_FF = loss(weights_F), np.diag(precision_F)
    for _ in range(STEPS):
        prob_V = 1 / (1 + np.exp(-(start_V + columns_VF @ weights_F)))
        gradient_F = columns_VF.T @ (prob_V - wrong_V) + precision_F * weights_F
        curvature_FF = (columns_VF.T * (prob_V * (1 - prob_V))) @ columns_VF + np.diag(precision_F)
        step_F = np.linalg.solve(curvature_FF, gradient_F)
        size = 1.0
        while (then := loss(weights_F - size * step_F)) > now and size > 1e-6:
            size /= 2
        weights_F = weights_F - size * step_F
        if now - then < 1e-6 * max(1.0, abs(now)):
            break
        now = then
    evidence = -loss(weights_F) + (np.log(precision_F).sum() - np.linalg.slogdet(curvature_FF)[1]) / 2
    return weights_F, float(evidence)
