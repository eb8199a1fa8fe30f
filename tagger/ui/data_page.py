"""What is in the data? Labels by split, labels that go together and rules between them, files that were not read."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from tagger.arrays import UNKNOWN, YES, Floats
from tagger.data import MinedRule, frequent_together, mine_rules
from tagger.review import Store
from tagger.runs import RunFolder
from tagger.ui.charts import bars, show_chart
from tagger.ui.data_charts import SPLITS, cooccurrence_chart, cooccurrence_table, label_counts, label_counts_chart
from tagger.ui.escape import escape
from tagger.ui.run_data import RunData, run_data

MOST = 60  # labels in a chart; a longer one is not read but searched, in the table


@dataclass(frozen=True)
class Facts:
    """What is counted over all images, once."""

    yes_K: np.ndarray
    known_K: np.ndarray
    by_split: pd.DataFrame
    per_image: "pd.Series[int]"  # images by number of labels
    frequent: tuple[np.ndarray, Floats]  # the labels of the chart, and how many images have two of them
    mined: tuple[MinedRule, ...]


@st.cache_resource(max_entries=3, show_spinner="Counting")
def _facts(key: tuple[str, int], _data: RunData) -> Facts:
    labels_NK = _data.labels_NK
    return Facts(
        yes_K=(labels_NK == YES).sum(axis=0),
        known_K=(labels_NK != UNKNOWN).sum(axis=0),
        by_split=label_counts(labels_NK, _data.images["split"].to_numpy(dtype=str), _data.names),
        per_image=pd.Series((labels_NK == YES).sum(axis=1)).value_counts().sort_index(),
        frequent=frequent_together(labels_NK, MOST),
        mined=mine_rules(labels_NK, _data.names),
    )


def show(run: RunFolder, store: Store) -> None:
    """The page: totals, then charts by tab. All of it is what the run was trained on, before any decision."""
    data = run_data(run)
    st.title("Data")
    st.caption("What this run was trained on, before any decision.")
    facts = _facts(data.key, data)
    _totals(data, facts)
    labels, images, together, rules, unreadable = st.tabs(["Labels", "Images", "Together", "Rules", "Unreadable"])
    with labels:
        _labels(data, facts)
    with images:
        _images(data, facts)
    with together:
        _together(data, facts)
    with rules:
        _rules(run, facts)
    with unreadable:
        _unreadable(run)


def _totals(data: RunData, facts: Facts) -> None:
    known_K, yes = facts.known_K, int(facts.yes_K.sum())
    cells = max(len(data.images) * len(data.names), 1)
    numbers = [
        ("Images", f"{len(data.images):,}", None),
        ("Labels", f"{len(data.names):,}", None),
        ("Labels set", f"{yes:,}", "Cells that are yes"),
        ("Labels an image", f"{yes / max(len(data.images), 1):.2f}", "Mean number of labels that are set"),
        ("Unknown cells", f"{1 - known_K.sum() / cells:.1%}", "They count in nothing"),
        ("Size", _bytes(float(data.images["size"].sum())), "All image files together"),
    ]
    if "group" in data.images:
        grouped = data.images["group"].value_counts()
        numbers.append(("Near-duplicates", f"{int((grouped > 1).sum()):,}", "Groups of images that look the same"))
    with st.container(horizontal=True, gap="xsmall"):
        for title, value, meaning in numbers:
            st.metric(title, value, help=meaning, border=True)


def _labels(data: RunData, facts: Facts) -> None:
    table = facts.by_split
    show_chart(label_counts_chart(table, most=MOST), alt_text="Images with each label, by split")
    if len(data.names) > MOST:
        st.caption(f"The {MOST} most frequent labels; the table has all {len(data.names)}.")
    wide = table.pivot(index="label", columns="split", values="images")
    wide = wide.reindex(index=list(data.names), columns=list(SPLITS)).reset_index()
    wide["all"] = facts.yes_K
    wide["share"] = 100 * facts.yes_K / np.maximum(facts.known_K, 1)
    wide["unknown"] = len(data.images) - facts.known_K
    st.dataframe(
        wide.sort_values("all", ascending=False, kind="stable"),
        hide_index=True,
        column_config={
            "share": st.column_config.NumberColumn(format="%.1f %%", help="Of the images where it is known")
        },
    )


def _images(data: RunData, facts: Facts) -> None:
    left, right = st.columns(2)
    per_image = facts.per_image
    table = pd.DataFrame({"labels": per_image.index.to_numpy(), "images": per_image.to_numpy()})
    with left:
        st.markdown("**Labels an image**")
        show_chart(bars(table, x="labels", y="images"), alt_text="Number of images by how many labels they have")
    with right:
        st.markdown("**File sizes**")
        sizes = data.images["size"].to_numpy(dtype=float)
        edges = np.unique(2.0 ** np.floor(np.log2(np.maximum(sizes, 1)))) if len(sizes) else np.zeros(0)
        steps = np.arange(np.log2(edges.min()), np.log2(edges.max()) + 1) if len(edges) else np.zeros(0)
        found = pd.Series(np.floor(np.log2(np.maximum(sizes, 1)))).value_counts()
        rows = [{"size": f"from {_bytes(2.0**step)}", "images": int(found.get(step, 0))} for step in steps]
        show_chart(bars(pd.DataFrame(rows, columns=["size", "images"]), x="size", y="images"),
                   alt_text="Number of images by file size")  # fmt: skip


def _together(data: RunData, facts: Facts) -> None:
    places_S, both_SS = facts.frequent
    table = cooccurrence_table(both_SS, [data.names[k] for k in places_S])
    if table.empty:
        st.write("No label is set.")
        return
    st.markdown("**Of the images with the row's label, the share that also has the column's**")
    show_chart(cooccurrence_chart(table), alt_text="Heat map of labels that occur together")
    if len(data.names) > MOST:
        st.caption(f"The {MOST} most frequent of {len(data.names)} labels.")


def _rules(run: RunFolder, facts: Facts) -> None:
    known = run.load_rules()
    if known:
        st.markdown("**Rules of labels.toml**")
        st.dataframe(pd.DataFrame([{"if": r.premise, "then": r.implied} for r in known]), hide_index=True)
    st.markdown("**Rules that the labels follow almost always**")
    mined = facts.mined
    if not mined:
        st.write("None: no label implies another in at least 9 of 10 images (and 10 images or more).")
        return
    rows = [
        {"if": r.premise, "then": r.implied, "images with both": r.support, "holds for": 100 * r.confidence}
        for r in mined
    ]
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config={"holds for": st.column_config.NumberColumn(format="%.1f %%")},
    )
    st.caption("Where an image breaks such a rule, one of its two labels is often wrong: suspects use this.")


def _unreadable(run: RunFolder) -> None:
    problems = run.load_unreadable()
    if not problems:
        st.write("Every image could be read.")
        return
    st.write(escape(f"{len(problems):,} could not be read and took no part in the training."))
    st.dataframe(pd.DataFrame([{"file": p.file, "reason": p.reason} for p in problems]), hide_index=True)


def _bytes(size: float) -> str:
    """A size in words.

    >>> _bytes(1536), _bytes(3_000_000)
    ('1.5 KB', '2.9 MB')
    """
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1024 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 or size == int(size) else f"{size:.1f} {unit}"
        size /= 1024
    raise AssertionError
