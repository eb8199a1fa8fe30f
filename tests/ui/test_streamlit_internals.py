"""What the app takes from Streamlit's internals is still there. A failure here names what broke in the app."""

import ast
import re
from pathlib import Path

import pytest
import streamlit
from reviewing import make_run
from starlette.testclient import TestClient

from tagger.ui import streamlit_internals
from tagger.ui.app_state import open_app_state
from tagger.ui.server.launch import SCRIPT, build_app
from tagger.ui.server.security import content_policy
from tagger.ui.streamlit_internals import (
    LAYOUT_CSS,
    UPLOAD_PATH,
    index_html,
    separate_runtime,
    uploads_by_page,
)

ROOT = Path(__file__).parents[2]
STATIC = Path(streamlit.__file__).parent / "static"


@pytest.fixture(scope="module")
def browser_code() -> str:
    """The JavaScript that Streamlit sends to the browser."""
    return "\n".join(path.read_text("utf-8") for path in sorted((STATIC / "static" / "js").glob("*.js")))


def test_uploads_are_counted_where_streamlit_keeps_them(finished: Path, demo: Path, tmp_path: Path):
    state = open_app_state(make_run(finished, demo, tmp_path).path)
    with separate_runtime(), TestClient(build_app(state), base_url="http://127.0.0.1:8501"):
        from streamlit.runtime import Runtime
        from streamlit.runtime.uploaded_file_manager import UploadedFileRec

        assert uploads_by_page() == {}
        manager = Runtime.instance().uploaded_file_mgr
        manager.add_file("page-1", UploadedFileRec("a", "a.jpg", "image/jpeg", b"12345"))
        assert uploads_by_page() == {"page-1": [5]}, (
            "Streamlit keeps uploads elsewhere: the limits on their number and sum count nothing any more."
        )
    state.store.close()


def test_uploads_go_to_the_address_that_is_limited(finished: Path, demo: Path, tmp_path: Path):
    state = open_app_state(make_run(finished, demo, tmp_path).path)
    with separate_runtime(), TestClient(build_app(state), base_url="http://127.0.0.1:8501"):
        from streamlit.runtime import Runtime

        (urls,) = Runtime.instance().uploaded_file_mgr.get_upload_urls("page-1", ["a.jpg"])
    found = UPLOAD_PATH.fullmatch(urls.upload_url)
    assert found is not None, f"Uploads go to {urls.upload_url} now: no limit applies to them any more."
    assert found[1] == "page-1", "The page is no longer the first part of the address: pages share one limit."
    state.store.close()


def test_the_start_page_has_the_scripts_that_the_policy_allows():
    assert index_html(), (
        "static/index.html is gone: the policy forbids its inline script, and pages stay empty."
    )
    assert content_policy(index_html()).count("'sha256-") == index_html().count("<script>"), (
        "Inline scripts of static/index.html are written in another way: the policy forbids them."
    )


def test_the_layout_names_classes_that_streamlit_has(browser_code: str):
    names = set(re.findall(r"\bst[A-Z]\w+", LAYOUT_CSS))
    assert len(names) == 7
    gone = sorted(name for name in names if name not in browser_code)  # stBaseButton: with a kind behind it
    assert not gone, f"Streamlit has no {gone} any more: photos lose the room that LAYOUT_CSS makes for them."


def test_open_lists_and_dialogs_are_known_to_the_keyboard_handler(browser_code: str):
    handler = (Path(streamlit_internals.__file__).parent / "component" / "keys.js").read_text("utf-8")
    assert """document.querySelector('[role="dialog"], [role="listbox"]')""" in handler
    gone = [role for role in ("listbox", "dialog") if not re.search(rf"role:[`'\"]{role}", browser_code)]
    assert not gone, f"Streamlit shows no {gone} any more: keys in an open list of a filter decide on a card."


def test_a_second_app_may_start_beside_the_first(finished: Path, demo: Path, tmp_path: Path):
    state = open_app_state(make_run(finished, demo, tmp_path).path)
    for _ in range(2):
        with separate_runtime(), TestClient(build_app(state), base_url="http://127.0.0.1:8501") as client:
            assert client.get("/_stcore/health").text == "ok", (
                "Streamlit's one app a process is not forgotten any more: tests of the routes need another way."
            )
    state.store.close()


def test_no_folder_of_pages_lies_beside_an_entry_script():
    for script in (SCRIPT, ROOT / "app.py"):
        assert script.is_file()
        assert not (script.parent / "pages").exists(), (
            "Streamlit takes the files of a folder `pages` beside the script for pages of its own: whoever opens"
            " the address of one of our pages first reads 'Page not found'."
        )


def test_no_other_file_imports_streamlits_internals():
    allowed = {"tagger/ui/streamlit_internals.py", "tests/ui/test_streamlit_internals.py"}
    found = {
        path.relative_to(ROOT).as_posix()
        for room in ("tagger", "data_tools", "docs", "benchmarks", "tests")
        for path in (ROOT / room).rglob("*.py")
        if any(map(_is_internal, _imported(path)))
    }
    assert found == allowed, "Put what is needed into tagger/ui/streamlit_internals.py."


def _imported(path: Path) -> list[str]:
    """Names of the modules that a file imports."""
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return plain + [str(node.module) for node in nodes if isinstance(node, ast.ImportFrom) and not node.level]


def _is_internal(module: str) -> bool:
    return module.startswith("streamlit.") and not module.startswith("streamlit.testing.")
