"""Palette and shared parts of all charts, for light and dark, safe for colour-blind people.

The colours are those of Okabe and Ito (2008), moved to a middle lightness so that they stand on white and
on near black. Everything else (fonts, grid, text colour) is left to Streamlit's theme, which follows the
person's setting. Names reach altair as data, in columns with fixed names, never as field names or Markdown.
"""

from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

BLUE = "#3E8FCF"
ORANGE = "#E08E1B"
GREEN = "#1FA187"
RED = "#D05C4F"
GREY = "#8B93A0"
HEIGHT = 300
HEAT_COLOURS = ["#3E8FCF10", "#3E8FCF"]  # from nearly nothing to blue, on either background


def show_chart(chart: Any, *, alt_text: str, key: str | None = None, **options: Any) -> Any:
    """Draw a chart at full width with a text for screen readers; gives what ``st.altair_chart`` gives."""
    return st.altair_chart(chart, width="stretch", key=key, alt=alt_text, **options)


def legend(*, offset: int = 4) -> alt.Legend:
    """Legend on one line above the chart, close to it; ``offset`` pixels leave room for a line of text."""
    return alt.Legend(orient="top", title=None, offset=offset, padding=0)


def histogram(table: pd.DataFrame, *, x: str, y: str, colour: str = BLUE, height: int = HEIGHT) -> alt.Chart:
    """Histogram: column ``x`` in its given order, column ``y`` as counts."""
    return (
        alt.Chart(table, height=height)
        .mark_bar(color=colour, cornerRadiusEnd=2)
        .encode(
            x=alt.X(f"{x}:O", sort=None, axis=alt.Axis(labelAngle=0, labelOverlap=True)),
            y=alt.Y(f"{y}:Q", axis=alt.Axis(tickMinStep=1)),
            tooltip=[x, alt.Tooltip(y, format=",")],
        )
    )


def row_height(rows: int, *, pixels_per_row: int = 22, minimum: int = 120) -> int:
    """Height in pixels of a chart with one row a label.

    >>> row_height(100), row_height(1)
    (2200, 120)
    """
    return max(minimum, pixels_per_row * rows)
