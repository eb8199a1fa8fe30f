"""Another run in the app: chosen in the sidebar or after a retraining; its photos, cards and decisions are its own."""

import json
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from reviewing import make_run, make_suspects, page, texts
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from tagger.errors import TaggerError
from tagger.runs import RunFolder
from tagger.runs.choice import load_choice
from tagger.ui import app_state
from tagger.ui.command_job import load_job
from tagger.ui.retrain_job import start_job
from tagger.ui.server.launch import SCRIPT
from tagger.ui.server.review_sync import sync_review
from tagger.ui.server.routes import build_routes


@pytest.fixture
def state(finished: Path, demo: Path, tmp_path: Path) -> Iterator[app_state.AppState]:
    """The state of the app on ``runs/run``; ``runs/other`` has the same photos in the opposite order, but the last."""
    run = make_run(finished, demo, tmp_path / "runs", num=40)
    reverse(RunFolder(shutil.copytree(run.path, tmp_path / "runs" / "other")))
    opened = app_state.open_app_state(run.path, reviewer="ann")
    app_state.set_current_state(opened)
    yield opened
    app_state.clear_current_state()
    opened.store.close()


def reverse(run: RunFolder) -> None:
    """The run as if its photos had been listed in the opposite order, and one had become unreadable."""
    images, cells, names = run.load_images(), run.load_cells(), run.load_labels()
    images = images[1:][::-1].reset_index(drop=True)
    probs, fold = run.load_oof()
    run.save_images(images)
    run.save_cells(cells[1:][::-1], names)
    run.save_oof(probs[1:][::-1], fold[1:][::-1])
    run.save_suspects(make_suspects(images, cells[1:][::-1], names, num=40, audit=0))
    index, similarity = run.load_neighbours()
    run.save_neighbours(index[1:] % len(images), similarity[1:])


def open_app(**query: str) -> AppTest:
    """The app as a browser would first see it."""
    app = AppTest.from_file(str(SCRIPT), default_timeout=60)
    app.query_params.update(query)
    app.run()
    assert not app.exception, app.exception
    return app


def test_the_run_is_changed_in_the_sidebar_and_stands_in_the_address(state: app_state.AppState):
    app = open_app()
    box = app.selectbox(key="run box")
    assert (sorted(box.options), box.value) == (["other", "run"], "run")
    assert "run" not in app.query_params
    app.selectbox(key="label").select(state.run_labels[0]).run()
    app.selectbox(key="run box").select("other").run()
    assert not app.exception
    assert app.query_params["run"] in ("other", ["other"])
    assert any("Run: other" in caption.value.replace("\\", "") for caption in app.caption)
    assert app.selectbox(key="label").value is None, "a filter of the former run"
    app.selectbox(key="run box").select("run").run()
    assert "run" not in app.query_params
    again = open_app(run="other")
    assert again.selectbox(key="run box").value == "other"


def test_a_run_that_cannot_be_shown_is_said_and_the_first_one_stays(state: app_state.AppState):
    assert "gone cannot be shown" in texts(open_app(run="gone").warning)
    strange = Path(shutil.copytree(state.run.path, state.run.path.parent / "strange"))
    root = shutil.copytree(state.previews.root, state.run.path.parents[1] / "photos2")
    config = strange / "config.toml"
    config.write_text(config.read_text().replace(str(state.previews.root), str(root)))
    (state.run.path.parent / "other" / "suspects.parquet").unlink()
    app = open_app()
    for name, words in (("strange", "is on other photos"), ("other", "no suspects yet")):
        app.selectbox(key="run box").select(name).run()
        assert not app.exception
        assert words in texts(app.warning).replace("\\", "")
        assert app.selectbox(key="run box").value == "run"
    for name in ("..", "../runs/other", "a/b"):
        with pytest.raises(TaggerError):
            state.on_run(name)


