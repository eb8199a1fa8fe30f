"""Whatever a page sends to the app's own address: it is saved, or refused by name, and the others go on."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reviewing import make_run
from starlette.testclient import TestClient

from tagger.review import cell_states
from tagger.ui.app_state import AppState, clear_current_state, open_app_state
from tagger.ui.server.launch import build_app
from tagger.ui.server.security import TOKEN_HEADER
from tagger.ui.streamlit_internals import separate_runtime


@pytest.fixture(scope="module")
def state(finished: Path, demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppState]:
    """State of the app on a copy of the small run."""
    opened = open_app_state(
        make_run(finished, demo, tmp_path_factory.mktemp("words"), audit=20).path, reviewer="ann"
    )
    yield opened
    clear_current_state()
    opened.store.close()


@pytest.fixture
def client(state: AppState) -> Iterator[TestClient]:
    """A browser's view of the whole app, our page's token with it."""
    app = build_app(state)
    headers = {TOKEN_HEADER: state.token}
    with separate_runtime(), TestClient(app, base_url="http://127.0.0.1:8501", headers=headers) as opened:
        yield opened


WORDS = st.text(max_size=8) | st.sampled_from(
    ["yes", "undo", "card", "grid", "zero", "\ud800", "\0", "x" * 300]
)
NUMBER = st.integers() | st.floats() | st.sampled_from([2**63, -(2**63) - 1, 10**400])
VALUE = st.none() | st.booleans() | NUMBER | WORDS | st.lists(NUMBER | WORDS, max_size=3)


@st.composite
def payloads(draw: Any, hash: str = "") -> dict[str, Any]:
    """A page's words, each of which may be anything."""

    def mostly(good: Any) -> Any:
        return draw(VALUE) if draw(st.integers(0, 6)) == 0 else good

    names = (
        "hash",
        "label",
        "verdict",
        "before",
        "suggested",
        "doubt",
        "run",
        "reviewer",
        "seconds",
        "client",
        "seq",
        "undoes_seq",
        "blind",
        "settles",
        "source",
    )
    good = (
        hash,
        "zero",
        "yes",
        0,
        1,
        0.5,
        "run",
        "ann",
        1.5,
        "c",
        draw(st.integers(0, 99)),
        None,
        False,
        False,
        "card",
    )
    rows = [
        {name: mostly(value) for name, value in zip(names, good, strict=True)}
        for _ in range(draw(st.integers(0, 3)))
    ]
    whole = {
        "client": "c",
        "reviewer": "ann",
        "mode": "card",
        "count": 2,
        "decisions": rows,
        "hold": [],
        "exclude": [],
        "filter": {"label": None},
        "group": None,
        "release": False,
    }
    return {name: mostly(value) for name, value in whole.items()}


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_a_page_says_the_others_go_on(client: TestClient, state: AppState, data: st.DataObject):
    payload = data.draw(payloads(state.hashes[30]))
    before = state.store.last_id()
    answer = client.post("/tagger/review", content=json.dumps(payload))
    assert answer.status_code in (200, 400, 409), answer.text
    if answer.status_code == 200:
        reply = answer.json()
        told = {(client, seq) for client, seq in map(tuple, reply["saved"])}
        assert {(row.client, row.seq) for row in state.store.decisions(before)} <= told
    cell_states(state.store.decisions())
    ask = {"client": "d", "mode": "card", "count": 1, "decisions": [], "release": True}
    assert client.post("/tagger/review", json=ask).status_code == 200


def test_what_can_never_be_saved_does_not_keep_back_the_rest(client: TestClient, state: AppState):
    good = {
        "hash": state.hashes[31],
        "label": "zero",
        "verdict": "yes",
        "before": 0,
        "suggested": 1,
        "doubt": 0.5,
        "run": "run",
        "reviewer": "ann",
        "seconds": 1.0,
        "client": "rest",
        "source": "card",
    }
    odd = [
        {"seq": 2**63},
        {"seq": 2, "client": "x" * 201},
        {"seq": 3, "run": "\ud800"},
        {"seq": 4, "run": "\0"},
        {"seq": 5, "label": "\0"},
        {"seq": 6, "doubt": float("nan")},
        {"seq": 7, "seconds": float("inf")},
        {"seq": 8, "verdict": "undo", "undoes_seq": 2**70},
        {"seq": 9, "reviewer": "\udcff"},
        {"seq": 10, "label": "x" * 100_000},
        {"seq": 11, "seconds": 10**400},
        {"seq": 12, "client": "\ud800"},
    ]
    rows = [good | more for more in [{"seq": 1}, *odd, {"seq": 99}]]
    answer = client.post(
        "/tagger/review", content=json.dumps({"client": "rest", "mode": "", "decisions": rows}).encode()
    )
    assert answer.status_code == 200, answer.text
    reply = answer.json()
    assert {1, 99} <= {seq for _, seq in reply["saved"]}
    assert len(reply["saved"]) + len(reply["refused"]) == len(rows)
    stored = {row.seq for row in state.store.decisions() if row.client == "rest"}
    assert stored == {seq for client, seq in map(tuple, reply["saved"]) if client == "rest"}
    assert all(reason for _, _, reason in reply["refused"])


@pytest.mark.parametrize("mode", ["card", "grid"])
def test_a_page_left_open_from_a_longer_list_gets_cards(client: TestClient, state: AppState, mode: str):
    have = [len(state.run.load_suspects()), 10**6, 10**400, -7]
    ask = {"client": "old", "mode": mode, "count": 2, "hold": [[have[0], "gone", "zero"]], "exclude": have}
    answer = client.post("/tagger/review", content=json.dumps(ask))
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["cards"]) == 2
