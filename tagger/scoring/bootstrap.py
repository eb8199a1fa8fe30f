"""Bootstrap intervals of metrics, from resampling whole images.

Images, not cells, are drawn with replacement, because the cells of one image depend on each other. A draw
is a column of whole-number image weights, so all draws go through the same matrix products as the value
itself.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np

from tagger.arrays import Floats, Indices
from tagger.scoring.metric_set import Metrics, WeightedMetrics, add_totals, label_blocks

MetricsBySet = dict[str, Metrics]
MAX_WEIGHTS_IN_MEMORY = 2_000_000  # weights held at a time: 16 MB


def image_weights(
    num_images: int, draws: int, *, seed: int = 0, related_N: Indices | None = None
) -> Iterator[Floats]:
    """Bootstrap weights in blocks (N, b) whose b add up to ``draws``: how often each image is drawn, columns
    sum to N.

    With ``related_N`` whole sets of images are drawn, as many as there are (cluster bootstrap; Davison and
    Hinkley 1997, section 3.8): columns sum to N only on average.

    >>> [w.sum(axis=0).tolist() for w in image_weights(3, 2)]
    [[3.0, 3.0]]
    """
    if related_N is not None:
        set_N = np.unique(related_N, return_inverse=True)[1]
        for weights_SB in image_weights(int(set_N.max(initial=-1)) + 1, draws, seed=seed):
            yield np.ascontiguousarray(weights_SB[set_N])
        return
    rng = np.random.default_rng(seed)
    block = max(1, min(draws, MAX_WEIGHTS_IN_MEMORY // max(num_images, 1)))
    for start in range(0, draws, block):
        b = min(block, draws - start)
        drawn = rng.integers(num_images, size=(b, num_images)) + num_images * np.arange(b)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=num_images * b).reshape(b, num_images)
        yield np.ascontiguousarray(counts.T, dtype=np.float64)


def bootstrap_draws(
    metrics: WeightedMetrics,
    num_images: int,
    *,
    draws: int = 1000,
    seed: int = 0,
    related_N: Indices | None = None,
) -> Metrics:
    """``metrics(weights_NB)`` for all draws, joined along the last axis: name -> (..., draws); {} without any.

    >>> bootstrap_draws(lambda weights_NB: {"total": weights_NB.sum(axis=0)}, 4, draws=3)["total"].tolist()
    [4.0, 4.0, 4.0]
    """
    return _bootstrap_draws_by_set({"": metrics}, num_images, draws=draws, seed=seed, related_N=related_N)[""]


def _bootstrap_draws_by_set(
    metrics_by_set: Mapping[str, WeightedMetrics],
    num_images: int,
    *,
    draws: int,
    seed: int,
    related_N: Indices | None = None,
) -> MetricsBySet:
    """``bootstrap_draws`` of each set over the same resampled images."""
    parts = [
        {name: metrics(weights_NB) for name, metrics in metrics_by_set.items()}
        for weights_NB in image_weights(
            num_images, draws if num_images else 0, seed=seed, related_N=related_N
        )
    ]
    return {name: _concatenate_draws([part[name] for part in parts]) for name in metrics_by_set}


def _concatenate_draws(parts: Sequence[Metrics]) -> Metrics:
    """Blocks of draws joined along the last axis; {} without any."""
    names = parts[0] if parts else ()
    return {name: np.concatenate([part[name] for part in parts], axis=-1) for name in names}


class BlockwiseMetrics(Protocol):
    """Metrics that are summed over blocks of labels: ``MetricSet`` or ``DecisionMetrics``."""

    def block(self, at: slice) -> WeightedMetrics: ...
    def image_means(self, weights_NB: Floats) -> Metrics: ...
    def aggregate(self, sums: Metrics, image_means: Metrics) -> Metrics: ...


def resample(
    metric_sets: Mapping[str, BlockwiseMetrics],
    shape: tuple[int, ...],
    on_block: Callable[[slice, MetricsBySet, MetricsBySet], None] = lambda at, values, drawn: None,
    *,
    draws: int = 1000,
    seed: int = 0,
    related_N: Indices | None = None,
) -> tuple[MetricsBySet, MetricsBySet]:
    """Overall values (1,) and draws (draws,) of each set, as set -> metric -> array, over the same resampled
    images, or sets of images (``related_N``).

    ``on_block`` gets a slice of labels, and values and draws per label of them (L, .): these are not kept.
    Without images, or with ``draws`` 0, there are no draws: {} for each set.

    >>> from tagger.scoring.metric_set import DecisionMetrics
    >>> labels, chosen = np.array([[1, 0], [0, 1]]), np.array([[True, True], [False, True]])
    >>> values, drawn = resample({"one": DecisionMetrics(labels, chosen)}, labels.shape, draws=5)
    >>> values["one"]["micro_f1"].tolist(), drawn["one"]["micro_f1"].shape
    ([0.8], (5,))
    """
    once_N1 = np.ones((shape[0], 1))

    def values_and_draws(metrics: Mapping[str, WeightedMetrics]) -> tuple[MetricsBySet, MetricsBySet]:
        values = {name: weigh(once_N1) for name, weigh in metrics.items()}
        return values, _bootstrap_draws_by_set(metrics, shape[0], draws=draws, seed=seed, related_N=related_N)

    value_sums: MetricsBySet = {name: {} for name in metric_sets}
    draw_sums: MetricsBySet = {name: {} for name in metric_sets}
    for at in label_blocks(shape, draws):
        values, drawn = values_and_draws({name: one.block(at) for name, one in metric_sets.items()})
        on_block(at, values, drawn)
        for name in metric_sets:
            add_totals(value_sums[name], values[name])
            add_totals(draw_sums[name], drawn[name])
    values, drawn = values_and_draws({name: one.image_means for name, one in metric_sets.items()})
    return _aggregate(metric_sets, value_sums, values), _aggregate(metric_sets, draw_sums, drawn)


def _aggregate(
    metric_sets: Mapping[str, BlockwiseMetrics], sums: MetricsBySet, image_means: MetricsBySet
) -> MetricsBySet:
    """The overall metrics of each set; {} where nothing was drawn."""
    return {
        name: one.aggregate(sums[name], image_means[name]) if image_means[name] else {}
        for name, one in metric_sets.items()
    }


def percentile_interval(
    value: float, draws_B: Floats, *, level: float = 0.95, shift: bool = False
) -> tuple[float, float]:
    """The percentile interval of the defined draws, (nan, nan) if there is none.

    ``shift`` moves it by the draws' mean distance from the value and keeps it at 0 or above: for errors
    that resampling itself makes larger (calibration error, whose bins get noisier), where the plain
    interval may miss the value altogether.

    >>> percentile_interval(0.5, np.linspace(0, 1, 101), level=0.9)
    (0.05, 0.95)
    """
    defined = draws_B[~np.isnan(draws_B)]
    if not len(defined) or np.isnan(value):
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    if shift:
        off = defined.mean() - value
        low = max(0.0, min(low - off, value))
        high = max(high - off, value)
    return round(float(low), 12), round(float(high), 12)


def _moved_onto(value: float, ends: tuple[float, float], draws_B: Floats) -> tuple[float, float]:
    """The interval moved by the draws' mean distance from a value that it misses; within 0 and 1 if the draws are.

    Draws without the only photo of a rare label leave that label out of a mean over labels, so that their bias is
    larger than their spread (Davison and Hinkley 1997, section 5.2: the bias is taken off).

    >>> _moved_onto(0.9, (0.6, 0.8), np.array([0.6, 0.7, 0.8]))
    (0.8, 1.0)
    """
    if np.isnan(ends[0]) or ends[0] <= value <= ends[1]:
        return ends
    seen = np.append(draws_B[~np.isnan(draws_B)], value)
    off = seen[:-1].mean() - value
    floor, ceiling = (0.0 if seen.min() >= 0 else -np.inf), (1.0 if seen.max() <= 1 else np.inf)
    low, high = max(floor, min(ends[0] - off, value)), min(ceiling, max(ends[1] - off, value))
    return round(float(low), 12), round(float(high), 12)


def value_with_interval(
    value: float, draws_B: Floats | None = None, *, shift: bool = False
) -> dict[str, float | None]:
    """``{"value", "low", "high"}`` for JSON, with None for what is undefined. The value lies in its interval.

    >>> value_with_interval(float("nan"), np.array([0.1]))
    {'value': None, 'low': None, 'high': None}
    """
    low, high = (np.nan, np.nan) if draws_B is None else percentile_interval(value, draws_B, shift=shift)
    if draws_B is not None and not shift:
        low, high = _moved_onto(value, (low, high), draws_B)
    ends = {"value": value, "low": low, "high": high}
    return {name: None if np.isnan(x) else float(x) for name, x in ends.items()}
