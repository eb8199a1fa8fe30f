"""The heat map in the app: how it is made is chosen where it is shown, kept for the session, and reaches the worker."""

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from browsing import Server, Tab, open_browser
from PIL import Image
from reviewing import make_run, texts
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from tagger.errors import TaggerError
from tagger.runs.report.overlay import METHOD_TITLES
from tagger.ui import app_state
from tagger.ui.server.routes import build_routes
from tagger.ui.worker_client import WorkerClient

Asked = list[tuple[str, str, str]]


@pytest.fixture
def state(finished: Path, demo: Path, tmp_path: Path) -> Iterator[app_state.AppState]:
    """The state of the process, on a small run."""
    opened = app_state.open_app_state(make_run(finished, demo, tmp_path).path, reviewer="ann")
    app_state.set_current_state(opened)
    yield opened
    app_state.clear_current_state()
    opened.store.close()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What a worker was asked for; it answers with a map that is bright on the left, or with an error for ``cam``."""
    questions: Asked = []

    class FakeWorker:
        def heat_map(self, path: Path, label: str, *, method: str = "grad_cam") -> bytes:
            questions.append((path.name, label, method))
            if method == "cam":
                raise TaggerError("cam: Net keeps [no] places")
            file = BytesIO()
            Image.fromarray(np.array([[255, 0]], np.uint8)).save(file, "PNG")
            return file.getvalue()

    for module in ("pages.heat_map_control", "server.routes"):
        monkeypatch.setattr(f"tagger.ui.{module}.shared_worker", lambda run: FakeWorker())
    return questions


def open_photo(state: app_state.AppState, row: int) -> AppTest:
    """The page Photos at one photo."""

    def script() -> None:
        import streamlit as st

        from tagger.ui.app_state import current_state
        from tagger.ui.pages import photos_page

        st.session_state.setdefault("reviewer", "ann")
        photos_page.show(current_state())

    app = AppTest.from_function(script, default_timeout=60)
    app.query_params["image"] = state.hashes[row]
    return app.run()


def test_the_page_photos_lays_the_chosen_map_over_the_photo(state: app_state.AppState, asked: Asked):
    app = open_photo(state, 3)
    assert asked == []
    key = f"heat {state.hashes[3]}"
    method = f"heat method {state.hashes[3]}"
    name = Path(state.session.image(3).file).name
    app.selectbox(key=key).set_value(2).run()
    app.button_group(key=method).set_value("saliency").run()
    assert not app.exception, app.exception
    label = state.run_labels[1]
    assert asked == [(name, label, "grad_cam"), (name, label, "saliency")]
    app.button_group(key=method).set_value("cam").run()
    assert "There is no heat map: cam\\: Net keeps \\[no\\] places" in texts(app.warning)
    app.selectbox(key=key).set_value(0).run()
    assert not app.warning
    app.selectbox(key=key).set_value(2).run()
    assert app.session_state[method] == "cam"  # though the control was gone in between


def test_the_address_of_a_heat_map_names_its_method(state: app_state.AppState, asked: Asked):
    client = TestClient(Starlette(routes=build_routes(state)))
    assert client.get("/tagger/heat/3/1?method=saliency").headers["content-type"] == "image/png"
    assert client.get("/tagger/heat/3/1").status_code == 200
    refused = client.get("/tagger/heat/3/1?method=cam")
    assert (refused.status_code, refused.text) == (503, "cam: Net keeps [no] places")
    assert [method for _, _, method in asked] == ["saliency", "grad_cam", "cam"]


def test_the_worker_makes_each_kind_and_refuses_others_in_words(finished: Path, demo: Path):
    client = WorkerClient(finished)
    path = sorted((demo / "images").iterdir())[0]
    try:
        maps = {
            method: client.heat_map(path, "one", method=method)
            for method in METHOD_TITLES
            if method != "glimpses"
        }
        assert maps["saliency"] != maps["grad_cam"] == client.heat_map(path, "one")
        assert max(Image.open(BytesIO(maps["saliency"])).size) <= 56
        with pytest.raises(TaggerError, match="this run takes none"):
            client.heat_map(path, "one", method="glimpses")
        with pytest.raises(TaggerError, match=r"Unknown explanation 'camm'\. Did you mean 'cam'"):
            client.heat_map(path, "one", method="camm")
    finally:
        client.close()


@pytest.fixture
def serve(finished: Path, demo: Path, tmp_path: Path) -> Iterator[Callable[[], Server]]:
    """Starts the app on a small run."""
    servers: list[Server] = []

    def call() -> Server:
        (tmp_path / "home").mkdir()
        servers.append(Server(make_run(finished, demo, tmp_path).path, tmp_path / "home"))
        servers[-1].start()
        return servers[-1]

    yield call
    for server in servers:
        server.stop()


def test_on_the_card_m_goes_on_to_the_next_method_and_the_tab_remembers_it(serve: Callable[[], Server]):
    with open_browser() as browser:
        server = serve()
        tab = Tab(browser, server.url)
        _ = tab.shown
        chosen = tab.page.locator(".ways:not([hidden]) .way[aria-pressed=true]")
        assert chosen.count() == 0
        tab.page.keyboard.press("h")
        assert chosen.inner_text() == "Grad-CAM"
        tab.page.keyboard.press("m")
        assert chosen.inner_text() == "CAM"
        tab.page.keyboard.press("m")
        tab.page.wait_for_selector(".heat[data-way=saliency]:not([hidden])", timeout=120_000)
        tab.page.keyboard.press("h")
        assert chosen.count() == 0
        tab.page.reload()
        _ = tab.shown
        tab.page.keyboard.press("h")
        tab.page.wait_for_selector(".heat[data-way=saliency]:not([hidden])")
        tab.press("y")  # the next card comes without a map: it would be a hint
        assert chosen.count() == 0
        tab.page.keyboard.press("h")
        assert chosen.inner_text() == "Saliency"
        tab.page.locator(".way[data-way=grad_cam]").click()
        assert chosen.inner_text() == "Grad-CAM"
        tab.press("y")  # the keys are still the card's
        tab.saved()
        tab.close()
