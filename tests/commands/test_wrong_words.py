"""Wrong words on the command line: one line that names the nearest right one, and nothing is begun."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from noise_photos import refused
from PIL import Image
from small import train_argv

from tagger.errors import TaggerError
from tagger.runs import RunFolder, find_run

Cli = Callable[..., Any]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--backbone", "test_resnt", "--weights", "none"],
            ["Unknown backbone 'test_resnt'", "'test_resnet'"],
        ),
        (["--backbone", "test_resnet", "--weights", "nix.pth"], ["nix.pth: no such file", "`none`"]),
        (["--preset", "quik"], ["Unknown preset 'quik'", "Did you mean 'quick'"]),
        (["--set", "trian.lr=1"], ["unknown key 'trian'", "Did you mean 'train'"]),
        (["--set", "train.lrr=1"], ["unknown key 'lrr'", "Did you mean 'lr'"]),
        (["--set", "train.lr"], ["section.key=value"]),
        (["--set", "loss.name=bcee"], ["Unknown loss 'bcee'", "Did you mean 'bce'"]),
        (["--weights", "nix.pth", "--set", "loss.name=bcee"], ["Unknown loss 'bcee'"]),  # words before files
        (["--set", "loss.gamma=1"], ["loss 'bce' has no option 'gamma'"]),
        (["--set", "sampler.name=x"], ["Unknown sampler 'x'"]),
        (["--set", "head.name=lin"], ["Unknown head 'lin'"]),
        (["--set", "train.optimiser=adamwww"], ["adamwww", "list_optimizers"]),
        (["--set", "threshold.objective=best"], ["Unknown threshold objective 'best'"]),
        (["--set", "backbone.colour=red"], ["does not take an option that was set", "colour"]),
        (["--set", "data.val=0"], ["data.val = 0"]),
        (["--set", "data.val=0.6", "--set", "data.test=0.6"], ["val=0.6, test=0.6"]),
        (["--set", "device=cuda"], ["device", "cuda"]),
        (["--bakbone", "x"], ["No such option: --bakbone"]),
        (["extra"], ["extra"]),
    ],
)
def test_wrong_words_are_met_with_the_nearest_right_one(
    tagger_cli: Cli, photos: Any, arguments: list[str], words: list[str]
):
    if "device=cuda" in arguments and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    data = photos(8)
    ended = tagger_cli(*train_argv(data, Path("run")), *arguments)
    refused(ended, *words)
    assert not (Path("run") / "config.toml").exists()


def test_a_wrong_command_and_no_data(tagger_cli: Cli):
    refused(tagger_cli("trian"), "No such command 'trian'", "Did you mean 'train'")
    refused(tagger_cli("train"), "--data DIR")
    refused(tagger_cli("evaluate"), "--data DIR")
    refused(tagger_cli("predict"), "folder")


def test_weights_of_another_architecture(tagger_cli: Cli, photos: Any, tmp_path: Path):
    path = tmp_path / "other.pth"
    torch.save(timm.create_model("test_efficientnet").state_dict(), path)
    argv = ["train", "--data", photos(8), "--backbone", "test_resnet", "--weights", path]
    refused(tagger_cli(*argv), str(path), "not weights of 'test_resnet'", "Name the backbone")


def test_runs_that_are_not_there_not_finished_or_in_the_way(tagger_cli: Cli, demo: Path, finished: Path):
    new = demo / "new"
    refused(tagger_cli("predict", new), "no finished run in ./runs")
    refused(tagger_cli("predict", new, "--run", finished.with_name("rum")), "no such run", "Did you mean")
    refused(tagger_cli("predict", new, "--run", demo), "is no run folder")
    begun = RunFolder("begun")
    begun.save_settings(RunFolder(finished).load_settings())
    refused(tagger_cli("predict", new, "--run", "begun"), "not finished", "tagger train --resume --run begun")
    refused(tagger_cli("evaluate", "--data", demo, "--run", "begun"), "not finished")
    refused(tagger_cli(*train_argv(demo, Path("begun"))), "there is an unfinished run", "--resume")
    refused(tagger_cli(*train_argv(demo, finished)), "there is a run already. Choose another --run")
    refused(tagger_cli("train", "--resume", "--run", finished), "finished already")
    refused(tagger_cli("train", "--resume", "--run", "nix"), "no training was started there")
    refused(tagger_cli("train", "--resume"), "no unfinished run in ./runs")
    Path("file").write_text("x")
    refused(tagger_cli(*train_argv(demo, Path("file"))), "is a file")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--format", "csw"], ["Unknown --format 'csw'", "Did you mean 'csv'"]),
        (["--on-existing", "merg"], ["Unknown --on-existing 'merg'", "'merge'"]),
        (["--on-existing", "merge"], ["merge is for sidecars"]),
        (["--out", "file/tags.csv"], ["the folder file cannot be made"]),
        (["--out", "."], ["is a folder"]),
    ],
)
def test_wrong_words_for_predict(
    tagger_cli: Cli, demo: Path, finished: Path, arguments: list[str], words: list[str]
):
    Path("file").write_text("x")
    refused(tagger_cli("predict", demo / "new", "--run", finished, *arguments), *words)


def test_predict_makes_the_folder_of_its_table_only_with_a_run(tagger_cli: Cli, demo: Path, finished: Path):
    refused(tagger_cli("predict", demo / "new", "--run", "nosuch", "--out", "a/b/tags.csv"), "nosuch")
    assert not Path("a").exists()
    assert tagger_cli("predict", demo / "new", "--run", finished, "--out", "a/b/tags.csv").code == 0
    assert Path("a/b/tags.csv").is_file()


def test_folders_without_images_for_predict(tagger_cli: Cli, finished: Path, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    refused(tagger_cli("predict", tmp_path / "empty", "--run", finished), "there are no photos in it")
    refused(
        tagger_cli("predict", tmp_path / "emty", "--run", finished), "no such folder", "Did you mean 'empty'"
    )


def test_data_without_a_label_in_common(tagger_cli: Cli, photos: Any, finished: Path):
    refused(
        tagger_cli("evaluate", "--data", photos(4), "--run", finished),
        "no label in common",
        "The run knows: ",
    )


def test_a_damaged_model_is_named(tagger_cli: Cli, demo: Path, finished: Path):
    copy = Path("copy")
    copy.mkdir()
    for path in finished.iterdir():
        if path.is_file():
            (copy / path.name).write_bytes(path.read_bytes())
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-500])
    refused(tagger_cli("predict", demo / "new", "--run", copy), "model.safetensors: not readable as weights")
    (copy / "thresholds.json").unlink()
    refused(tagger_cli("predict", demo / "new", "--run", copy), "no thresholds.json in it")


def test_two_images_of_one_name_get_no_sidecar_and_are_named(
    tagger_cli: Cli, demo: Path, finished: Path, tmp_path: Path
):
    (tmp_path / "twins").mkdir()
    for photo, name in zip(sorted((demo / "images").iterdir())[:2], ("a.jpg", "a.png"), strict=True):
        Image.open(photo).save(tmp_path / "twins" / name)
    argv = ["predict", tmp_path / "twins", "--run", finished]
    done = tagger_cli(*argv, "--format", "txt", "--out", "tags")
    assert done.code == 3
    assert "2 photos were not tagged:" in done.out
    assert not list(Path("tags").glob("*.txt"))
    assert tagger_cli(*argv, "--format", "xmp", "--out", "tags").code == 0
    assert {path.name for path in Path("tags").glob("*.xmp")} == {"a.jpg.xmp", "a.png.xmp"}


@pytest.mark.parametrize("name", ["x" * 5000, "a/" * 3000])
def test_a_run_whose_name_is_too_long_for_the_disk_is_not_there(name: str):
    with pytest.raises(TaggerError, match="no such run"):
        find_run(name)
