"""The retraining beside the app: found again, never two at once, stopped alone, its end told apart."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from reviewing import texts
from streamlit.testing.v1 import AppTest

from tagger.errors import TaggerError
from tagger.review import Decision, Store
from tagger.ui.command_job import CommandJob, is_running, job_status, load_job, log_tail, stop_job
from tagger.ui.retrain_job import resume_command, retrain_command, start_job

NOW = datetime(2026, 11, 20, 14, 5)
WAITS = """
import json, os, sys, time
print("hello from the training", flush=True)
with open(os.environ["TAGGER_PROGRESS"], "a") as file:
    file.write(json.dumps({"time": 0, "step": "epoch 1/2", "done": 3, "total": 4}) + "\\n")
    file.write(json.dumps({"time": 0, "said": "two labels changed"}) + "\\n")
    file.write('{"time": 0, "sa')
try:
    time.sleep(120)
except KeyboardInterrupt:
    print("stopped cleanly", flush=True)
    sys.exit(130)
"""
FAILS = "import sys; print('tagger: no space left', file=sys.stderr); sys.exit(2)"
SUCCEEDS = """
import pathlib, sys
out = pathlib.Path(sys.argv[2]); out.mkdir(); (out / "metrics.json").write_text("{}")
"""


def script(code: str) -> Callable[[Path, Path], list[str]]:
    """A training that is a few lines of Python."""
    return lambda run, out: [sys.executable, "-c", code, str(run), str(out)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    store = Store.open(f"sqlite:///{tmp_path}/data/.tagger/review.db")
    yield store
    store.close()


@pytest.fixture
def begin(store: Store, tmp_path: Path) -> Iterator[Callable[[str], CommandJob]]:
    """Begins a training of the given lines; what still runs at the end is ended."""
    begun: list[CommandJob] = []

    def call(code: str, name: str = "new") -> CommandJob:
        begun.append(
            start_job(
                tmp_path / "runs" / "old", tmp_path / "runs" / name, store, make_command=script(code), now=NOW
            )
        )
        return begun[-1]

    yield call
    for job in begun:
        if is_running(job):
            os.kill(job.pid, signal.SIGKILL)


def wait_for(condition: Callable[[], object]) -> None:
    """Until the condition holds; a minute at most."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_its_progress_is_read_while_it_runs(store: Store, begin: Callable[[str], CommandJob]):
    job = begin(WAITS)
    wait_for(lambda: job_status(job).messages)
    status = job_status(job)
    assert (status.kind, status.step, status.share) == ("running", "epoch 1/2", 0.75)
    assert status.messages == ("two labels changed",)  # and a line cut off is no line
    assert log_tail(job) == "hello from the training"
    assert load_job(store) == job


def test_a_second_one_is_refused_while_it_runs(begin: Callable[[str], CommandJob], store: Store):
    first = begin(WAITS)
    with pytest.raises(TaggerError, match="already running, since 2026-11-20 14:05"):
        begin(WAITS)
    assert load_job(store) == first
    os.kill(first.pid, signal.SIGKILL)
    wait_for(lambda: not is_running(first))
    assert begin(SUCCEEDS) != first


def test_two_that_begin_in_the_same_moment_are_not_both_begun(
    begin: Callable[[str], CommandJob], store: Store
):
    assert store.lease("another app", [("the app", "retrain")], count=1, seconds=60)
    with pytest.raises(TaggerError, match="just now"):
        begin(WAITS)
    assert load_job(store) is None


def test_stopping_asks_exactly_this_process_to_end(store: Store, begin: Callable[[str], CommandJob]):
    job = begin(WAITS)
    wait_for(lambda: log_tail(job))
    stop_job(job, store)
    wait_for(lambda: not is_running(job))
    stopped = load_job(store)
    assert stopped is not None
    assert job_status(stopped).kind == "stopped"
    assert "stopped cleanly" in log_tail(job)


def test_a_process_number_that_went_to_another_is_left_alone(
    store: Store, begin: Callable[[str], CommandJob]
):
    job = begin(WAITS)
    for stranger in (
        replace(job, born=job.born - 3600),
        replace(job, out="/elsewhere"),
        replace(job, pid=os.getpid()),
    ):
        assert not is_running(stranger)
        stop_job(stranger, store)
    assert is_running(job)
    assert job_status(job).kind == "running"


def test_how_it_ended_is_told_apart(begin: Callable[..., CommandJob]):
    for code, kind, log in ((FAILS, "failed", "tagger: no space left"), (SUCCEEDS, "done", "")):
        job = begin(code, kind)
        while is_running(job):
            time.sleep(0.02)
        assert job_status(job).kind == kind
        assert log_tail(job) == log


