"""Frame of all pages: navigation, sidebar with reviewer and progress."""

import logging
import sys
from collections.abc import Callable
from importlib import import_module

import streamlit as st

from tagger.errors import TaggerError
from tagger.ui.app_state import AppState, current_state
from tagger.ui.markdown_escape import escape_markdown
from tagger.ui.review_status_text import error_estimate_lines, share_lines
from tagger.ui.run_switch import choose_shown_run, chosen_name, shown_state, wants_review
from tagger.ui.settled_offer import offer_settled
from tagger.ui.streamlit_internals import LAYOUT_CSS

RUN_PAGES = {
    "overview": "Overview",
    "data": "Data",
    "labels": "Labels",
    "disagreements": "Disagreements",
    "write": "Write labels",
    "retrain": "Retrain",
    "compare": "Compare",
    "try": "Try it",
}
log = logging.getLogger(__name__)
HEARTBEAT_SECONDS = 5  # also what wakes an idle page after the app was restarted


def main() -> None:
    """The app: draw the page that the address names."""
    st.set_page_config(page_title="tagger", layout="wide", initial_sidebar_state=240)
    st.html(LAYOUT_CSS)
    try:
        first = current_state(sys.argv[1] if len(sys.argv) > 1 else None)
    except TaggerError as error:
        st.error(escape_markdown(error))
        st.stop()
    app_state = shown_state(first)
    pages = _pages(app_state)
    page = st.navigation(pages, position="top")
    if wants_review():
        st.switch_page(pages[0])
    with st.sidebar:
        _sidebar(app_state)
    try:
        page.run()
    except TaggerError as error:
        st.error(escape_markdown(error))


def _pages(app_state: AppState) -> list[st.Page]:
    def review() -> None:
        import_module("tagger.ui.pages.review_page").show(app_state)

    def photos() -> None:
        import_module("tagger.ui.pages.photos_page").show(app_state)

    def other(name: str) -> Callable[[], None]:
        return lambda: import_module(f"tagger.ui.pages.{name}_page").show(app_state.run, app_state.store)

    def work() -> None:
        import_module("tagger.ui.pages.work_page").show(app_state)

    pages = [
        st.Page(review, title="Review", url_path="review", default=True),
        st.Page(photos, title="Photos", url_path="photos"),
        st.Page(work, title="My work", url_path="work"),
    ]
    return pages + [st.Page(other(name), title=title, url_path=name) for name, title in RUN_PAGES.items()]


def _sidebar(app_state: AppState) -> None:
    choose_shown_run(app_state)
    st.session_state.setdefault("reviewer", st.query_params.get("reviewer") or app_state.reviewer)
    st.text_input(
        "Reviewer",
        key="reviewer",
        max_chars=60,
        on_change=_keep_reviewer_in_address,
        help="Recorded with each decision.",
    )
    _heartbeat(app_state)


def _keep_reviewer_in_address() -> None:
    """Put the reviewer's name into the address, so that a refresh keeps it; ignore an empty one."""
    name = st.session_state["reviewer"].strip()
    if name:
        st.query_params["reviewer"] = name
    else:
        del st.session_state["reviewer"]


@st.fragment(run_every=HEARTBEAT_SECONDS)
def _heartbeat(app_state: AppState) -> None:
    app_state.session.poll()
    progress = app_state.session.progress(st.session_state["reviewer"])
    whole = progress.decided + progress.left
    st.progress(progress.decided / whole if whole else 0.0, text=f"{progress.decided:,} of {whole:,} decided")
    name = app_state.run.path.name
    mark = " (chosen)" if chosen_name(app_state.run) == name else ""
    st.caption(escape_markdown(f"Run: {name}{mark}"))
    _estimate(app_state)
    offer_settled(app_state)


def _estimate(app_state: AppState) -> None:
    try:
        estimate = app_state.session.estimate_errors()
    except Exception:  # a table of an older version: reviewing goes on without the estimate
        log.exception("no estimate")
        st.caption(
            "The number of wrong labels left cannot be estimated with these suspects. Run: tagger suspects"
        )
        return
    left, reason = error_estimate_lines(estimate)
    st.caption(escape_markdown(left))
    for sentence in share_lines(app_state.session, st.session_state.get("label")):
        st.caption(escape_markdown(sentence))
    if estimate.may_stop:
        st.success(f"You may stop here. {escape_markdown(reason)}")
