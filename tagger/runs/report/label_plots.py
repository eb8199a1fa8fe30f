"""Plots with a row a label: co-occurrence matrix, and bars of average precision and F1."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tagger.arrays import Cells, Floats
from tagger.data import frequent_cooccurrence
from tagger.runs.report.figure import (
    BLUE,
    LIGHT,
    ORANGE,
    add_heading,
    new_figure,
    style_axes,
    text_figure,
    to_png,
)
from tagger.runs.report.label_fonts import drawable_texts


def plot_cooccurrence(labels_NK: Cells, names: Sequence[str], *, at_most: int = 40) -> bytes:
    """A heat map: of the images with the row's label, the share that also has the column's; PNG bytes.

    The most frequent labels, in K's order.

    >>> plot_cooccurrence(np.array([[1, 1], [1, 0]], np.int8), ["cat", "dog"])[1:4]
    b'PNG'
    """
    columns_S, both_SS = frequent_cooccurrence(labels_NK, at_most)
    if not len(columns_S):
        return text_figure("There is no label.")
    order_S = np.argsort(columns_S)
    shown = columns_S[order_S]
    both_SS = both_SS[np.ix_(order_S, order_S)]
    yes_S = np.diagonal(both_SS).astype(int)
    drawable = drawable_texts(names, max_chars=20)
    size = len(shown)
    shares = both_SS / np.maximum(yes_S, 1)[:, None]
    np.fill_diagonal(shares, np.nan)
    drawn = [drawable.names[k] for k in shown]
    figure = new_figure(max(5.0, 2.2 + 0.38 * size), 2.3 + 0.36 * size)
    ax = figure.subplots()
    image = ax.imshow(np.ma.masked_invalid(shares), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    ax.set_facecolor(LIGHT)
    with_numbers = size <= 24
    if with_numbers:
        _write_percentages(ax, shares)
    ax.set_xticks(range(size), drawn, rotation=90)
    rows = [f"{name}  {yes:,}" for name, yes in zip(drawn, yes_S, strict=True)]
    ax.set_yticks(range(size), rows)
    ax.tick_params(labelsize=8, length=0)
    ax.spines[:].set_visible(False)
    drawable.apply_fonts([*ax.get_xticklabels(), *ax.get_yticklabels()])
    if not with_numbers:
        bar = figure.colorbar(image, ax=ax, shrink=0.4)
        bar.ax.tick_params(labelsize=8)
        bar.outline.set_visible(False)  # type: ignore[operator]
    hidden = len(names) - size
    share = "%" if with_numbers else "share"
    lines = [f"{share} of the images with the row's label that also have the column's"]
    if hidden:
        lines.append(f"{hidden} rarer labels are not shown")
    add_heading(figure, "Labels that occur together", lines)
    return to_png(figure)


def _write_percentages(ax: Any, shares_SS: Floats) -> None:
    """Each cell's share in per cent, where it rounds to 1 or more."""
    for i, j in zip(*np.nonzero(shares_SS >= 0.005), strict=True):
        ink = "white" if shares_SS[i, j] > 0.55 else "#333333"
        ax.text(j, i, f"{100 * shares_SS[i, j]:.0f}", ha="center", va="center", fontsize=7, color=ink)


def plot_per_label(per_label: Mapping[str, Mapping[str, Any]], *, at_most: int = 40) -> bytes:
    """Average precision and F1 of every label with their intervals, best first; PNG bytes.

    The positives stand beside the name. ``per_label`` is that part of ``tagger.scoring.evaluation``. A value
    that is None has no bar, an interval that is None no line.

    >>> one = {"value": 0.5, "low": None, "high": None}
    >>> plot_per_label({"cat": {"positives": 3, "average_precision": one, "f1": one}})[1:4]
    b'PNG'
    """
    ordered = _best_first(per_label, at_most)
    if not ordered:
        return text_figure("There is no label.")
    drawable = drawable_texts(list(per_label))
    drawn = dict(zip(per_label, drawable.names, strict=True))
    figure = new_figure(6.4, 1.15 + 0.34 * len(ordered))
    ax = figure.subplots()
    for key, label, colour, shift in (
        ("average_precision", "average precision", BLUE, -0.19),
        ("f1", "F1", ORANGE, 0.19),
    ):
        cells = [per_label[name][key] for name in ordered]
        at = np.arange(len(ordered)) + shift
        ax.barh(at, [cell["value"] or 0 for cell in cells], height=0.34, color=colour, label=label)
        for y, cell in zip(at, cells, strict=True):
            if cell["low"] is not None:
                ax.plot([cell["low"], cell["high"]], [y, y], color="#222222", lw=1, solid_capstyle="butt")
    rows = [f"{drawn[name]}  {per_label[name]['positives']:,}" for name in ordered]
    ax.set_yticks(range(len(ordered)), rows)
    drawable.apply_fonts(ax.get_yticklabels())
    ax.set(xlim=(0, 1), ylim=(len(ordered) - 0.4, -0.6))
    style_axes(ax, grid="x")
    ax.tick_params(axis="y", length=0)
    hidden = len(per_label) - len(ordered)
    lines = ["number: known positives; black line: 95 % interval"]
    if hidden:
        lines.append(f"{hidden} rarer labels are not shown")
    add_heading(figure, "Per label", lines)
    figure.legend(
        *ax.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False, fontsize=8
    )
    return to_png(figure)


def _best_first(per_label: Mapping[str, Mapping[str, Any]], at_most: int) -> list[str]:
    """The most frequent labels, by descending average precision."""

    def rank(name: str) -> tuple[float, int]:
        value = per_label[name]["average_precision"]["value"]
        return (-1.0 if value is None else value, per_label[name]["positives"])

    ordered = sorted(per_label, key=rank, reverse=True)
    if len(ordered) <= at_most:
        return ordered
    frequent = set(sorted(ordered, key=lambda name: per_label[name]["positives"], reverse=True)[:at_most])
    return [name for name in ordered if name in frequent]
