"""The record of writes to sidecars: one history out of several records, in the order in which they were made."""

import random
from pathlib import Path

import pytest
from moments import drawn_seed

from tagger.data.formats.written_record import WrittenRecords, WrittenSidecar, digest

TIMES = {
    "one second": lambda n: "2026-11-28T10:00:00+00:00",
    "a clock set back": lambda n: f"2026-11-28T10:00:{59 - n:02d}+00:00",
}


@pytest.mark.parametrize("times", TIMES)
def test_writes_that_folders_recorded_in_turn_are_one_history(tmp_path: Path, times: str):
    """tagger was called on the folder, and on a folder above it; each write found what the last had left."""
    draw = random.Random(drawn_seed())
    sidecar = tmp_path / "above" / "a.txt"
    before, written = b"", []
    for n in range(20):
        folder = draw.choice((tmp_path, tmp_path / "above"))
        record = WrittenRecords().record(folder)
        after = f"label {n}".encode()
        write = WrittenSidecar(
            record.name_of(sidecar), ["h"], TIMES[times](n), "run", [f"label {n}"], [], True,
            "" if n == 0 else digest(before), digest(after),
        )  # fmt: skip
        record.begin(write)
        record.end(write)
        written.append(write.added)
        before = after
    assert [write.added for write in WrittenRecords().writes(sidecar, before)] == written
