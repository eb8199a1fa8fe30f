"""How sure is a metric? Intervals from resampling images.

Images, not cells, are drawn with replacement, because the cells of one image depend on each other. A draw is a column
of whole-number image weights, so all draws go through the same matrix products as the value itself.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

import numpy as np

from tagger.arrays import Floats
from tagger.scoring.measure import Metrics, Weighed, add_totals, label_blocks

BySide = dict[str, Metrics]
WEIGHTS_AT_ONCE = 2_000_000  # weights held at a time: 16 MB


def image_weights(num_images: int, draws: int, *, seed: int = 0) -> Iterator[Floats]:
    """Bootstrap weights in blocks (N, b) whose b add up to ``draws``: how often each image is drawn, columns sum to N.

    >>> [w.sum(axis=0).tolist() for w in image_weights(3, 2)]
    [[3.0, 3.0]]
    """
    rng = np.random.default_rng(seed)
    block = max(1, min(draws, WEIGHTS_AT_ONCE // max(num_images, 1)))
    for start in range(0, draws, block):
        b = min(block, draws - start)
        drawn = rng.integers(num_images, size=(b, num_images)) + num_images * np.arange(b)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=num_images * b).reshape(b, num_images)
        yield np.ascontiguousarray(counts.T, dtype=np.float64)


def draw(metrics: Weighed, num_images: int, *, draws: int = 1000, seed: int = 0) -> Metrics:
    """``metrics(weights_NB)`` for all draws, joined along the last axis: name -> (..., draws); {} without any.

    >>> draw(lambda weights_NB: {"total": weights_NB.sum(axis=0)}, 4, draws=3)["total"].tolist()
    [4.0, 4.0, 4.0]
    """
    parts = [metrics(weights_NB) for weights_NB in image_weights(num_images, draws if num_images else 0, seed=seed)]
    return {name: np.concatenate([part[name] for part in parts], axis=-1) for name in parts[0]} if parts else {}


class Side(Protocol):
    """Something that is measured: ``Measure`` or ``Choice``."""

    def block(self, at: slice) -> Weighed: ...
    def images(self, weights_NB: Floats) -> Metrics: ...
    def whole(self, sums: Metrics, images: Metrics) -> Metrics: ...


def resample(
    sides: Mapping[str, Side],
    shape: tuple[int, ...],
    told: Callable[[slice, BySide, BySide], None] = lambda at, values, drawn: None,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[BySide, BySide]:
    """Overall values (1,) and draws (draws,) of each side, side -> name -> array, over the same resampled images.

    ``told`` gets the same per label (L, .), a block of labels at a time: they are not kept. Without images, or with
    ``draws`` 0, there are no draws: {} for each side.

    >>> from tagger.scoring.measure import Choice
    >>> labels, chosen = np.array([[1, 0], [0, 1]]), np.array([[True, True], [False, True]])
    >>> values, drawn = resample({"one": Choice(labels, chosen)}, labels.shape, draws=5)
    >>> values["one"]["micro_f1"].tolist(), drawn["one"]["micro_f1"].shape
    ([0.8], (5,))
    """
    once_N1 = np.ones((shape[0], 1))

    def both(weigh: Weighed) -> tuple[BySide, BySide]:
        return _by_side(sides, weigh(once_N1)), _by_side(sides, draw(weigh, shape[0], draws=draws, seed=seed))

    sums: tuple[BySide, BySide] = ({side: {} for side in sides}, {side: {} for side in sides})
    for at in label_blocks(shape, draws):
        found = both(_together({side: one.block(at) for side, one in sides.items()}))
        told(at, *found)
        for totals, block in zip(sums, found, strict=True):
            for side, metrics in block.items():
                add_totals(totals[side], metrics)
    images = both(_together({side: one.images for side, one in sides.items()}))
    values, drawn = (
        {side: one.whole(totals[side], found[side]) if found[side] else {} for side, one in sides.items()}
        for totals, found in zip(sums, images, strict=True)
    )
    return values, drawn


def _together(parts: Mapping[str, Weighed]) -> Weighed:
    """All sides in one call, their names before those of the metrics."""
    return lambda weights_NB: {
        f"{side} {name}": values for side, weigh in parts.items() for name, values in weigh(weights_NB).items()
    }


def _by_side(sides: Iterable[str], metrics: Metrics) -> BySide:
    """What ``_together`` gave, side by side."""
    found: BySide = {side: {} for side in sides}
    for name, values in metrics.items():
        side, metric = name.split(" ", 1)
        found[side][metric] = values
    return found


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
