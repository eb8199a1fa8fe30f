"""From decisions to a better run: what is kept, what changes, and what must not."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from moments import empty_store
from safetensors.torch import load_file
from small import options, train_argv

import tagger
from tagger.commands.retrain import retrain
from tagger.commands.steps import previous_networks
from tagger.errors import TaggerError
from tagger.review import Decision, LabelOperation, Store
from tagger.runs import RunFolder
from tagger.training.retraining.warm_start import remap_head_labels

WAYS: dict[str, dict[str, Any]] = {
    "heads": {"head_stage__enabled": True, "train__epochs": 0},
    "members": {"head_stage__enabled": True, "train__fold_models": 2, "data__folds": 2},
    "single": {"head_stage__enabled": True},
    "nothing": {},
}
ADDED = {
    "judged.parquet",
    "suspects.parquet",
    "neighbours.npz",
}  # what a retraining leaves and a training does not
Cli = Callable[..., Any]


@pytest.fixture(scope="module", params=list(WAYS))
def old(request: pytest.FixtureRequest, demo: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run of each way of training; to be read only."""
    path = tmp_path_factory.mktemp(request.param) / "run"
    return tagger.train(
        demo, run=path, backbone="test_resnet", weights="none", overrides=options(**WAYS[request.param])
    )


@pytest.fixture(scope="module")
def heads(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run of heads on a frozen backbone; to be read only."""
    path = tmp_path_factory.mktemp("heads-only") / "run"
    return tagger.train(
        demo, run=path, backbone="test_resnet", weights="none", overrides=options(**WAYS["heads"])
    )


def truth_of(run: RunFolder, demo: Path) -> np.ndarray:
    """The right labels of the run's images and labels."""
    table = pd.read_csv(demo / "truth" / "truth.csv", keep_default_na=False).set_index("file")
    texts = table.loc[run.load_images()["file"], "labels"]
    return np.array(
        [[name in text.split("|") for name in run.load_labels()] for text in texts], dtype=np.int8
    )


def decide(
    run: RunFolder, url: str, cells: Iterable[tuple[int, int]], values_NK: np.ndarray, *, blind: bool = False
):
    """Record verdicts on some cells (row, column), as ``values_NK`` has them."""
    hashes, names, given_NK = run.load_images()["hash"], run.load_labels(), run.load_cells()
    store = Store.open(url)
    before = store.last_id()
    store.record(
        [
            Decision(
                hash=hashes[n], label=names[k], verdict="yes" if values_NK[n, k] else "no", before=int(given_NK[n, k]),
                suggested=None, doubt=None, run="run", reviewer="ann", seconds=1.0, client="test", seq=before + place,
                blind=blind,
            )
            for place, (n, k) in enumerate(cells)
        ]
    )  # fmt: skip
    store.close()


def operate(url: str, *operations: dict[str, Any]) -> None:
    """Record operations on the vocabulary."""
    store = Store.open(url)
    for seq, operation in enumerate(operations):
        store.record_operation(LabelOperation(**operation, reviewer="ann", client="vocabulary", seq=seq))
    store.close()


@pytest.fixture
def url(tmp_path: Path) -> str:
    """An empty review store's address."""
    address = f"sqlite:///{tmp_path / 'review.db'}"
    Store.open(address).close()
    return address


def test_a_retrained_run_is_complete_and_keeps_images_split_and_folds(
    old: RunFolder, demo: Path, tmp_path: Path, url: str
):
    truth_NK = truth_of(old, demo)
    wrong = np.argwhere(truth_NK != old.load_cells())
    decide(old, url, map(tuple, wrong[:6].tolist()), truth_NK)
    new = retrain(old, out=tmp_path / "new", store=url)
    assert {path.name for path in new.path.iterdir()} == {path.name for path in old.path.iterdir()} | ADDED
    pd.testing.assert_frame_equal(new.load_images(), old.load_images())
    assert new.load_settings() == old.load_settings()
    np.testing.assert_array_equal(new.load_oof()[1], old.load_oof()[1])
    expected_NK = old.load_cells().copy()
    expected_NK[tuple(wrong[:6].T)] = truth_NK[tuple(wrong[:6].T)]
    np.testing.assert_array_equal(new.load_cells(), expected_NK)
    metrics = new.load_metrics()
    assert metrics["retrained_from"] == str(old.path.resolve())
    assert metrics["decisions"]["number"] == metrics["decisions"]["changed"] == len(wrong[:6])
    assert set(metrics["comparison"]) == {"overall", "per_label", "num_images", "num_cells", "notes"}
    assert any("Retrained from" in note for note in metrics["notes"])
    assert not new.checkpoint.path.exists()
    assert len(tagger.load(new.path).predict(demo / "new")) == 12


def test_networks_go_on_from_those_of_the_last_run(old: RunFolder, tmp_path: Path, url: str):
    kept = sorted(old.fold_models_path.glob("*.safetensors"))
    new = retrain(old, out=tmp_path / "new", store=url)
    assert [path.name for path in sorted(new.fold_models_path.glob("*"))] == [path.name for path in kept]
    again = retrain(new, out=tmp_path / "again", store=url)  # a retrained run can be retrained
    assert again.load_settings() == old.load_settings()
    for path in kept:
        before, after = load_file(path), load_file(new.fold_models_path / path.name)
        moved = {
            name: (after[name] - tensor).abs().max().item()
            for name, tensor in before.items()
            if tensor.ndim > 1
        }
        assert 0 < max(moved.values()) < 0.1, path.name  # it learnt, and did not begin anew


def test_a_run_without_its_networks_begins_where_that_one_began_and_says_so(
    demo: Path, tmp_path: Path, url: str
):
    sets = options(**WAYS["members"])
    old = tagger.train(demo, run=tmp_path / "old", backbone="test_resnet", weights="none", overrides=sets)
    for path in old.fold_models_path.iterdir():
        path.unlink()
    retrain(old, out=tmp_path / "new", store=url)
    assert "has no networks in members" in (tmp_path / "new" / "log.txt").read_text("utf-8")


def test_without_decisions_heads_learn_what_they_learnt_before(heads: RunFolder, tmp_path: Path, url: str):
    new = retrain(heads, out=tmp_path / "new", store=url)
    assert "There are no decisions yet" in new.log_path.read_text("utf-8")
    before, after = heads.load_oof()[0], new.load_oof()[0]
    # only the views differ: their mean instead of one of them at random
    assert np.abs(before - after).mean() < 0.05
    assert abs(new.load_metrics()["comparison"]["overall"]["map"]["difference"]) < 0.2


def test_no_image_is_read_where_only_heads_are_trained(
    heads: RunFolder, tmp_path: Path, url: str, monkeypatch: Any
):
    def read(*args: Any) -> None:
        raise AssertionError("an image was read")

    monkeypatch.setattr("tagger.batches.dataset.load_image", read)
    assert retrain(heads, out=tmp_path / "new", store=url).finished


def test_images_that_are_gone_are_left_out_and_listed(demo: Path, tmp_path: Path, url: str):
    data = tmp_path / "data"
    (data / "images").mkdir(parents=True)
    for path in (demo / "images").iterdir():
        (data / "images" / path.name).write_bytes(path.read_bytes())
    (data / "labels.csv").write_bytes((demo / "labels.csv").read_bytes())
    old = tagger.train(
        data, run=tmp_path / "old", backbone="test_resnet", weights="none", overrides=options()
    )
    gone = old.load_images()["file"][3]
    (data / gone).unlink()
    new = retrain(old, out=tmp_path / "new", store=url)
    assert [problem.file for problem in new.load_unreadable()] == [gone]
    assert new.load_images()["file"].tolist() == [file for file in old.load_images()["file"] if file != gone]
    assert len(new.load_oof()[0]) == len(new.load_cells()) == 79


def test_what_a_model_picked_is_no_judge_and_what_was_verified_blind_is(
    heads: RunFolder, demo: Path, tmp_path: Path, url: str
):
    test = np.flatnonzero(heads.load_images()["split"] == "test")
    picked, blind, train = (
        (int(test[0]), 0),
        (int(test[1]), 1),
        (int(np.flatnonzero(heads.load_oof()[1] >= 0)[0]), 2),
    )
    turned_NK = 1 - heads.load_cells()
    decide(heads, url, [picked, train], turned_NK)
    decide(heads, url, [blind], turned_NK, blind=True)
    new = retrain(heads, out=tmp_path / "new", store=url)
    eval_mask_NK = new.load_eval_mask()
    assert eval_mask_NK is not None
    expected_NK = np.zeros_like(eval_mask_NK)
    expected_NK[test] = True
    expected_NK[picked] = False
    np.testing.assert_array_equal(eval_mask_NK, expected_NK)
    assert new.load_cells()[blind] == turned_NK[blind]
    metrics = new.load_metrics()
    assert metrics["comparison"]["num_cells"] == metrics["test"]["num_cells"] == expected_NK.sum()
    once_more = retrain(new, out=tmp_path / "again", store=url)  # and so it stays
    np.testing.assert_array_equal(once_more.load_eval_mask(), expected_NK)
    none = empty_store(tmp_path / "other.db")
    forgotten = retrain(new, out=tmp_path / "forgotten", store=none)  # even if the log is lost
    np.testing.assert_array_equal(forgotten.load_eval_mask(), expected_NK)


def test_the_test_split_teaches_nothing(heads: RunFolder, tmp_path: Path, url: str):
    test = np.flatnonzero(heads.load_images()["split"] == "test")
    decide(heads, url, [(int(n), k) for n in test for k in range(3)], 1 - heads.load_cells())
    new = retrain(heads, out=tmp_path / "new", store=url)
    plain = retrain(heads, out=tmp_path / "plain", store=empty_store(tmp_path / "none.db"))
    one, two = load_file(new.model_path), load_file(plain.model_path)
    assert all(torch.equal(tensor, two[name]) for name, tensor in one.items())


@pytest.mark.parametrize("way", ["heads", "nothing"])
def test_labels_that_were_added_renamed_and_merged(
    way: str, demo: Path, tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
):
    sets = options(**WAYS[way])
    old = tagger.train(demo, run=tmp_path / "old", backbone="test_resnet", weights="none", overrides=sets)
    names, cells_NK = old.load_labels(), old.load_cells()
    a, b, c = names[:3]
    operate(
        url,
        {"kind": "rename", "label": a, "target": "<b>new | name</b>"},
        {"kind": "merge", "label": b, "target": c},
        {"kind": "add", "label": "added"},
    )
    hashes = old.load_images()["hash"]
    store = Store.open(url)
    store.record(
        [
            Decision(hash=hashes[n], label="added", verdict="yes" if n % 2 else "no", before=-1, suggested=None,
                     doubt=None, run="r", reviewer="ann", seconds=None, client="t", seq=n)
            for n in range(40)
        ]
    )  # fmt: skip
    store.close()
    remapped = []

    def remap(head: Any, old_columns: list[int | None], *rest: Any) -> Any:
        remapped.append(old_columns)
        return remap_head_labels(head, old_columns, *rest)

    monkeypatch.setattr(previous_networks, "remap_head_labels", remap)
    new = retrain(old, out=tmp_path / "new", store=url)
    now = new.load_labels()
    if (
        way == "nothing"
    ):  # networks go on: each label with its own weights, a new one with the same in every process
        known = {**{name: k for k, name in enumerate(names)}, "<b>new | name</b>": names.index(a)}
        assert remapped
        assert all(columns == [known.get(name) for name in now] for columns in remapped)
        torch.manual_seed(5)
        same = retrain(old, out=tmp_path / "same", store=url)
        assert new.model_path.read_bytes() == same.model_path.read_bytes()
    assert set(now) == {*names, "<b>new | name</b>", "added"} - {a, b}
    column = {name: new.load_cells()[:, now.index(name)] for name in now}
    np.testing.assert_array_equal(column["<b>new | name</b>"], cells_NK[:, names.index(a)])
    np.testing.assert_array_equal(
        column[c], np.maximum(cells_NK[:, names.index(b)], cells_NK[:, names.index(c)])
    )
    assert (column["added"] >= 0).sum() == 40
    assert new.load_oof()[0].shape == new.load_cells().shape
    compared = new.load_metrics()["comparison"]
    assert set(compared["per_label"]) == set(names) - {a, b}  # by name: what was renamed has no counterpart
    assert sum("Only" in note for note in compared["notes"]) == 2
    assert retrain(new, out=tmp_path / "again", store=url).load_labels() == now


def test_suspects_that_nobody_decided_are_treated_the_way_that_validates_best(
    heads: RunFolder, tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
):
    cells_NK = heads.load_cells()
    rows, columns = np.divmod(np.arange(60) * 7 % cells_NK.size, cells_NK.shape[1])
    given = cells_NK[rows, columns]
    table = pd.DataFrame(
        {"row": rows.astype(np.int32), "label": np.array(heads.load_labels(), dtype=object)[columns], "given": given,
         "suggested": 1 - given, "doubt": np.float32(0.6), "signal_rules": np.float32(0.0),
         "direction": np.where(given == 1, "spurious", "missing")}
    )  # fmt: skip
    monkeypatch.setattr(RunFolder, "has_suspects", True)
    monkeypatch.setattr(RunFolder, "load_suspects", lambda self: table)
    new = retrain(heads, out=tmp_path / "new", store=url)
    doubted = new.load_metrics()["doubted"]
    assert set(doubted["validation_map"]) == {"trust", "smooth", "relabel", "leave-out"}
    assert doubted["way"] in doubted["validation_map"]
    np.testing.assert_array_equal(new.load_cells(), cells_NK)  # the labels stay what they are


def test_a_stopped_retraining_goes_on_with_the_decisions_it_began_with(
    tagger_cli: Cli, demo: Path, tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
):
    old, new, whole = tmp_path / "old", tmp_path / "new", tmp_path / "whole"
    assert tagger_cli(*train_argv(demo, old)).code == 0
    run = RunFolder(old)
    decide(run, url, [(0, 0), (1, 1)], 1 - run.load_cells())
    argv = ("retrain", "--run", old, "--store", url, "--out")
    assert tagger_cli(*argv, whole).code == 0
    with monkeypatch.context() as patch:

        def stop(*args: Any, **kwargs: Any) -> None:
            raise KeyboardInterrupt

        patch.setattr("tagger.commands.retrain.finalize", stop)
        assert tagger_cli(*argv, new).code == 130
    decide(run, url, [(2, 0), (3, 1)], 1 - run.load_cells())  # comes too late for this one
    assert tagger_cli(*argv, new).code == 2
    wrong = tagger_cli("train", "--resume", "--run", new)
    assert (wrong.code, "tagger retrain --resume" in wrong.err) == (2, True)
    ended = tagger_cli("retrain", "--resume", "--out", new)
    assert ended.code == 0, ended.err
    for name in ("model.safetensors", "oof.npz", "labels.parquet", "thresholds.json"):
        assert (new / name).read_bytes() == (whole / name).read_bytes(), name
    assert RunFolder(new).load_metrics()["decisions"]["number"] == 2


def test_a_retraining_is_written_nowhere_where_something_is(heads: RunFolder, tmp_path: Path, url: str):
    with pytest.raises(TaggerError, match="there is a run already"):
        retrain(heads, out=heads.path, store=url)
    (tmp_path / "file").write_text("x")
    with pytest.raises(TaggerError, match="is a file"):
        retrain(heads, out=tmp_path / "file", store=url)
    with pytest.raises(TaggerError, match="no retraining was started"):
        retrain(out=tmp_path / "nothing", resume=True)
