"""Page Labels: counts by label; add, rename, merge and undo as recorded operations."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from tagger.arrays import YES
from tagger.errors import TaggerError
from tagger.review import (
    LabelOperation,
    RecordedOperation,
    Store,
    apply_decisions,
    check_operation,
    vocabulary_after,
)
from tagger.runs import RunFolder
from tagger.suspects import MIN_POSITIVES
from tagger.ui.identity import next_signature
from tagger.ui.markdown_escape import escape_markdown
from tagger.ui.run_data import RunData, run_data

MAX_OPERATIONS_SHOWN = 30  # operations in the log on the page


def show(run: RunFolder, store: Store) -> None:
    """The page: the labels with counts, three ways to change them, and the log with undo."""
    names = run.load_labels()
    operations = store.operations()
    st.title("Labels")
    st.caption(
        "Changes here are recorded; your files do not change. tagger apply writes labels with the new names."
        " A retrained run uses them."
    )
    table = current_counts(run, store, operations)
    _show_counts(table)
    for problem in vocabulary_after(names, operations).problems:
        st.warning(escape_markdown(problem))
    current = vocabulary_after(names, operations).names
    _show_forms(run, store, current)
    if message := st.session_state.pop("label message", None):
        good, text = message
        (st.success if good else st.error)(escape_markdown(text))
    _show_operations(run, store, operations)


def _show_counts(table: pd.DataFrame) -> None:
    """Table of the counts, and the labels that are too rare to be ranked."""
    st.dataframe(
        table.assign(change=table["change"].where(table["change"] != 0)),
        hide_index=True,
        placeholder="",
        height="content" if len(table) <= 16 else 600,
        column_config={
            "images": st.column_config.NumberColumn(
                "photos", help="Photos with the label, after all decisions"
            ),
            "change": st.column_config.NumberColumn(
                format="%+d", help="Compared with the labels before any decision"
            ),
            "decided": st.column_config.NumberColumn(help="Photos on which people decided about this label"),
            "was wrong": st.column_config.NumberColumn(
                help="Of these, the photos where this run's label was wrong."
                " Errors corrected before it was trained do not count."
            ),
        },
    )
    few = table.loc[table["images"] < MIN_POSITIVES, "label"]
    if len(few):
        text = ", ".join(escape_markdown(name) for name in few)
        st.caption(
            f"Not ranked, because fewer than {MIN_POSITIVES} photos are too few to tell errors from noise: {text}"
        )


def current_counts(run: RunFolder, store: Store, operations: Sequence[RecordedOperation]) -> pd.DataFrame:
    """Table of label, images, change, decided, was wrong, after all decisions in the store."""
    data = run_data(run)
    before_K = _counts_before_decisions(data.key, store.url, len(operations), data, operations)
    return _counts_after_decisions(
        data.key, store.url, (store.last_id(), len(operations)), data, store, operations, before_K
    )


@st.cache_resource(max_entries=3, show_spinner="Counting")
def _counts_before_decisions(
    key: tuple[str, int],
    url: str,
    num_operations: int,
    _data: RunData,
    _operations: Sequence[RecordedOperation],
) -> np.ndarray:
    """Number of images with each current label, without any decision (K,)."""
    files, hashes = (_data.images[column].tolist() for column in ("file", "hash"))
    done = apply_decisions(files, hashes, _data.labels_NK, _data.names, [], _operations)
    return (done.labels_NK == YES).sum(axis=0)


@st.cache_resource(max_entries=3, show_spinner=False)
def _counts_after_decisions(
    key: tuple[str, int],
    url: str,
    last: tuple[int, int],
    _data: RunData,
    _store: Store,
    _operations: Sequence[RecordedOperation],
    _before_K: np.ndarray,
) -> pd.DataFrame:
    """Table of the counts. Only images that somebody decided on are counted again."""
    rows = _store.decisions()
    touched_N = _data.images["hash"].isin({row.hash for row in rows}).to_numpy(dtype=bool)
    files, hashes = (_data.images[column][touched_N].tolist() for column in ("file", "hash"))
    cells = files, hashes, _data.labels_NK[touched_N], _data.names
    done, undone = (apply_decisions(*cells, decisions, _operations) for decisions in (rows, []))
    change_K = (done.labels_NK == YES).sum(axis=0) - (undone.labels_NK == YES).sum(axis=0)
    wrong = done.changes["label"].value_counts()
    return pd.DataFrame(
        {
            "label": list(done.names),
            "images": _before_K + change_K,
            "change": change_K,
            "decided": done.verified_NK.sum(axis=0),
            "was wrong": [int(wrong.get(name, 0)) for name in done.names],
        }
    )


def _show_forms(run: RunFolder, store: Store, current: tuple[str, ...]) -> None:
    add, rename, merge = st.columns(3)
    with add.form("add label", clear_on_submit=False):
        st.markdown("**Add a label**")
        st.text_input("Name of the new label", key="label added", max_chars=120)
        st.caption("No photo has it at first. Set it on the Review or Photos page.")
        st.form_submit_button("Add", on_click=_submit_operation, args=(run, store, "add"), key="press add")
    with rename.form("rename label"):
        st.markdown("**Rename a label**")
        st.selectbox("Label", current, key="label renamed")
        st.text_input("New name", key="label renamed to", max_chars=120)
        st.form_submit_button(
            "Rename", on_click=_submit_operation, args=(run, store, "rename"), key="press rename"
        )
    with merge.form("merge labels"):
        st.markdown("**Merge two labels**")
        st.selectbox("Label", current, key="label merged")
        st.selectbox("Merge into", current, key="label merged into", index=min(1, len(current) - 1))
        st.form_submit_button(
            "Merge", on_click=_submit_operation, args=(run, store, "merge"), key="press merge"
        )


def _submit_operation(run: RunFolder, store: Store, kind: str) -> None:
    state = st.session_state
    label, target, text = {
        "add": (state["label added"], None, "{!r} is added."),
        "rename": (state["label renamed"], state["label renamed to"], "{!r} is now {!r}."),
        "merge": (state["label merged"], state["label merged into"], "{!r} is now part of {!r}."),
    }[kind]
    label = str(label or "").strip()
    target = None if target is None else str(target).strip()
    try:
        operation = LabelOperation(kind=kind, label=label, target=target, **next_signature())
        check_operation(run.load_labels(), store.operations(), operation)
        store.record_operation(operation)
    except TaggerError as error:
        state["label message"] = (False, str(error))
        return
    state["label message"] = (True, text.format(label, target))
    state["label added"] = state["label renamed to"] = ""


def _show_operations(run: RunFolder, store: Store, operations: Sequence[RecordedOperation]) -> None:
    if not operations:
        return
    st.markdown("**Changes, newest first**")
    undone = undone_ids(operations)
    for one in sorted(operations, key=lambda one: -one.id)[:MAX_OPERATIONS_SHOWN]:
        if one.kind == "undo":
            continue
        with st.container(horizontal=True, vertical_alignment="center", key=f"operation {one.id}"):
            time = one.time[:16].replace("T", " ")
            text = f"{escape_markdown(_sentence(one))} · {escape_markdown(f'{one.reviewer}, {time}')}"
            st.markdown(f"~~{text}~~ (undone)" if one.id in undone else text, width="stretch")
            if one.id not in undone:
                st.button("Undo", key=f"undo operation {one.id}", on_click=_undo, args=(run, store, one))
    if len(operations) > MAX_OPERATIONS_SHOWN:
        st.caption(f"The newest {MAX_OPERATIONS_SHOWN} of {len(operations):,} changes.")


def undone_ids(operations: Sequence[RecordedOperation]) -> set[int]:
    """Ids of the operations that were undone.

    >>> undone_ids([])
    set()
    """
    undone: set[int] = set()
    for one in sorted(operations, key=lambda one: -one.id):
        if one.kind == "undo" and one.id not in undone and one.undoes is not None:
            undone.add(one.undoes)
    return undone


def _sentence(one: RecordedOperation) -> str:
    if one.kind == "add":
        return f"{one.label!r} added"
    return f"{one.label!r} {'renamed to' if one.kind == 'rename' else 'merged into'} {one.target!r}"


def _undo(run: RunFolder, store: Store, one: RecordedOperation) -> None:
    operation = LabelOperation(kind="undo", label=one.label, undoes=one.id, **next_signature())
    try:
        check_operation(run.load_labels(), store.operations(), operation)
        store.record_operation(operation)
    except TaggerError as error:
        st.session_state["label message"] = (False, str(error))
        return
    st.session_state["label message"] = (True, f"Undone: {_sentence(one)}.")
