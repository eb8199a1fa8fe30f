"""Plots of a run as PNG bytes: precision-recall curves, learning curves, reliability diagram."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics import precision_recall_curve

from tagger.arrays import UNKNOWN, YES, Cells, Floats, Indices
from tagger.runs.report.figure import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    add_heading,
    new_figure,
    style_axes,
    text_figure,
    to_png,
)
from tagger.runs.report.label_fonts import drawable_texts
from tagger.runs.report.label_plots import plot_cooccurrence, plot_per_label
from tagger.scoring import (
    apply_thresholds,
    average_precision,
    calibration_error,
    confusion_counts,
    precision,
    recall,
)

__all__ = [
    "plot_cooccurrence",
    "plot_learning_curves",
    "plot_per_label",
    "plot_precision_recall",
    "plot_reliability",
]


def plot_precision_recall(
    labels_NK: Cells,
    probs_NK: Floats,
    names: Sequence[str],
    thresholds_K: Floats | None = None,
    *,
    at_most: int = 24,
) -> bytes:
    """Precision-recall curves of the most frequent labels, with a dot at the chosen threshold; PNG bytes.

    Labels without a known yes or no have no curve; a line on top says how many are not shown.

    >>> plot_precision_recall(np.array([[1], [0]]), np.array([[0.9], [0.2]]), ["cat"], np.array([0.5]))[1:4]
    b'PNG'
    """
    yes_K = (labels_NK == YES).sum(axis=0)
    known_K = (labels_NK != UNKNOWN).sum(axis=0)
    usable = [int(k) for k in np.argsort(-yes_K, kind="stable") if 0 < yes_K[k] < known_K[k]]
    shown = usable[:at_most]
    drawable = drawable_texts(names, max_chars=22)
    if not shown:
        return text_figure("No label has both a known yes and a known no.")
    across = min(6, max(len(shown), 1), max(3, round((1.5 * len(shown)) ** 0.5)))
    down = -(-len(shown) // across)
    figure = new_figure(max(4.6, 1.95 * across), 1.95 * down + 1.0)
    axes = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    counts = None
    if thresholds_K is not None:
        counts = confusion_counts(labels_NK, apply_thresholds(probs_NK, thresholds_K))
    for index, ax in enumerate(axes.flat):
        if index >= len(shown):
            ax.set_axis_off()
            axes.flat[index - across].tick_params(labelbottom=True)
            continue
        k = shown[index]
        point = None
        if counts is not None and counts.tp[k] + counts.fp[k] > 0:
            point = recall(counts)[k], precision(counts)[k]
        drawable.apply_fonts([ax.set_title(drawable.names[k], fontsize=9, loc="left", pad=4)])
        _draw_precision_recall(ax, labels_NK[:, k], probs_NK[:, k], point)
    figure.supxlabel("recall", fontsize=9)
    figure.supylabel("precision", fontsize=9)
    dot = "" if thresholds_K is None else "dot: chosen threshold; "
    lines = [f"{dot}grey line: share of yes"]
    if len(usable) > len(shown):
        lines.append(f"{len(usable) - len(shown)} rarer labels are not shown")
    if len(usable) < len(names):
        lines.append(f"{len(names) - len(usable)} without both a known yes and a known no")
    add_heading(figure, "Precision and recall", lines)
    return to_png(figure)


def _draw_precision_recall(
    ax: Any, labels_N: Cells, probs_N: Floats, point: tuple[float, float] | None
) -> None:
    """One label's curve with its average precision, and a dot at ``point`` (recall, precision)."""
    known_N = labels_N != UNKNOWN
    num_yes = int((labels_N == YES).sum())
    precisions, recalls, _ = precision_recall_curve(labels_N[known_N] == YES, probs_N[known_N])
    ax.axhline(num_yes / known_N.sum(), color="#BBBBBB", lw=1)
    ax.step(recalls, precisions, where="post", color=BLUE, lw=1.4)
    if point is not None:
        ax.plot(*point, "o", color=RED, ms=5.5, mec="white", clip_on=False, zorder=3)
    area = average_precision(labels_N, probs_N)
    text = f"AP {area:.2f}\n{num_yes:,} yes"
    style: dict[str, Any] = {
        "transform": ax.transAxes,
        "fontsize": 7.5,
        "color": GREY,
        "linespacing": 1.3,
        "bbox": {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
    }
    if area > 0.4:  # the text stands where the curve is not
        ax.text(0.05, 0.06, text, ha="left", va="bottom", **style)
    else:
        ax.text(0.97, 0.95, text, ha="right", va="top", **style)
    style_axes(ax)
    ax.set(xlim=(0, 1), ylim=(0, 1.02), yticks=[0, 0.5, 1])
    ax.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])


def plot_learning_curves(history: pd.DataFrame) -> bytes:
    """Loss, validation mAP and learning rate by epoch, as far as the columns are there; PNG bytes.

    Columns used: stage, epoch (else 1, 2, ...), train_loss, val_loss, val_map, lr. Empty values are
    skipped. The stage ``head`` has a row of its own; all others share one, a line each.

    >>> plot_learning_curves(pd.DataFrame({"epoch": [1], "train_loss": [0.5]}))[1:4]
    b'PNG'
    """
    table = history.reindex(columns=["epoch", *PANELS]).apply(pd.to_numeric, errors="coerce")
    table = table.replace([np.inf, -np.inf], np.nan).reset_index(drop=True)
    epochs = table["epoch"].to_numpy(dtype=np.float64)
    numbers = np.arange(1, len(epochs) + 1)
    table["epoch"] = np.where(np.isnan(epochs), numbers, epochs)  # pandas < 3.1: no Index here
    stages = pd.Series("", table.index)
    if "stage" in history:
        stages = history["stage"].astype(str).reset_index(drop=True)
    panels = list(dict.fromkeys(panel for name, (panel, _) in PANELS.items() if table[name].notna().any()))
    if not panels:
        return text_figure("No epoch has been recorded.")
    rows = [part for part in (stages == "head", stages != "head") if part.any()]
    figure = new_figure(3.7 * len(panels), 3.0 * len(rows))
    grid = figure.subplots(len(rows), len(panels), squeeze=False)
    for row, (part, axes) in enumerate(zip(rows, grid, strict=True)):
        what = "heads: " if len(rows) > 1 and row == 0 else "network: " if len(rows) > 1 else ""
        _curves(table[part], stages[part], dict(zip(panels, axes, strict=True)), what)
    return to_png(figure)


