"""Page Overview: metrics of a run by label, thresholds, training, reliability, model card."""

from typing import Any

import pandas as pd
import streamlit as st

from tagger.review import Store
from tagger.runs import RunFolder
from tagger.scoring.group_metrics import GROUP_METRICS
from tagger.ui.charts.overview_charts import learning_chart, reliability_chart, reliability_table
from tagger.ui.charts.style import show_chart
from tagger.ui.markdown_escape import escape_markdown
from tagger.ui.model_card_view import show_model_card
from tagger.ui.pages.threshold_panel import threshold_panel
from tagger.ui.run_data import RunData, run_data

HEADLINES = (
    (
        "map",
        "mAP",
        "Mean average precision: how well photos with a label rank above the others. 1 is perfect.",
    ),
    ("micro_f1", "Micro-F1", "F1 over all labels of all photos together: frequent labels count most."),
    ("macro_f1", "Macro-F1", "Mean F1 of the labels: rare labels count as much as frequent ones."),
    ("micro_precision", "Micro-precision", "Share of the chosen labels that are right."),
    ("micro_recall", "Micro-recall", "Share of the right labels that are chosen."),
    ("exact_match", "Exact match", "Share of photos with every label right."),
)


def show(run: RunFolder, store: Store) -> None:
    """The page: headline numbers, then tables and curves by tab."""
    data = run_data(run)
    st.title("Overview")
    st.caption(escape_markdown(_subtitle(run, data)))
    for note in data.metrics.get("notes", []):
        st.info(escape_markdown(note), icon=":material/info:")
    if data.headline_metrics is None:
        st.warning("This run has neither a test nor a validation split, so its quality cannot be measured.")
    else:
        _headlines(data.headline_metrics, "test" if data.metrics.get("test") else "validation")
    labels, thresholds, training, calibration, card = st.tabs(
        ["Labels", "Thresholds", "Training", "Calibration", "Model card"]
    )
    with labels:
        _show_label_table(data)
        _show_group_table(data)
    with thresholds:
        threshold_panel(run, data)
    with training:
        _training(data)
    with calibration:
        _reliability(data)
    with card:
        show_model_card(run)


def _subtitle(run: RunFolder, data: RunData) -> str:
    settings = run.load_settings()
    counts = data.images["split"].value_counts()
    parts = ", ".join(f"{counts.get(part, 0):,} {word}" for part, word in _SPLIT_WORDS if counts.get(part, 0))
    return f"{run.path.name} · {settings.backbone.name} · {len(data.names)} labels · photos: {parts}"


_SPLIT_WORDS = (("train", "training"), ("val", "validation"), ("test", "test"))


def _headlines(table: dict[str, Any], split: str) -> None:
    with st.container(horizontal=True, gap="xsmall"):
        for key, title, meaning in HEADLINES:
            row = table["overall"][key]
            value = "–" if row["value"] is None else f"{row['value']:.3f}"
            interval_text = None if row["low"] is None else f"{row['low']:.2f} to {row['high']:.2f}"
            st.metric(
                title, value, interval_text, delta_color="off", delta_arrow="off", help=meaning, border=True
            )
    st.caption(
        f"Measured on {table['num_images']:,} photos of the {split} split. Below each value: its 95 % interval."
        " Labels of this split may be wrong too. Deciding its suspects makes these numbers more reliable."
    )


def _show_label_table(data: RunData) -> None:
    if data.headline_metrics is None:
        return
    table = label_table(data.headline_metrics["per_label"])
    number = st.column_config.NumberColumn(format="%.3f")
    st.dataframe(
        table,
        hide_index=True,
        placeholder="",
        height="content" if len(table) <= 20 else 740,
        column_config={
            "AP": st.column_config.ProgressColumn(format="%.3f", min_value=0, max_value=1),
            "images": st.column_config.NumberColumn("photos", help="Photos of the split that have the label"),
            **dict.fromkeys(("Precision", "Recall", "F1", "threshold"), number),
            "note": None if not any(table["note"]) else st.column_config.TextColumn(width="medium"),
        },
    )


def label_table(per_label: dict[str, Any]) -> pd.DataFrame:
    """Table of label, images, AP and its interval, Precision, Recall, F1, threshold, note; most images first."""
    return pd.DataFrame([_label_row(name, row) for name, row in per_label.items()]).sort_values(
        "images", ascending=False, kind="stable"
    )


def _label_row(name: str, row: dict[str, Any]) -> dict[str, Any]:
    few = "not enough data" in row["note"]
    ap = row["average_precision"]
    scores = {title: None if few else row[title.lower()]["value"] for title in ("Precision", "Recall", "F1")}
    return {
        "label": name,
        "images": row["positives"],
        "AP": None if few else ap["value"],
        "95 % interval": "" if ap["low"] is None else f"{ap['low']:.2f} to {ap['high']:.2f}",
        **scores,
        "threshold": None if row["threshold"] > 1 else row["threshold"],
        "note": row["note"],
    }


def _show_group_table(data: RunData) -> None:
    """Metrics of the groups of labels.toml, if it declares some."""
    groups = (data.headline_metrics or {}).get("groups", {})
    if groups:
        st.markdown("**Groups: a photo gets at most one label of each**")
        columns = {"images": st.column_config.NumberColumn("photos")}
        st.dataframe(group_table(groups), hide_index=True, placeholder="", column_config=columns)


def group_table(groups: dict[str, Any]) -> pd.DataFrame:
    """Table of group, images, metric, value, 95 % interval: one row a metric of a group.

    >>> row = {"num_images": 9, "accuracy": {"value": 0.5, "low": 0.25, "high": 0.75}}
    >>> group_table({"age": row})["metric"].tolist()
    ['accuracy']
    """
    rows = [
        {
            "group": group,
            "images": row["num_images"],
            "metric": name.replace("_", " "),
            "value": row[name]["value"],
            "95 % interval": ""
            if row[name]["low"] is None
            else f"{row[name]['low']:.2f} to {row[name]['high']:.2f}",
        }
        for group, row in groups.items()
        for name in GROUP_METRICS
        if name in row
    ]
    return pd.DataFrame(rows).round({"value": 3})


def _training(data: RunData) -> None:
    charts = learning_chart(data.history)
    if not charts:
        st.write("No epoch has been recorded.")
        return
    for column, (title, chart) in zip(st.columns(len(charts)), charts, strict=True):
        with column:
            st.markdown(f"**{title}**")
            show_chart(chart, alt_text=f"{title} by epoch")
    st.caption(
        "One line for each trained network or head. Those trained without a part of the photos predict that part,"
        " for thresholds and suspects. The run's model is the last one trained, or the average of them."
    )


def _reliability(data: RunData) -> None:
    table = _reliability_table(data.key, data)
    left, right = st.columns([3, 2])
    with left:
        show_chart(reliability_chart(table), alt_text="Observed share of yes by predicted probability")
    with right:
        st.markdown("**Calibration**")
        st.write(
            "Of all predictions of 0.8, about 80 % should be right. Then the dots lie on the diagonal."
            " Every dot stands for the same number of predictions."
        )
        st.caption(f"Measured on {data.evaluation_source}.")


@st.cache_resource(max_entries=3, show_spinner=False)
def _reliability_table(key: tuple[str, int], _data: RunData) -> pd.DataFrame:
    return reliability_table(*_data.evaluation_data)
