"""Retraining as a separate process that survives a refresh or a restart of the app.

What is known of it lies in a note of the store (process id, when that process began, where it writes) and
in files beside the new run: a log, and a progress file (``tagger/commands/console/progress_file.py``). A
process id alone is not trusted, because the system gives it to others later: the process must have begun
when ours did, for the same new run. Only that one process is ever stopped.
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

import psutil

from tagger.errors import TaggerError
from tagger.review import Store
from tagger.runs import RunFolder
from tagger.runs.ownership import check_claim, mark, remove

NOTE = "retrain"
FILES = re.compile(r"log\.txt|progress\.jsonl|tagger-error\.log")  # that a job writes in its folder
TAIL_BYTES = 40_000
START_SCRIPT = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # an app in the background hands down that it is ignored
sys.argv[0] = "tagger"
from tagger.cli import main
main()
"""
START_LEASE_SECONDS = 30.0  # for which nobody else may begin, until the note is there


@dataclass(frozen=True)
class RetrainJob:
    """Retraining that was started: from run to out (paths), by which process, since when (ISO 8601, local)."""

    run: str
    out: str
    pid: int
    born: float  # the process's creation time
    begun: str
    folder: str  # of its log and progress
    stopped: bool = False  # a person stopped it

    @property
    def log_path(self) -> Path:
        """Log: everything that the job printed."""
        return Path(self.folder) / "log.txt"

    @property
    def progress_path(self) -> Path:
        """Progress file: JSON lines."""
        return Path(self.folder) / "progress.jsonl"


@dataclass(frozen=True)
class JobStatus:
    """Status of a job: kind ("running", "done", "stopped", "failed"), step, share done (0..1), messages."""

    kind: str
    step: str
    share: float | None
    messages: tuple[str, ...]


def retrain_command(run: Path, out: Path, data: Path | None = None) -> list[str]:
    """Command of a retraining; the store's address goes by the environment, where its password is not seen."""
    moved = [] if data is None else ["--data", str(data)]
    return [sys.executable, "-c", START_SCRIPT, "retrain", "--run", str(run), "--out", str(out), *moved]


def resume_command(run: Path, out: Path) -> list[str]:
    """Command that resumes a retraining."""
    return [*retrain_command(run, out), "--resume"]


def start_job(
    run: Path,
    out: Path,
    store: Store,
    *,
    now: datetime,
    resume: bool = False,
    make_command: Callable[[Path, Path], list[str]] | None = None,
) -> RetrainJob:
    """The job, started and noted; ``resume`` continues an existing ``out``. TaggerError while another runs."""
    mine = f"retrain-{token_hex(8)}"
    if not store.lease(mine, [("the app", "retrain")], count=1, seconds=START_LEASE_SECONDS):
        raise TaggerError("Another retraining is starting just now. Try again in a moment.")
    try:
        current = load_job(store)
        if current is not None and is_running(current):
            raise TaggerError(
                f"A retraining is already running, since {current.begun}. Wait for it, or stop it."
            )
        if out.exists() and not resume:
            raise TaggerError(f"{out} exists already. Choose another name.")
        folder = out.parent / f".{out.name}.retrain"
        if current is None or Path(current.folder) != folder.absolute():  # the note says that it is ours
            check_claim(folder, FILES, "Move it away, or name another folder.")
        mark(folder)
        remove(folder, FILES)
        job = _start(
            run, out, folder, store, make_command or (resume_command if resume else retrain_command), now
        )
        _save(store, job)
        return job
    finally:
        store.release(mine)


def _start(
    run: Path,
    out: Path,
    folder: Path,
    store: Store,
    make_command: Callable[[Path, Path], list[str]],
    now: datetime,
) -> RetrainJob:
    env = os.environ | {
        "TAGGER_PROGRESS": str(folder / "progress.jsonl"),
        "TAGGER_STORE": store.url_with_password(),  # goes to our own process only
    }
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            make_command(run.absolute(), out.absolute()),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # neither Ctrl-C for the app nor its end reaches the training
            cwd=folder,
            env=env,
        )
    try:
        born = psutil.Process(process.pid).create_time()
    except psutil.Error:
        born = 0.0  # it has ended already; the log says why
    threading.Thread(target=process.wait, daemon=True).start()  # so that it leaves no zombie while we live
    begun = now.isoformat(sep=" ", timespec="minutes")
    return RetrainJob(
        str(run.absolute()), str(out.absolute()), process.pid, born, begun, str(folder.absolute())
    )


def load_job(store: Store) -> RetrainJob | None:
    """The job that was started last, or None; a dismissed one is forgotten."""
    text = store.load_note(NOTE)
    return RetrainJob(**json.loads(text)) if text else None


def dismiss_job(store: Store) -> None:
    """Delete the note of the job; its files stay."""
    store.save_note(NOTE, "")


def stop_job(job: RetrainJob, store: Store) -> None:
    """Ask the process to end, as Ctrl-C would: it keeps what it can go on from. Nothing if it has ended."""
    if is_running(job):
        _save(store, RetrainJob(**(asdict(job) | {"stopped": True})))
        os.kill(job.pid, signal.SIGINT)


def is_running(job: RetrainJob) -> bool:
    """Whether exactly this process still runs."""
    try:
        process = psutil.Process(job.pid)
        same = (
            abs(process.create_time() - job.born) < 5 and job.out in process.cmdline()
        )  # clocks get adjusted
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def job_status(job: RetrainJob) -> JobStatus:
    """Status of the job, from its process and its files."""
    running = is_running(job)  # before the files: what it writes last is then in them
    lines = [line for line in map(_parse, _tail(job.progress_path).splitlines()) if line]
    step = next((line for line in reversed(lines) if "step" in line), None)
    share = step["done"] / step["total"] if step and step.get("total") else None
    if running:
        kind = "running"
    elif RunFolder(job.out).finished:
        kind = "done"
    else:
        kind = "stopped" if job.stopped else "failed"
    messages = tuple(str(line["said"]) for line in lines if "said" in line)
    return JobStatus(kind, str(step["step"]) if step else "", share, messages)


def log_tail(job: RetrainJob, *, lines: int = 30) -> str:
    """The last lines of the job's log."""
    return "\n".join(_tail(job.log_path).splitlines()[-lines:])


def _save(store: Store, job: RetrainJob) -> None:
    store.save_note(NOTE, json.dumps(asdict(job)))


def _tail(path: Path) -> str:
    """The end of a file that may be large or absent."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _parse(line: str) -> dict[str, Any] | None:
    """A line of the progress file; None for one that is cut off."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
