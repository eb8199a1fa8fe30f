"""Commands of tagger in child processes that are killed (SIGKILL) at chosen moments: ``python killing.py
PLAN.json``.

The plan is a list of steps ``{"argv": [...], "event": 7 or null, "seconds": 0.5 or null, "chunk": 3}``. An
event is a moment around a change on disk: a file is written but not yet renamed, has just been renamed, is
about to be removed. Prints how each child ended: an exit code, or -9. The children are forked, so that
torch is loaded only once.
"""

import json
import os
import signal
import sys
import time
from itertools import count
from pathlib import Path
from typing import Any


def arm(event: int) -> None:
    """Kill this process at its ``event``-th change on disk."""
    events = count(1)

    def tick() -> None:
        if next(events) == event:
            os.kill(os.getpid(), signal.SIGKILL)

    def before(function: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            tick()
            return function(*args, **kwargs)

        return call

    replace = Path.replace

    def replaced(path: Path, target: Path) -> Path:
        result = replace(path, target)
        tick()
        return result

    os.fsync, os.unlink, os.rmdir = before(os.fsync), before(os.unlink), before(os.rmdir)
    Path.replace = replaced  # type: ignore


def run_child(step: dict[str, Any]) -> int:
    """The exit code of one command."""
    import tagger.cli
    import tagger.commands.steps.predict_table

    tagger.commands.steps.predict_table.CHUNK = step.get("chunk") or 2048
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if step.get("event"):
        arm(step["event"])
    sys.argv = ["tagger", *step["argv"]]
    try:
        tagger.cli.main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def main() -> None:
    """Every step in its own process."""
    import tagger.commands.predict
    import tagger.commands.train  # noqa: F401 (loaded before the fork)

    ends = []
    for step in json.loads(Path(sys.argv[1]).read_text("utf-8")):
        if step.get("unless") and Path(step["unless"]).exists():
            continue
        if step.get("resume_if") and Path(step["resume_if"]).exists():
            step["argv"] = [*step["argv"], "--resume"]
        pid = os.fork()
        if not pid:
            os._exit(run_child(step))
        if step.get("seconds"):
            time.sleep(step["seconds"])
            os.kill(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
        ends.append(os.waitstatus_to_exitcode(status))
    print(json.dumps(ends))


if __name__ == "__main__":
    main()
