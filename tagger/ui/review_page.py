"""The page Review: which suspects a person wants to see (native widgets), and the component that shows them."""

import hashlib
from dataclasses import asdict
from functools import lru_cache
from typing import Any

import streamlit as st

from tagger.review import Filter
from tagger.runs.overlay import METHODS
from tagger.ui.component import declare
from tagger.ui.exchange import exchange
from tagger.ui.workplace import Workplace

DIRECTIONS = {"missing": "Probably missing", "spurious": "Probably wrong"}
SIGNALS = {
    "self_confidence": "The model disagrees",
    "neighbours": "Similar photos disagree",
    "label_context": "Unusual beside the other labels",
    "rules": "Breaks a rule",
    "duplicates": "Copies disagree",
    "dynamics": "Hard to learn",
}
STATES = {"To decide": False, "Decided": True, "All": None}


def show(place: Workplace) -> None:
    """Draw the page."""
    chosen = _filters(place)
    _component()(
        key="review",
        data=component_data(place, chosen, st.session_state["reviewer"], st.session_state.get("review_reply")),
        on_ask_change=lambda: _answer(place),
    )


def component_data(place: Workplace, chosen: Filter, reviewer: str, reply: dict[str, Any] | None) -> dict[str, Any]:
    """What the component is told; ``reply`` answers its last question where there are no routes."""
    return {
        "served": place.served,
        "token": place.token if place.served else "",
        "place": hashlib.sha256(place.store.url.encode()).hexdigest()[:12],
        "run": place.run.path.name,
        "reviewer": reviewer,
        "filter": asdict(chosen),
        "heat": list(METHODS.items()) if place.served else None,
        "reply": reply,
    }


def _filters(place: Workplace) -> Filter:
    signals = [name for name in SIGNALS if name in place.signals]
    row = st.container(key="filters")
    label, direction, signal, text, more = row.columns([3, 3, 3, 3, 1.4], vertical_alignment="bottom")
    with more.popover("More", width="stretch"):
        state = st.segmented_control("State", list(STATES), default="To decide", key="decided")
        judged = st.text_input("Judged by", key="judged_by", placeholder="anybody").strip() or None
        disputed = st.toggle("Only disagreements", key="disputed")
    return Filter(
        label=_choice("Label", place.desk.names, "Any label", key="label", where=label),
        direction=_choice(
            "Direction", list(DIRECTIONS), "Missing or wrong", DIRECTIONS, key="direction", where=direction
        ),
        signal=_choice("Reason", signals, "Any reason", SIGNALS, key="signal", where=signal),
        reviewer=judged,
        decided=STATES[state or "To decide"],
        text=text.text_input("File name", key="text", placeholder="File name", label_visibility="collapsed").strip(),
        disputed=disputed,
    )


def _choice(
    label: str, options: Any, anything: str, words: dict[str, str] | None = None, *, key: str, where: Any = st
) -> str | None:
    """A select box whose first entry is None; names in it are shown as they are, without Markdown."""
    return where.selectbox(
        label,
        [None, *options],
        format_func=lambda one: anything if one is None else (words or {}).get(one, one),
        key=key,
        label_visibility="collapsed",
    )


@lru_cache(maxsize=1)
def _component() -> Any:
    return declare()


def _answer(place: Workplace) -> None:
    """Without routes the component's questions come as events; the answer goes back with its data."""
    payload = st.session_state["review"].get("ask")
    if payload:
        st.session_state["review_reply"] = {"id": payload["id"], **exchange(place, payload, embed=True)}
