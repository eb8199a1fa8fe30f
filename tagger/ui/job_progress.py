"""Progress of a command that runs beside the app: what it does, the share that is done, and the time left."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

EPOCH = re.compile(r"(?P<title>.+), epoch (?P<epoch>\d+)/(?P<epochs>\d+)")
PART = re.compile(r"(?P<word>half|network) (?P<part>\d+) of (?P<parts>\d+)")
MIN_SECONDS = 5.0  # of a stretch, before its speed is believed
MIN_SHARE = 0.02

ProgressLine = Mapping[str, Any]


@dataclass(frozen=True)
class JobProgress:
    """What the job does now, its share done (0 to 1; None: unknown), and the seconds left of it (None: unknown)."""

    step: str = ""
    share: float | None = None
    seconds_left: float | None = None
    training: bool = False  # whether share and time are those of the whole training

    @property
    def text(self) -> str:
        """One line for a person.

        >>> JobProgress("network, epoch 3/10", 0.25, 200.0, True).text
        'network, epoch 3/10 · 25 % of the training · about 4 min left'
        """
        whole = " of the training" if self.training else ""
        share = "" if self.share is None else f" · {self.share:.0%}".replace("%", " %") + whole
        left = "" if self.seconds_left is None else f" · about {duration(self.seconds_left)} left"
        return f"{self.step or 'starting'}{share}{left}"


def duration(seconds: float) -> str:
    """A rough length of time, rounded up.

    >>> duration(8), duration(50), duration(51), duration(200), duration(7300)
    ('10 s', '50 s', '1 min', '4 min', '2 h 2 min')
    """
    if seconds <= 50:
        return f"{max(1, -int(-seconds // 10)) * 10} s"
    minutes = -int(-seconds // 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def parse_line(text: str) -> dict[str, Any] | None:
    """A line of the progress file; None for one that is cut off.

    >>> parse_line('{"said": "two labels changed"}'), parse_line('{"sa')
    ({'said': 'two labels changed'}, None)
    """
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def progress_of(lines: Sequence[ProgressLine], *, halves: bool = False) -> JobProgress:
    """Progress from the lines of the file, oldest first. The time left follows the speed of the current stretch.

    ``halves``: networks on two halves of the photos come before the one on all of them.
    """
    steps = [_Step.of(line, halves) for line in lines if "step" in line]
    if not steps:
        return JobProgress()
    last = steps[-1]
    if last.share is None:
        return JobProgress(last.text)
    first = _first_of_stretch(steps)
    seconds = last.time - first.time
    gain = last.share - (first.share or 0.0)
    known = seconds >= MIN_SECONDS and gain >= MIN_SHARE * last.length
    left = (1.0 - last.share) * seconds / gain if known else None
    return JobProgress(last.text, last.share, left, last.training)


@dataclass(frozen=True)
class _Step:
    """A line of progress: ``share`` is that of the whole training inside an epoch, else of the step itself."""

    text: str
    stretch: str  # epochs of one network belong together
    time: float
    share: float | None
    length: float  # of the stretch, as a share
    training: bool

    @classmethod
    def of(cls, line: ProgressLine, halves: bool) -> "_Step":
        text = str(line["step"])
        time = float(line.get("time", 0.0))
        within = float(line["done"]) / float(line["total"]) if line.get("total") else None
        found = EPOCH.fullmatch(text)
        if found is None:
            return cls(text, text, time, within, 1.0, False)
        start, length = place_of(found["title"], halves=halves)
        epochs = (int(found["epoch"]) - 1 + (within or 0.0)) / int(found["epochs"])
        return cls(text, found["title"], time, start + length * epochs, length, True)


def _first_of_stretch(steps: Sequence[_Step]) -> _Step:
    first = len(steps) - 1
    while first and steps[first - 1].stretch == steps[-1].stretch and steps[first - 1].share is not None:
        first -= 1
    return steps[first]


def place_of(title: str, *, halves: bool = False) -> tuple[float, float]:
    """Where the training of one network begins in the whole (0 to 1), and its length.

    Two halves, each with half of the photos, come before the network on all of them; networks of one ensemble are
    alike.

    >>> place_of("half 2 of 2", halves=True), place_of("network", halves=True), place_of("network 3 of 4")
    ((0.25, 0.25), (0.5, 0.5), (0.5, 0.25))
    """
    found = PART.fullmatch(title)
    if found is None:
        return (0.5, 0.5) if halves else (0.0, 1.0)
    parts = int(found["parts"]) * (2 if found["word"] == "half" else 1)
    return (int(found["part"]) - 1) / parts, 1.0 / parts
