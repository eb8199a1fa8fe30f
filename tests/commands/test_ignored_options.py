"""No option is ignored: beside another one, each is used, or refused with the reason."""

from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import typer
from noise_photos import refused

from tagger.cli import app
from tagger.commands.steps.resume_options import check_resume_options
from tagger.errors import TaggerError
from tagger.runs import RunFolder

Cli = Callable[..., Any]

# (command, the option that makes others idle) -> option -> a value that would change something, or None: it is used.
RESUMED: dict[tuple[str, str], dict[str, str | None]] = {
    ("train", "--resume"): {
        "--data": "elsewhere", "--preset": "best", "--backbone": "test_vit", "--weights": "hub",
        "--labels": "labels.csv", "--set": "train.epochs=7", "--from": "other", "--run": None,
    },
    ("retrain", "--resume"): {
        "--run": "other", "--out": None, "--store": None, "--data": None, "--on-disagreement": "newest",
        "--grow": "", "--renamed": "a=b", "--accept-edited": "",
    },
    ("predict", "--resume"): {
        "--on-existing": "overwrite", "FOLDER": None, "--run": None, "--out": None, "--format": None,
        "--thresholds": None, "--landmarks": None,
    },
    ("data duplicates", "--undo"): {
        "--labels": "labels.csv", "--no-near": "", "--run": "run", "--apply": "", "--to": "aside",
        "--out": "table.csv", "--set": "data.file_column=image", "FOLDER": None,
    },
}  # fmt: skip


def options_of(command: str) -> set[str]:
    """The names of a command's options and arguments, as a person types them."""
    call: Any = typer.main.get_command(app)
    for word in command.split():
        call = call.commands[word]
    flags = [*call.params]
    names = {max(one.secondary_opts or one.opts, key=len) for one in flags if one.param_type_name == "option"}
    return names | {one.name.upper() for one in flags if one.param_type_name == "argument"}


@pytest.fixture
def begun(finished: Path, tmp_path: Path) -> RunFolder:
    """A training that was interrupted."""
    run = RunFolder(copytree(finished, tmp_path / "begun"))
    (run.path / "metrics.json").unlink()
    return run


def test_every_pair_has_an_entry():
    """Whoever adds an option to one of these commands says what becomes of it."""
    for (command, option), others in RESUMED.items():
        assert options_of(command) - {option} == set(others), command
    commands = ("train", "predict", "retrain", "apply", "suspects", "review", "evaluate")
    assert {name for name in commands if "--resume" in options_of(name)} == {
        command for command, option in RESUMED if option == "--resume"
    }


@pytest.mark.parametrize(
    ("option", "value"), [pair for pair in RESUMED["train", "--resume"].items() if pair[1]]
)
def test_a_resumed_training_refuses_other_settings(
    option: str, value: str, begun: RunFolder, tagger_cli: Cli
):
    before = {path: path.read_bytes() for path in begun.path.rglob("*") if path.is_file()}
    end = tagger_cli("train", "--resume", "--run", begun.path, option, value)
    refused(end, f"{option} {value}", str(begun.path), "config.toml", "without --resume")
    assert {path: path.read_bytes() for path in begun.path.rglob("*") if path.is_file()} == before


def test_a_resumed_training_names_all_that_differs(begun: RunFolder, tagger_cli: Cli):
    end = tagger_cli(
        "train", "--resume", "--run", begun.path, "--preset", "best", "--set", "seed=9", "--set", "seed=8"
    )
    refused(end, "--preset best (begun with standard)", "--set seed=9", "--set seed=8")


def test_a_resumed_training_takes_the_same_command_again(begun: RunFolder):
    settings = begun.load_settings()
    own = {"preset": "standard", "backbone": "test_resnet", "weights": "none", "labels": None}
    sets = ["train.epochs=2", "image.workers=0", "train.fold_models=1", "loss.name=bce"]
    check_resume_options(begun, settings, data=settings.data.path, overrides=sets, **own)
    with pytest.raises(TaggerError, match=r"Different: --set train\.epochs=3\. Leave"):
        check_resume_options(
            begun, settings, data=settings.data.path, overrides=[*sets, "train.epochs=3"], **own
        )


def test_a_resumed_retraining_refuses_another_run(begun: RunFolder, finished: Path, tagger_cli: Cli):
    begun.checkpoint.save_origin(
        {"from": str(finished), "store": "sqlite:///x", "last_decision": 0, "last_operation": 0}
    )
    refused(
        tagger_cli("retrain", "--resume", "--out", begun.path, "--run", "other"),
        "--run other", f"began from {finished}", "without --resume",
    )  # fmt: skip


