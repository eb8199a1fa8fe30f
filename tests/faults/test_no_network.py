"""The whole loop without a network: in processes that may only talk to this machine and note every other
attempt.

Where the system allows it they have a network namespace with nothing but ``lo``, so that libraries in C are
held too.
"""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from browsing import Server
from no_network import guarded
from small import train_argv

BARE = Path(__file__).with_name("no_network.py")
DRIVER = """
import json, sys
from tagger.cli import main
ends = []
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["tagger", *arguments]
    try:
        main()
    except SystemExit as stop:
        ends.append(stop.code or 0)
print(json.dumps(ends))
"""


def prefix() -> list[str]:
    """What starts a command in a namespace without a network, or nothing where that is not permitted."""
    start = ["unshare", "-n", sys.executable, str(BARE)]
    try:
        done = subprocess.run([*start, "true"], capture_output=True, timeout=60)
    except OSError:
        return []
    return start if done.returncode == 0 else []


def call(plan: list[list[str]], env: dict[str, str], here: Path) -> tuple[list[int], str]:
    """How commands without a network ended, one after the other in one process, and what they said was wrong."""
    command = [*prefix(), sys.executable, "-c", DRIVER, json.dumps(plan)]
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=here)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


def test_the_whole_loop_asks_nobody(demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    env = guarded(tmp_path)
    run, data = str(tmp_path / "run"), str(demo)
    plan = [
        train_argv(demo, tmp_path / "run", train__epochs=0),
        ["suspects", "--run", run],
        ["apply", "--run", run, "--out", "corrected.csv"],
        ["retrain", "--run", run, "--out", "better"],
        ["predict", data, "--run", "better"],
        ["evaluate", "--data", data, "--run", run],
        ["explain", str(next(demo.rglob("*.png"))), "--run", run],
        ["export", "--run", run, "--out", "tagger.onnx"],
        ["data", "stats", data],
    ]
    ends, said = call(plan, env, tmp_path)
    assert ends == [0] * len(plan), said
    for name in ("PYTHONPATH", "TAGGER_ATTEMPTS", "HF_HOME"):
        monkeypatch.setenv(name, env[name])
    server = Server(tmp_path / "run", tmp_path)
    server.start()
    try:
        with urllib.request.urlopen(server.url, timeout=60) as page:
            assert page.status == 200
    finally:
        server.stop()
    assert (tmp_path / "attempts").read_text("utf-8") == ""


def test_the_guard_notes_and_stops_an_attempt(tmp_path: Path):
    env = guarded(tmp_path)
    code = "import urllib.request; urllib.request.urlopen('http://example.org', timeout=5)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert done.returncode == 1
    assert "example.org" in (tmp_path / "attempts").read_text("utf-8")


def test_pretrained_weights_without_a_network_name_the_ways_out(demo: Path, tmp_path: Path):
    env = guarded(tmp_path)
    ends, said = call([["train", "--data", str(demo), "--run", "run", "--preset", "quick"]], env, tmp_path)
    assert ends == [2]
    assert said.count("\n") == 1
    for words in ("could not be fetched", "Without a network", "--weights FILE", "--weights none"):
        assert words in said
    assert not (tmp_path / "run").exists()
    hosts = {line.split()[0] for line in (tmp_path / "attempts").read_text("utf-8").splitlines()}
    assert hosts == {"huggingface.co"}  # the one place, and only because weights of the hub were asked for


def test_the_app_sends_no_statistics():
    server = Path(__file__).parents[2] / "tagger" / "ui" / "server" / "launch.py"
    assert '"browser.gatherUsageStats": False' in server.read_text("utf-8")
    assert os.environ.get("STREAMLIT_BROWSER_GATHER_USAGE_STATS", "false") == "false"
