"""Decisions as a label file: the same log, the same bytes; what goes in comes out again through ``--labels``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from moments import empty_store
from PIL import Image

from tagger.commands.apply import apply
from tagger.config import Settings
from tagger.data import read_dataset
from tagger.data.formats.xmp import merge_keywords, read_keywords
from tagger.errors import TaggerError
from tagger.review import Decision, LabelOperation, Store
from tagger.runs import RunFolder

DRAWN = "0a1b2c3d"  # the random part of a temporary name
NAMES = ("=1+1", "<script>alert(1)</script>", '猫, "the cat"', "*sea*")
FILES = (
    "a.jpg",
    " leading space.jpg",
    "sub/a.jpg",
    'sub/comma, "quote".jpg',
    "<b>é</b>.jpg",
    "-n.jpg",
    "'x'|y.jpg",
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder whose file names make trouble."""
    root = tmp_path / "data"
    rng = np.random.default_rng(0)
    for file in FILES:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(root / file)
    return root


def make_run(path: Path, data: Path, labels_NK: np.ndarray, names: tuple[str, ...] = NAMES) -> RunFolder:
    """A finished run, as far as ``apply`` looks at one."""
    given = pd.DataFrame({"file": FILES})
    for k, name in enumerate(names):
        given[name] = labels_NK[:, k]
    (data / "labels.csv").write_text(given.to_csv(index=False).replace("\n ", "\n./ "), "utf-8")
    dataset = read_dataset(data)
    assert not dataset.problems or all("labels" in problem.file for problem in dataset.problems)
    run = RunFolder(path)
    run.save_settings(
        Settings().model_copy(update={"data": Settings().data.model_copy(update={"path": str(data)})})
    )
    run.save_labels(dataset.labels, {}, ())
    run.save_images(dataset.images.assign(split="train", fold=0))
    run.save_cells(dataset.labels_NK, dataset.labels)
    run.finish({})
    return run


def say(url: str, *cells: tuple[str, str, str], first: int = 0, reviewer: str = "ann") -> None:
    """Record (hash, label, verdict)."""
    store = Store.open(url)
    store.record(
        [
            Decision(hash=hash, label=label, verdict=verdict, before=0, suggested=None, doubt=None, run="r",
                     reviewer=reviewer, seconds=None, client="test", seq=first + place)
            for place, (hash, label, verdict) in enumerate(cells)
        ]
    )  # fmt: skip
    store.close()


@pytest.fixture
def run(tmp_path: Path, data: Path) -> RunFolder:
    """A run on hostile names, a label with an unknown cell among them."""
    labels_NK = (np.random.default_rng(1).random((len(FILES), len(NAMES))) < 0.5).astype(np.int8)
    return make_run(tmp_path / "run", data, labels_NK)


@pytest.mark.parametrize("where", ["elsewhere", "data", "data/sub"])
def test_training_reads_the_corrected_labels_wherever_they_lie(
    run: RunFolder, data: Path, tmp_path: Path, where: str
):
    url = empty_store(tmp_path / "review.db")
    images, cells_NK, names = run.load_images(), run.load_cells(), run.load_labels()
    turned = [(int(n), int(n) % len(names)) for n in range(len(images))]
    say(url, *((images["hash"][n], names[k], "no" if cells_NK[n, k] else "yes") for n, k in turned))
    (tmp_path / where).mkdir(exist_ok=True)
    written = apply(run, out=tmp_path / where / "corrected.csv", store=url)
    again = read_dataset(data, written.out)
    expected_NK = cells_NK.copy()
    for n, k in turned:
        expected_NK[n, k] = 1 - expected_NK[n, k]
    assert again.images["file"].tolist() == images["file"].tolist()
    columns = [again.labels.index(name) for name in names]
    np.testing.assert_array_equal(again.labels_NK[:, columns], expected_NK)
    changes = pd.read_csv(written.changes)
    assert len(changes) == len(turned)
    assert set(changes["reviewers"]) == {"ann"}


