"""Offer in the sidebar: what rules and groups settle by the answers so far, to look at and to accept together."""

import pandas as pd
import streamlit as st

from tagger.arrays import YES
from tagger.errors import TaggerError
from tagger.review import Decision
from tagger.review.settled_cells import SettledCell, settled_sentence
from tagger.ui.app_state import AppState
from tagger.ui.identity import next_signature
from tagger.ui.markdown_escape import escape_markdown

MAX_SHOWN = 200  # rows of the table


def offer_settled(app_state: AppState) -> None:
    """The offer, where there is one; and the undo of what was accepted last. Nothing is written without a press."""
    if message := st.session_state.pop("settled message", None):
        st.error(escape_markdown(message))
    if cells := app_state.session.settled():
        st.caption(escape_markdown(f"{settled_sentence(cells)}. They are not asked one by one."))
        with st.popover("Look", width="stretch"):
            st.dataframe(settled_table(app_state, cells[:MAX_SHOWN]), hide_index=True)
            if len(cells) > MAX_SHOWN:
                st.caption(f"The first {MAX_SHOWN} of {len(cells):,}.")
        st.button(
            "Accept all", key="accept settled", on_click=_accept, args=(app_state, cells), width="stretch"
        )
    if accepted := st.session_state.get("settled accepted"):
        number = f"{len(accepted):,} accepted label{'' if len(accepted) == 1 else 's'}"
        st.button(f"Undo {number}", key="undo settled", on_click=_undo, args=(app_state,), width="stretch")


def settled_table(app_state: AppState, cells: list[SettledCell]) -> pd.DataFrame:
    """Table of photo, label, now, then, because."""
    session = app_state.session
    word = {0: "no", 1: "yes"}
    return pd.DataFrame(
        [
            {
                "photo": session.image(session.row(cell.hash) or 0).file,
                "label": cell.label,
                "now": word.get(cell.given, "unknown"),
                "then": word[cell.value],
                "because": f"{cell.because[0]}: {word[cell.because[1]]}",
            }
            for cell in cells
        ]
    )


def _accept(app_state: AppState, cells: list[SettledCell]) -> None:
    """Record what was shown, as far as it still follows."""
    still = set(app_state.session.settled())
    accepted = [cell for cell in cells if cell in still]
    made = [
        Decision(
            hash=cell.hash, label=cell.label, verdict="yes" if cell.value == YES else "no", before=cell.given,
            suggested=cell.value, doubt=None, run=app_state.run.path.name, seconds=None, source="edit",
            **next_signature(),
        )
        for cell in accepted
    ]  # fmt: skip
    if ids := _record(app_state, made):
        st.session_state["settled accepted"] = list(zip(accepted, ids, strict=True))


def _undo(app_state: AppState) -> None:
    """Take back what was accepted last."""
    made = [
        Decision(
            hash=cell.hash, label=cell.label, verdict="undo", undoes=id, before=cell.value, suggested=None,
            doubt=None, run=app_state.run.path.name, seconds=None, source="edit", **next_signature(),
        )
        for cell, id in st.session_state.pop("settled accepted", [])
    ]  # fmt: skip
    _record(app_state, made)


def _record(app_state: AppState, made: list[Decision]) -> list[int]:
    try:
        return app_state.session.record(made) if made else []
    except TaggerError as error:
        st.session_state["settled message"] = f"Not saved: {error}"
        return []
