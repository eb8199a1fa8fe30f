"""Page My work: recent decisions after a refresh, with an undo of any step, and the goal in the address."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from reviewing import make_run
from streamlit.testing.v1 import AppTest

from tagger.review import Decision
from tagger.ui import app_state


@pytest.fixture
def state(finished: Path, demo: Path, tmp_path: Path) -> Iterator[app_state.AppState]:
    """The state of the process, on a copy of the small run; some labels look like markup."""
    run = make_run(finished, demo, tmp_path, labels={"zero": "**zero** <b>", "one": "![x](http://e.example)"})
    opened = app_state.open_app_state(run.path, reviewer="ann")
    app_state.set_current_state(opened)
    yield opened
    app_state.clear_current_state()
    opened.store.close()


def decide(state: app_state.AppState, rows: range, label: str, seq: int) -> list[int]:
    """Ann says yes to a label of some photos in one stroke."""
    return state.session.record(
        [
            Decision(
                hash=state.hashes[row], label=label, verdict="yes", before=0, suggested=1, doubt=0.5, run="run",
                reviewer="ann", seconds=1.0, client="tab", seq=seq + row,
            )
            for row in rows
        ]
    )  # fmt: skip


def page_script() -> None:
    """The page, as a script of AppTest."""
    import streamlit as st

    from tagger.ui.app_state import current_state
    from tagger.ui.pages.work_page import show

    st.session_state.setdefault("reviewer", "ann")
    show(current_state(None))


def test_any_step_can_be_taken_back_after_a_refresh(state: app_state.AppState):
    first, second = state.session.names[:2]
    decide(state, range(1), first, 100)
    ids = decide(state, range(5), second, 200)
    page = AppTest.from_function(page_script, default_timeout=60).run()
    assert not page.exception
    shown = " ".join(one.value for one in page.markdown)
    assert "yes on 5 photos" in shown
    assert "![x]" not in shown
    page.button(key=f"undo step {ids[-1]}").click().run()
    assert not page.exception
    rows = state.store.decisions()
    assert sorted(row.undoes for row in rows if row.verdict == "undo") == ids
    again = AppTest.from_function(page_script, default_timeout=60).run()
    assert [button.key for button in again.button if str(button.key).startswith("undo step")] == [
        f"undo step {rows[0].id}"
    ]
    assert "undone" in [caption.value for caption in again.caption]


def test_a_goal_stays_in_the_address_and_nonsense_there_is_none(state: app_state.AppState):
    decide(state, range(3), state.session.names[0], 100)
    page = AppTest.from_function(page_script, default_timeout=60)
    page.query_params["goal"] = "200"
    page.run()
    assert page.selectbox(key="goal").value == 200
    page.selectbox(key="goal").select(50).run()
    assert page.query_params["goal"] in ("50", ["50"])
    for nonsense in ("-3", "x", "²", "9" * 30):
        page = AppTest.from_function(page_script, default_timeout=60)
        page.query_params["goal"] = nonsense
        assert not page.run().exception, nonsense
