"""Chains of kills (SIGKILL): a command is killed, goes on, is killed again ... until it has finished.

Called as ``python chains.py PLAN.json``.

The plan: ``{"seed": 7, "kinds": [KIND, ...]}``; a kind is ``{"name", "kills", "out", "whole", "begin":
argv, "again": argv, "begun": path, "finished": path or null, "unless": path, "skip": [names]}``. ``begin``
is called as long as ``begun`` does not exist, then ``again``; the chain ends when ``finished`` exists and
``unless`` does not, or, without a ``finished``, when the command has ended well. ``whole`` is what an
undisturbed call left in ``out``, and every file that a kill leaves under its own name must be the same
there.

Half of the moments are drawn in seconds, half as changes on disk: a file about to be opened for writing,
flushed, renamed or removed. Every start is a fork of one process that has loaded and used everything
already. Prints figures.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "sqlite3.connect"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Count:
    """Changes on disk of this process so far; at the ``last`` one it dies."""

    def __init__(self, last: int | None):
        self.number, self.last = 0, last
        fsync = os.fsync

        def flush(file: Any) -> None:
            self.tick()
            fsync(file)

        os.fsync = flush
        sys.addaudithook(self.hear)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """What Python is about to do."""
        if event in CHANGES or (event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING):
            self.tick()

    def tick(self) -> None:
        """One more change."""
        self.number += 1
        if self.number == self.last:
            os.kill(os.getpid(), signal.SIGKILL)


def command(argv: list[str], last: int | None, report: Path | None = None) -> int:
    """The exit code of a command in this process; ``report`` gets the number of its changes on disk."""
    import tagger.cli

    sys.argv = ["tagger", *argv]
    count = Count(last)
    try:
        tagger.cli.main()
        code = 0
    except SystemExit as stop:
        code = int(stop.code or 0)
    if report:
        report.write_text(str(count.number))
    return code


def warmed(argv: list[str]) -> int:
    """The exit code of a command in this process, undisturbed."""
    import tagger.cli

    sys.argv = ["tagger", *argv]
    with open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing):
        try:
            tagger.cli.main()
        except SystemExit as stop:
            return int(stop.code or 0)
    return 0


def start(argv: list[str], said: Path, *, last: int | None = None, report: Path | None = None) -> int:
    """A forked process that runs the command; its number. What it says goes to a file."""
    number = os.fork()
    if not number:
        out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        code = 1
        with contextlib.suppress(BaseException):
            code = command(argv, last, report)
        os._exit(code)
    return number


def ended(number: int) -> int:
    """How a child ended: an exit code, or -9."""
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])


def differences(out: Path, whole: Path, skip: list[str]) -> list[str]:
    """Files of ``out`` that are not as in ``whole``: hidden ones and the checkpoint are nobody's yet."""
    if not out.is_dir():
        return [out.name] if out.exists() and out.read_bytes() != whole.read_bytes() else []
    found = []
    for path in sorted(out.rglob("*")):
        place = path.relative_to(out)
        hidden = any(part.startswith(".") or part == "checkpoint" for part in place.parts)
        if path.is_file() and not hidden and place.parts[0] not in skip:
            other = whole / place
            if not other.is_file() or path.read_bytes() != other.read_bytes():
                found.append(str(place))
    return found


def left_over(out: Path, whole: Path, skip: list[str]) -> list[str]:
    """What a finished ``out`` has that ``whole`` has not, or the other way: unfinished files, checkpoints, locks."""
    one, two = (
        {str(path.relative_to(top)) for path in top.rglob("*") if path.name not in skip}
        if top.is_dir()
        else set()
        for top in (out, whole)
    )
    return sorted(one ^ two) + [path.name for path in out.parent.glob(f".{out.name}.*.part")]


