"""How probable is *yes*, judged by images of other parts? Logistic regression, cross-fitted; scikit-learn's."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import Floats

MOST_ROWS = 30_000  # a regression on a few dozen columns gains nothing from more
PENALTY = 0.3  # scikit-learn's C: inverse strength of the L2 penalty on standardised columns


def cross_fitted(
    columns_NF: Floats,
    target_N: NDArray[np.bool_],
    known_N: NDArray[np.bool_],
    part_N: NDArray[np.integer],
    *,
    increasing: bool = False,
) -> tuple[Floats, Floats]:
    """Log-odds (N) of the target, each part's from a fit on the others, and the columns' mean weights (F).

    With ``increasing`` no column may speak against its own direction: columns with a negative weight are left out.
    A part whose others lack one of the two classes gets the log-odds of their share.

    >>> x = np.linspace(-1, 1, 200)[:, None]
    >>> logits, weights = cross_fitted(x, x[:, 0] > 0, np.ones(200, bool), np.arange(200) % 2)
    >>> bool(logits[-1] > 2 > -2 > logits[0]), bool(weights[0] > 0)
    (True, True)
    """
    from sklearn.linear_model import LogisticRegression  # here, because the app starts without it

    centre_F, spread_F = columns_NF.mean(axis=0), columns_NF.std(axis=0)
    used = np.flatnonzero(spread_F > 1e-6)
    logits_N, weights_F = np.zeros(len(columns_NF), np.float32), np.zeros(columns_NF.shape[1])
    parts = np.unique(part_N)
    for part in parts:
        learn = _some(np.flatnonzero((part_N != part) & known_N))
        told = part_N == part
        count = int(target_N[learn].sum())
        if not 0 < count < len(learn) or not len(used):
            share = (count + 0.5) / (len(learn) + 1)
            logits_N[told] = np.log(share) - np.log1p(-share)
            continue
        left = used
        while True:
            fit = LogisticRegression(C=PENALTY, solver="newton-cholesky").fit(
                (columns_NF[np.ix_(learn, left)] - centre_F[left]) / spread_F[left], target_N[learn]
            )
            weight_F = fit.coef_[0] / spread_F[left]
            if not increasing or (weight_F >= 0).all():
                break
            left = left[weight_F > 0]
            if not len(left):
                weight_F = np.empty(0)
                break
        offset = float(fit.intercept_[0]) - float(weight_F @ centre_F[left])
        logits_N[told] = columns_NF[np.ix_(told, left)] @ weight_F + offset
        weights_F[left] += weight_F / len(parts)
    return logits_N, weights_F


def _some(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """At most ``MOST_ROWS`` of the rows, evenly spaced."""
    if len(rows) <= MOST_ROWS:
        return rows
    return rows[np.linspace(0, len(rows) - 1, MOST_ROWS).astype(np.int64)]


def by_relevance(scores: Sequence[float] | Floats, most: int) -> NDArray[np.int64]:
    """The places of the ``most`` largest scores, in order of place.

    >>> by_relevance([1.0, 3.0, 2.0], 2).tolist()
    [1, 2]
    """
    return np.sort(np.argsort(-np.asarray(scores), kind="stable")[:most])
