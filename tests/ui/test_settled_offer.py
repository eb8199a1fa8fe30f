"""What rules settle is offered in the sidebar: looked at, accepted together, taken back together."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from reviewing import make_run
from streamlit.testing.v1 import AppTest

from tagger.data import Rule
from tagger.review import Decision
from tagger.ui import app_state
from tagger.ui.server.launch import SCRIPT


@pytest.fixture
def state(finished: Path, demo: Path, tmp_path: Path) -> Iterator[app_state.AppState]:
    """The state of the process, on a copy of the small run in which ``two`` implies ``one``."""
    run = make_run(finished, demo, tmp_path, num=800)
    run.save_labels(run.load_labels(), {}, (Rule("two", "one"),))
    opened = app_state.open_app_state(run.path, reviewer="ann")
    app_state.set_current_state(opened)
    yield opened
    app_state.clear_current_state()
    opened.store.close()


def say(state: app_state.AppState, row: int, label: str, verdict: str, seq: int) -> None:
    card = state.session.card(row, label)
    decision = Decision(
        hash=card.hash, label=label, verdict=verdict, before=card.given, suggested=None, doubt=None, run="run",
        reviewer="ann", seconds=None, client="t", seq=seq,
    )  # fmt: skip
    state.session.record([decision])


def test_settled_labels_are_accepted_and_taken_back_together(state: app_state.AppState) -> None:
    names, cells_NK = state.run.load_labels(), state.run.load_cells()
    two = names.index("two")
    rows = [int(row) for row in range(len(cells_NK)) if cells_NK[row, two] == 1][:3]
    app = AppTest.from_file(str(SCRIPT), default_timeout=60).run()
    assert not app.exception
    assert not [button for button in app.button if button.key == "accept settled"]
    for seq, row in enumerate(rows):
        say(state, row, "one", "no", seq)
    num = len(state.store.decisions())
    app.run()
    (offer,) = [caption.value for caption in app.caption if "Settled by your answers" in caption.value]
    assert offer.replace("\\", "").startswith("Settled by your answers: 3 labels, 3 of them change")
    (table,) = [frame.value for frame in app.dataframe if "because" in frame.value]
    assert table["then"].tolist() == ["no"] * 3
    assert set(table["because"]) == {"one: no"}
    assert len(state.store.decisions()) == num  # looking writes nothing
    app.button(key="accept settled").click().run()
    assert not app.exception
    written = state.store.decisions()[num:]
    assert {(row.label, row.verdict, row.reviewer) for row in written} == {("two", "no", "ann")}
    assert [state.session.row(row.hash) for row in written] == rows
    assert state.session.settled() == []
    app.button(key="undo settled").click().run()
    assert not app.exception
    assert [row.verdict for row in state.store.decisions()[num + 3 :]] == ["undo"] * 3
    assert len(state.session.settled()) == 3
    assert not [button for button in app.button if button.key == "undo settled"]
