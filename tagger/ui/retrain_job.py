"""The retraining that the app starts beside itself (``tagger/ui/command_job.py``)."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from tagger.errors import TaggerError
from tagger.review import Store
from tagger.ui.command_job import CommandJob, JobRequest, start_command, tagger_command


def retrain_command(run: Path, out: Path, data: Path | None = None) -> list[str]:
    """Command of a retraining."""
    moved = [] if data is None else ["--data", str(data)]
    return tagger_command("retrain", "--run", run, "--out", out, *moved)


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
) -> CommandJob:
    """The job, started and noted; ``resume`` continues an existing ``out``. TaggerError while another runs."""
    if out.exists() and not resume:
        raise TaggerError(f"{out} exists already. Choose another name.")
    command = (make_command or (resume_command if resume else retrain_command))(
        run.absolute(), out.absolute()
    )
    folder = out.parent / f".{out.name}.retrain"
    return start_command(JobRequest("retrain", run, out, folder, command), store, now=now)
