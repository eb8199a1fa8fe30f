"""The progress file: JSON lines for the program that started a command, named by ``TAGGER_PROGRESS``.

    {"time": 1763650000.1, "step": "network, epoch 3/20", "done": 480, "total": 1600}
    {"time": 1763650003.9, "said": "14 of 2,000 labels were changed"}

The app starts ``tagger retrain`` this way and reads the end of the file (``tagger/ui/command_job.py``). At
most four lines of progress a second; the last step of a stretch is always written.
"""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ENVIRONMENT_VARIABLE = "TAGGER_PROGRESS"
MIN_INTERVAL = 0.25  # seconds between two lines


class ProgressFile:
    """Appends to the file; a file that cannot be written is no reason to stop a training."""

    def __init__(self, path: Path | None, *, clock: Callable[[], float] = time.time):
        self.path = path
        self.clock = clock
        self._last = float("-inf")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "ProgressFile":
        """As the environment says: to its file, or to none.

        >>> ProgressFile.from_environment({}).path is None
        True
        """
        return cls(Path(environment[ENVIRONMENT_VARIABLE]) if environment.get(ENVIRONMENT_VARIABLE) else None)

    def step(self, description: str, done: int, total: int | None) -> None:
        """So much of a stretch is done; left out if the last line is too fresh, except at the stretch's ends.

        A clock that goes back makes no line too fresh.
        """
        now = self.clock()
        if self.path is not None and (done in (0, total) or not 0 <= now - self._last < MIN_INTERVAL):
            self._last = now
            self._write({"time": now, "step": description, "done": done, "total": total})

    def message(self, text: str) -> None:
        """A line that the screen shows."""
        if self.path is not None and text:
            self._write({"time": self.clock(), "said": text})

    def _write(self, line: dict[str, Any]) -> None:
        assert self.path is not None
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
        except OSError:
            self.path = None
