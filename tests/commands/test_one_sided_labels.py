"""A label that only ever got a yes is chosen nowhere, has no F1, and every command says so."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from noise_photos import make_photos, write_rows
from small import train_argv
from test_export import pixels_of, run_onnx
from untrained import AGES, NAMES, make_run

import tagger
from tagger.commands.export import export
from tagger.data import LabelGroup
from tagger.review import Decision, LabelOperation, Store
from tagger.runs import RunFolder
from tagger.scoring import Thresholds
from tagger.scoring.metrics import NEVER

Cli = Callable[..., Any]
NOTE = "Labels chosen on no photo: 'umbrella' (no known negative)."
HEADS: dict[str, Any] = {"head_stage__enabled": True, "train__epochs": 0}


def make_table(root: Path, count: int = 60) -> Path:
    """Photos of noise with columns for cat, dog and umbrella, of which the last holds 1 or nothing."""
    make_photos(root, count, None)
    rows = [
        [f"{n:02d}.png", str(n % 2), str(int(n % 3 == 0)), "1" if n % 4 == 0 else ""] for n in range(count)
    ]
    write_rows(root, rows, ["file", "cat", "dog", "umbrella"])
    return root


@pytest.fixture
def trained(tagger_cli: Cli, tmp_path: Path) -> tuple[RunFolder, str]:
    """The run of such a table, and what its training said."""
    done = tagger_cli(*train_argv(make_table(tmp_path / "photos"), tmp_path / "run", **HEADS))
    assert done.code == 0, done.err
    return RunFolder(tmp_path / "run"), " ".join(done.out.split())


def test_it_is_chosen_on_no_photo_and_train_predict_and_the_card_say_so(
    tagger_cli: Cli, tmp_path: Path, trained: tuple[RunFolder, str]
):
    run, said = trained
    assert NOTE in said
    done = tagger_cli("predict", tmp_path / "photos", "--run", run.path, "--out", "found.csv")
    assert NOTE in " ".join(done.out.split())
    table = pd.read_csv("found.csv", keep_default_na=False)
    assert (table["umbrella"] > 0.5).any()  # its probability alone would have chosen it
    assert not table["labels"].str.contains("umbrella").any()
    card = run.card_path.read_text("utf-8")
    assert NOTE.replace("'", "") in card
    assert "| - | not measured; never chosen: no known negative |" in card


def test_it_has_no_f1_and_counts_in_no_macro_f1(trained: tuple[RunFolder, str]):
    test = trained[0].load_metrics()["test"]
    rows = test["per_label"]
    assert rows["umbrella"]["positives"] > 0
    assert rows["umbrella"]["f1"]["value"] is None
    others = [rows[name]["f1"]["value"] for name in ("cat", "dog")]
    assert test["overall"]["macro_f1"]["value"] == pytest.approx(np.mean(others))


def test_evaluate_on_photos_with_a_label_that_is_all_yes_gives_it_no_f1(
    tagger_cli: Cli, tmp_path: Path, trained: tuple[RunFolder, str]
):
    other = make_photos(tmp_path / "other", 8, None)
    rows = [[f"{n:02d}.png", "1", str(n % 2)] for n in range(8)]
    write_rows(other, rows, ["file", "cat", "dog"])
    run = trained[0].path
    assert tagger_cli("evaluate", "--data", other, "--run", run, "--out", "found.json").code == 0
    found = json.loads(Path("found.json").read_text("utf-8"))
    assert found["per_label"]["cat"]["f1"]["value"] is None
    assert found["per_label"]["cat"]["note"] == "not measured: not enough data (no known negative)"
    assert found["overall"]["macro_f1"]["value"] == found["per_label"]["dog"]["f1"]["value"]


def test_an_exported_model_never_chooses_it(tagger_cli: Cli, tmp_path: Path, trained: tuple[RunFolder, str]):
    run, _ = trained
    done = tagger_cli("export", "--run", run.path, "--out", tmp_path / "a.onnx")
    assert done.code == 0, done.err
    _, chosen_NK, _ = run_onnx(tmp_path / "a.onnx", pixels_of(run))
    assert not chosen_NK[:, tagger.load(run).labels.index("umbrella")].any()


ONE_SIDED = ("a|b", "young")  # the second one is of a group


def one_sided_run(folder: Path, *more: str, groups: dict[str, LabelGroup] | None = None) -> RunFolder:
    """A run that would choose every label on every photo, were two of them not one-sided."""
    run = make_run(folder, *more, groups=groups)
    thresholds, calibration = run.load_decision_rule()
    rows = tuple(
        replace(row, value=NEVER if name in ONE_SIDED else 0.0, how="never chosen: no known negative")
        for name, row in zip(NAMES, thresholds.labels, strict=True)
    )
    run.save_decision_rule(Thresholds(rows, 0.5, "f1"), calibration, NAMES)
    run.save_labels(NAMES, groups or {}, ())  # without rules: a rule chooses it where another label is chosen
    return run


def answers_of(path: Path, format: str, images: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """What a file chooses on the images, and the thresholds in its metadata."""
    extra = {"metadata.json": ""}
    if format == "torchscript":
        module = torch.jit.load(str(path), _extra_files=extra)
    else:
        module = torch.export.load(str(path), extra_files=extra).module()
    return np.asarray(module(torch.from_numpy(images))[1]), json.loads(extra["metadata.json"])["thresholds"]


@pytest.mark.filterwarnings("ignore:.torch.jit.load. is deprecated")
@pytest.mark.parametrize("format", ["torchscript", "torch-export"])
@pytest.mark.parametrize("groups", [None, AGES], ids=["labels", "group"])
def test_torchs_own_files_never_choose_it(format: str, groups: Any, tmp_path: Path):
    run = one_sided_run(tmp_path, groups=groups)
    images = pixels_of(run)
    chosen_NK, thresholds = answers_of(export(run, tmp_path / "model", format=format), format, images)
    never_K = np.isin(NAMES, ONE_SIDED)
    assert not chosen_NK[:, never_K].any()
    assert chosen_NK[:, ~never_K].all()  # also the other label of the group, which always has one
    assert [value == NEVER for value in thresholds] == never_K.tolist()


def test_a_hub_folder_says_which_labels_it_must_not_choose(tmp_path: Path):
    run = one_sided_run(tmp_path, "head.name=linear", "image.fit=pad")
    folder = export(run, tmp_path / "hub", format="hub")
    about = json.loads((folder / "config.json").read_text("utf-8"))["tagger"]
    by_label = dict(zip(about["labels"], about["thresholds"], strict=True))
    assert {name for name, value in by_label.items() if value == NEVER} == set(ONE_SIDED)
    card = (folder / "README.md").read_text("utf-8")
    assert "Labels chosen on no photo: `a|b` (no known negative), `young` (no known negative)." in card


def test_a_label_added_with_yes_only_can_be_chosen_once_somebody_said_no(
    tagger_cli: Cli, tmp_path: Path, trained: tuple[RunFolder, str]
):
    run, url = trained[0], f"sqlite:///{tmp_path / 'review.db'}"
    hashes = run.load_images()["hash"]
    add_label(url)
    decide(url, hashes[:12], "yes")
    done = tagger_cli("retrain", "--run", run.path, "--store", url, "--out", tmp_path / "yes")
    assert done.code == 0, done.err
    assert "'added' (no known negative)" in " ".join(done.out.split())
    assert not is_chosen(tmp_path / "yes", tmp_path / "photos")

    decide(url, hashes[12:40], "no")
    done = tagger_cli("retrain", "--run", run.path, "--store", url, "--out", tmp_path / "both")
    assert done.code == 0, done.err
    assert "'added' (no known" not in " ".join(done.out.split())
    both = RunFolder(tmp_path / "both")
    thresholds, _ = both.load_decision_rule()
    assert not thresholds.labels[both.load_labels().index("added")].never_chosen


def add_label(url: str) -> None:
    """A person adds the label ``added`` in the app."""
    store = Store.open(url)
    operation = LabelOperation(kind="add", label="added", reviewer="ann", client="vocabulary", seq=0)
    store.record_operation(operation)
    store.close()


def decide(url: str, hashes: Any, verdict: str) -> None:
    """A person gives this verdict on the label ``added`` of these photos."""
    store = Store.open(url)
    store.record(
        [
            Decision(hash=hash, label="added", verdict=verdict, before=-1, suggested=None, doubt=None,
                     run="r", reviewer="ann", seconds=None, client=verdict, seq=seq)
            for seq, hash in enumerate(hashes)
        ]
    )  # fmt: skip
    store.close()


def is_chosen(run: Path, photos: Path) -> bool:
    """Whether ``predict`` gives any of the photos the label ``added``."""
    table = tagger.load(run).predict(photos)
    return bool(table["labels"].str.contains("added").any())