PANELS = {
    "train_loss": ("loss", BLUE),
    "val_loss": ("loss", RED),
    "val_map": ("validation mAP", GREEN),
    "lr": ("learning rate", GREY),
}


def _curves(table: pd.DataFrame, stages: pd.Series, axes: dict[str, Any], what: str) -> None:
    """One row of panels: a line a stage in each, the first of them named in the legend."""
    words = {"train_loss": "training", "val_loss": "validation"}
    best = table["val_map"].max()
    for name, (panel, colour) in PANELS.items():
        if panel not in axes:
            continue
        ax = axes[panel]
        label = words.get(name)
        for _, rows in table.groupby(stages, sort=False):
            values = rows[name].dropna()
            marker = "o" if 0 < len(values) < 30 else ""
            ax.plot(
                rows["epoch"][values.index], values, color=colour, lw=1.4, marker=marker, ms=3, label=label
            )
            label = None
        title = f"{what}{panel}, best {best:.3f}" if name == "val_map" else f"{what}{panel}"
        ax.set_title(title, fontsize=9, loc="left")
        if name in words and ax.get_legend_handles_labels()[0]:
            ax.legend(frameon=False, fontsize=8)
    for ax in axes.values():
        style_axes(ax, grid="y")
        ax.set_xlabel("epoch", fontsize=9)
        ax.locator_params(axis="x", integer=True, nbins=6)
        if table["epoch"].min() == table["epoch"].max():
            ax.set_xticks([float(table["epoch"].iloc[0])])


def plot_reliability(
    labels_NK: Cells, before_NK: Floats, after_NK: Floats | None = None, *, bins: int = 15
) -> bytes:
    """Reliability diagram: observed against predicted share of yes, before and after calibration; PNG bytes.

    Bins have equal width, so that the counts beneath show where probabilities lie. A bin with fewer than 5
    cells has no point. The error is the mean over labels of ``calibration_error``, whose bins have equal
    mass.

    >>> plot_reliability(np.array([[1], [0]]), np.array([[0.9], [0.2]]))[1:4]
    b'PNG'
    """
    known_NK = labels_NK != UNKNOWN
    if not known_NK.any():
        return text_figure("No cell is known.")
    figure = new_figure(4.6, 5.4)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    top.plot([0, 1], [0, 1], color="#BBBBBB", lw=1.2, zorder=0)
    sets = [("as predicted", np.asarray(before_NK, dtype=np.float64), BLUE, "o")]
    if after_NK is not None:
        sets = [
            ("before calibration", sets[0][1], ORANGE, "s"),
            ("after", np.asarray(after_NK, dtype=np.float64), BLUE, "o"),
        ]
    width = 1 / bins / (len(sets) + 0.4)
    for index, (label, probs_NK, colour, marker) in enumerate(sets):
        share = _ObservedShare.of(labels_NK, probs_NK, bins)
        legend = f"{label} (error {share.error:.3f})"
        top.errorbar(
            share.predicted, share.observed, share.spread,
            color=colour, marker=marker, ms=4, lw=1.3, elinewidth=0.8, label=legend,
        )  # fmt: skip
        centres = (np.arange(bins) + 0.5) / bins + (index - (len(sets) - 1) / 2) * width
        bottom.bar(centres, share.counts, width, color=colour)
    top.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), ylabel="observed share of yes")
    top.legend(frameon=False, fontsize=8, loc="upper left")
    top.set_title("Reliability over all labels", fontsize=10, loc="left")
    bottom.set_yscale("log")
    bottom.set(xlabel="predicted probability", ylabel="cells", ylim=(0.7, None))
    style_axes(top)
    style_axes(bottom)
    return to_png(figure)


class _ObservedShare(NamedTuple):
    """Observed share of yes by predicted probability: a point for each bin with 5 cells or more."""

    predicted: Floats
    observed: Floats
    spread: Floats  # half of the 95 % interval
    counts: Indices  # cells of every bin
    error: float  # mean calibration error of the labels

    @classmethod
    def of(cls, labels_NK: Cells, probs_NK: Floats, bins: int) -> "_ObservedShare":
        known_NK = labels_NK != UNKNOWN
        p = probs_NK[known_NK]
        yes = labels_NK[known_NK] == YES
        bin_of = np.clip((p * bins).astype(int), 0, bins - 1)
        counts = np.bincount(bin_of, minlength=bins)
        enough = counts >= 5
        x, y = (np.bincount(bin_of, weights=v, minlength=bins)[enough] / counts[enough] for v in (p, yes))
        columns = zip(labels_NK.T, probs_NK.T, strict=True)
        errors = [calibration_error(cells, column) for cells, column in columns if (cells != UNKNOWN).any()]
        return cls(x, y, 1.96 * np.sqrt(y * (1 - y) / counts[enough]), counts, float(np.mean(errors)))
