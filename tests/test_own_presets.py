"""A file of one's own, or the settings of a run, as a preset."""

from pathlib import Path
from typing import Any

import pytest
from small import options

from tagger.config import check_settings, dump_settings
from tagger.errors import TaggerError
from tagger.presets import load_settings, preset_names


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The path of a file of settings."""
    return tmp_path / "portraits.toml"


def test_a_file_holds_what_differs_from_the_defaults(own: Path):
    own.write_text("seed = 7\n[train]\nlr = 0.01\n", "utf-8")
    made = load_settings(str(own), ["train.epochs=9"])
    assert made == check_settings({"seed": 7, "train": {"lr": 0.01, "epochs": 9}, "preset": str(own)})
    assert made.preset_title == "portraits.toml"


@pytest.mark.parametrize("base", preset_names())
def test_a_file_may_begin_with_a_preset(base: str, own: Path):
    own.write_text(f"preset = '{base}'\n[image]\nsize = 48\n", "utf-8")
    expected = load_settings(base, ["image.size=48"]).model_copy(update={"preset": str(own)})
    assert load_settings(str(own)) == expected


def test_former_names_are_read(own: Path, caplog: pytest.LogCaptureFixture):
    own.write_text("[features]\nrepeats = 2\n[train]\nkeep = 0.4\n", "utf-8")
    made = load_settings(str(own))
    assert (made.head_stage.num_seeds, made.train.wise_ft_share) == (2, 0.4)


def test_the_settings_of_a_run_but_not_its_photos(own: Path, tmp_path: Path):
    run = tmp_path / "run"
    run.mkdir()
    settings = load_settings(
        "best", options(seed=5), data={"path": "/photos", "labels": "/l.csv", "test": 0.2}
    )
    (run / "config.toml").write_text(dump_settings(settings), "utf-8")
    own.write_text(dump_settings(settings), "utf-8")  # a copy of it says the same
    for preset in (run, own):
        made = load_settings(str(preset))
        expected = settings.model_dump() | {"preset": str(preset)}
        expected["data"] |= {"path": "", "labels": ""}
        assert made.model_dump() == expected


WRONG: dict[str, tuple[str, ...]] = {
    "[train]\nepoch = 3\n[trian]\nlr = 1\n": ("'epoch'", "'epochs'", "'trian'", "'train'"),
    "[train]\nepochs = 'many'\n": ("train.epochs = 'many'",),
    "[data]\npath = 'x'\nlabels = 'y'\n": (
        "data.path (--data says this)",
        "data.labels (--labels says this)",
    ),
    "preset = 'quik'\n": ("'quik'", "Did you mean 'quick'?"),
    "preset = 3\n": ("preset = 3",),
    "train = 3\n": ("train = 3",),
    "no settings": ("no file of settings in TOML",),
    "format_version = 99\n": ("format_version 99",),
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_in_a_file_is_named(text: str, own: Path):
    own.write_text(text, "utf-8")
    with pytest.raises(TaggerError) as error:
        load_settings(str(own))
    for part in (str(own), *WRONG[text]):
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("preset", "said"),
    [
        ("quik", "Did you mean 'quick'?"),
        ("gone.toml", "no such file"),
        ("a/b", "no such file"),
        (".", "no run"),
    ],
)
def test_what_is_no_preset_is_refused(
    preset: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TaggerError, match=said.replace("?", r"\?")):
        load_settings(preset)


def test_a_resumed_training_knows_its_preset_by_any_path(own: Path, monkeypatch: pytest.MonkeyPatch):
    from tagger.commands.steps.resume_options import check_resume_options
    from tagger.runs import RunFolder

    own.write_text("seed = 7\n", "utf-8")
    monkeypatch.chdir(own.parent)
    none: dict[str, Any] = dict.fromkeys(("data", "backbone", "weights", "labels"))
    settings = load_settings(own.name)
    check_resume_options(
        RunFolder("run"), settings, preset=f"../{own.parent.name}/{own.name}", overrides=[], **none
    )
    with pytest.raises(TaggerError, match="--preset quick"):
        check_resume_options(RunFolder("run"), settings, preset="quick", overrides=[], **none)
