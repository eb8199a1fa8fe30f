"""Comparison of two runs: differences with intervals, overall, by label and by group."""

from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from tagger.runs import RunFolder
from tagger.ui.charts.style import BLUE, GREY, row_height, show_chart
from tagger.ui.markdown_escape import escape_markdown

TITLES = {"map": "mAP", "micro_f1": "micro-F1", "macro_f1": "macro-F1"}
SCORE_METRICS = (
    "map",
    "micro_f1",
    "macro_f1",
    "micro_precision",
    "micro_recall",
    "exact_match",
    "skew_normalised_accuracy",
)
ERROR_METRICS = ("ranking_loss", "calibration_error", "brier_loss")  # lower is better
COLUMNS = ["before", "after", "difference", "low", "high"]
MAX_LABELS_SHOWN = 40


def show_comparison(before: RunFolder, after: RunFolder) -> None:
    """Comparison on the page: a sentence, charts, tables. TaggerError if the runs cannot be compared."""
    stamps = tuple((run.path / "metrics.json").stat().st_mtime_ns for run in (before, after))
    result = _compare(str(before.path.absolute()), str(after.path.absolute()), stamps)
    overall = overall_differences(result)
    if "mAP" in overall.index and overall["low"].notna()["mAP"]:
        _show_map_change(overall.loc[["mAP"]].iloc[0].to_dict())
    st.caption(
        f"Measured on {result['num_images']:,} test photos that neither run was trained on. Each line is the paired"
        " 95 % interval of a difference. An interval without 0 suggests a real change; among many labels,"
        " about 1 in 20 looks so by chance."
    )
    for note in result["notes"]:
        st.caption(escape_markdown(note))
    labels = label_differences(result)
    _show_charts(overall, labels)
    tables = {"Overall": overall, "By label (average precision)": labels}
    if result.get("groups"):
        tables["By group"] = group_differences(result["groups"])
    _show_tables(tables)


def _show_charts(overall: pd.DataFrame, labels: pd.DataFrame) -> None:
    """Charts of the differences, overall and by label."""
    left, right = st.columns(2)
    with left:
        st.markdown("**Overall, after minus before**")
        show_chart(difference_chart(overall), alt_text="Differences of the overall metrics with intervals")
    with right:
        st.markdown("**Average precision by label, after minus before**")
        if labels.empty:
            st.write("No label can be compared.")
        else:
            widest = labels.reindex(labels["difference"].abs().sort_values(ascending=False).index)[
                :MAX_LABELS_SHOWN
            ]
            show_chart(
                difference_chart(widest), alt_text="Differences of average precision by label with intervals"
            )


def _show_tables(tables: dict[str, pd.DataFrame]) -> None:
    """Tables of the differences, each in a tab."""
    numbers: dict[str, Any] = {"images": st.column_config.NumberColumn("photos")}
    numbers |= {name: st.column_config.NumberColumn(format="%.3f") for name in COLUMNS[:2]}
    numbers |= {name: st.column_config.NumberColumn(format="%+.3f") for name in COLUMNS[2:]}
    for tab, table in zip(st.tabs(list(tables)), tables.values(), strict=True):
        tab.dataframe(
            table, column_config=numbers, placeholder="", height="content" if len(table) < 20 else 600
        )


def overall_differences(result: dict[str, Any]) -> pd.DataFrame:
    """Table of before, after, difference, low, high by metric; metrics where lower is better come last.

    >>> row = {"a": 0.5, "b": 0.6, "difference": 0.1, "low": 0.0, "high": 0.2}
    >>> overall_differences({"overall": {"map": row}}).loc["mAP", "difference"].item()
    0.1
    """
    found = [name for name in (*SCORE_METRICS, *ERROR_METRICS) if name in result["overall"]]
    titles = [
        TITLES.get(name, name.replace("_", " ")) + (" (lower is better)" if name in ERROR_METRICS else "")
        for name in found
    ]
    return _difference_table([result["overall"][name] for name in found], titles, "metric")


def group_differences(groups: dict[str, Any]) -> pd.DataFrame:
    """Table of the same columns, of each group's metrics.

    >>> row = {"a": 0.5, "b": 0.6, "difference": 0.1, "low": 0.0, "high": 0.2}
    >>> group_differences({"age": {"accuracy": row}}).index.tolist()
    ['age: accuracy']
    """
    found = {
        f"{group}: {name.replace('_', ' ')}": row
        for group, rows in groups.items()
        for name, row in rows.items()
    }
    return _difference_table(list(found.values()), list(found), "group")


def label_differences(result: dict[str, Any]) -> pd.DataFrame:
    """Table of the same columns, of each label's average precision; labels without a difference are left out."""
    rows = {name: row["average_precision"] for name, row in result["per_label"].items()}
    rows = {name: row for name, row in rows.items() if row["difference"] is not None}
    table = _difference_table(list(rows.values()), list(rows), "label")
    table.insert(0, "images", [result["per_label"][name].get("positives") for name in rows])
    return table.sort_values("difference", ascending=False, kind="stable")


def _difference_table(rows: list[dict[str, Any]], index: list[str], kind: str) -> pd.DataFrame:
    cells = [[row["a"], row["b"], row["difference"], row["low"], row["high"]] for row in rows]
    return pd.DataFrame(cells, columns=COLUMNS, index=pd.Index(index, name=kind), dtype=float)


def difference_chart(table: pd.DataFrame) -> Any:
    """Chart of differences: a dot and its interval for each row, and a line at 0."""
    order = table.index.tolist()
    rows = table.reset_index(names="name").dropna(subset=["difference"])
    rows["sure"] = (rows["low"] > 0) | (rows["high"] < 0)  # not where there is no interval
    rows["low"], rows["high"] = (
        rows["low"].fillna(rows["difference"]),
        rows["high"].fillna(rows["difference"]),
    )
    y = alt.Y("name:N", sort=order, title=None, axis=alt.Axis(labelLimit=200, labelOverlap=False))
    base = alt.Chart(rows).encode(y=y)
    colour = alt.condition("datum.sure", alt.value(BLUE), alt.value(GREY))
    tips = [alt.Tooltip("name:N", title=" "), *(alt.Tooltip(f"{c}:Q", format="+.3f") for c in COLUMNS[2:])]
    x = alt.X("low:Q", title="after minus before", axis=alt.Axis(format="+.2f", tickCount=6, labelFlush=True))
    return alt.layer(
        alt.Chart(pd.DataFrame({"at": [0.0]})).mark_rule(color=GREY, strokeDash=[4, 4]).encode(x="at:Q"),
        base.mark_rule(strokeWidth=2.5, opacity=0.55).encode(x=x, x2="high:Q", color=colour, tooltip=tips),
        base.mark_circle(size=80, opacity=1).encode(x="difference:Q", color=colour, tooltip=tips),
        height=row_height(len(rows), pixels_per_row=26, minimum=150) + 50,
    )


def _show_map_change(row: dict[Any, Any]) -> None:
    interval_text = f"{row['low']:+.3f} to {row['high']:+.3f}"
    text = f"mAP {row['before']:.3f} → {row['after']:.3f} ({row['difference']:+.3f}, {interval_text})"
    if row["low"] > 0:
        st.success(f"Better: {text}")
    elif row["high"] < 0:
        st.error(f"Worse: {text}")
    else:
        st.info(f"No clear difference on these photos: {text}")


@st.cache_resource(max_entries=8, show_spinner="Comparing the two runs")
def _compare(before: str, after: str, stamps: tuple[int, ...]) -> dict[str, Any]:
    from tagger.commands.compare import compare  # loads no torch

    return compare(before, after)
