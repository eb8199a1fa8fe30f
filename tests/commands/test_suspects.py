"""``tagger suspects``: what it writes, what it says, and what people's decisions change in it."""

from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest

import tagger
from tagger.commands.suspects import load_evidence, suspects
from tagger.review import Decision, Store
from tagger.runs import RunFolder

Cli = Callable[..., Any]


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> RunFolder:
    return RunFolder(copytree(finished, tmp_path / "run"))


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'review.db'}"


def decide(run: RunFolder, url: str, n: int, k: int, value: int) -> None:
    store = Store.open(url)
    verdict = "yes" if value else "no"
    store.record(
        [
            Decision(
                hash=run.load_images()["hash"][n], label=run.load_labels()[k], verdict=verdict,
                before=int(run.load_cells()[n, k]), suggested=None, doubt=None, run="run", reviewer="ann",
                seconds=None, client="c", seq=100 * n + k,
            )
        ]
    )  # fmt: skip
    store.close()


def test_the_command_writes_the_table_and_says_the_first_with_reasons(
    run: RunFolder, url: str, tagger_cli: Cli
):
    done = tagger_cli("suspects", "--run", str(run.path), "--store", url)
    assert done.code == 0
    table = run.load_suspects()
    first = table.iloc[0]
    assert first["file"] in done.out
    assert first["reason"] in done.out
    assert f"tagger review --run {run.path}" in done.out
    columns = ["file", "hash", "label", "given", "suggested", "doubt", "direction", "reason"]
    assert set(columns) <= set(table.columns)
    index_NM, _ = run.load_neighbours()
    assert len(index_NM) == len(run.load_images())


def test_limit_is_the_most_suspects_and_the_audit_slice_comes_on_top(run: RunFolder, url: str):
    table = suspects(run, limit=5, store=url)
    assert (~table["audit"]).sum() <= 5
    assert table["audit"].sum() > 5


def test_no_probability_or_neighbour_comes_from_a_network_that_saw_the_image(run: RunFolder, tmp_path: Path):
    images, (_, fold_N) = run.load_images(), run.load_oof()
    suspects(run, store=f"sqlite:///{tmp_path}/review.db")
    feature_source_N = images["embedder"].to_numpy()
    np.testing.assert_array_equal(feature_source_N, np.where(fold_N >= 0, 1 + fold_N % 2, 0))
    index_NM, _ = run.load_neighbours()
    held = index_NM >= 0
    assert (feature_source_N[index_NM] == feature_source_N[:, None])[held].all()
    group_N = images["group"].to_numpy()
    assert (group_N[index_NM] != group_N[:, None])[held].all()


def test_what_people_verified_is_settled_and_what_it_was_is_kept(run: RunFolder, url: str):
    table = suspects(run, store=url)
    row = table.iloc[0]
    k = run.load_labels().index(row["label"])
    decide(run, url, int(row["row"]), k, int(row["suggested"]))
    again = suspects(run, store=url)
    assert not ((again["row"] == row["row"]) & (again["label"] == row["label"])).any()
    evidence = load_evidence(run, url)
    assert evidence.labels_NK[row["row"], k] == row["suggested"]
    assert evidence.verified_NK is not None
    assert evidence.original_NK is not None
    assert evidence.verified_NK.sum() == 1
    np.testing.assert_array_equal(evidence.original_NK, run.load_cells())


def test_the_same_run_gives_the_same_suspects(run: RunFolder, url: str):
    assert suspects(run, store=url).equals(tagger.find_suspects(run, store=url))


def test_without_suspects_the_review_says_how_to_find_them(finished: Path, tagger_cli: Cli):
    done = tagger_cli("review", "--run", str(finished), "--no-browser")
    assert done.code == 2
    assert f"tagger suspects --run {finished}" in done.err


def test_a_limit_is_how_many_are_told(run: RunFolder, tagger_cli: Cli):
    told = tagger_cli("suspects", "--run", run.path, "--limit", "3").out
    assert told.startswith("3 labels listed;")
    assert sum(line.split()[1:2] in (["missing"], ["spurious"]) for line in told.splitlines()) == 3
