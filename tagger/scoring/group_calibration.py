"""Temperature scaling of the softmax over an exclusive group of labels.

A curve for each label, as free labels have, would break what a group's probabilities say: for one image the
order of its labels could turn, and their sum would not be 1. A temperature (Guo et al. 2017) keeps the
order of an image's labels and makes them sum to 1, with "none" where an image may have none of them.
"""

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import Cells, Floats
from tagger.scoring.group_metrics import true_classes

MIN_PROB = 1e-15
SCALE_BOUNDS = (0.05, 20.0)  # as in calibration.py


def scale_softmax(probs_NM: Floats, scale: float, *, always: bool) -> Floats:
    """The softmax of ``scale`` times the log of a group's probabilities (N, M), and of "none" unless ``always``.

    >>> scale_softmax(np.array([[0.8, 0.2]]), 2.0, always=True).round(3).tolist()
    [[0.941, 0.059]]
    >>> scale_softmax(np.array([[0.6, 0.3]]), 1.0, always=False).round(3).tolist()
    [[0.6, 0.3]]
    """
    logits_NC = scale * _log_probs(probs_NM, always)
    terms_NC = np.exp(logits_NC - logits_NC.max(axis=1, keepdims=True))
    return (terms_NC / terms_NC.sum(axis=1, keepdims=True))[:, : probs_NM.shape[1]]


def fit_group_scale(
    labels_NM: Cells, probs_NM: Floats, *, always: bool, folds: int, rng: np.random.Generator
) -> float:
    """The scale (1 / temperature) of least log loss over images whose label in the group is known; 1 (none
    needed) if its cross-validated loss is no lower.

    >>> rng = np.random.default_rng(0)
    >>> labels_NM = np.eye(2, dtype=np.int8)[(rng.random(2000) < 0.3).astype(int)]
    >>> sure_NM = np.tile([[0.97, 0.03]], (2000, 1))  # far too sure of what is 70 %
    >>> fit_group_scale(labels_NM, sure_NM, always=True, folds=5, rng=rng) < 0.3
    True
    """
    classes_N = true_classes(labels_NM, always=always)
    known = classes_N >= 0
    logs_NC = _log_probs(probs_NM[known], always)
    classes_N = classes_N[known]
    fold_N = rng.permutation(len(classes_N)) % folds
    fitted = plain = 0.0
    for fold in range(folds):
        fit = fold_N != fold
        held_out = fold_N == fold
        fitted += _log_loss(_fit_scale(logs_NC[fit], classes_N[fit]), logs_NC[held_out], classes_N[held_out])
        plain += _log_loss(1.0, logs_NC[held_out], classes_N[held_out])
    return _fit_scale(logs_NC, classes_N) if fitted < plain else 1.0


def _log_probs(probs_NM: Floats, always: bool) -> Floats:
    """log p (N, C) of a group's labels and, unless ``always``, of none."""
    probs_NM = np.clip(np.asarray(probs_NM, dtype=np.float64), MIN_PROB, 1)
    none_N1 = np.clip(1 - probs_NM.sum(axis=1, keepdims=True), MIN_PROB, 1)
    return np.log(probs_NM if always else np.hstack([probs_NM, none_N1]))


def _fit_scale(logs_NC: Floats, classes_N: NDArray[np.int64]) -> float:
    from scipy.optimize import minimize_scalar  # here, because predicting starts without it

    found = minimize_scalar(
        lambda x: _log_loss(np.exp(x), logs_NC, classes_N), bounds=np.log(SCALE_BOUNDS), method="bounded"
    )
    return float(np.exp(found.x))


def _log_loss(scale: float, logs_NC: Floats, classes_N: NDArray[np.int64]) -> float:
    """Summed log loss of the classes."""
    scaled_NC = scale * logs_NC
    highest_N = scaled_NC.max(axis=1)
    whole_N = highest_N + np.log(np.exp(scaled_NC - highest_N[:, None]).sum(axis=1))
    return float((whole_N - scaled_NC[np.arange(len(classes_N)), classes_N]).sum())