def test_replaying_the_log_gives_the_same_bytes(run: RunFolder, data: Path, tmp_path: Path):
    url, names, hashes = empty_store(tmp_path / "review.db"), run.load_labels(), run.load_images()["hash"]
    say(url, (hashes[0], names[0], "yes"), (hashes[1], names[1], "no"), (hashes[2], names[2], "unsure"))
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    first = apply(run, out=tmp_path / "one.csv", store=url)
    bytes_of = [path.read_bytes() for path in (first.out, first.changes)]
    again = apply(run, out=tmp_path / "one.csv", store=url)  # its own file it writes again
    other = apply(run, out=tmp_path / "two" / "one.csv", store=url)
    for written in (again, other):
        assert [path.read_bytes() for path in (written.out, written.changes)] == bytes_of
    assert {path: path.read_bytes() for path in data.rglob("*") if path.is_file()} == before


def test_without_decisions_the_labels_are_those_of_the_run(run: RunFolder, data: Path, tmp_path: Path):
    written = apply(run, out=tmp_path / "same.csv", store=empty_store(tmp_path / "none.db"))
    again = read_dataset(data, written.out)
    np.testing.assert_array_equal(
        again.labels_NK[:, [again.labels.index(name) for name in run.load_labels()]], run.load_cells()
    )
    assert len(pd.read_csv(written.changes)) == 0


def test_label_names_with_bars_and_unknown_cells_survive(data: Path, tmp_path: Path):
    labels_NK = np.zeros((len(FILES), 2))
    labels_NK[0, 0] = labels_NK[1, 1] = 1
    labels_NK[2, 0] = np.nan
    run = make_run(tmp_path / "run", data, labels_NK, ("a|b", "c"))
    url = empty_store(tmp_path / "review.db")
    store = Store.open(url)
    store.record_operation(LabelOperation(kind="add", label="d", reviewer="ann", client="t", seq=0))
    store.close()
    written = apply(run, out=tmp_path / "out.csv", store=url)
    again = read_dataset(data, written.out)
    assert again.labels == ("a|b", "c", "d")
    np.testing.assert_array_equal(again.labels_NK[:, :2], run.load_cells())
    assert (again.labels_NK[:, 2] == -1).all()


def test_decisions_that_have_no_place_in_the_run_are_counted_and_listed(
    run: RunFolder, tmp_path: Path, tagger_cli: Callable[..., Any]
):
    url, hashes = empty_store(tmp_path / "review.db"), run.load_images()["hash"]
    say(url, ("f" * 64, run.load_labels()[0], "yes"), (hashes[0], "no such label", "yes"))
    ended = tagger_cli("apply", "--run", run.path, "--out", "labels.csv", "--store", url)
    assert ended.code == 0, ended.err
    assert (
        "Not applied: 2 decisions on photos that are not there or labels that this run does not have:"
        in ended.out
    )
    assert f"'no such label' of {run.load_images()['file'][0]} (yes)" in ended.out  # the store knows its name
    assert "tagger train --data DIR --labels labels.csv" in ended.out


def test_files_of_the_user_are_not_written_over(run: RunFolder, data: Path, tmp_path: Path):
    url = empty_store(tmp_path / "review.db")
    with pytest.raises(TaggerError, match="is never changed"):
        apply(run, out=data / "labels.csv", store=url)
    (data / "labels.changes.csv").write_text("")
    with pytest.raises(TaggerError, match="is never changed"):
        apply(run, out=data / "sub" / ".." / "labels.csv", store=url)
    (tmp_path / "mine.csv").write_text("precious")
    with pytest.raises(TaggerError, match="exists already"):
        apply(run, out=tmp_path / "mine.csv", store=url)
    assert (tmp_path / "mine.csv").read_text() == "precious"
    with pytest.raises(TaggerError, match=r"ends in \.csv"):
        apply(run, out=tmp_path / "labels.parquet", store=url)


def test_a_store_whose_address_makes_no_sense_is_refused(run: RunFolder, tmp_path: Path):
    with pytest.raises(TaggerError, match="no database URL"):
        apply(run, out=tmp_path / "out.csv", store="nonsense")


