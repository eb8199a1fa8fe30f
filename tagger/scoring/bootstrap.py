"""How sure is a metric? Intervals from resampling images.

Images, not cells, are drawn with replacement, because the cells of one image depend on each other. A draw is a column
of whole-number image weights, so all draws go through the same matrix products as the value itself.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tagger.arrays import Cells, Floats
from tagger.scoring.measure import Measure

Metrics = dict[str, Floats]
CELLS_AT_ONCE = 2_000_000  # weights held at a time: 16 MB


def image_weights(num_images: int, draws: int, *, seed: int = 0) -> Iterator[Floats]:
    """Bootstrap weights in blocks (N, b) whose b add up to ``draws``: how often each image is drawn, columns sum to N.

    >>> [w.sum(axis=0).tolist() for w in image_weights(3, 2)]
    [[3.0, 3.0]]
    """
    rng = np.random.default_rng(seed)
    block = max(1, min(draws, CELLS_AT_ONCE // max(num_images, 1)))
    for start in range(0, draws, block):
        b = min(block, draws - start)
        drawn = rng.integers(num_images, size=(b, num_images)) + num_images * np.arange(b)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=num_images * b).reshape(b, num_images)
        yield np.ascontiguousarray(counts.T, dtype=np.float64)


def draw(metrics: Callable[[Floats], Metrics], num_images: int, *, draws: int = 1000, seed: int = 0) -> Metrics:
    """``metrics(weights_NB)`` for all draws, joined along the last axis: name -> (..., draws).

    >>> draw(lambda weights_NB: {"total": weights_NB.sum(axis=0)}, 4, draws=3)["total"].tolist()
    [4.0, 4.0, 4.0]
    """
    parts = [metrics(weights_NB) for weights_NB in image_weights(num_images, draws, seed=seed)]
    return {name: np.concatenate([part[name] for part in parts], axis=-1) for name in parts[0]} if parts else {}


def interval(value: float, draws_B: Floats, *, level: float = 0.95, shift: bool = False) -> tuple[float, float]:
    """The percentile interval of the defined draws, (nan, nan) if there is none.

    ``shift`` moves it by the draws' mean distance from the value and keeps it at 0 or above: for errors that
    resampling itself makes larger (calibration error, whose bins get noisier), where the plain interval may miss the
    value altogether.

    >>> interval(0.5, np.linspace(0, 1, 101), level=0.9)
    (0.05, 0.95)
    """
    defined = draws_B[~np.isnan(draws_B)]
    if not len(defined) or np.isnan(value):
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    if shift:
        off = defined.mean() - value
        low, high = max(0.0, min(low - off, value)), max(high - off, value)
    return round(float(low), 12), round(float(high), 12)


def estimate(value: float, draws_B: Floats | None = None, *, shift: bool = False) -> dict[str, float | None]:
    """``{"value", "low", "high"}`` for JSON, with None for what is undefined.

    >>> estimate(float("nan"), np.array([0.1]))
    {'value': None, 'low': None, 'high': None}
    """
    low, high = (np.nan, np.nan) if draws_B is None else interval(value, draws_B, shift=shift)
    ends = {"value": value, "low": low, "high": high}
    return {name: None if np.isnan(x) else float(x) for name, x in ends.items()}


def paired_difference(
    labels_NK: Cells,
    probs_a_NK: Floats,
    thresholds_a_K: Floats,
    probs_b_NK: Floats,
    thresholds_b_K: Floats,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Every overall metric of b minus that of a on the same images, with an interval over the same draws of both.

    name -> {"a", "b", "value", "low", "high"}; an interval that leaves out 0 speaks for a real difference. Pairing
    removes what easy and hard images have in common, so it is far narrower than the distance of two separate intervals.

    >>> labels, probs = np.array([[1], [0], [1], [0]]), np.array([[0.9], [0.1], [0.8], [0.3]])
    >>> paired_difference(labels, probs, np.array([0.5]), 1 - probs, np.array([0.5]), draws=10)["micro_f1"]["value"]
    -1.0
    """
    a, b = Measure(labels_NK, probs_a_NK, thresholds_a_K), Measure(labels_NK, probs_b_NK, thresholds_b_K)
    ones_N1 = np.ones((len(labels_NK), 1))
    value_a, value_b = a(ones_N1)[0], b(ones_N1)[0]

    def differences(weights_NB: Floats) -> Metrics:
        of_a, of_b = a(weights_NB)[0], b(weights_NB)[0]
        return {name: of_b[name] - of_a[name] for name in of_a}

    drawn = draw(differences, len(labels_NK), draws=draws, seed=seed)
    table = {}
    for name in value_a:
        first, second = float(value_a[name][0]), float(value_b[name][0])
        ends = {"a": estimate(first)["value"], "b": estimate(second)["value"]}
        table[name] = ends | estimate(second - first, drawn.get(name))
    return table
