"""Charts of a data set: label counts by split, labels that occur together."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from tagger.arrays import YES, Cells, Floats
from tagger.ui.charts.style import BLUE, GREEN, HEAT_COLOURS, ORANGE, legend, row_height

SPLITS = {"train": BLUE, "val": ORANGE, "test": GREEN}


def label_counts(labels_NK: Cells, split_N: np.ndarray, names: Sequence[str]) -> pd.DataFrame:
    """Table of label, split, images: how many images of the split have the label; a row for every pair.

    >>> label_counts(np.array([[1], [0]]), np.array(["train", "test"]), ["cat"])["images"].tolist()
    [1, 0, 0]
    """
    parts = [
        pd.DataFrame(
            {"label": list(names), "split": split, "images": (labels_NK[split_N == split] == YES).sum(axis=0)}
        )
        for split in SPLITS
    ]
    return pd.concat(parts, ignore_index=True)


def label_counts_chart(table: pd.DataFrame, *, most: int) -> alt.Chart:
    """Bar chart of the labels, stacked by split, the most frequent first."""
    totals = table.groupby("label")["images"].sum().sort_values(ascending=False, kind="stable")
    shown = totals.index[:most].tolist()
    colour = alt.Color(
        "split:N",
        scale=alt.Scale(domain=list(SPLITS), range=list(SPLITS.values())),
        legend=legend(),
    )
    return (
        alt.Chart(table[table["label"].isin(shown)], height=row_height(len(shown)) + 90)
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            x=alt.X("images:Q", title="photos", axis=alt.Axis(tickCount=8, tickMinStep=1, labelFlush=True)),
            y=alt.Y("label:N", title=None, sort=shown, axis=alt.Axis(labelLimit=220, labelOverlap=False)),
            color=colour,
            order=alt.Order("place:Q"),
            tooltip=["label", "split", alt.Tooltip("images:Q", title="photos", format=",")],
        )
        .transform_calculate(place=f"indexof({list(SPLITS)}, datum.split)")
    )


def cooccurrence_table(both_SS: Floats, names: Sequence[str]) -> pd.DataFrame:
    """Table of label, other, share, images of every pair of these labels.

    ``both_SS``: images with both labels, on the diagonal those with the label (see ``frequent_cooccurrence``).

    >>> cooccurrence_table(np.array([[4.0, 1.0], [1.0, 2.0]]), ["cat", "dog"])["share"].round(2).tolist()
    [0.25, 0.5]
    """
    yes_S = np.diagonal(both_SS)
    shown = [s for s in range(len(names)) if yes_S[s]]
    rows = [
        {
            "label": names[a],
            "other": names[b],
            "share": both_SS[a, b] / yes_S[a],
            "images": int(both_SS[a, b]),
        }
        for a in shown
        for b in shown
        if a != b
    ]
    return pd.DataFrame(rows, columns=["label", "other", "share", "images"])


def cooccurrence_chart(table: pd.DataFrame) -> alt.Chart:
    """Heat map of the shares, most frequent labels first."""
    order = table["label"].drop_duplicates().tolist()
    below = alt.Axis(labelAngle=-60, labelLimit=160, labelOverlap=False)
    beside = alt.Axis(labelLimit=160, labelOverlap=False)
    steps = [0, 0.25, 0.5, 1]
    scale_legend = alt.Legend(title=None, format=".0%", orient="right", gradientLength=160, values=steps)
    tips = [alt.Tooltip("share:Q", format=".1%"), alt.Tooltip("images:Q", title="photos", format=",")]
    return (
        alt.Chart(table, height=max(260, 18 * len(order) + 110))
        .mark_rect(cornerRadius=1)
        .encode(
            x=alt.X("other:N", title=None, sort=order, axis=below),
            y=alt.Y("label:N", title=None, sort=order, axis=beside),
            color=alt.Color(
                "share:Q",
                scale=alt.Scale(type="pow", exponent=0.6, domain=[0, 1], range=HEAT_COLOURS),
                legend=scale_legend,
            ),
            tooltip=["label", "other", *tips],
        )
    )