@pytest.mark.parametrize("more", [("--grow",), ("--grow", "--renamed", "a=b"), ("--accept-edited",)])
def test_a_resumed_retraining_takes_no_more_than_it_began_with(
    more: tuple[str, ...], begun: RunFolder, finished: Path, tagger_cli: Cli
):
    begun.checkpoint.save_origin(
        {"from": str(finished), "store": "sqlite:///x", "last_decision": 0, "last_operation": 0}
    )
    end = tagger_cli("retrain", "--resume", "--out", begun.path, *more)
    refused(end, " ".join(more[-2:]), "without --resume")


@pytest.mark.parametrize("existing", ["overwrite", "merge"])
def test_sidecars_are_not_resumed_and_written_anew_at_once(
    existing: str, finished: Path, demo: Path, tagger_cli: Cli
):
    argv = ("predict", demo / "new", "--run", finished, "--format", "xmp", "--out", "tags", "--resume")
    refused(
        tagger_cli(*argv, "--on-existing", existing), f"--resume with --on-existing {existing}", "skipping"
    )
    assert not Path("tags").exists()


@pytest.mark.parametrize(
    "more",
    [("--resume",), ("--on-existing", "overwrite"), ("--on-existing", "skip"), ("--format", "csv"),
     ("--format", "txt"), ("--out", "tags.csv")],
)  # fmt: skip
def test_the_options_of_writing_are_refused_with_one_photo(
    more: tuple[str, ...], finished: Path, demo: Path, tagger_cli: Cli
):
    photo = min((demo / "new").iterdir())
    end = tagger_cli("predict", photo, "--run", finished, *more)
    refused(end, "folder")
    assert more[0] in end.err or "this is a file, not a folder" in end.err
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("existing", ["skip", "overwrite", "merge"])
@pytest.mark.parametrize("format", ["csv", "coco", "folders"])
def test_a_file_is_not_merged(existing: str, format: str, finished: Path, demo: Path, tagger_cli: Cli):
    more = ("--format", format, "--out", "out.csv", "--on-existing", existing)
    for argv in (("apply", "--run", finished), ("data", "convert", demo)):
        refused(tagger_cli(*argv, *more), "--on-existing", "only for sidecars", format)
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("option", "value"),
    [pair for pair in RESUMED["data duplicates", "--undo"].items() if pair[1] is not None],
)
def test_moving_files_back_takes_no_other_option(option: str, value: str, demo: Path, tagger_cli: Cli):
    more = (option, value) if value else (option,)
    refused(tagger_cli("data", "duplicates", demo, "--undo", "aside", *more), "--undo only moves files back")


# setting -> the option that sets it, and a value of that option
OWNED = {
    "data.path": ("--data", None),  # the others are refused where --data is given, as it always is
    "data.labels": ("--labels", None),
    "preset": ("--preset", None),
    "backbone.name": ("--backbone", "test_resnet"),
    "backbone.weights": ("--weights", "none"),
}


@pytest.mark.parametrize("form", ["key", "section"])
@pytest.mark.parametrize("setting", OWNED)
def test_a_setting_is_said_once(setting: str, form: str, demo: Path, tagger_cli: Cli):
    """As ``section.key=value``, and in a whole section: ``section={key = value}``."""
    option, value = OWNED[setting]
    section, _, key = setting.partition(".")
    text = f"{setting}=x" if form == "key" else f"{section}={{{key or 'x'} = 'x'}}"
    more = (option, value) if value else ()
    refused(tagger_cli("train", "--data", demo, *more, "--set", text), f"--set {text}: {option} says this")
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("setting", [key for key in OWNED if "." in key])
def test_a_whole_section_is_compared_with_that_of_a_resumed_training(
    setting: str, begun: RunFolder, tagger_cli: Cli
):
    section, _, key = setting.partition(".")
    text = f"{section}={{{key} = 'elsewhere'}}"
    end = tagger_cli("train", "--resume", "--run", begun.path, "--set", text)
    refused(end, f"--set {text}", "config.toml", "without --resume")


@pytest.mark.parametrize(
    "text", ["data={path = 'x'}", "data={labels = 'x'}", "backbone={name = 'x'}", "data=5"]
)
def test_commands_that_only_read_labels_refuse_other_settings(text: str, demo: Path, tagger_cli: Cli):
    refused(tagger_cli("data", "stats", demo, "--set", text), "Settings: ")
