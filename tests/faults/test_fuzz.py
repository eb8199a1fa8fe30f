"""Every parser under a coverage-guided fuzzer: a table or an error for the user, whatever the bytes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from torture import record_torture

DRIVER = Path(__file__).with_name("fuzz.py")
SECONDS = 8  # for each parser


def fuzzed(folder: Path, seconds: int, *targets: str) -> list[dict[str, Any]]:
    """What the driver tells of each target."""
    pytest.importorskip("atheris", reason="atheris has no wheel for this system")
    done = subprocess.run(
        [sys.executable, str(DRIVER), str(seconds), str(folder), *targets], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_planted_fault_is_found_and_its_input_is_kept(tmp_path: Path):
    (row,) = fuzzed(tmp_path, 30, "a planted fault")
    assert "KeyError" in row["error"]
    (kept,) = tmp_path.glob("a-planted-fault.crash-*")
    assert kept.read_bytes().startswith(b"tag")


@pytest.mark.torture
def test_every_parser_gives_a_table_or_an_error_of_ours(tmp_path: Path):
    rows = fuzzed(tmp_path, SECONDS)
    assert [row for row in rows if row["error"]] == []
    assert all(row["runs"] > 100 for row in rows), rows
    record_torture(
        "parsers under atheris", parsers=len(rows), inputs=sum(row["runs"] for row in rows), broken=0
    )
