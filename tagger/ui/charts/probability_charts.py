"""Chart of one image's probabilities and thresholds."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from tagger.scoring import NO_CONSTRAINTS, LabelConstraints, predict_labels
from tagger.ui.charts.style import BLUE, GREY, ORANGE, row_height

MIN_LABELS_SHOWN = 12


def probability_table(
    names: Sequence[str],
    probs: Sequence[float],
    thresholds_K: np.ndarray,
    constraints: LabelConstraints = NO_CONSTRAINTS,
) -> pd.DataFrame:
    """Table of label, probability, threshold, chosen (by groups and rules too): chosen first, then by probability.

    >>> probability_table(["cat", "dog"], [0.3, 0.4], np.array([0.2, 0.5]))["label"].tolist()
    ['cat', 'dog']
    """
    table = pd.DataFrame({"label": list(names), "probability": list(probs), "threshold": thresholds_K})
    table["chosen"] = predict_labels(np.array([probs]), thresholds_K, constraints)[0]
    return table.sort_values(["chosen", "probability"], ascending=False, kind="stable", ignore_index=True)


def probability_chart(table: pd.DataFrame) -> Any:
    """Chart of the first labels of the table: all that are chosen, and the likeliest of the others."""
    shown = table.head(max(MIN_LABELS_SHOWN, int(table["chosen"].sum())))
    y = alt.Y(
        "label:N", sort=shown["label"].tolist(), title=None, axis=alt.Axis(labelLimit=180, labelOverlap=False)
    )
    base = alt.Chart(shown, height=row_height(len(shown), pixels_per_row=24, minimum=90) + 40).encode(
        y=y,
        tooltip=[
            "label",
            alt.Tooltip("probability:Q", format=".3f"),
            alt.Tooltip("threshold:Q", format=".3f"),
        ],
    )
    x = alt.X("probability:Q", scale=alt.Scale(domain=[0, 1]), title="probability; line: threshold")
    return alt.layer(
        base.mark_bar(cornerRadiusEnd=2, size=12).encode(
            x=x, color=alt.condition("datum.chosen", alt.value(BLUE), alt.value(GREY))
        ),
        base.transform_filter("datum.threshold <= 1")
        .mark_tick(color=ORANGE, thickness=2.5, size=18)
        .encode(x="threshold:Q"),
    )
