"""The app killed at random moments while a page sends decisions: what it has confirmed is in the store, once."""

import json
import os
import random
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from door import make_home
from reviewing import make_run
from torture import record_torture

from tagger.review import Store, default_url

DRIVER = Path(__file__).parents[1] / "faults" / "killed_app.py"
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")


def check(finished: Path, demo: Path, folder: Path, *, kills: int, seed: int) -> int:
    """How many decisions were sent; all are there once, in the order of the page's keys."""
    print(f"seed {seed}")
    run = make_run(finished, demo, folder).path
    done = subprocess.run(
        [sys.executable, str(DRIVER), str(run), str(kills), str(seed)], capture_output=True, text=True, timeout=900,
        env=os.environ | {"HOME": str(make_home(folder)), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    with closing(Store.open(default_url(folder / "data"))) as store:
        rows = store.decisions()
    assert told["confirmed"] == list(range(told["sent"]))
    assert [row.seq for row in rows] == told["confirmed"]
    assert [row.id for row in rows] == list(range(1, told["sent"] + 1))
    return len(rows)


def test_what_the_app_has_confirmed_outlives_it(finished: Path, demo: Path, tmp_path: Path):
    assert check(finished, demo, tmp_path, kills=3, seed=11) >= 3


@pytest.mark.torture
def test_a_hundred_lives_of_the_app(finished: Path, demo: Path, tmp_path: Path):
    num = check(finished, demo, tmp_path, kills=100, seed=random.randrange(10**6))
    record_torture("review app", kills=100, decisions=num, lost=0, doubled=0)
