"""Cross-fitted logistic regression with an L2 penalty, by Newton's method.

The same as scikit-learn's ``LogisticRegression(C=INVERSE_PENALTY)`` on standardised columns, to a
thousandth of a nat, in a fifth of its time, and without importing it: the app learns anew while somebody
waits.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import Floats, Indices, row_blocks
from tagger.scoring.newton import logistic_curvature, newton_minimize

MAX_ROWS = 40_000  # a regression on a few dozen columns gains nothing from more
INVERSE_PENALTY = 0.3  # scikit-learn's C: inverse strength of the L2 penalty on standardised columns
MAX_STEPS = 30
STEP_TOLERANCE = 1e-3  # Newton's method squares the error: a last step of 1e-3 leaves about 1e-6
FLOAT32_ROUNDING = 1e-6  # share of the summed loss that float32 rounds away
WARM_START_STRIDE = 8
WARM_START_MIN_ROWS = 1000


def cross_fit_logistic(
    columns_NF: Floats,
    target_N: NDArray[np.bool_],
    known_N: NDArray[np.bool_],
    fold_N: NDArray[np.integer],
    *,
    only_columns: Indices | None = None,
    increasing: bool = False,
) -> tuple[Floats, Floats]:
    """Log-odds (N) of the target, each part's from a fit on the others, and the columns' mean weights (F).

    With ``only_columns`` the others are ignored. With ``increasing``, columns that would get a negative weight are
    left out. A part whose others lack one of
    the two classes gets the log-odds of their share, 0 where no image is known. At most ``MAX_ROWS`` images
    are learnt from, evenly spaced.

    >>> x = np.linspace(-1, 1, 200)[:, None]
    >>> logits, weights = cross_fit_logistic(x, x[:, 0] > 0, np.ones(200, bool), np.arange(200) % 2)
    >>> bool(logits[-1] > 2 > -2 > logits[0]), bool(weights[0] > 0)
    (True, True)
    """
    sample = _evenly_spaced(np.flatnonzero(known_N))
    if not len(sample):
        return np.zeros(len(columns_NF), np.float32), np.zeros(columns_NF.shape[1])
    used = np.arange(columns_NF.shape[1]) if only_columns is None else only_columns
    scaled_SU, centre_U, spread_U, used = _standardise(columns_NF, sample, used)
    target_S = target_N[sample].astype(np.float32)
    fold_S = fold_N[sample]
    folds = np.unique(fold_N)
    weights_PF = np.zeros((len(folds), columns_NF.shape[1]))
    offset_P = np.zeros(len(folds))
    for index, fold in enumerate(folds):
        train = fold_S != fold
        weight_U, offset_P[index] = _fit_one_fold(scaled_SU[train], target_S[train], increasing)
        weights_PF[index, used] = weight_U / spread_U
        offset_P[index] -= float(weights_PF[index, used] @ centre_U)
    logits_NP = _product(columns_NF, weights_PF.T.astype(columns_NF.dtype), used)
    logits_N = np.empty(len(columns_NF), np.float32)
    for index, fold in enumerate(folds):
        held_out = fold_N == fold
        logits_N[held_out] = logits_NP[held_out, index] + offset_P[index]
    return logits_N, weights_PF.mean(axis=0)


def _standardise(
    columns_NF: Floats, sample: Indices, used: Indices
) -> tuple[Floats, Floats, Floats, Indices]:
    """(scaled (S, U), means (U), deviations (U), columns U): the columns that vary in the sample, standardised."""
    columns_SU = columns_NF[np.ix_(sample, used)].astype(np.float32)
    centre_U = columns_SU.mean(axis=0)
    spread_U = columns_SU.std(axis=0)
    vary = spread_U > 1e-6
    scaled_SU = (columns_SU[:, vary] - centre_U[vary]) / spread_U[vary]
    return scaled_SU, centre_U[vary], spread_U[vary], used[vary]


def _product(columns_NF: Floats, weights_FP: Floats, used: Indices) -> Floats:
    """``columns_NF @ weights_FP``, of which only the rows ``used`` are not 0: where they are few, the others
    cost nothing.
    """
    if 4 * len(used) > columns_NF.shape[1]:
        return columns_NF @ weights_FP
    logits_NP = np.empty((len(columns_NF), weights_FP.shape[1]), columns_NF.dtype)
    for rows in row_blocks((len(columns_NF), len(used))):
        logits_NP[rows] = columns_NF[rows][:, used] @ weights_FP[used]
    return logits_NP


def _fit_one_fold(scaled_SU: Floats, target_S: Floats, increasing: bool) -> tuple[Floats, float]:
    """(weights (U), offset); with ``increasing``, columns that would get a negative weight get 0."""
    weight_U = np.zeros(scaled_SU.shape[1])
    left = np.arange(scaled_SU.shape[1])
    count = float(target_S.sum())
    if not 0 < count < len(target_S):
        share = (count + 0.5) / (len(target_S) + 1)
        return weight_U, float(np.log(share) - np.log1p(-share))
    while True:
        found = fit_logistic(scaled_SU if len(left) == scaled_SU.shape[1] else scaled_SU[:, left], target_S)
        if not increasing or (found[:-1] >= 0).all():
            weight_U[left] = found[:-1]
            return weight_U, float(found[-1])
        left = left[found[:-1] > 0]


def fit_logistic(scaled_SU: Floats, target_S: Floats) -> Floats:
    """Weights (U) and the offset, which is not penalised, of the least penalised loss. Both classes must be
    there.

    >>> x = np.array([[-1.0], [1.0], [-1.0], [1.0]], np.float32)
    >>> fit_logistic(x, np.array([0, 1, 0, 1], np.float32)).round(2).tolist()[0]
    0.46
    """
    columns_VS = np.vstack(
        [scaled_SU.T, np.ones(len(scaled_SU), np.float32)]
    )  # V: the columns and the offset
    share = float(target_S.mean())
    start_V = np.append(np.zeros(scaled_SU.shape[1]), np.log(share) - np.log1p(-share))
    few_S = target_S[::WARM_START_STRIDE]
    if len(few_S) > WARM_START_MIN_ROWS and 0 < few_S.sum() < len(
        few_S
    ):  # most steps on few rows, the last ones on all
        start_V = _fit_from(np.ascontiguousarray(columns_VS[:, ::WARM_START_STRIDE]), few_S, start_V)
    return _fit_from(columns_VS, target_S, start_V)


def _fit_from(columns_VS: Floats, target_S: Floats, start_V: Floats) -> Floats:
    """The weights of least penalised loss, by Newton's method from a start; columns, and so the loss, are float32."""
    penalty_V = np.append(np.full(len(start_V) - 1, 1 / INVERSE_PENALTY), 0.0)

    def evaluate(weight_V: Floats) -> tuple[float, Callable[[], Floats]]:
        logits_S = weight_V.astype(np.float32) @ columns_VS
        loss_S = np.maximum(logits_S, 0) - logits_S * target_S + np.log1p(np.exp(-np.abs(logits_S)))
        with np.errstate(over="ignore"):  # float32 ends at -88 nats: 0 is right
            prob_S = 1 / (1 + np.exp(-logits_S))

        def newton_step() -> Floats:
            gradient_V = columns_VS @ (prob_S - target_S) + penalty_V * weight_V
            spread_S = np.maximum(prob_S * (1 - prob_S), 1e-6)
            return np.linalg.solve(logistic_curvature(columns_VS.T, spread_S, penalty_V), gradient_V)

        return float(loss_S.sum(dtype=np.float64) + penalty_V @ weight_V**2 / 2), newton_step

    return newton_minimize(
        evaluate, start_V, max_steps=MAX_STEPS, step_tolerance=STEP_TOLERANCE, rounding=FLOAT32_ROUNDING
    )


def _evenly_spaced(rows: Indices) -> Indices:
    """At most ``MAX_ROWS`` of the rows, evenly spaced."""
    if len(rows) <= MAX_ROWS:
        return rows
    return rows[np.linspace(0, len(rows) - 1, MAX_ROWS).astype(np.int64)]


def top_k_indices(scores: Sequence[float] | Floats, most: int) -> NDArray[np.int64]:
    """The places of the ``most`` largest scores, in order of place.

    >>> top_k_indices([1.0, 3.0, 2.0], 2).tolist()
    [1, 2]
    """
    scores = np.asarray(scores)
    if not 0 < most < len(scores):
        return np.arange(len(scores) if most else 0)
    near = np.flatnonzero(
        scores >= np.partition(scores, len(scores) - most)[len(scores) - most]
    )  # ties are too many
    return np.sort(near[np.argsort(-scores[near], kind="stable")[:most]])
