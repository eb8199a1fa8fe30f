"""The pages beside the review in a real browser: names are only names there too, and a threshold can be dragged."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import Server, Tab, open_browser, wait_for
from reviewing import make_run

from tagger.review import Decision, LabelOperation, Store, default_url
from tagger.runs import RunFolder
from tagger.ui.main import RUN_PAGES

HOSTILE = (
    "![x](http://evil.example/a.png)",
    "<img src=http://evil.example/b.png onerror=alert(1)>",
    '"><script>alert(2)</script>',
    ":material/home: :red[x] $x^2$ 猫 😀 `y`",
)


@pytest.fixture
def server(finished: Path, demo: Path, tmp_path: Path) -> Iterator[Server]:
    """A running app whose labels, reviewers and operations have hostile names."""
    names = RunFolder(finished).load_labels()
    run = make_run(finished, demo, tmp_path, labels=dict(zip(names, HOSTILE, strict=False)))
    for file in ("metrics.json", "thresholds.json"):
        path = run.path / file
        path.write_text(path.read_text("utf-8").replace(f'"{names[0]}"', f'"{HOSTILE[0]}"'), "utf-8")
    store, images = Store.open(default_url(tmp_path / "data")), run.load_images()
    for n, label in enumerate(HOSTILE):
        for who, verdict in ((HOSTILE[0], "yes"), (HOSTILE[1], "no")):
            cell = {"hash": images["hash"][n], "label": label, "verdict": verdict, "reviewer": who}
            asked = {"before": 0, "suggested": 1, "doubt": 0.5, "run": "run", "seconds": 1.0}
            store.record([Decision(**cell, **asked, client=who, seq=n)])  # type: ignore[arg-type]
    operation = LabelOperation(
        kind="rename", label="nine", target=f"{HOSTILE[1]} 9", reviewer=HOSTILE[0], client="t", seq=1
    )
    store.record_operation(operation)
    store.close()
    (tmp_path / "home").mkdir()
    server = Server(run.path, tmp_path / "home")
    server.start()
    yield server
    server.stop()


def test_every_page_shows_hostile_names_as_text_and_calls_nobody(server: Server):
    with open_browser() as browser:
        tab = Tab(browser, server.url)
        for name in RUN_PAGES:
            tab.page.goto(f"{server.url}{name}")
            tab.page.wait_for_selector("h1")
            tab.page.wait_for_selector('[data-testid="stStatusWidget"]', state="detached")
            for at in range(tab.page.get_by_role("tab").count()):
                tab.page.get_by_role("tab").nth(at).click()
            wait_for(lambda: tab.page.locator('[data-stale="true"]').count() == 0, "the page is drawn")
            assert tab.page.locator('[data-testid="stException"]').count() == 0, name
            assert tab.page.locator('img[src*="evil"], a[href*="evil"]').count() == 0, name
        tab.page.goto(f"{server.url}disagreements")
        tab.page.get_by_text("evil.example/a.png) says").first.wait_for()
        tab.close()


def test_a_threshold_is_dragged_read_at_once_and_kept(server: Server):
    with open_browser() as browser:
        tab = Tab(browser, f"{server.url}overview")
        tab.page.get_by_role("tab", name="Thresholds").click()
        chart = tab.page.locator('[data-testid="stVegaLiteChart"] svg').filter(has_text="at 0.").first
        chart.scroll_into_view_if_needed()
        before = chart.get_by_text("at 0.").text_content()
        box = chart.bounding_box()
        assert box is not None
        left, right, height = (
            box["x"] + box["width"] * 0.3,
            box["x"] + box["width"] * 0.8,
            box["y"] + box["height"] / 2,
        )
        tab.page.mouse.move(left, height)
        tab.page.mouse.down()
        for step in range(1, 11):
            tab.page.mouse.move(left + (right - left) * step / 10, height)
        wait_for(lambda: chart.get_by_text("at 0.").text_content() != before, "the chart says what is there")
        tab.page.mouse.up()
        said = str(chart.get_by_text("at 0.").text_content())
        value = said.split()[1].rstrip(":")
        wait_for(lambda: tab.page.get_by_text(value, exact=True).count() > 0, "the slider has followed")
        tab.page.get_by_label("Save as a new threshold set").fill("dragged")
        tab.page.get_by_role("button", name="Save").click()
        run = RunFolder(server.run)
        wait_for(lambda: run.threshold_sets() == ["dragged"], "the set is there")
        assert float(value) in run.load_threshold_set("dragged").values()
        tab.close()


def test_an_image_that_is_dropped_is_tagged_and_explained(server: Server, demo: Path):
    with open_browser() as browser:
        tab = Tab(browser, f"{server.url}try")
        tab.page.locator('input[type="file"]').set_input_files(sorted((demo / "new").iterdir())[0])
        tab.page.locator('[data-testid="stVegaLiteChart"]').wait_for(timeout=120_000)
        photo = tab.page.locator('[data-testid="stImage"] img').first
        plain = photo.get_attribute("src")
        tab.page.get_by_label("Show where the model sees").click()
        tab.page.get_by_role("option").nth(1).click()
        wait_for(lambda: photo.get_attribute("src") != plain, "the heat map is over the photo", seconds=60)
        tab.close()
