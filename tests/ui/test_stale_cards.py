"""Cards that the browser has fetched ahead are judged anew, before they are shown, when their photo is answered."""

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from browsing import Server, Tab, open_browser, wait_for
from reviewing import make_run

from tagger.review import RecordedDecision, Store, default_url
from tagger.runs import RunFolder


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[RunFolder], Server]]:
    """Starts the app on a run."""
    servers: list[Server] = []

    def call(run: RunFolder) -> Server:
        (tmp_path / "home").mkdir()
        servers.append(Server(run.path, tmp_path / "home"))
        servers[-1].start()
        return servers[-1]

    yield call
    for server in servers:
        server.stop()


@pytest.fixture
def server(finished: Path, demo: Path, tmp_path: Path, serve: Callable[[RunFolder], Server]) -> Server:
    """An app on a run whose first two photos are copies of each other."""
    run = make_run(finished, demo, tmp_path, num=200)
    images, cells_NK = run.load_images(), run.load_cells().copy()
    images["group"] = np.maximum(np.arange(len(images)) - 1, 0)
    cells_NK[1] = cells_NK[0]
    run.save_images(images)
    run.save_cells(cells_NK, run.load_labels())
    table = run.load_suspects()
    num_labels = len(run.load_labels())
    for name in ("given", "suggested", "direction"):
        table.loc[num_labels : 2 * num_labels - 1, name] = table[name][:num_labels].to_numpy()
    run.save_suspects(table)
    return serve(run)


def decisions(server: Server) -> list[RecordedDecision]:
    """What is in the database."""
    store = Store.open(default_url(server.run.parent / "data"))
    try:
        return store.decisions()
    finally:
        store.close()


def held_back(tab: Tab) -> Callable[[], None]:
    """Let no request reach the server until the result is called; the page goes on with what it has."""
    waiting: list[Any] = []
    let_go = Event()
    tab.page.route(
        "**/tagger/review", lambda route: route.continue_() if let_go.is_set() else waiting.append(route)
    )

    def release() -> None:
        let_go.set()
        for route in waiting:
            route.continue_()

    return release


def test_no_card_of_an_answered_photo_or_its_copy_is_shown_as_it_was_fetched(server: Server) -> None:
    num_labels = len(RunFolder(server.run).load_labels())
    table = RunFolder(server.run).load_suspects()
    with open_browser() as browser:
        tab = Tab(browser, server.url)
        assert tab.shown == "0"
        tab.saved()
        release = held_back(tab)
        wrong = "n" if table["given"][0] == 1 else "y"
        tab.page.keyboard.press(wrong)
        tab.page.wait_for_selector(".card.nothing")  # all that was fetched ahead is about the same photo
        release()
        tab.saved()
        copy = str(num_labels)  # the same label of the copy, which is surely wrong now: it comes first

        def asked_first() -> bool:
            tab.page.reload()
            return tab.shown == copy

        wait_for(asked_first, "the copy is asked first", seconds=60)
        tab.press("Enter")
        tab.saved()
        first, second = decisions(server)
        assert second.hash == table["hash"][num_labels]
        before = float(table["doubt"][num_labels])
        assert second.doubt == pytest.approx(0.1 * before + 0.9, abs=1e-3)
        assert (first.value, second.value) == (table["suggested"][0],) * 2
        tab.close()


def test_photos_whose_copies_were_settled_leave_the_pages_ahead(
    finished: Path, demo: Path, tmp_path: Path, serve: Callable[[RunFolder], Server]
) -> None:
    run = make_run(finished, demo, tmp_path, num=800)
    images = run.load_images()
    rows = np.arange(len(images))
    images["group"] = group_N = np.where((rows >= 30) & (rows % 2 == 0), rows - 30, rows)
    run.save_images(images)
    row_S = run.load_suspects()["row"].to_numpy()
    server = serve(run)
    with open_browser() as browser:
        tab = Tab(browser, server.url)
        assert tab.shown == "0"
        tab.page.keyboard.press("g")
        tab.page.wait_for_selector(".tile")
        tab.saved()
        first = [int(at) for at in tab.shown.split()]
        release = held_back(tab)
        tab.press("Enter")
        second = [int(at) for at in tab.shown.split()]
        release()
        tab.saved()
        tab.close()
    settled = set(group_N[row_S[first]].tolist())
    assert second
    assert not settled & set(group_N[row_S[second]].tolist())
    table = run.load_suspects()
    kind = ["label", "direction"]
    same = np.flatnonzero((table[kind] == table.loc[first[0], kind]).all(axis=1))
    ahead = same[~np.isin(same, first)][:24]
    assert settled & set(
        group_N[row_S[ahead]].tolist()
    )  # without the answers they would have been on the page
