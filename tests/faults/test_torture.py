"""The rule that keeps long tests apart, and what they leave."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from torture import record_torture

ROOT = Path(__file__).parents[2]
TESTS = """
import pytest
def test_short(): pass
@pytest.mark.torture
def test_long(): pass
"""


@pytest.mark.parametrize(("more", "passed"), [([], "test_short"), (["-m", "torture"], "test_long")])
def test_long_tests_run_only_where_they_are_asked_for(tmp_path: Path, more: list[str], passed: str):
    (tmp_path / "test_both.py").write_text(TESTS)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-c",
        str(ROOT / "pyproject.toml"),
        "-vv",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(
        [*command, *more, tmp_path], capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    assert f"{passed} PASSED" in done.stdout
    assert "1 passed, 1 deselected" in done.stdout


def test_a_long_test_records_what_it_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("TAGGER_TORTURE", raising=False)
    record_torture("nobody asks", kills=1)
    monkeypatch.setenv("TAGGER_TORTURE", str(tmp_path / "rows.jsonl"))
    record_torture("killed", kills=100)
    record_torture("killed again", kills=3, lost=0)
    first, second = map(json.loads, (tmp_path / "rows.jsonl").read_text("utf-8").splitlines())
    assert first["kills"] == 100
    assert first["seconds"] >= 0
    assert list(second) == ["name", "seconds", "kills", "lost"]
