"""Page Data: labels by split, labels that occur together, rules, unreadable files."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from tagger.arrays import UNKNOWN, YES, Floats
from tagger.data import MinedRule, frequent_cooccurrence, mine_rules
from tagger.review import Store
from tagger.runs import RunFolder
from tagger.ui.charts.data_charts import (
    SPLITS,
    cooccurrence_chart,
    cooccurrence_table,
    label_counts,
    label_counts_chart,
)
from tagger.ui.charts.style import histogram, show_chart
from tagger.ui.markdown_escape import escape_markdown
from tagger.ui.run_data import RunData, run_data

MAX_LABELS_SHOWN = 60  # in a chart; the table has all


@dataclass(frozen=True)
class DataCounts:
    """Counts over all images."""

    yes_K: np.ndarray
    known_K: np.ndarray
    by_split: pd.DataFrame
    per_image: "pd.Series[int]"  # images by number of labels
    most_frequent: tuple[np.ndarray, Floats]  # the labels of the chart, and how many images have two of them
    mined: tuple[MinedRule, ...]


@st.cache_resource(max_entries=3, show_spinner="Counting")
def _data_counts(key: tuple[str, int], _data: RunData) -> DataCounts:
    labels_NK = _data.labels_NK
    return DataCounts(
        yes_K=(labels_NK == YES).sum(axis=0),
        known_K=(labels_NK != UNKNOWN).sum(axis=0),
        by_split=label_counts(labels_NK, _data.images["split"].to_numpy(dtype=str), _data.names),
        per_image=pd.Series((labels_NK == YES).sum(axis=1)).value_counts().sort_index(),
        most_frequent=frequent_cooccurrence(labels_NK, MAX_LABELS_SHOWN),
        mined=mine_rules(labels_NK, _data.names),
    )


def show(run: RunFolder, store: Store) -> None:
    """The page: totals, then charts by tab. All of it is what the run was trained on, before any decision."""
    data = run_data(run)
    st.title("Data")
    st.caption("The data that this run was trained on, before any decision.")
    counts = _data_counts(data.key, data)
    _totals(data, counts)
    labels, photos, together, rules, unreadable = st.tabs(
        ["Labels", "Photos", "Co-occurrence", "Rules", "Unreadable"]
    )
    with labels:
        _labels(data, counts)
    with photos:
        _photos(data, counts)
    with together:
        _cooccurrence(data, counts)
    with rules:
        _rules(run, counts)
    with unreadable:
        _unreadable(run)


def _totals(data: RunData, counts: DataCounts) -> None:
    known_K = counts.known_K
    yes = int(counts.yes_K.sum())
    cells = max(len(data.images) * len(data.names), 1)
    numbers = [
        ("Photos", f"{len(data.images):,}", None),
        ("Labels", f"{len(data.names):,}", None),
        ("Labels set", f"{yes:,}", "Pairs of a photo and a label that it has"),
        ("Labels per photo", f"{yes / max(len(data.images), 1):.2f}", "Mean number of labels"),
        (
            "Unknown labels",
            f"{1 - known_K.sum() / cells:.1%}",
            "Photo-label pairs that are neither yes nor no in your labels. No count includes them.",
        ),
        ("Size", _format_bytes(float(data.images["size"].sum())), "All files together"),
    ]
    if "group" in data.images:
        grouped = data.images["group"].value_counts()
        numbers.append(
            ("Near-duplicates", f"{int((grouped > 1).sum()):,}", "Groups of photos that look the same")
        )
    with st.container(horizontal=True, gap="xsmall"):
        for title, value, meaning in numbers:
            st.metric(title, value, help=meaning, border=True)


def _labels(data: RunData, counts: DataCounts) -> None:
    table = counts.by_split
    show_chart(label_counts_chart(table, most=MAX_LABELS_SHOWN), alt_text="Photos with each label, by split")
    if len(data.names) > MAX_LABELS_SHOWN:
        st.caption(f"The {MAX_LABELS_SHOWN} most frequent labels; the table has all {len(data.names)}.")
    wide = table.pivot(index="label", columns="split", values="images")
    wide = wide.reindex(index=list(data.names), columns=list(SPLITS)).reset_index()
    wide["all"] = counts.yes_K
    wide["share"] = 100 * counts.yes_K / np.maximum(counts.known_K, 1)
    wide["unknown"] = len(data.images) - counts.known_K
    st.dataframe(
        wide.sort_values("all", ascending=False, kind="stable"),
        hide_index=True,
        column_config={
            "share": st.column_config.NumberColumn(
                format="%.1f %%", help="Of the photos where the label is known"
            )
        },
    )


def _photos(data: RunData, counts: DataCounts) -> None:
    left, right = st.columns(2)
    per_image = counts.per_image
    table = pd.DataFrame({"labels": per_image.index.to_numpy(), "photos": per_image.to_numpy()})
    with left:
        st.markdown("**Labels per photo**")
        show_chart(histogram(table, x="labels", y="photos"), alt_text="Number of photos by number of labels")
    with right:
        st.markdown("**File sizes**")
        sizes = data.images["size"].to_numpy(dtype=float)
        edges = np.unique(2.0 ** np.floor(np.log2(np.maximum(sizes, 1)))) if len(sizes) else np.zeros(0)
        steps = np.arange(np.log2(edges.min()), np.log2(edges.max()) + 1) if len(edges) else np.zeros(0)
        found = pd.Series(np.floor(np.log2(np.maximum(sizes, 1)))).value_counts()
        rows = [
            {"size": f"from {_format_bytes(2.0**step)}", "photos": int(found.get(step, 0))} for step in steps
        ]
        show_chart(histogram(pd.DataFrame(rows, columns=["size", "photos"]), x="size", y="photos"),
                   alt_text="Number of photos by file size")  # fmt: skip


def _cooccurrence(data: RunData, counts: DataCounts) -> None:
    columns_S, both_SS = counts.most_frequent
    table = cooccurrence_table(both_SS, [data.names[k] for k in columns_S])
    if table.empty:
        st.write("No photo has a label.")
        return
    st.markdown("**Share of the photos with the row's label that also have the column's label**")
    show_chart(cooccurrence_chart(table), alt_text="Heat map of labels that occur together")
    if len(data.names) > MAX_LABELS_SHOWN:
        st.caption(f"The {MAX_LABELS_SHOWN} most frequent of {len(data.names)} labels.")


def _rules(run: RunFolder, counts: DataCounts) -> None:
    known = run.load_rules()
    if known:
        st.markdown("**Rules of labels.toml**")
        st.dataframe(pd.DataFrame([{"if": r.premise, "then": r.implied} for r in known]), hide_index=True)
    st.markdown("**Rules found in the labels**")
    mined = counts.mined
    if not mined:
        st.write("None. No label implies another in at least 9 of 10 photos (and in 10 photos or more).")
        return
    rows = [
        {"if": r.premise, "then": r.implied, "photos with both": r.support, "holds for": 100 * r.confidence}
        for r in mined
    ]
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config={"holds for": st.column_config.NumberColumn(format="%.1f %%")},
    )
    st.caption("A photo that breaks such a rule may have a wrong label. Suspects use these rules.")


def _unreadable(run: RunFolder) -> None:
    problems = run.load_unreadable()
    if not problems:
        st.write("Every photo could be read.")
        return
    st.write(
        escape_markdown(f"{len(problems):,} files could not be read. They took no part in the training.")
    )
    st.dataframe(pd.DataFrame([{"file": p.file, "reason": p.reason} for p in problems]), hide_index=True)


def _format_bytes(size: float) -> str:
    """A size in words.

    >>> _format_bytes(1536), _format_bytes(3_000_000)
    ('1.5 KB', '2.9 MB')
    """
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1024 or unit == "GB":
            decimals = 0 if unit == "B" or size >= 100 or size == int(size) else 1
            return f"{size:.{decimals}f} {unit}"
        size /= 1024
    raise AssertionError
