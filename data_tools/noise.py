"""Label noise of a chosen kind and rate, injected into labels whose truth is kept."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import NO, UNKNOWN, YES, Cells
from tagger.errors import TaggerError, did_you_mean


def inject_noise(truth_NK: Cells, rng: np.random.Generator, *, kind: str, share: float) -> Cells:
    """A copy of the labels with errors of one kind: an exact number per label; unknown cells stay unknown.

    For a label with P *yes* cells, round(share P) cells change. ``missing``: *yes* becomes *no*. ``spurious``:
    as many *no* become *yes*. ``both``: two thirds missing, one third spurious. ``confused``: *yes* becomes
    *no*, and the label that most often occurs with it becomes *yes* where it is *no*. ``unknown``: *yes*
    becomes unknown. ``flip``: round(share N) of a label's N known cells become their opposite. TaggerError
    for another kind or share.

    >>> truth_NK = np.array([[1]] * 20 + [[0]] * 20, dtype=np.int8)
    >>> inject_noise(truth_NK, np.random.default_rng(0), kind="missing", share=0.25).sum().item()
    15
    """
    if kind not in NOISE_KINDS:
        raise TaggerError(
            f"Unknown kind {kind!r}.{did_you_mean(kind, NOISE_KINDS)} Available: {', '.join(sorted(NOISE_KINDS))}"
        )
    if not 0 <= share <= 1:
        raise TaggerError(f"The share of errors is {share}: give one from 0 to 1")
    return NOISE_KINDS[kind](truth_NK, rng, share)


def _missing(truth_NK: Cells, rng: np.random.Generator, share: float) -> Cells:
    return _set_random_cells(truth_NK, rng, share, YES, NO)


def _unknown(truth_NK: Cells, rng: np.random.Generator, share: float) -> Cells:
    return _set_random_cells(truth_NK, rng, share, YES, UNKNOWN)


def _spurious(truth_NK: Cells, rng: np.random.Generator, share: float) -> Cells:
    labels_NK = truth_NK.copy()
    for k in range(truth_NK.shape[1]):
        wanted = round(share * int((truth_NK[:, k] == YES).sum()))
        labels_NK[_draw_rows(truth_NK[:, k] == NO, wanted, rng), k] = YES
    return labels_NK


def _both(truth_NK: Cells, rng: np.random.Generator, share: float) -> Cells:
    missing_NK = _missing(truth_NK, rng, share * 2 / 3)
    return np.where(missing_NK != truth_NK, missing_NK, _spurious(truth_NK, rng, share / 3))


def _flip(truth_NK: Cells, rng: np.random.Generator, share: float) -> Cells:
    labels_NK = truth_NK.copy()
    for k in range(truth_NK.shape[1]):
        known_N = truth_NK[:, k] != UNKNOWN
        rows = _draw_rows(known_N, round(share * int(known_N.sum())), rng)
        labels_NK[rows, k] = YES + NO - truth_NK[rows, k]
    return labels_NK


def _confused(truth_NK: Cells, rng: np.random.Generator, share: float) -> Cells:
    labels_NK = truth_NK.copy()
    yes_NK = (truth_NK == YES).astype(np.float32)
    together_KK = yes_NK.T @ yes_NK
    np.fill_diagonal(together_KK, -1)
    for k in range(truth_NK.shape[1]):
        rows = _draw_rows(yes_NK[:, k] == 1, round(share * int(yes_NK[:, k].sum())), rng)
        other = int(together_KK[k].argmax())
        labels_NK[rows, k] = NO
        taken = rows[truth_NK[rows, other] == NO]
        labels_NK[taken, other] = YES
    return labels_NK


def _set_random_cells(truth_NK: Cells, rng: np.random.Generator, share: float, old: int, new: int) -> Cells:
    labels_NK = truth_NK.copy()
    for k in range(truth_NK.shape[1]):
        old_N = truth_NK[:, k] == old
        labels_NK[_draw_rows(old_N, round(share * int(old_N.sum())), rng), k] = new
    return labels_NK


def _draw_rows(from_N: NDArray[np.bool_], num: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """``num`` rows drawn from those that are True, or all of them if there are fewer."""
    return rng.permutation(np.flatnonzero(from_N))[:num]


NOISE_KINDS: dict[str, Callable[[Cells, np.random.Generator, float], Cells]] = {
    "missing": _missing,
    "spurious": _spurious,
    "both": _both,
    "flip": _flip,
    "confused": _confused,
    "unknown": _unknown,
}
