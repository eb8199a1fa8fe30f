"""Tables of predictions, read again as labels, have the labels that were chosen, whatever the labels are called."""

import json
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from test_write_round_trips import FILES, HARD, LABEL, Said, cells, desk, photos, refused, said
from untrained import NAMES, make_run

import tagger
from tagger.arrays import NO, YES
from tagger.commands.writers import LabelBatch, batch_formats
from tagger.data import read_dataset
from tagger.data.formats.prediction_columns import PROBABILITY_OF, label_column
from tagger.errors import TaggerError

__all__ = ["desk", "photos"]  # fixtures

TABLES = ("csv", "tsv", "jsonl", "parquet")
COUNTER = count()
COLUMNS = ("unknown", f"{PROBABILITY_OF}a", f"{PROBABILITY_OF}a|b")
LABELS = st.lists(st.one_of(LABEL, st.sampled_from(COLUMNS)), min_size=1, max_size=4, unique=True)
PHOTOS = [file for file in FILES if file == file.strip()]
USABLE = [name for name in HARD if not refused([name], "csv")]


def write(photos: Path, out: Path, names: list[str], labels_NK: np.ndarray, format: str) -> np.ndarray:
    """Write predictions that choose these labels, in two batches; their probabilities."""
    probs_NK = np.random.default_rng(0).random(labels_NK.shape).round(6)
    columns = dict(zip(map(label_column, names), probs_NK.T, strict=True))
    chosen = [[names[k] for k in np.flatnonzero(row == YES)] for row in labels_NK]
    table = pd.DataFrame({"file": PHOTOS, "labels": ["|".join(found) for found in chosen]} | columns)
    writer: Any = batch_formats.build(format, photos, out, tuple(names))
    parts = [out.with_name(f"{out.name}.{number}") for number in range(2)]
    for part, rows in zip(parts, (slice(0, 5), slice(5, None)), strict=True):
        writer.write_batch(LabelBatch(table[rows].reset_index(drop=True), chosen[rows]), part)
    writer.join(parts, LabelBatch(table[:0], []), out)
    return probs_NK


def read_probs(out: Path, format: str, names: list[str]) -> np.ndarray:
    """The probabilities of a table, by the columns that hold them."""
    if format == "jsonl":
        table = pd.DataFrame([json.loads(line) for line in out.read_text("utf-8").split("\n")[:-1]])
    elif format == "parquet":
        table = pd.read_parquet(out)
    else:
        table = pd.read_csv(out, sep="," if format == "csv" else "\t", lineterminator="\n")
    wide = format in ("csv", "tsv") and any("|" in name for name in names)
    return table[[f"{PROBABILITY_OF}{name}" if wide else label_column(name) for name in names]].to_numpy(
        dtype=float
    )


@pytest.mark.parametrize("format", TABLES)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=LABELS, seed=st.integers(0, 99))
@example(names=USABLE, seed=0)
@example(names=["a|b", "a", "b"], seed=1)
@example(names=["unknown", "cat"], seed=2)
@example(names=["file", "labels", "label: file", "confidence"], seed=2)
@example(names=["file", "a|b", "labels"], seed=2)
@example(names=["a|b", f"{PROBABILITY_OF}a|b"], seed=3)
def test_the_labels_that_were_chosen_are_read_again(
    photos: Path, desk: Path, format: str, names: list[str], seed: int
):
    if refused(names, format):
        return  # no run has such a label
    out = desk / f"{next(COUNTER)}.{format}"
    labels_NK = cells(seed, len(names), (NO, YES))[: len(PHOTOS)]
    labels_NK[0] = YES
    wide = format in ("csv", "tsv") and any("|" in name for name in names)
    if wide and set(names) & {f"{PROBABILITY_OF}{name}" for name in names}:
        with pytest.raises(TaggerError, match="would have the column of another label"):
            write(photos, out, names, labels_NK, format)
        return
    probs_NK = write(photos, out, names, labels_NK, format)
    read = read_dataset(photos, out)
    data: Said = said(PHOTOS, labels_NK, names)
    assert said(read.images["file"], read.labels_NK, read.labels) == data
    np.testing.assert_allclose(read_probs(out, format, names), probs_NK)


@pytest.mark.parametrize("format", TABLES)
def test_predict_writes_such_a_table(format: str, tmp_path: Path, tagger_cli: Any):
    run = make_run(tmp_path)  # one of its labels is a|b
    out = tmp_path / f"found.{format}"
    done = tagger_cli("predict", tmp_path / "photos", "--run", run.path, "--out", out, "--format", format)
    assert done.code == 0, done.err
    model = tagger.load(run)
    files = sorted(path.name for path in (tmp_path / "photos").iterdir())
    chosen = list(model.chosen_labels(model.predict_probs(tmp_path / "photos", files).probs_NK))
    read = read_dataset(tmp_path / "photos", out)
    assert any("a|b" in labels for labels in chosen)
    for file, row in zip(read.images["file"], read.labels_NK, strict=True):
        found = {name for name, cell in zip(read.labels, row, strict=True) if cell == YES}
        assert found == set(chosen[files.index(file)])
    assert set(read.labels) <= set(NAMES)


def test_an_unreadable_photo_gets_no_labels_and_is_not_read_as_one_without(tmp_path: Path, tagger_cli: Any):
    run = make_run(tmp_path)
    (tmp_path / "photos" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    for format in ("csv", "jsonl"):
        out = tmp_path / f"found.{format}"
        arguments = ("--run", run.path, "--out", out, "--format", format)
        assert tagger_cli("predict", tmp_path / "photos", *arguments).code == 3
        read = read_dataset(tmp_path / "photos", out)
        unreadable = [file for file in read.images["file"] if file == "broken.png"]
        assert (
            not unreadable or (read.labels_NK[read.images["file"].tolist().index("broken.png")] == -1).all()
        )