class Chain:
    """One kind of command, killed until it has been killed often enough."""

    def __init__(self, kind: dict[str, Any], chance: random.Random):
        self.kind, self.chance = kind, chance
        self.out, self.whole = Path(kind["out"]), Path(kind["whole"])
        self.said = self.out.with_name(f"{kind['name']}.said")
        self.figures = {"kills": 0, "finished": 0, "starts": 0, "wrong": 0, "during_writes": 0}
        self.complaints: list[str] = []

    def run(self) -> dict[str, Any]:
        """All chains of this kind; its figures, and a line for everything that was not as promised."""
        began = time.monotonic()
        self.measure()
        while self.figures["kills"] < self.kind["kills"] and not self.complaints:
            self.one()
        seconds = round(time.monotonic() - began, 1)
        return {"name": self.kind["name"], "seconds": seconds, **self.figures, "complaints": self.complaints}

    def measure(self) -> None:
        """An undisturbed call: how long it takes, how often it changes the disk, what it leaves."""
        report = self.said.with_suffix(".changes")
        began = time.monotonic()
        if code := ended(start(self.kind["begin"], self.said, report=report)):
            self.complaints.append(f"undisturbed: exit code {code}: {self.said.read_text()}")
            return
        self.seconds, self.changes = time.monotonic() - began, int(report.read_text())
        self.out.rename(self.whole)

    def one(self) -> None:
        """One chain, from nothing to the finished result."""
        for path in (self.out, *map(Path, self.kind.get("remove", []))):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        moments: list[str] = []
        code = None
        while not self.is_done(code):
            argv = self.kind["again" if Path(self.kind["begun"]).exists() else "begin"]
            code = self.killed_or_not(argv, moments)
            if wrong := differences(self.out, self.whole, self.kind["skip"]):
                self.complain(f"other bytes in {', '.join(wrong)}", moments)
                return
            if code not in (0, -9):
                self.complain(f"exit code {code}: {self.said.read_text()}", moments)
                return
        self.figures["finished"] += 1
        if self.kind.get("tidy"):
            self.tidy()
        if wrong := left_over(self.out, self.whole, self.kind["skip"]):
            self.complain(f"left over or missing: {', '.join(wrong)}", moments)

    def is_done(self, code: int | None) -> bool:
        """Whether the command has finished, by what lies on the disk, or by how it ended."""
        if self.kind["finished"] is None:
            return code == 0
        unless = self.kind.get("unless")
        return Path(self.kind["finished"]).exists() and not (unless and Path(unless).exists())

    def killed_or_not(self, argv: list[str], moments: list[str]) -> int:
        """One start, killed at a moment that is drawn unless it ends before."""
        self.figures["starts"] += 1
        if self.chance.random() < 0.5:
            last = self.chance.randint(1, self.changes)
            moments.append(f"change {last}")
            code = ended(start(argv, self.said, last=last))
        else:
            after = self.seconds * self.chance.random() ** self.chance.choice((1, 2))  # early ones more often
            moments.append(f"{after:.3f} s")
            number = start(argv, self.said)
            time.sleep(after)
            os.kill(number, signal.SIGKILL)
            code = ended(number)
        if code == -9:
            self.figures["kills"] += 1
            self.figures["during_writes"] += bool(list(self.out.parent.rglob(".*.part")))
        return code

    def tidy(self) -> None:
        """What the next command that reads the run does first."""
        from tagger.runs import find_run

        find_run(self.out)

    def complain(self, what: str, moments: list[str]) -> None:
        """Note what was not as promised, and after which kills; keep the folder."""
        self.figures["wrong"] += 1
        self.complaints.append(f"{self.kind['name']}: {what} (killed at {'; '.join(moments)})")
        kept = self.out.with_name(f"{self.out.name}.wrong-{self.figures['wrong']}")
        if self.out.exists():
            self.out.rename(kept)


def main() -> None:
    """Everything is loaded and used once, then every kind of the plan has its chains."""
    import tagger.commands.steps.predict_table

    plan = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    tagger.commands.steps.predict_table.CHUNK = 3  # images between two saved states
    for argv in plan["warm"]:  # what this process loads, forks need not
        if code := warmed(argv):
            raise SystemExit(f"{argv}: exit code {code}")
    chance = random.Random(plan["seed"])
    for kind in plan["kinds"]:
        print(json.dumps(Chain(kind, chance).run()), flush=True)


if __name__ == "__main__":
    main()
