"""The worker beside the app: right answers, errors in words, restarts, time limits, and no torch in this process."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tagger.errors import TaggerError
from tagger.ui.worker_client import ImageTags, WorkerClient


@pytest.fixture(scope="module")
def worker(finished: Path) -> Iterator[WorkerClient]:
    """A client of the small run."""
    client = WorkerClient(finished)
    yield client
    client.close()


def photo(demo: Path, number: int = 0) -> Path:
    """One of the drawn photos."""
    return sorted((demo / "images").iterdir())[number]


def test_probabilities_are_those_of_the_python_api(
    worker: WorkerClient, finished: Path, demo: Path, tmp_path: Path
):
    import tagger

    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"")
    paths = [photo(demo, 0), bad, photo(demo, 1)]
    tags = worker.predict(paths)
    expected = tagger.load(finished).predict(paths)
    assert [t.reason for t in tags] == [None, "0 bytes", None]
    assert tags[1].probs is None
    for n in (0, 2):
        np.testing.assert_allclose(np.array(tags[n].probs), expected.iloc[n, 2:].to_numpy(float), atol=1e-5)
    assert worker.predict([]) == []


def test_a_heat_map_is_a_small_grey_png(worker: WorkerClient, demo: Path):
    png = worker.heat_map(photo(demo), "one")
    image = Image.open(io.BytesIO(png))
    assert image.mode == "L"
    assert max(image.size) <= 56
    assert len(png) < 4000


def test_errors_are_words_and_leave_the_worker_running(worker: WorkerClient, demo: Path, tmp_path: Path):
    worker.predict([])
    pid = worker.pid
    with pytest.raises(TaggerError, match=r"no label 'onee'\. Did you mean 'one'"):
        worker.heat_map(photo(demo), "onee")
    with pytest.raises(TaggerError, match="no such file"):
        worker.heat_map(tmp_path / "absent.jpg", "one")
    with pytest.raises(TaggerError, match="Unknown job 'dance'"):
        worker._ask(job="dance")
    with pytest.raises(TaggerError, match=r"could not answer .*KeyError"):
        worker._ask(job="predict")
    assert worker.pid == pid


FAKE = """
import json, os, sys, time
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    question = json.loads(line)
    (path,) = question["paths"]
    if path.endswith("slow"):
        time.sleep(120)
    if path.endswith("deadly"):
        os._exit(9)
    if path.endswith("unsettling") and not os.path.exists(path):
        open(path, "w").close()
        os._exit(9)
    result = [{"probs": [float(len(path))], "reason": None}]
    print(json.dumps({"id": question["id"], "result": result}), flush=True)
"""


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[WorkerClient]:
    """A client of a worker that needs no model: a path's length is its probability."""
    client = WorkerClient(tmp_path, answer_seconds=30, command=(sys.executable, "-c", FAKE))
    yield client
    client.close()


def test_a_worker_that_died_is_started_again(fake: WorkerClient):
    before = fake.predict([Path("/a")])
    pid = fake.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert fake.predict([Path("/a")]) == before
    assert fake.pid != pid


def test_a_question_that_kills_it_is_asked_once_more_and_then_refused(fake: WorkerClient, tmp_path: Path):
    path = tmp_path / "unsettling"
    assert fake.predict([path]) == [ImageTags((float(len(str(path))),), None)]
    with pytest.raises(TaggerError, match="stopped twice"):
        fake.predict([Path("/deadly")])
    assert fake.predict([Path("/a")]) == [ImageTags((2.0,), None)]


def test_threads_get_their_own_answers(fake: WorkerClient):
    found: dict[int, object] = {}

    def ask(n: int) -> None:
        found[n] = fake.predict([Path("/" + "a" * n)])

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: [ImageTags((1.0 + n,), None)] for n in range(1, 9)}


def test_a_question_that_takes_too_long_ends_the_worker_and_says_so(tmp_path: Path):
    client = WorkerClient(tmp_path, answer_seconds=0.5, command=(sys.executable, "-c", FAKE))
    with pytest.raises(TaggerError, match="did not answer within"):
        client.predict([Path("/slow")])
    assert client.pid is None


def test_a_run_that_cannot_be_loaded_is_an_error_in_words(tmp_path: Path):
    with pytest.raises(TaggerError, match="no such run"):
        WorkerClient(tmp_path / "absent").predict([])


def test_the_client_loads_no_torch_and_its_worker_ends_with_it(finished: Path):
    code = """import sys
from pathlib import Path
from tagger.ui.worker_client import shared_worker
client = shared_worker(Path(sys.argv[1]))
assert client is shared_worker(Path(sys.argv[1]))
client.predict([])
print(client.pid, "torch" in sys.modules, flush=True)
import os
os._exit(9)  # as after kill -9: nobody closes anything
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(finished)], capture_output=True, text=True, check=False
    )
    pid, has_torch = done.stdout.split()
    assert has_torch == "False"
    deadline = time.monotonic() + 60
    while running(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not running(pid)


def running(pid: str) -> bool:
    """Whether there is such a process that is not merely waiting to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_what_libraries_print_is_no_answer(finished: Path):
    """Only answers are on standard output, one JSON object a line."""
    done = subprocess.run(
        [sys.executable, "-m", "tagger.commands.serving.worker", "--run", str(finished)],
        input='nonsense\n{"id": 7, "job": "predict", "paths": []}\n', capture_output=True, text=True, check=True,
    )  # fmt: skip
    ready, error, answer = [json.loads(line) for line in done.stdout.splitlines()]
    assert ready == {"ready": True}
    assert "could not answer" in error["error"]
    assert answer == {"id": 7, "result": []}
