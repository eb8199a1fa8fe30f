"""A real browser and a real server for the tests of the review app. No test itself."""

import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import urlsplit

import pytest

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
PATIENCE_MS = 30_000


class Server:
    """``tagger review`` in a process of its own, on a free port; it can be killed and started again."""

    def __init__(self, run: Path, home: Path, *more: str):
        self.run, self.home, self.port, self.more = run, home, 0, more
        self.process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """The address of the first page."""
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Start it (on the same port as before) and return when it answers."""
        where = ["--run", str(self.run), "--port", str(self.port), "--no-browser"]
        command = [sys.executable, "-m", "tagger.cli", "review", *where, *self.more]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, env=os.environ | {"HOME": str(self.home), "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        try:
            self._wait_for_start(self.process.stdout)
        except BaseException:
            self.stop(signal.SIGKILL)
            raise

    def _wait_for_start(self, lines: Any) -> None:
        """Wait for its address, then for its answer."""
        seen = []
        for line in lines:
            seen.append(line)
            if found := re.search(r"http://\S+?:(\d+)/", line):
                self.port = int(found[1])
                break
        assert self.port, "".join(seen)
        wait_for(self._answers, "the app answers", seconds=60)

    def stop(self, number: int = signal.SIGINT) -> None:
        """End it with a signal."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.communicate(timeout=30)
            self.process = None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}_stcore/health", timeout=2):
                return True
        except urllib.error.HTTPError as error:
            error.close()
            return error.code == 401  # it asks for its key
        except OSError:
            return False


def wait_for(holds: Callable[[], Any], what: str, seconds: float = 30.0) -> None:
    """Return as soon as something holds; fails after a while."""
    end = monotonic() + seconds
    while not holds():
        assert monotonic() < end, f"waited in vain until {what}"
        sleep(0.05)


@contextmanager
def open_browser() -> Iterator[Any]:
    """Debian's Chromium driven by Playwright; the test is skipped where either is missing."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on this machine (apt-get install chromium)")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


class Tab:
    """A page of the app in a browser session of its own, and what a person does in it."""

    def __init__(self, browser: Any, url: str, **options: Any):
        self.context = browser.new_context(viewport={"width": 1280, "height": 800}, **options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on(
            "dialog", lambda dialog: (self.errors.append(f"dialog {dialog.message}"), dialog.dismiss())
        )
        self.context.on("request", self._check_request)
        self.page.goto(url)

    def _check_request(self, request: Any) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob") and address.hostname != "127.0.0.1":
            self.errors.append(f"request to {request.url}")

    @property
    def shown(self) -> str:
        """The position of the card (or those of the tiles) that is on screen and takes keys."""
        self.page.wait_for_selector(".card:not([hidden])[data-shown], .grid:not([hidden])[data-shown]")
        return str(
            self.page.locator(".card:not([hidden]), .grid:not([hidden])").first.get_attribute("data-shown")
        )

    def press(self, key: str) -> None:
        """Press a key and wait until something else is on screen."""
        before = self.shown
        self.page.keyboard.press(key)
        wait_for(lambda: self.shown != before, f"something new is shown after {key} on {before}")

    def saved(self) -> None:
        """Return when everything is saved."""
        self.page.wait_for_function(
            "() => [...document.querySelectorAll('*')].some((node) =>"
            " node.shadowRoot?.querySelector('.saving')?.textContent === 'All saved')"
        )

    def close(self) -> None:
        """Close it; nothing may have gone wrong in it."""
        self.context.close()
        assert self.errors == []
