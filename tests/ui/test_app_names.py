"""In a real browser: whatever files, labels, people, runs, reasons and errors are called, a page shows it as text."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
from browsing import Server, Tab, open_browser, wait_for
from door import make_home
from reviewing import make_run
from torture import record_torture

from tagger.data import Rule
from tagger.errors import Problem
from tagger.review import Decision, LabelOperation, Store, default_url
from tagger.runs import RunFolder
from tagger.ui.command_job import CommandJob
from tagger.ui.main import RUN_PAGES

HOSTILE = (
    "![x](http://evil.example/a.png)",
    "<img src=http://evil.example/b.png onerror=window.pwned=1>",
    '"><script>window.pwned=2</script>',
    "[l](javascript:window.pwned=3) www.evil.example http://evil.example/c",
    "</style></svg><svg onload=window.pwned=4> :material/home: $x^2$ `y` {{7*7}} &lt;b&gt;",
    'data:image/svg+xml,<svg onload="window.pwned=5">',
)
AS_FILES = tuple(text.replace("/", "⁄") for text in HOSTILE)  # a slash that is none
TRACES = (
    "img[src*=evil], img[src='x'], a[href*=evil], a[href^='javascript:'], [onerror], [onload], script:not([src]):not("
    "[type]), iframe, object, embed, [style*=evil]"
)
COUNT = """(wanted) => {
  let found = window.pwned ? ['pwned ' + window.pwned] : [];
  const look = (root) => {
    for (const node of root.querySelectorAll(wanted)) found.push(node.outerHTML.slice(0, 300));
    for (const node of root.querySelectorAll('*')) if (node.shadowRoot) look(node.shadowRoot);
  };
  look(document.body);
  return found;
}"""


@pytest.fixture
def hostile(finished: Path, demo: Path, tmp_path: Path) -> RunFolder:
    """A run, and a store, in which everything that can have a name has a hostile one; another run beside it."""
    names = RunFolder(finished).load_labels()
    labels = dict(zip(names, HOSTILE, strict=False))
    files = {row: f"{name[:180]}.jpg" for row, name in enumerate(AS_FILES)}
    made = make_run(finished, demo, tmp_path, labels=labels, files=files)
    run = RunFolder(made.path.rename(tmp_path / AS_FILES[1]))
    for file in ("metrics.json", "thresholds.json"):
        path = run.path / file
        text = path.read_text("utf-8")
        for name, other in labels.items():
            text = text.replace(json.dumps(name), json.dumps(other))
        path.write_text(text, "utf-8")
    suspects = run.load_suspects()
    suspects["reason"] = [HOSTILE[at % len(HOSTILE)] for at in range(len(suspects))]
    run.save_suspects(suspects)
    new = run.load_labels()
    run.save_labels(new, {}, (Rule(new[1], new[0]),))
    run.save_unreadable([Problem(f"{name}.jpg", None, f"reason {name}") for name in HOSTILE])
    shutil.copytree(run.path, tmp_path / AS_FILES[2])
    _decide(tmp_path, run)
    return run


def _decide(folder: Path, run: RunFolder) -> None:
    images = run.load_images()
    with closing(Store.open(default_url(folder / "data"))) as store:
        for n, label in enumerate(run.load_labels()[: len(HOSTILE)]):
            for who, verdict in ((HOSTILE[1], "yes"), (HOSTILE[3], "no")):
                one: dict[str, Any] = {
                    "hash": images["hash"][n],
                    "label": label,
                    "verdict": verdict,
                    "reviewer": who,
                }
                asked = {"before": 0, "suggested": 1, "doubt": 0.5, "run": HOSTILE[0], "seconds": 1.0}
                store.record([Decision(**one, **asked, client=who, seq=n)])
        for at, (kind, label, target) in enumerate(
            (
                ("add", HOSTILE[5] + "!", None),
                ("rename", "nine", HOSTILE[1] + "9"),
                ("merge", "eight", HOSTILE[0]),
            )
        ):
            store.record_operation(
                LabelOperation(kind=kind, label=label, target=target, reviewer=HOSTILE[4], client="t", seq=at)
            )


@pytest.fixture
def server(hostile: RunFolder, tmp_path: Path) -> Iterator[Server]:
    """The app on it."""
    server = Server(hostile.path, make_home(tmp_path))
    server.start()
    yield server
    server.stop()


def calm(tab: Tab, where: str) -> None:
    """Return when the page is drawn; fails if a name has become anything but text."""
    print(where)  # seen where it fails
    tab.page.wait_for_selector('[data-testid="stStatusWidget"]', state="detached")
    wait_for(lambda: tab.page.locator('[data-stale="true"]').count() == 0, f"{where} is drawn")
    assert tab.page.locator('[data-testid="stException"]').count() == 0, where
    assert tab.page.evaluate(COUNT, TRACES) == [], where
    assert "evil" not in tab.page.title(), where
    assert tab.errors == [], where


def hover(tab: Tab, where: str) -> None:
    """Point at a mark of every chart on screen, so that its tooltip is drawn."""
    for chart in tab.page.locator('[data-testid="stVegaLiteChart"]:visible').all():
        for mark in chart.locator(".mark-rect path, .mark-symbol path, .mark-bar path").all()[:3]:
            if mark.is_visible() and (box := mark.bounding_box()):
                tab.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
                tab.page.wait_for_timeout(60)
                assert tab.page.evaluate(COUNT, TRACES) == [], f"a tooltip on {where}"


@pytest.mark.torture
def test_names_are_text_on_every_page(server: Server, demo: Path, tmp_path: Path):
    with open_browser() as browser:
        tab = Tab(browser, f"{server.url}?reviewer={HOSTILE[1]}")
        _review(tab)
        _photos(tab, server)
        for name in RUN_PAGES:
            tab.page.goto(f"{server.url}{name}")
            tab.page.wait_for_selector("h1")
            calm(tab, name)
            for at in range(tab.page.get_by_role("tab").count()):
                tab.page.get_by_role("tab").nth(at).click()
                calm(tab, f"{name} {at}")
                hover(tab, f"{name} {at}")
            hover(tab, name)
        tab.page.goto(f"{server.url}disagreements")
        tab.page.get_by_text("onerror=window.pwned=1> says").first.wait_for()
        tab.page.get_by_role("button", name="Yes, ").first.click()
        tab.page.wait_for_selector('[data-testid="stToast"]')
        calm(tab, "a toast")
        _labels(tab, server)
        _try(tab, server, demo, tmp_path)
        _retrain(tab, server, tmp_path)
        tab.close()
    record_torture("hostile names in a browser", pages=len(RUN_PAGES) + 2, names=len(HOSTILE), effects=0)


def _review(tab: Tab) -> None:
    seen = set()
    for _ in range(14):
        _ = tab.shown
        seen.add(tab.page.locator(".card .question .name").inner_text())
        assert tab.page.evaluate(COUNT, TRACES) == []
        tab.press("y")
    assert seen & set(HOSTILE)
    tab.page.keyboard.press("g")
    tab.page.wait_for_selector(".tile")
    tab.page.keyboard.press("?")
    calm(tab, "the grid")
    tab.saved()


def _photos(tab: Tab, server: Server) -> None:
    tab.page.goto(f"{server.url}photos")
    tab.page.get_by_label("File name").fill("evil")
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_url("**name=evil**")
    calm(tab, "photos that were found")
    images = RunFolder(server.run).load_images()
    chosen = next(images["hash"][n] for n, file in enumerate(images["file"]) if "evil" in file)
    tab.page.goto(f"{server.url}photos?image={chosen}")
    tab.page.wait_for_selector("[data-testid=stPills], [data-testid=stButtonGroup]")
    tab.page.get_by_text("[l](javascript:window.pwned=3)").first.wait_for()  # a reviewer, in the history
    calm(tab, "photos")
    tab.page.goto(f"{server.url}photos?image={HOSTILE[1]}&reviewer={HOSTILE[2]}")
    tab.page.get_by_label("File name").wait_for()
    calm(tab, "photos, of a hostile address")


def _labels(tab: Tab, server: Server) -> None:
    tab.page.goto(f"{server.url}labels")
    tab.page.get_by_label("Name of the new label").fill(HOSTILE[4] + " new")
    tab.page.get_by_role("button", name="Add", exact=True).click()
    tab.page.get_by_text("is added").wait_for()
    calm(tab, "a label was added")
    tab.page.get_by_label("Name of the new label").fill(
        HOSTILE[0]
    )  # is there already: an error with the name in it
    tab.page.get_by_role("button", name="Add", exact=True).click()
    tab.page.locator('[data-testid="stAlert"]').filter(has_text="evil").first.wait_for()
    calm(tab, "a label was refused")


def _try(tab: Tab, server: Server, demo: Path, tmp_path: Path) -> None:
    photo = sorted((demo / "new").iterdir())[0].read_bytes()
    tab.page.goto(f"{server.url}try")
    tab.page.locator('input[type="file"]').set_input_files(
        [
            {"name": f"{HOSTILE[1]}.jpg", "mimeType": "image/jpeg", "buffer": photo},
            {
                "name": f"{HOSTILE[0]}.jpg",
                "mimeType": "text/html",
                "buffer": b"<script>window.pwned=6</script>",
            },
            {"name": "x.jpg", "mimeType": "image/svg+xml", "buffer": b"<svg onload='window.pwned=7'/>"},
        ]
    )
    tab.page.get_by_text("could not be read").nth(1).wait_for(timeout=120_000)
    calm(tab, "try")
    hover(tab, "try")


def _retrain(tab: Tab, server: Server, tmp_path: Path) -> None:
    """A retraining that goes on, then one that has failed, both with hostile words."""
    folder, out = tmp_path / "job", tmp_path / AS_FILES[3]
    folder.mkdir()
    said = [{"step": HOSTILE[1], "done": 1, "total": 2}, *({"said": text} for text in HOSTILE)]
    (folder / "progress.jsonl").write_text("\n".join(map(json.dumps, said)) + "\n", "utf-8")
    (folder / "log.txt").write_text("\n".join(HOSTILE), "utf-8")
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)", str(out)]) as process:
        try:
            born = psutil.Process(process.pid).create_time()
            job = CommandJob(
                str(server.run),
                str(out),
                process.pid,
                born,
                f"{datetime.now():%H:%M} {HOSTILE[0]}",
                str(folder),
            )
            with closing(Store.open(default_url(tmp_path / "data"))) as store:
                store.save_note("retrain", json.dumps(asdict(job)))
            tab.page.goto(f"{server.url}retrain")
            tab.page.get_by_text("Training", exact=False).first.wait_for()
            calm(tab, "a retraining")
        finally:
            process.kill()
    tab.page.get_by_text("failed. The end of its log").wait_for()
    calm(tab, "a retraining that failed")
