"""The pages' frame: which pages there are, who reviews, how much is left."""

import logging
import sys
from collections.abc import Callable
from importlib import import_module

import streamlit as st

from tagger.errors import TaggerError
from tagger.ui.escape import escape
from tagger.ui.estimate_text import estimate_lines
from tagger.ui.look import STYLE
from tagger.ui.workplace import Workplace, current

PAGES = {
    "overview": "Overview",
    "data": "Data",
    "labels": "Labels",
    "disagreements": "Disagreements",
    "retrain": "Retrain",
    "compare": "Compare",
    "try": "Try it",
}
log = logging.getLogger(__name__)
HEARTBEAT_SECONDS = 5  # also what wakes an idle page after the app was restarted


def main() -> None:
    """Draw the page that the address names."""
    st.set_page_config(page_title="tagger", layout="wide", initial_sidebar_state=240)
    st.html(STYLE)
    try:
        place = current(sys.argv[1] if len(sys.argv) > 1 else None)
    except TaggerError as error:
        st.error(escape(error))
        st.stop()
    page = st.navigation(_pages(place), position="top")
    with st.sidebar:
        _sidebar(place)
    try:
        page.run()
    except TaggerError as error:
        st.error(escape(error))


def _pages(place: Workplace) -> list[st.Page]:
    def review() -> None:
        import_module("tagger.ui.review_page").show(place)

    def photos() -> None:
        import_module("tagger.ui.photos_page").show(place)

    def other(name: str) -> Callable[[], None]:
        return lambda: import_module(f"tagger.ui.{name}_page").show(place.run, place.store)

    pages = [
        st.Page(review, title="Review", url_path="review", default=True),
        st.Page(photos, title="Photos", url_path="photos"),
    ]
    return pages + [st.Page(other(name), title=title, url_path=name) for name, title in PAGES.items()]


def _sidebar(place: Workplace) -> None:
    st.session_state.setdefault("reviewer", st.query_params.get("reviewer") or place.reviewer)
    st.text_input(
        "Reviewer", key="reviewer", max_chars=60, on_change=_remember, help="Written down with each decision."
    )
    _heartbeat(place)


def _remember() -> None:
    """The name goes into the address, so that a refresh keeps it; an empty one is not taken."""
    name = st.session_state["reviewer"].strip()
    if name:
        st.query_params["reviewer"] = name
    else:
        del st.session_state["reviewer"]


@st.fragment(run_every=HEARTBEAT_SECONDS)
def _heartbeat(place: Workplace) -> None:
    place.desk.poll()
    progress = place.desk.progress(st.session_state["reviewer"])
    whole = progress.decided + progress.left
    st.progress(progress.decided / whole if whole else 0.0, text=f"{progress.decided:,} of {whole:,} decided")
    st.caption(escape(f"Run: {place.run.path.name}"))
    _estimate(place)


def _estimate(place: Workplace) -> None:
    try:
        estimate = place.desk.estimate()
    except Exception:  # a table of an older version: reviewing goes on without the estimate
        log.exception("no estimate")
        st.caption("How much is left cannot be estimated with these suspects. Find them anew: tagger suspects")
        return
    left, reason = estimate_lines(estimate)
    st.caption(escape(left))
    if estimate.may_stop:
        st.success(f"You may stop here. {escape(reason)}")
