"""Accessibility: axe-core finds no critical or serious fault on any page, light and dark."""

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from browsing import Server, Tab, open_browser, wait_for
from reviewing import make_run

from tagger.review import Decision, Store, default_url
from tagger.ui.main import RUN_PAGES

PAGES = ("review", "photos", "work", *RUN_PAGES)
SEVERE = ("critical", "serious")


@pytest.fixture
def server(finished: Path, demo: Path, tmp_path: Path) -> Iterator[Server]:
    """A running app with decisions, on some of which two people differ."""
    run = make_run(finished, demo, tmp_path, audit=20)
    store, images = Store.open(default_url(tmp_path / "data")), run.load_images()
    label = run.load_labels()[0]
    for n in range(12):
        for who, verdict in (("ann", "yes"), ("ben", "no" if n < 2 else "yes")):
            asked = {"before": 0, "suggested": 1, "doubt": 0.5, "run": "run", "seconds": 1.0}
            cell = {"hash": images["hash"][n], "label": label, "verdict": verdict, "reviewer": who}
            store.record([Decision(**cell, **asked, client=who, seq=n)])  # type: ignore[arg-type]
    store.close()
    (tmp_path / "home").mkdir()
    server = Server(run.path, tmp_path / "home", "--reviewer", "ann")
    server.start()
    yield server
    server.stop()


def drawn(page: Any, name: str) -> None:
    """Return when the page of this name is drawn and nothing of it is out of date."""
    page.wait_for_selector(".card[data-shown]" if name == "review" else '[data-testid="stMain"] p')
    page.wait_for_selector('[data-testid="stStatusWidget"]', state="detached")
    wait_for(lambda: page.locator('[data-stale="true"]').count() == 0, "the page is drawn")


def faults(page: Any, axe: str) -> list[str]:
    """The severe faults of what is on screen, each with the first places."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(axe)
    found = page.evaluate("async () => (await axe.run({resultTypes: ['violations']})).violations")
    return [
        f"{one['id']}: " + json.dumps([node["html"][:200] for node in one["nodes"][:3]])
        for one in found
        if one["impact"] in SEVERE
    ]


def test_no_page_has_a_severe_fault_light_or_dark(server: Server):
    axe = pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    script = (files(axe) / "axe.min.js").read_text("utf-8")
    bad: dict[str, list[str]] = {}
    with open_browser() as browser:
        tab = Tab(browser, server.url)
        for name in PAGES:
            tab.page.goto(f"{server.url}{name}")
            drawn(tab.page, name)
            if name == "photos":
                tab.page.get_by_text("Select photos").click()
                tab.page.get_by_role("button", name="This page").wait_for()
                drawn(tab.page, name)
            for scheme in ("dark", "light"):
                tab.page.emulate_media(color_scheme=scheme)
                tab.page.wait_for_timeout(300)  # colours change over a moment
                if found := faults(tab.page, script):
                    bad[f"{name}, {scheme}"] = found
        tab.page.goto(server.url)
        drawn(tab.page, "review")
        tab.page.get_by_text("Many photos").first.click()
        tab.page.wait_for_selector(".grid[data-shown]")
        bad["grid"] = faults(tab.page, script)
        tab.close()
    assert {where: found for where, found in bad.items() if found} == {}