def test_photos_and_cards_are_those_of_the_run_that_is_named(state: app_state.AppState):
    other = state.on_run("other")
    assert state.on_run("other") is other
    assert other.on_run("run") is state
    assert other.store.url == state.store.url
    http = TestClient(Starlette(routes=build_routes(state)))
    last = len(other.hashes) - 1
    for query, hash in (("", state.hashes[last]), ("&run=other", other.hashes[last])):
        shown = state.session if not query else other.session
        expected = state.previews.preview(shown.image(last).file, hash, size=512)
        assert http.get(f"/tagger/img/{last}?s=512{query}").content == expected
    assert http.get("/tagger/img/0?run=gone").status_code == 404

    def cards(name: str) -> list[str]:
        payload = {"client": name, "mode": "card", "count": 3, "decisions": [], "run": name}
        return [card["hash"] for card in sync_review(state, payload)["cards"]]

    assert cards("other")[0] == other.hashes[0]
    assert cards("run")[0] == cards("gone")[0] == state.hashes[0]


def test_what_was_decided_before_the_run_was_changed_is_saved(state: app_state.AppState):
    """The page sends its outbox with the first request on the other run, which lacks the photo."""
    first = str(state.hashes[0])
    assert state.on_run("other").session.row(first) is None
    row: dict[str, Any] = {
        "hash": first,
        "label": state.run_labels[0],
        "verdict": "yes",
        "before": 0,
        "run": "run",
    }
    row |= {"suggested": 1, "doubt": 0.5, "client": "c", "seq": 1}
    unknown = row | {"hash": "f" * 32, "seq": 2}
    payload = {"client": "c", "mode": "card", "count": 1, "decisions": [row, unknown], "run": "other"}
    reply = sync_review(state, payload)
    assert reply["saved"] == [("c", 1)]
    assert reply["refused"] == [("c", 2, "its photo is not in this run")]
    assert [(one.hash, one.run) for one in state.store.decisions()] == [(first, "run")]
    state.session.poll()
    assert state.session.progress("ann").decided == 1


def retrained(state: app_state.AppState, row: dict[str, float]) -> AppTest:
    """The Retrain page after a retraining that ended with ``runs/other``."""
    new = state.run.path.parent / "other"
    job_out = new.with_name("waiting")
    start_job(
        state.run.path,
        job_out,
        state.store,
        now=datetime(2026, 11, 20),
        make_command=lambda run, out: ["true"],
    )
    job = load_job(state.store)
    assert job is not None
    state.store.save_note("retrain", json.dumps(vars(job) | {"out": str(new)}))
    metrics = RunFolder(new).load_metrics() | {
        "retrained_from": str(state.run.path),
        "comparison": {"overall": {"map": row}},
    }
    (new / "metrics.json").write_text(json.dumps(metrics))
    words = {"name": "retrain", "path": str(state.run.path), "url": state.store.url_with_password()}
    return AppTest.from_function(page, kwargs=words, default_timeout=60).run()


BETTER = {"a": 0.5, "b": 0.6, "difference": 0.1, "low": 0.05, "high": 0.15}


def test_after_a_retraining_one_goes_on_with_the_new_run(state: app_state.AppState):
    app = retrained(state, BETTER)
    app.button(key="go on").click().run()
    assert not app.exception
    assert load_job(state.store) is None
    assert app.session_state["shown run"] == "other"
    whole = AppTest.from_file(str(SCRIPT), default_timeout=60)
    for key in ("shown run", "go to review"):
        whole.session_state[key] = app.session_state[key]
    whole.run()
    assert not whole.exception
    assert whole.selectbox(key="run box").value == "other"
    assert whole.selectbox(key="direction").label == "Kind of error", "the Review page"


def test_the_new_run_can_be_made_the_chosen_one(state: app_state.AppState):
    app = retrained(state, BETTER)
    assert "No run is chosen" in texts(app.markdown)
    app.button(key="choose run").click().run()
    assert not app.exception
    choice = load_choice(state.run.path.parent)
    assert choice is not None
    assert choice.chosen_run == "other"
    assert "The new run is the chosen one" in texts(app.markdown)
    assert [button.key for button in app.button if button.key == "choose run"] == []
    assert "other (chosen)" in open_app().selectbox(key="run box").options
