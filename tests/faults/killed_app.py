"""The app, killed again and again while a page sends decisions. No test itself: ``test_app_killed.py`` runs it.

    python killed_app.py RUN KILLS SEED

The page does as the real one: what it has not been told to be saved, it sends again. The app is forked from
a process that has everything imported, so that a start takes a moment. Prints, as JSON, what was sent and
what was confirmed.
"""

import http.client
import json
import os
import random
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from hammer import end_with

import tagger.ui.main
import tagger.ui.pages.review_page  # noqa: F401  # what the app would import, once for all its lives
from tagger.review import Store, default_url
from tagger.runs import RunFolder
from tagger.ui.server.launch import free_port, serve

PATIENCE = 60.0  # seconds for the app to answer


class Page:
    """A page that decides on one cell after another and keeps what is not saved yet."""

    def __init__(self, hashes: list[str], names: tuple[str, ...], token: str):
        self.cells = [(hash, name) for hash in hashes for name in names]
        self.headers = {"x-tagger-token": token, "content-type": "application/json"}
        self.sent: list[dict[str, Any]] = []
        self.confirmed: set[int] = set()

    def decide(self) -> None:
        """One more decision in the outbox."""
        hash, name = self.cells[len(self.sent) % len(self.cells)]
        one = {
            "client": "page",
            "seq": len(self.sent),
            "hash": hash,
            "label": name,
            "verdict": "yes",
            "run": "r",
        }
        self.sent.append(one)

    def send(self, port: int) -> bool:
        """Whether the app has answered; what it says to have saved leaves the outbox."""
        waiting = [one for one in self.sent if one["seq"] not in self.confirmed]
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            body = json.dumps({"client": "page", "decisions": waiting[:40]})
            line.request("POST", "/tagger/review", body, self.headers)
            reply = json.loads(line.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError):
            return False
        finally:
            line.close()
        self.confirmed |= {seq for _, seq in reply["saved"]}
        return True


def live(run: Path, port: int) -> int:
    """The number of a process that is the app, and that ends when this one has ended, however that was."""
    parent, pid = os.getpid(), os.fork()
    if pid == 0:
        try:
            threading.Thread(target=end_with, args=(parent,), daemon=True).start()
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            serve(run, port=port, browser=False, say=lambda text: None)
        finally:
            os._exit(1)
    return pid


def main(run: Path, num_kills: int, seed: int) -> None:
    """Kill the app so often, at random moments; then let it live until everything is saved."""
    draw, folder = random.Random(seed), RunFolder(run)
    store = Store.open(default_url(Path(folder.load_settings().data.path)))
    token = store.load_note("api_token") or "token of before, long enough"
    store.save_note("api_token", token)
    store.close()
    page = Page(folder.load_images()["hash"].tolist(), folder.load_labels(), token)
    port = free_port("127.0.0.1", 0)
    for life in range(num_kills + 1):
        pid, begun = live(run, port), time.monotonic()
        end = begun + PATIENCE if life == num_kills else None
        while end is None or len(page.confirmed) < len(page.sent):
            assert time.monotonic() < begun + PATIENCE + 5, "the app does not answer"
            if life < num_kills:
                page.decide()
            if page.send(port):
                end = end or time.monotonic() + draw.uniform(0.0, 0.4)  # from its first answer on, any moment
            else:
                time.sleep(0.02)
            if end is not None and time.monotonic() > end:
                break
        if life < num_kills and draw.random() < 0.5:  # while it is at work on an answer
            page.decide()
            line = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            waiting = [one for one in page.sent if one["seq"] not in page.confirmed][:40]
            line.request(
                "POST", "/tagger/review", json.dumps({"client": "page", "decisions": waiting}), page.headers
            )
            time.sleep(draw.uniform(0.0, 0.02))
            os.kill(pid, signal.SIGKILL)
            line.close()
        else:
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    print(json.dumps({"sent": len(page.sent), "confirmed": sorted(page.confirmed)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
