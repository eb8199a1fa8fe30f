"""A person at the keyboard, in a real browser: every decision is in the database exactly once, come what may."""

import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browsing import Server, Tab, open_browser, wait_for
from reviewing import make_run

from tagger.review import RecordedDecision, Store, default_url
from tagger.runs import RunFolder


@pytest.fixture
def serve(finished: Path, demo: Path, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Makes a run and its running app."""
    servers: list[Server] = []

    def call(**options: object) -> Server:
        run = make_run(finished, demo, tmp_path, **options)  # type: ignore[arg-type]
        (tmp_path / "home").mkdir()
        servers.append(Server(run.path, tmp_path / "home"))
        servers[-1].start()
        return servers[-1]

    yield call
    for server in servers:
        server.stop()


def recorded(server: Server) -> list[RecordedDecision]:
    """What is in the database."""
    store = Store.open(default_url(server.run.parent / "data"))
    try:
        return store.decisions()
    finally:
        store.close()


def standing(rows: list[RecordedDecision]) -> list[RecordedDecision]:
    """The decisions that were not taken back."""
    undone = {row.undoes for row in rows}
    return [row for row in rows if row.verdict != "undo" and row.id not in undone]


def likelier(row: RecordedDecision) -> int | None:
    """What Enter answers: the change where it is more likely right than not, else the label as it was."""
    assert row.doubt is not None
    return row.suggested if row.doubt >= 0.5 else row.before


def check_grid(server: Server, rows: list[RecordedDecision], positions: list[int]) -> None:
    """The grid's decisions: one transaction, one exception, all of one label and direction, none decided before."""
    page = [row for row in rows if row.source == "grid"]
    assert len({row.time for row in page}) == 1  # one transaction
    assert sum(row.value != likelier(row) for row in page) == 1  # one was marked or unmarked
    suspects = RunFolder(server.run).load_suspects()
    asked = suspects.iloc[positions]
    group = suspects[(suspects["label"] == asked["label"].iloc[0]) & ~suspects["audit"]]
    group = group[group["direction"] == asked["direction"].iloc[0]]
    done = {row.cell for row in standing(rows) if row.source == "card" and row.verdict != "skip"}
    left = set(zip(group["hash"], group["label"], strict=True)) - done
    # which cells the cards took depends on when the suspects were ranked anew; the page has all of a small rest
    assert {row.cell for row in page} <= left
    assert len(page) == min(24, len(left))


def test_two_hundred_cards_ten_undone_a_grid_settled_a_refresh_and_all_is_there_once(
    serve: Callable[..., Server],
):
    with open_browser() as browser:
        server = serve(num=760, audit=40)
        tab = Tab(browser, server.url)
        keys = "ynyunskyyn"
        for step in range(200):
            tab.press("y" if tab.page.locator(".card.blind").count() else keys[step % len(keys)])
        for _ in range(10):
            tab.press("z")
        tab.page.keyboard.press("g")
        tab.page.wait_for_selector(".tile")
        positions = tab.shown.split()
        assert 2 <= len(positions) <= 24
        tab.page.keyboard.press("b")
        tab.press("Enter")
        tab.page.reload()
        tab.saved()
        assert not set(tab.shown.split()) & set(positions)  # the view is remembered, what is settled is gone
        tab.close()

        rows = recorded(server)
        assert Counter(row.source for row in rows if row.verdict != "undo") == {
            "card": 200,
            "grid": len(positions),
        }
        assert sum(row.verdict == "undo" for row in rows) == 10
        assert sum(row.source == "card" for row in standing(rows)) == 190
        assert max(Counter(row.cell for row in standing(rows) if row.verdict != "skip").values()) == 1
        check_grid(server, rows, [int(position) for position in positions])


def test_two_browsers_at_once_never_get_the_same_cell(serve: Callable[..., Server]):
    with open_browser() as browser:
        server = serve(num=400)
        tabs = [Tab(browser, f"{server.url}?reviewer={name}") for name in ("ann", "bob")]
        for step in range(50):
            for tab in tabs:
                tab.press("yn"[step % 2])
        for tab in tabs:
            tab.saved()
            tab.close()
        rows = recorded(server)
        assert Counter(row.reviewer for row in rows) == {"ann": 50, "bob": 50}
        assert len({row.cell for row in rows}) == 100


def test_killed_and_started_again_the_app_has_every_decision_and_goes_on(serve: Callable[..., Server]):
    with open_browser() as browser:
        server = serve(num=400)
        tab = Tab(browser, server.url)
        for _ in range(12):
            tab.press("y")
        server.stop(signal.SIGKILL)
        for _ in range(5):
            tab.press("n")  # the next photos are here already
        tab.page.wait_for_selector(".saving.trouble")
        assert "waiting to be saved" in tab.page.locator(".saving").inner_text()
        server.start()
        tab.saved()
        tab.page.wait_for_selector(
            "[role=dialog]", state="detached"
        )  # Streamlit's own notice; it takes no keys
        for _ in range(12):
            tab.press("y")
        tab.saved()
        tab.close()
        rows = recorded(server)
        assert [row.verdict for row in rows] == ["yes"] * 12 + ["no"] * 5 + ["yes"] * 12
        assert len({row.cell for row in rows}) == 29


def test_decisions_that_wait_outlive_a_refresh(serve: Callable[..., Server]):
    with open_browser() as browser:
        server = serve(num=400)
        tab = Tab(browser, server.url)
        tab.press("y")
        tab.saved()
        tab.page.route(
            "**/tagger/review", lambda route: route.abort()
        )  # the network is gone for our questions
        for _ in range(3):
            tab.press("n")
        tab.page.wait_for_selector(".saving.trouble")
        assert len(recorded(server)) == 1
        tab.page.unroute("**/tagger/review")
        tab.page.reload()
        tab.saved()
        wait_for(lambda: len(recorded(server)) == 4, "the three that waited are saved")
        tab.close()
        assert len({row.cell for row in recorded(server)}) == 4


FILES = {
    0: "<img src=x onerror=alert(1)>.jpg",
    1: "![x](http:⁄⁄evil.example⁄x.png).jpg",
    2: "'\"`$(id)` & [a](b) 😀 :sea: $x^2$.jpg",
}
LABELS = {
    "zero": "<script>alert(1)</script>",
    "one": "![p](http://evil.example/p.png)",
    "two": "**b** [l](http://evil.example) 😀 \"q\" 'r' `c`",
    "three": "</style><img src=http://evil.example/i.png>",
}


def test_names_are_only_names(serve: Callable[..., Server]):
    with open_browser() as browser:
        server = serve(num=60, files=FILES, labels=LABELS)
        tab = Tab(browser, server.url)
        seen = set()
        for _ in range(24):
            _ = tab.shown
            seen.add(tab.page.locator(".card .question .name").inner_text())
            tab.press("y")
        assert set(LABELS.values()) <= seen
        tab.page.keyboard.press("g")
        tab.page.wait_for_selector(".tile")
        tab.page.keyboard.press("?")
        for page in ("photos", "overview", "data", "labels"):
            tab.page.goto(server.url + page)
            tab.page.wait_for_selector("[data-testid=stMain]")
            tab.page.wait_for_timeout(800)
        tab.page.goto(server.url + "photos")
        tab.page.get_by_label("File name").fill(".jpg")
        tab.page.keyboard.press("Enter")
        tab.page.wait_for_url("**name=**")
        tab.page.goto(f"{server.url}photos?image={RunFolder(server.run).load_images()['hash'][0]}")
        tab.page.wait_for_selector("[data-testid=stPills], [data-testid=stButtonGroup]")
        tab.page.wait_for_timeout(800)
        tab.close()


def test_digits_edit_labels_enter_takes_the_likelier_answer_and_a_held_key_counts_once(
    serve: Callable[..., Server],
):
    with open_browser() as browser:
        server = serve(num=400, audit=20)
        tab = Tab(browser, server.url)
        _ = tab.shown
        chip = tab.page.locator(".chip").nth(2)
        before = chip.get_attribute("aria-pressed")
        tab.page.keyboard.press("3")
        assert chip.get_attribute("aria-pressed") != before
        tab.page.keyboard.press("z")
        assert chip.get_attribute("aria-pressed") == before
        tab.page.keyboard.press("?")
        tab.page.wait_for_selector("dialog.help[open]")
        tab.page.keyboard.press("y")  # the sheet is open: this decides nothing
        tab.page.keyboard.press("Escape")
        first = tab.shown
        tab.page.keyboard.down("Enter")
        tab.page.keyboard.down("Enter")  # repeated by the keyboard, not by the person
        tab.page.keyboard.up("Enter")
        wait_for(lambda: tab.shown != first, "the next card")
        while not tab.page.locator(".card.blind").count():
            tab.press("Enter")
        blind = tab.shown
        tab.page.keyboard.press("Enter")  # there is no suggestion to take
        tab.page.wait_for_selector(".toast:not([hidden])")
        assert tab.shown == blind
        tab.press("y")
        tab.saved()
        tab.close()
        rows = recorded(server)
        assert [row.source for row in rows[:2]] == ["edit", "edit"]
        assert rows[1].undoes == rows[0].id
        assert all(row.value == likelier(row) for row in rows[2:-1])
        assert (rows[-1].blind, rows[-1].suggested, rows[-1].doubt) == (True, None, None)
        assert max(Counter(row.cell for row in rows[2:]).values()) == 1


def test_a_filter_chosen_above_rules_what_comes(serve: Callable[..., Server]):
    with open_browser() as browser:
        server = serve(num=400)
        tab = Tab(browser, server.url)
        _ = tab.shown
        tab.page.get_by_role("combobox", name="Label").click()
        tab.page.get_by_role("option", name="seven").click()
        asked = tab.page.locator(".card .question .name")
        wait_for(lambda: asked.inner_text() == "seven", "a card of seven")
        for _ in range(5):
            tab.press("y")  # the keys belong to the cards again
            assert asked.inner_text() == "seven"
        tab.page.keyboard.press("g")
        tab.page.wait_for_selector(".tile")
        assert tab.page.locator(".grid .question .name").inner_text() == "seven"
        tab.saved()
        tab.close()
        assert {row.label for row in recorded(server)} == {"seven"}


def test_a_run_of_frames_is_settled_with_one_key_and_taken_back_with_one(serve: Callable[..., Server]):
    with open_browser() as browser:
        server = serve(num=40)
        run = RunFolder(server.run)
        images = run.load_images()
        run.save_images(images.assign(sequence=0, place=range(len(images))))
        server.stop()
        server.start()
        tab = Tab(browser, server.url)
        tab.page.wait_for_selector(".frames .strip figure.own")
        text = tab.page.locator(".frames .run").inner_text()
        number = int(text.split("run of ")[1].split()[0])
        tab.press("Shift+y")
        tab.saved()
        rows = recorded(server)
        assert len(rows) == number > 1
        assert {row.verdict for row in rows} == {"yes"}
        assert len({row.hash for row in rows}) == number
        assert Counter(row.source for row in rows) == {"card": 1, "edit": number - 1}
        tab.press("z")
        tab.saved()
        tab.close()
        assert standing(recorded(server)) == []
