"""Charts of one label's threshold: metrics by threshold, precision against recall."""

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from tagger.scoring.threshold_curves import ThresholdCurve
from tagger.ui.charts.style import BLUE, GREEN, GREY, HEIGHT, ORANGE, RED, legend

THRESHOLD_GRID = np.round(np.arange(0, 1.0001, 0.005), 3)
SERIES_COLOURS = {"precision": BLUE, "recall": ORANGE, "F1": GREEN}


def curve_table(curve: ThresholdCurve) -> pd.DataFrame:
    """Table of threshold, precision, recall, F1: one row a threshold."""
    return pd.DataFrame(
        {
            "threshold": curve.thresholds_T,
            "precision": curve.precision_T,
            "recall": curve.recall_T,
            "F1": curve.f1_T,
        }
    )


def threshold_chart(curve: ThresholdCurve, value: float) -> Any:
    """Chart of precision, recall and F1 by threshold; the rule at ``value`` can be dragged (selection ``pick``)."""
    wide = curve_table(curve)
    long = wide.melt("threshold", list(SERIES_COLOURS), "which", "value").dropna()
    pick = _dragged_point(value)
    x = alt.X("threshold:Q", title="threshold", scale=alt.Scale(domain=[0, 1]))
    colour = alt.Color(
        "which:N",
        scale=alt.Scale(domain=list(SERIES_COLOURS), range=list(SERIES_COLOURS.values())),
        legend=legend(offset=26),
    )
    y = alt.Y("value:Q", title=None, scale=alt.Scale(domain=[0, 1]))
    lines = alt.Chart(long).mark_line(strokeWidth=2).encode(x=x, y=y, color=colour)
    catch = (
        alt.Chart(wide).mark_point(opacity=0, size=1).encode(x=x, tooltip=alt.value(None)).add_params(pick)
    )
    here = alt.Chart(wide).transform_filter(pick)
    rule = here.mark_rule(color=GREY, strokeWidth=2).encode(x=x)
    dots = (
        alt.Chart(long).transform_filter(pick).mark_circle(size=90, opacity=1).encode(x=x, y=y, color=colour)
    )
    return alt.layer(lines, rule, dots, _values_text(here), catch, height=HEIGHT + 40)


def _dragged_point(value: float) -> Any:
    """Selection ``pick``: the threshold at which the pointer was pressed or dragged, ``value`` at first."""
    return alt.selection_point(
        name="pick",
        fields=["threshold"],
        nearest=True,
        on="click, [pointerdown, window:pointerup] > pointermove",
        value=[{"threshold": value}],
        toggle=False,
        clear=False,
        empty=False,
    )


def _values_text(here: alt.Chart) -> alt.Chart:
    """The three values at the threshold, as text above the chart."""
    return (
        here.transform_calculate(
            says="'at ' + format(datum.threshold, '.3f') + ': precision ' + (isValid(datum.precision) ?"
            " format(datum.precision, '.2f') : '–') + ', recall ' + format(datum.recall, '.2f') + ', F1 ' +"
            " (isValid(datum.F1) ? format(datum.F1, '.2f') : '–')"
        )
        .mark_text(align="left", baseline="bottom", fontSize=13, fontWeight="bold", color=GREY)
        .encode(text="says:N", x=alt.value(4), y=alt.value(-4))
    )


def precision_recall_chart(curve: ThresholdCurve, value: float) -> Any:
    """Chart of precision against recall over all thresholds, with a dot at ``value``."""
    table = curve_table(curve).dropna(subset=["precision"])
    scale = alt.Scale(domain=[0, 1])
    encoded = {
        "x": alt.X("recall:Q", title="recall", scale=scale),
        "y": alt.Y("precision:Q", title="precision", scale=scale),
        "tooltip": [
            alt.Tooltip(f"{name}:Q", format=".3f") for name in ("threshold", "precision", "recall", "F1")
        ],
    }
    line = alt.Chart(table).mark_line(color=BLUE, strokeWidth=2).encode(order="threshold:Q", **encoded)
    near = table[np.isclose(table["threshold"], value)]
    dot = alt.Chart(near).mark_circle(color=RED, size=140, opacity=1).encode(**encoded)
    return alt.layer(line, dot, height=HEIGHT + 40)
