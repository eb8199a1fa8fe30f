"""No address and no row of a run's tables leads out of the data folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from reviewing import make_run
from starlette.testclient import TestClient

from tagger.errors import TaggerError
from tagger.ui.app_state import AppState, clear_current_state, open_app_state
from tagger.ui.photo_previews import PhotoError
from tagger.ui.server.launch import build_app
from tagger.ui.server.security import TOKEN_HEADER
from tagger.ui.streamlit_internals import separate_runtime


@pytest.fixture(scope="module")
def state(finished: Path, demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppState]:
    """State of the app on a copy of the small run, some rows of whose tables lead out of the data folder."""
    folder = tmp_path_factory.mktemp("strangers")
    run = make_run(finished, demo, folder, audit=20)
    Image.new("RGB", (8, 8), "red").save(folder / "secret.jpg")
    (folder / "data" / "link.jpg").symlink_to(folder / "secret.jpg")
    (folder / "data" / "out").symlink_to(folder)
    images = run.load_images()
    for row, file in enumerate(_paths_out(folder)):
        images.at[row, "file"] = file
        images.at[row, "hash"] = f"{row:032x}"  # else the photo is found by what it is
        images.at[row, "picture_hash"] = ""
    run.save_images(images)
    opened = open_app_state(run.path, reviewer="ann")
    yield opened
    clear_current_state()
    opened.store.close()


def _paths_out(folder: Path) -> list[str]:
    secret = str(folder / "secret.jpg")
    return [
        secret,
        "../secret.jpg",
        "link.jpg",
        "out/secret.jpg",
        "./.././secret.jpg",
        "sub/../../secret.jpg",
        f"file://{secret}",
        "..\\secret.jpg",
        "%2e%2e/secret.jpg",
        "secret.jpg\0.jpg",
        f"//localhost{secret}",
        "/etc/passwd",
        "/proc/self/environ",
        "/dev/zero",
        ".",
        "",
        "~/secret.jpg",
        "x" * 5000,
        "out",
        ".tagger/review.db",
    ]


@pytest.fixture
def client(state: AppState, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """A browser's view of the whole app, our page's token with it; no model is ever started."""
    monkeypatch.setattr("tagger.ui.server.routes.shared_worker", _no_worker)
    app = build_app(state)
    headers = {TOKEN_HEADER: state.token}
    with separate_runtime(), TestClient(app, base_url="http://127.0.0.1:8501", headers=headers) as opened:
        yield opened


def _no_worker(run: Path) -> None:
    raise TaggerError("There is no model here.")


def test_rows_that_lead_out_of_the_data_folder_show_nothing(client: TestClient, state: AppState):
    num = len(_paths_out(Path()))
    for row in range(num):
        assert client.get(f"/tagger/img/{row}").status_code == 404, state.session.image(row).file
        if row < num - 1:  # the last is in the data folder, though no photo
            assert client.get(f"/tagger/heat/{row}/0").status_code == 404, state.session.image(row).file
            with pytest.raises(PhotoError):
                state.previews.path(state.session.image(row).file)
    assert client.get(f"/tagger/img/{num}").status_code == 200


PIECES = st.sampled_from(
    [
        "..",
        ".",
        "%2e%2e",
        "%2E%2e",
        "..%2f",
        "%2f",
        "/",
        "//",
        "\\",
        "%5c",
        "%00",
        "%252e%252e",
        "etc",
        "passwd",
        "secret.jpg",
        "tagger",
        "img",
        "heat",
        "0",
        "19",
        "-1",
        "0x1",
        "1e3",
        "%F0%9F%98%80",
        "%ff",
        "media",
        "static",
        "app",
        "component",
        "_stcore",
        "upload_file",
        "bidi-components",
        "C:",
        "file:",
        "~",
        ";",
        "?s=64",
        "?s=../..",
        "?method=../../x",
        "#",
        ".git",
        "x" * 300,
    ]
)
STARTS = st.sampled_from(
    [
        "/tagger/img/",
        "/tagger/heat/",
        "/tagger/",
        "/media/",
        "/static/",
        "/app/static/",
        "/component/",
        "/_stcore/",
        "/",
        "/_stcore/bidi-components/",
        "/_stcore/upload_file/",
    ]
)
NUMBERS = st.integers(-(2**70), 2**70).map(str)


@settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STARTS, st.lists(PIECES | NUMBERS, max_size=8), st.sampled_from(["", "/"]))
@example("/tagger/img/", ["20"], "")
@example("/tagger/", ["img", "2", "0"], "/")
@example("/tagger/img/", ["2", "0", "#", "%00"], "")
@example("/static/", ["..", "..", "..", "..", "..", "secret.jpg"], "/")
def test_no_address_leads_out(client: TestClient, start: str, pieces: list[str], glue: str):
    address = f"{start}{glue.join(pieces)}".split("#")[0]  # no browser sends what comes after it
    answer = client.get(f"http://127.0.0.1:8501{address}", follow_redirects=False)
    assert answer.status_code < 500 or answer.status_code == 503  # 503: no heat map to be had
    assert b"root:" not in answer.content
    if answer.headers.get("content-type") == "image/jpeg":
        name, row = answer.request.url.path.rsplit("/", 1)
        assert name == "/tagger/img"
        assert int(row) >= 20
