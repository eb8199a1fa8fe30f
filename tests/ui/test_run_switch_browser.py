"""Another run in a real browser: its photos are shown, a refresh and another page keep it, its decisions are saved."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from browsing import Server, Tab, open_browser, wait_for
from reviewing import make_run
from test_run_switch import reverse

from tagger.review import Store, default_url
from tagger.runs import RunFolder


@pytest.fixture
def server(finished: Path, demo: Path, tmp_path: Path) -> Iterator[Server]:
    """A running app on ``runs/run``, with ``runs/other`` beside it."""
    run = make_run(finished, demo, tmp_path / "runs", num=40)
    reverse(RunFolder(shutil.copytree(run.path, tmp_path / "runs" / "other")))
    (tmp_path / "home").mkdir()
    server = Server(run.path, tmp_path / "home")
    server.start()
    yield server
    server.stop()


@pytest.mark.torture
def test_the_other_run_is_reviewed(server: Server):
    other = RunFolder(server.run.parent / "other")
    hashes = other.load_images()["hash"].tolist()
    data = Path(other.load_settings().data.path)

    def choose(page: Any, name: str) -> None:
        page.get_by_role("combobox", name="Run").click()
        page.get_by_role("option", name=name).click()

    with open_browser() as browser, closing(Store.open(default_url(data))) as store:
        tab = Tab(browser, server.url)
        assert tab.shown == "0"
        choose(tab.page, "other")
        tab.page.wait_for_url("**run=other**")
        wait_for(lambda: shown_photo(tab.page).startswith(hashes[0][:16]), "the first photo of the other run")
        assert "run=other" in str(tab.page.locator(".tagger img").first.get_attribute("src"))
        tab.page.keyboard.press("y")
        wait_for(lambda: store.decisions(), "the decision is saved")
        assert [(one.run, one.hash) for one in store.decisions()] == [("other", hashes[0])]
        tab.page.reload()
        assert tab.shown == "1"
        assert "run=other" in tab.page.url
        tab.page.get_by_role("link", name="Overview").first.click()
        tab.page.wait_for_url("**/overview**")
        tab.page.wait_for_selector("h1")
        tab.page.get_by_text("Run: other").wait_for()
        tab.close()


def shown_photo(page: Any) -> str:
    """The start of the hash of the photo on the card."""
    address = str(page.locator(".tagger img").first.get_attribute("src"))
    return address.partition("&v=")[2].partition("&")[0]
