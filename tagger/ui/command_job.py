"""A command that the app starts as a process of its own, which survives a refresh or a restart of the app.

What is known of it lies in a note of the store (process id, when that process began, where it writes) and
in files of a folder: a log, and a progress file (``tagger/commands/console/progress_file.py``). A
process id alone is not trusted, because the system gives it to others later: the process must have begun
when ours did, for the same output. Only that one process is ever stopped.
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from secrets import token_hex

import psutil

from tagger.errors import TaggerError
from tagger.review import Store
from tagger.runs import RunFolder
from tagger.runs.ownership import check_claim, mark, remove
from tagger.ui.job_progress import JobProgress, parse_line, progress_of

FILES = re.compile(r"log\.txt|progress\.jsonl|tagger-error\.log")  # that a job writes in its folder
TAIL_BYTES = 40_000
WHOLE_BYTES = 8_000_000  # hours of progress
HALVES = '"step": "half '  # networks on halves of the photos, which come before the one on all
START_SCRIPT = """
import json, os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # an app in the background hands down that it is ignored
sys.argv[0] = "tagger"
from tagger.cli import main
code = 1
try:
    main()
    code = 0
except SystemExit as end:
    code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    raise
finally:
    with open(os.environ["TAGGER_PROGRESS"], "a", encoding="utf-8") as file:
        file.write(json.dumps({"exit": code}) + "\\n")
"""
START_LEASE_SECONDS = 30.0  # for which nobody else may begin, until the note is there
NAMES = {"retrain": "retraining", "apply": "writing of labels", "predict": "tagging of photos"}
PARTLY = 3  # exit status of a command that left something out, and named it


@dataclass(frozen=True)
class CommandJob:
    """Command that was started: from run to out (paths), by which process, since when (ISO 8601, local)."""

    run: str
    out: str
    pid: int
    born: float  # the process's creation time
    begun: str
    folder: str  # of its log and progress
    stopped: bool = False  # a person stopped it
    kind: str = "retrain"  # the command

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
    """Status of a job: kind ("running", "done", "partly" done, "stopped", "failed"), progress, messages."""

    kind: str
    progress: JobProgress
    messages: tuple[str, ...]

    @property
    def step(self) -> str:
        """What it does now, as it says."""
        return self.progress.step

    @property
    def share(self) -> float | None:
        """The share that is done, 0 to 1; None before anything is known."""
        return self.progress.share


@dataclass(frozen=True)
class JobRequest:
    """What to start: the command with its arguments, the run, the output, and the folder of its log."""

    kind: str
    run: Path
    out: Path
    folder: Path
    command: Sequence[str]


def tagger_command(*arguments: str | Path) -> list[str]:
    """A command line of tagger; the store's address goes by the environment, where its password is not seen."""
    return [sys.executable, "-c", START_SCRIPT, *map(str, arguments)]


def start_command(request: JobRequest, store: Store, *, now: datetime) -> CommandJob:
    """The job, started and noted. TaggerError while another of its kind runs."""
    kind = request.kind
    mine = f"{kind}-{token_hex(8)}"
    if not store.lease(mine, [("the app", kind)], count=1, seconds=START_LEASE_SECONDS):
        raise TaggerError(f"Another {NAMES[kind]} is starting just now. Try again in a moment.")
    try:
        current = load_job(store, kind)
        if current is not None and is_running(current):
            raise TaggerError(
                f"A {NAMES[kind]} is already running, since {current.begun}. Wait for it, or stop it."
            )
        _prepare_folder(request.folder, current)
        job = _start(request, store, now)
        _save(store, job)
        return job
    finally:
        store.release(mine)


def _prepare_folder(folder: Path, former: CommandJob | None) -> None:
    """An empty folder for log and progress, with our mark; refused if it is somebody else's."""
    if former is None or Path(former.folder) != folder.absolute():  # the note says that it is ours
        check_claim(folder, FILES, "Move it away, or name another folder.")
    mark(folder)
    remove(folder, FILES)


def _start(request: JobRequest, store: Store, now: datetime) -> CommandJob:
    folder = request.folder
    env = os.environ | {
        "TAGGER_PROGRESS": str((folder / "progress.jsonl").absolute()),
        "TAGGER_STORE": store.url_with_password(),  # goes to our own process only
    }
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            request.command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # neither Ctrl-C for the app nor its end reaches the command
            cwd=folder,
            env=env,
        )
    try:
        born = psutil.Process(process.pid).create_time()
    except psutil.Error:
        born = 0.0  # it has ended already; the log says why
    threading.Thread(target=process.wait, daemon=True).start()  # so that it leaves no zombie while we live
    paths = [str(path.absolute()) for path in (request.run, request.out, folder)]
    begun = now.isoformat(sep=" ", timespec="minutes")
    return CommandJob(paths[0], paths[1], process.pid, born, begun, paths[2], kind=request.kind)


def load_job(store: Store, kind: str = "retrain") -> CommandJob | None:
    """The job of this kind that was started last, or None; a dismissed one is forgotten."""
    text = store.load_note(kind)
    return CommandJob(**json.loads(text)) if text else None


def dismiss_job(store: Store, kind: str = "retrain") -> None:
    """Delete the note of the job; its files stay."""
    store.save_note(kind, "")


def stop_job(job: CommandJob, store: Store) -> None:
    """Ask the process to end, as Ctrl-C would: it keeps what it can go on from. Nothing if it has ended."""
    if is_running(job):
        _save(store, replace(job, stopped=True))
        os.kill(job.pid, signal.SIGINT)


def is_running(job: CommandJob) -> bool:
    """Whether exactly this process still runs."""
    try:
        process = psutil.Process(job.pid)
        same = (
            abs(process.create_time() - job.born) < 5 and job.out in process.cmdline()
        )  # clocks get adjusted
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def job_status(job: CommandJob) -> JobStatus:
    """Status of the job, from its process and its files."""
    running = is_running(job)  # before the files: what it writes last is then in them
    text = _tail(job.progress_path, WHOLE_BYTES)
    lines = [line for line in map(parse_line, text[-TAIL_BYTES:].splitlines()) if line]
    messages = tuple(str(line["said"]) for line in lines if "said" in line)
    code = next((line["exit"] for line in reversed(lines) if "exit" in line), None)
    return JobStatus(
        "running" if running else _end_of(job, code), progress_of(lines, halves=HALVES in text), messages
    )


def _end_of(job: CommandJob, code: int | None) -> str:
    """How a job ended. Whether a new run is there says more than the status of the process that made it."""
    if job.kind == "retrain" and RunFolder(job.out).finished:
        return "done"
    if job.kind != "retrain" and code in (0, PARTLY):
        return "done" if code == 0 else "partly"
    return "stopped" if job.stopped else "failed"


def log_tail(job: CommandJob, *, lines: int = 30) -> str:
    """The last lines of the job's log."""
    return "\n".join(_tail(job.log_path).splitlines()[-lines:])


def _save(store: Store, job: CommandJob) -> None:
    store.save_note(job.kind, json.dumps(asdict(job)))


def _tail(path: Path, most: int = TAIL_BYTES) -> str:
    """The end of a file that may be large or absent."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - most))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""