def test_decisions_reach_sidecars_and_a_persons_keywords_stay(
    run: RunFolder, data: Path, tmp_path: Path, tagger_cli: Callable[..., Any]
):
    url, file, names = empty_store(tmp_path / "review.db"), run.load_images()["file"][0], run.load_labels()
    say(url, (run.load_images()["hash"][0], names[0], "yes"), (run.load_images()["hash"][0], names[1], "no"))
    beside = tmp_path / "keywords"
    place = beside / f"{file}.xmp"
    place.parent.mkdir(parents=True)
    place.write_bytes(merge_keywords(None, ["mine", names[1]]))
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    ended = tagger_cli(
        "apply",
        "--run",
        run.path,
        "--out",
        beside,
        "--store",
        url,
        "--format",
        "xmp",
        "--on-existing",
        "merge",
    )
    assert ended.code == 0, ended.err
    keywords = read_keywords(place.read_bytes())
    assert "mine" in keywords
    assert names[0] in keywords
    assert names[1] not in keywords
    assert len(list(beside.rglob("*.xmp"))) == len(FILES)
    assert (beside / "labels.changes.csv").is_file()
    assert {path: path.read_bytes() for path in data.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("format", ["coco", "jsonl", "tsv", "label-studio"])
def test_decisions_reach_a_file_of_another_format(run: RunFolder, data: Path, tmp_path: Path, format: str):
    url, out = empty_store(tmp_path / "review.db"), tmp_path / f"labels.{format}"
    out = out.with_suffix(".json") if format in ("coco", "label-studio") else out
    written = apply(run, out=out, format=format, store=url)
    again = read_dataset(data, written.out)
    np.testing.assert_array_equal(
        again.labels_NK[:, [again.labels.index(name) for name in run.load_labels()]], run.load_cells()
    )
    assert apply(run, out=out, format=format, store=url).out == written.out


@pytest.mark.parametrize(
    ("format", "name"), [("csv", "labels[1].csv"), ("xmp", "a.jpg.xmp"), ("txt", "a.txt")]
)
def test_what_a_killed_call_left_half_written_goes(
    run: RunFolder, data: Path, tmp_path: Path, format: str, name: str
):
    out = tmp_path / "out"
    (out / "sub").mkdir(parents=True)
    mine = [f".{name}.123-{DRAWN}.part", f".labels.changes.csv.9-{DRAWN}.part"]
    mine += [f"sub/.{name}.7-{DRAWN}.part"] if format != "csv" else []
    others = [f".notes.md.5-{DRAWN}.part", f"sub/.labels[1].csv.7-{DRAWN}.part", f".{name}.old.part"]
    for leftover in (*mine, *others):
        (out / leftover).write_text("half")
    target = out / name if format == "csv" else out
    if format == "csv":
        mine[1] = f".labels[1].changes.csv.9-{DRAWN}.part"
        (out / mine[1]).write_text("half")
    url = empty_store(tmp_path / "review.db")
    Store.open(url).close()
    apply(run, out=target, format=format, on_existing="merge" if format != "csv" else "skip", store=url)
    assert [leftover for leftover in mine if (out / leftover).exists()] == []
    assert [leftover for leftover in others if not (out / leftover).exists()] == []


def test_what_apply_cannot_write_is_said(run: RunFolder, tmp_path: Path):
    url = empty_store(tmp_path / "review.db")
    with pytest.raises(TaggerError, match="Did you mean 'coco'"):
        apply(run, out=tmp_path / "x.json", format="cocoa", store=url)
    with pytest.raises(TaggerError, match="cannot be a folder name"):
        apply(run, out=tmp_path / "x", format="folders", store=url)
    with pytest.raises(TaggerError, match="or use --format tsv"):
        apply(run, out=tmp_path / "x.tsv", store=url)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("precious")
    with pytest.raises(TaggerError, match="is not empty"):
        apply(run, out=tmp_path / "full", format="folders", store=url)
