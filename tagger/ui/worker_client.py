"""Client of the model worker, a process that loads torch when it is first needed.

``shared_worker(run)`` is the app's one client of a run; routes and pages of every browser session use the
same. The worker starts with the first question, is started again if it has died, and ends with the app.
"""

import atexit
import base64
import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from tagger.errors import TaggerError

START_SECONDS = 120.0  # importing torch on a busy machine
ANSWER_SECONDS = 60.0


@dataclass(frozen=True)
class ImageTags:
    """Prediction of one image: a probability per label in the run's order, or why it could not be read."""

    probs: tuple[float, ...] | None
    reason: str | None


class WorkerDied(Exception):
    """Death of the worker before it answered."""


class WorkerClient:
    """Client of a model in a process of its own. Safe to call from several threads; requests wait for one another."""

    def __init__(
        self,
        run: Path,
        *,
        start_seconds: float = START_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
        command: Sequence[str] = (sys.executable, "-m", "tagger.commands.serving.worker"),
    ):
        self.run = Path(run)
        self._command = list(command)
        self.start_seconds = start_seconds
        self.answer_seconds = answer_seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._asked = 0

    def heat_map(self, path: Path, label: str, *, method: str = "grad_cam") -> bytes:
        """Heat map of a label: a small grey PNG (white: most), to be stretched over the whole photo.

        TaggerError: unreadable image, no such label or method, a network that does not allow it, or no
        answer in time.
        """
        return base64.b64decode(
            self._ask(job="heat", path=str(Path(path).absolute()), label=label, method=method)
        )

    def predict(self, paths: Sequence[Path]) -> list[ImageTags]:
        """Calibrated probabilities of each image, in order; an unreadable one says why. TaggerError as above."""
        rows = self._ask(job="predict", paths=[str(Path(path).absolute()) for path in paths])
        return [
            ImageTags(None if row["probs"] is None else tuple(row["probs"]), row["reason"]) for row in rows
        ]

    @property
    def pid(self) -> int | None:
        """The worker's process id while it runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def close(self) -> None:
        """End the worker, if it runs. A later question starts it again."""
        process = self._process
        self._process = None
        if process is None:
            return
        if process.stdin is not None:
            with contextlib.suppress(OSError):  # it has died already
                process.stdin.close()
        try:
            process.wait(timeout=1)  # idle, it ends with its standard input
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _ask(self, **question: Any) -> Any:
        with self._lock:
            for attempt in (1, 2):
                try:
                    answer = self._send_request(question)
                    break
                except WorkerDied:
                    self.close()
                    if attempt == 2:
                        raise TaggerError(
                            "The model's process stopped twice on this request, perhaps for lack of memory."
                            " Close other programs, then try again."
                        ) from None
        if "error" in answer:
            raise TaggerError(str(answer["error"]))
        return answer["result"]

    def _send_request(self, question: dict[str, Any]) -> dict[str, Any]:
        process = self._process if self.pid is not None else self._start()
        self._asked += 1
        assert process is not None
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps({"id": self._asked, **question}) + "\n")
            process.stdin.flush()
        except OSError:
            raise WorkerDied from None
        answer = self._receive(
            self.answer_seconds,
            "The model did not answer within {:.0f} s. Try again, or use a smaller photo.",
        )
        if answer.get("id") != self._asked:
            raise WorkerDied
        return answer

    def _start(self) -> subprocess.Popen[str]:
        self.close()
        self._lines = queue.SimpleQueue()
        self._process = subprocess.Popen(
            [*self._command, "--run", str(self.run.absolute())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C is for the app, which closes its worker itself
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        threading.Thread(target=_forward_lines, args=(self._process, self._lines), daemon=True).start()
        ready = self._receive(
            self.start_seconds,
            "The model was not loaded within {:.0f} s. Close other programs, then try again.",
        )
        if "error" in ready:
            self.close()
            raise TaggerError(str(ready["error"]))
        return self._process

    def _receive(self, seconds: float, complaint: str) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            if self._process is not None:
                self._process.kill()  # whatever it is busy with, the next question finds a fresh one
            self.close()
            raise TaggerError(complaint.format(seconds)) from None
        if line is None:
            raise WorkerDied
        return dict(json.loads(line))


def _forward_lines(process: subprocess.Popen[str], lines: "queue.SimpleQueue[str | None]") -> None:
    """Put each line of the worker's output into the queue; None when it has ended."""
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            lines.put(line)
    lines.put(None)


@lru_cache(maxsize=4)
def shared_worker(run: Path) -> WorkerClient:
    """The one client of this run in this process; its worker ends with the process."""
    client = WorkerClient(run)
    atexit.register(client.close)
    return client
