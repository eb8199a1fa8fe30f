"""Page Review: filters, and the component that shows the cards."""

import hashlib
from dataclasses import asdict
from functools import lru_cache
from typing import Any

import streamlit as st

from tagger.review import SuspectFilter
from tagger.runs.report.overlay import offered_methods
from tagger.ui.app_state import AppState
from tagger.ui.component import declare_component
from tagger.ui.server.review_sync import sync_review

DIRECTION_TITLES = {"missing": "Perhaps missing", "spurious": "Perhaps not in the photo"}
SIGNAL_TITLES = {
    "self_confidence": "The model disagrees",
    "neighbours": "Similar photos disagree",
    "label_context": "Unusual with the other labels",
    "rules": "Breaks a rule",
    "duplicates": "Near-duplicates disagree",
    "dynamics": "Hard to learn",
    "flicker": "Against the frames before and after",
}
DECIDED_OPTIONS = {"To decide": False, "Decided": True, "All": None}


def show(app_state: AppState) -> None:
    """The page: the filters, and the component with the cards."""
    chosen = _filters(app_state)
    _component()(
        key="review",
        data=component_data(
            app_state, chosen, st.session_state["reviewer"], st.session_state.get("review_reply")
        ),
        on_ask_change=lambda: _answer_component(app_state),
    )


def component_data(
    app_state: AppState, chosen: SuspectFilter, reviewer: str, reply: dict[str, Any] | None
) -> dict[str, Any]:
    """Data for the component; ``reply`` answers its last request where there are no routes."""
    return {
        "served": app_state.served,
        "token": app_state.token if app_state.served else "",
        "place": hashlib.sha256(app_state.store.url.encode()).hexdigest()[:12],
        "run": app_state.run.path.name,
        "other": not app_state.is_first,
        "reviewer": reviewer,
        "filter": asdict(chosen),
        "heat": list(offered_methods(app_state.run.load_settings()).items()) if app_state.served else None,
        "reply": reply,
    }


def _filters(app_state: AppState) -> SuspectFilter:
    signals = [name for name in SIGNAL_TITLES if name in app_state.signals]
    row = st.container(key="filters")
    label, direction, signal, text, more = row.columns([3, 3, 3, 3, 1.4], vertical_alignment="bottom")
    with more.popover("More", width="stretch"):
        state = st.segmented_control("State", list(DECIDED_OPTIONS), default="To decide", key="decided")
        judged = st.text_input("Decided by", key="judged_by", placeholder="any reviewer").strip() or None
        disputed = st.toggle("Only disagreements", key="disputed")
    return SuspectFilter(
        label=_select_or_any("Label", app_state.session.names, "Any label", key="label", where=label),
        direction=_select_or_any(
            "Kind of error",
            list(DIRECTION_TITLES),
            "Any kind",
            DIRECTION_TITLES,
            key="direction",
            where=direction,
        ),
        signal=_select_or_any("Reason", signals, "Any reason", SIGNAL_TITLES, key="signal", where=signal),
        reviewer=judged,
        decided=DECIDED_OPTIONS[state or "To decide"],
        text=text.text_input(
            "File name", key="text", placeholder="File name", label_visibility="collapsed"
        ).strip(),
        disputed=disputed,
    )


def _select_or_any(
    label: str, options: Any, anything: str, words: dict[str, str] | None = None, *, key: str, where: Any = st
) -> str | None:
    """Select box whose first entry is None; it shows names as they are, without Markdown."""
    return where.selectbox(
        label,
        [None, *options],
        format_func=lambda one: anything if one is None else (words or {}).get(one, one),
        key=key,
        label_visibility="collapsed",
    )


@lru_cache(maxsize=1)
def _component() -> Any:
    return declare_component()


def _answer_component(app_state: AppState) -> None:
    """Answer a request of the component that came as an event, for want of routes; the reply goes with its data."""
    payload = st.session_state["review"].get("ask")
    if payload:
        st.session_state["review_reply"] = {
            "id": payload["id"],
            **sync_review(app_state, payload, embed=True),
        }
