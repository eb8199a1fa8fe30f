"""The whole loop on drawn photos: train, suspects, decisions, corrected labels, retrain, compare."""

from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pandas as pd
from moments import empty_store
from small import options, train_argv

import tagger
from tagger.commands.retrain import retrain
from tagger.data import read_dataset
from tagger.review import Decision, Store
from tagger.runs import RunFolder

HEADS: dict[str, Any] = {"head_stage__enabled": True, "train__epochs": 0}


def truth_of(run: RunFolder, demo: Path) -> np.ndarray:
    """The right labels of the run's images and labels."""
    table = pd.read_csv(demo / "truth" / "truth.csv", keep_default_na=False).set_index("file")
    texts = table.loc[run.load_images()["file"], "labels"]
    return np.array(
        [[name in text.split("|") for name in run.load_labels()] for text in texts], dtype=np.int8
    )


def settle(url: str, cells: list[tuple[str, str, int, int]]) -> None:
    """A truthful person decides (hash, label, given, right value)."""
    store = Store.open(url)
    store.record(
        [
            Decision(hash=hash, label=label, verdict="yes" if right else "no", before=given, suggested=1 - given,
                     doubt=0.5, run="run", reviewer="ann", seconds=1.0, client="tab", seq=seq)
            for seq, (hash, label, given, right) in enumerate(cells)
        ]
    )  # fmt: skip
    store.close()


def test_from_wrong_labels_to_a_compared_run(tagger_cli: Callable[..., Any], demo: Path, tmp_path: Path):
    run, new, url = tmp_path / "run", tmp_path / "new", f"sqlite:///{tmp_path / 'review.db'}"
    assert tagger_cli(*train_argv(demo, run, **HEADS)).code == 0
    assert tagger_cli("suspects", "--run", run, "--store", url).code == 0
    old = RunFolder(run)
    table, truth_NK = old.load_suspects(), truth_of(old, demo)
    place = {name: k for k, name in enumerate(old.load_labels())}
    asked = table.head(60)
    rights = [truth_NK[row, place[label]] for row, label in zip(asked["row"], asked["label"], strict=True)]
    settle(url, list(zip(asked["hash"], asked["label"], asked["given"].tolist(), rights, strict=True)))
    num_wrong = int((asked["given"].to_numpy() != rights).sum())

    applied = tagger_cli("apply", "--run", run, "--store", url, "--out", "corrected.csv")
    assert applied.code == 0, applied.err
    assert f"60 labels checked, {num_wrong} changed." in applied.out
    corrected = read_dataset(demo, "corrected.csv")
    done = tagger_cli("retrain", "--run", run, "--store", url, "--out", new)
    assert done.code == 0, done.err
    assert done.err == ""
    assert "before" in done.out
    assert "60 decisions" in RunFolder(new).card_path.read_text("utf-8")
    columns = [corrected.labels.index(name) for name in RunFolder(new).load_labels()]
    np.testing.assert_array_equal(RunFolder(new).load_cells(), corrected.labels_NK[:, columns])
    compared = tagger_cli("compare", run, new)
    assert compared.code == 0, compared.err
    assert "mAP" in compared.out
    again = tagger_cli("suspects", "--run", new, "--store", url)
    assert again.code == 0, again.err
    left = RunFolder(new).load_suspects()
    settled = set(zip(asked["hash"], asked["label"], strict=True))
    assert not settled & set(zip(left["hash"], left["label"], strict=True))  # decided cells do not come back
    assert tagger_cli("predict", demo / "new", "--run", new).code == 0


def test_decisions_on_planted_errors_make_a_better_run(demo: Path, tmp_path: Path):
    """Features that show the labels, a quarter of the labels wrong: settling them is worth much."""
    sets = options(**HEADS, data__test=0.4, head_stage__epochs=20)
    drawn = tagger.train(demo, run=tmp_path / "drawn", backbone="test_resnet", weights="none", overrides=sets)
    run, rng = RunFolder(copytree(drawn.path, tmp_path / "planted")), np.random.default_rng(0)
    truth_NK, test_N = truth_of(run, demo), run.load_images()["split"] == "test"
    shape = run.load_embeddings().shape
    features_ND = truth_NK @ rng.normal(size=(truth_NK.shape[1], shape[1])) + rng.normal(
        scale=0.5, size=shape
    )
    wrong_NK = (rng.random(truth_NK.shape) < 0.25) & ~test_N.to_numpy()[:, None]
    given_NK = np.where(wrong_NK, 1 - truth_NK, truth_NK).astype(np.int8)
    run.save_embeddings(features_ND)
    run.save_views(features_ND[None].astype(np.float16))
    run.save_cells(given_NK, run.load_labels())
    before = retrain(run, out=tmp_path / "before", store=empty_store(tmp_path / "none.db"))
    names, hashes, url = run.load_labels(), run.load_images()["hash"], f"sqlite:///{tmp_path / 'review.db'}"
    settle(
        url,
        [(hashes[n], names[k], int(given_NK[n, k]), int(truth_NK[n, k])) for n, k in np.argwhere(wrong_NK)],
    )
    after = retrain(before, out=tmp_path / "after", store=url)
    np.testing.assert_array_equal(after.load_cells(), truth_NK)
    gain = after.load_metrics()["comparison"]["overall"]["map"]
    assert gain["difference"] > 0.05
    assert after.load_metrics()["decisions"]["changed"] == wrong_NK.sum()
