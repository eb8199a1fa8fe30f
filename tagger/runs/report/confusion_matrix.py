"""Confusion matrix of a group of labels, as a plot."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tagger.runs.report.figure import add_heading, new_figure, text_figure, to_png
from tagger.runs.report.label_fonts import drawable_texts


def plot_confusion_matrix(confusion: Mapping[str, Any]) -> bytes:
    """A heat map: of the images with the row's label, the share that got the column's; PNG bytes.

    ``confusion`` is that part of ``GroupMetrics.row``: ``labels`` in their order, ``counts`` of true by
    chosen label.

    >>> plot_confusion_matrix({"labels": ["young", "old"], "counts": [[3, 1], [0, 2]]})[1:4]
    b'PNG'
    """
    counts_CC = np.asarray(confusion["counts"])
    if not counts_CC.sum():
        return text_figure("Of no image the label in this group is known.")
    drawable = drawable_texts(confusion["labels"], max_chars=20)
    size = len(counts_CC)
    drawn = drawable.names
    totals_C = counts_CC.sum(axis=1)
    shares_CC = counts_CC / np.maximum(totals_C, 1)[:, None]
    figure = new_figure(max(4.6, 2.4 + 0.45 * size), 2.5 + 0.4 * size)
    ax = figure.subplots()
    ax.imshow(shares_CC, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    if size <= 24:
        for i, j in zip(*np.nonzero(counts_CC), strict=True):
            ink = "white" if shares_CC[i, j] > 0.55 else "#333333"
            text = f"{100 * shares_CC[i, j]:.0f}" if shares_CC[i, j] >= 0.005 else "<1"
            ax.text(j, i, text, ha="center", va="center", fontsize=7.5, color=ink)
    ax.set_xticks(range(size), drawn, rotation=90)
    ax.set_yticks(range(size), [f"{name}  {total:,}" for name, total in zip(drawn, totals_C, strict=True)])
    ax.tick_params(labelsize=8, length=0)
    ax.spines[:].set_visible(False)
    drawable.apply_fonts([*ax.get_xticklabels(), *ax.get_yticklabels()])
    lines = [
        "% of the images with the row's label that got the column's",
        "rows: the label as given, and how many have it",
    ]
    add_heading(figure, "What is taken for what", lines)
    return to_png(figure)