def test_a_new_run_is_never_written_over(begin: Callable[[str], CommandJob], tmp_path: Path):
    (tmp_path / "runs" / "new").mkdir(parents=True)
    with pytest.raises(TaggerError, match="exists already"):
        begin(WAITS)


def test_one_that_was_stopped_goes_on_where_it_was(store: Store, tmp_path: Path):
    (tmp_path / "new").mkdir()
    job = start_job(
        tmp_path / "old", tmp_path / "new", store, now=NOW, resume=True, make_command=script(SUCCEEDS)
    )
    wait_for(lambda: not is_running(job))
    assert "FileExistsError" in log_tail(job)  # this training cannot; that it was begun at all is the point
    assert resume_command(tmp_path, tmp_path) == [*retrain_command(tmp_path, tmp_path), "--resume"]


def test_it_outlives_the_app_and_is_found_by_the_next_one(tmp_path: Path):
    code = f"""
import sys
from datetime import datetime
from pathlib import Path
from tagger.review import Store
from tagger.ui.retrain_job import start_job
store = Store.open(sys.argv[1])
job = start_job(Path("old"), Path(sys.argv[2]), store, now=datetime.now(),
                make_command=lambda run, out: [sys.executable, "-c", {WAITS!r}, str(run), str(out)])
import os, signal
os.kill(os.getpid(), signal.SIGKILL)
"""
    url = f"sqlite:///{tmp_path}/review.db"
    subprocess.run(
        [sys.executable, "-c", code, url, str(tmp_path / "new")], check=False, cwd=tmp_path, timeout=120
    )
    store = Store.open(url)
    job = load_job(store)
    assert job is not None
    assert is_running(job)
    wait_for(lambda: log_tail(job))
    stop_job(job, store)
    wait_for(lambda: not is_running(job))
    store.close()


def test_the_command_line_understands_what_is_started(tmp_path: Path, store: Store):
    """The real command refuses a run that does not exist in its own words: everything before that works."""
    job = start_job(tmp_path / "absent", tmp_path / "new", store, now=NOW)
    wait_for(lambda: not is_running(job))
    assert "absent" in log_tail(job)
    assert "no such run" in log_tail(job)
    assert not any("sqlite" in word for word in retrain_command(tmp_path, tmp_path))


def page(path: str, url: str) -> None:
    """A script that is the page."""
    from tagger.review import Store
    from tagger.runs import RunFolder
    from tagger.ui.pages.retrain_page import show

    store = Store.open(url)
    try:
        show(RunFolder(path), store)
    finally:
        store.close()


def test_the_page_goes_from_button_to_failure_and_back(finished: Path, store: Store, tmp_path: Path):
    kwargs = {"path": str(finished), "url": store.url}
    app = AppTest.from_function(page, kwargs=kwargs, default_timeout=60).run()
    assert not app.exception
    assert app.button(key="start retraining").disabled  # nothing to learn from yet
    assert "no decision yet" in texts(app.info)
    store.record([
        Decision(hash="h", label="one", verdict="yes", before=0, suggested=1, doubt=0.5, run="run", reviewer="ann",
                 seconds=1.0, client="t", seq=1)
    ])  # fmt: skip
    app.run()
    assert not app.button(key="start retraining").disabled
    job = CommandJob(str(finished), str(tmp_path / "![x](http:)"), 999_999_999, 0.0, "now", str(tmp_path))
    (tmp_path / "log.txt").write_text("tagger: it broke")
    store.save_note("retrain", json.dumps(job.__dict__))
    app.run()
    assert "failed" in texts(app.error)
    assert "![x]" not in texts(app.error)
    assert "tagger: it broke" in texts(app.code)
    app.button(key="dismiss retrain").click().run()
    assert not app.exception
    assert load_job(store) is None


def test_the_page_shows_a_running_one_and_stops_it(
    store: Store, begin: Callable[[str], CommandJob], finished: Path
):
    job = begin(WAITS)
    wait_for(lambda: job_status(job).messages)
    app = AppTest.from_function(
        page, kwargs={"path": str(finished), "url": store.url}, default_timeout=60
    ).run()
    assert not app.exception
    assert any("two labels changed" in caption.value for caption in app.caption)
    app.button(key="stop retrain").click().run()
    wait_for(lambda: not is_running(job))
    app.run()
    assert "was stopped" in texts(app.warning)
