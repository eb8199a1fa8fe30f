"""Charts of a run: learning curves and reliability."""

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from tagger.arrays import Cells, Floats
from tagger.scoring import reliability_bins
from tagger.ui.charts.style import BLUE, GREEN, GREY, HEIGHT, ORANGE, legend

LOSSES = {"train_loss": "training", "val_loss": "validation"}


def learning_chart(history: pd.DataFrame) -> list[tuple[str, alt.Chart]]:
    """Charts with their titles: loss, validation mAP and learning rate by epoch, as far as the history has them.

    >>> [title for title, _ in learning_chart(pd.DataFrame({"stage": ["a"], "epoch": [1], "val_map": [0.5]}))]
    ['Validation mAP']
    """
    if history.empty:
        return []
    table = history.assign(stage=history["stage"].astype(str), epoch=pd.to_numeric(history["epoch"]))
    charts = []
    losses = [name for name in LOSSES if name in table and table[name].notna().any()]
    if losses:
        long = table.melt(["stage", "epoch"], losses, "which", "loss").dropna()
        colour = alt.Color(
            "which:N",
            scale=alt.Scale(domain=list(LOSSES.values()), range=[BLUE, ORANGE]),
            legend=legend(),
        )
        charts.append(("Loss", _lines(long.assign(which=long["which"].map(LOSSES)), "loss", colour)))
    for name, title, tone in (("val_map", "Validation mAP", GREEN), ("lr", "Learning rate", GREY)):
        if name in table and table[name].notna().any():
            charts.append((title, _lines(table.dropna(subset=[name]), name, alt.value(tone))))
    return charts


def _lines(table: pd.DataFrame, field: str, colour: object) -> alt.Chart:
    axis = alt.Axis(tickMinStep=1, format="d")
    return (
        alt.Chart(table, height=HEIGHT)
        .mark_line(point={"size": 22}, strokeWidth=1.8)
        .encode(
            x=alt.X("epoch:Q", title="epoch", axis=axis),
            y=alt.Y(f"{field}:Q", title=None, scale=alt.Scale(zero=False)),
            color=colour,
            detail="stage:N",
            tooltip=["stage:N", "epoch:Q", alt.Tooltip(f"{field}:Q", format=".4g")],
        )
    )


def reliability_table(labels_NK: Cells, probs_NK: Floats) -> pd.DataFrame:
    """Table of predicted, observed, low, high (95 % of a binomial's normal approximation), cells: one row a bin.

    >>> reliability_table(np.array([[1], [0]]), np.array([[0.9], [0.2]]))["observed"].tolist()
    [0.0, 1.0]
    """
    bins = reliability_bins(labels_NK, probs_NK)
    spread = 1.96 * np.sqrt(bins.observed_G * (1 - bins.observed_G) / bins.num_cells_G)
    return pd.DataFrame(
        {
            "predicted": bins.predicted_G,
            "observed": bins.observed_G,
            "low": np.clip(bins.observed_G - spread, 0, 1),
            "high": np.clip(bins.observed_G + spread, 0, 1),
            "cells": bins.num_cells_G,
        }
    )


def reliability_chart(table: pd.DataFrame) -> Any:
    """Reliability diagram: observed against predicted, with intervals, and the diagonal where they should lie."""
    titles = "predicted probability", "observed share of yes"
    return _against(table, ("predicted", "observed", "cells"), titles)


def doubt_chart(table: pd.DataFrame) -> Any:
    """The same of doubts (``doubt_reliability``): the share found wrong against the share that was said."""
    return _against(table, ("said", "found", "answers"), ("share said to be wrong", "share found wrong"))


def _against(table: pd.DataFrame, fields: tuple[str, str, str], titles: tuple[str, str]) -> Any:
    """Dots with intervals (columns low and high), and the diagonal; ``fields``: of x, of y, and of the counts."""
    said, found, count = fields
    scale = alt.Scale(domain=[0, 1])
    ideal = alt.Chart(pd.DataFrame({"at": [0.0, 1.0]})).mark_line(
        color=GREY, strokeDash=[4, 4], strokeWidth=1.2
    )
    base = alt.Chart(table).encode(x=alt.X(f"{said}:Q", title=titles[0], scale=scale))
    tips = [alt.Tooltip(f"{name}:Q", format=".3f") for name in (said, found)]
    return alt.layer(
        ideal.encode(x="at:Q", y="at:Q"),
        base.mark_rule(color=BLUE, opacity=0.6).encode(y=alt.Y("low:Q", scale=scale), y2="high:Q"),
        base.mark_line(color=BLUE, strokeWidth=1.2, opacity=0.6).encode(y=f"{found}:Q"),
        base.mark_circle(color=BLUE, size=60, opacity=1).encode(
            y=alt.Y(f"{found}:Q", title=titles[1]), tooltip=[*tips, alt.Tooltip(f"{count}:Q", format=",")]
        ),
        height=380,
    )
