"""Settings: documented, closed, and the same after a round trip through a run's config.toml."""

import math
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from tagger.config import FORMAT_VERSION, Settings, check_settings, dump_settings, read_settings
from tagger.errors import TaggerError
from tagger.presets import load_settings, preset_names
from tagger.setting_sections import PartSettings


def fields(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted name, field) of every setting that holds a value."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from fields(kind, f"{path}{name}.")
        else:
            yield path + name, field


def value(settings: Settings, key: str) -> Any:
    """The value at a dotted name."""
    found: Any = settings
    for name in key.split("."):
        found = getattr(found, name)
    return found


def test_every_setting_has_a_default_and_a_line_of_documentation():
    undocumented = [name for name, field in fields(Settings) if not (field.description or "").strip(" .")]
    assert not undocumented
    assert not [
        name for name, field in fields(Settings) if field.is_required() and name.split(".")[0] != name
    ]
    assert check_settings({}) == Settings()


def test_documentation_is_one_line_each():
    assert not [name for name, field in fields(Settings) if "\n" in field.description]


@pytest.mark.parametrize("preset", ["quick", "standard", "best"])
def test_presets_load_and_say_what_they_are_for(preset: str):
    assert preset in preset_names()
    assert load_settings(preset).preset == preset
    text = (Path(__file__).parents[1] / "tagger" / "presets" / f"{preset}.toml").read_text("utf-8")
    assert text.startswith("#")


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ("train.lr=0.01", "train.lr", 0.01),
        ("train.lr = 1e-2", "train.lr", 0.01),
        ("train.epochs=7", "train.epochs", 7),
        ("image.tta_hflip=false", "image.tta_hflip", False),
        ("image.tta_hflip=True", "image.tta_hflip", True),
        ("loss.name=focal", "loss.name", "focal"),
        ("loss.name='focal'", "loss.name", "focal"),
        ("head_stage.enabled=auto", "head_stage.enabled", "auto"),
        ("head_stage.enabled=false", "head_stage.enabled", False),
        ("threshold.objective=precision>=0.9", "threshold.objective", "precision>=0.9"),
        ("threshold.objective=cost fp=1 fn=5", "threshold.objective", "cost fp=1 fn=5"),
        ("seed=3", "seed", 3),
        ("backbone.weights=/a b/it's.pth", "backbone.weights", "/a b/it's.pth"),
        ("backbone.weights=", "backbone.weights", ""),
    ],
)
def test_set_takes_toml_values_and_plain_text(text: str, key: str, expected: object):
    assert value(load_settings("quick", [text]), key) == expected


def test_options_of_parts_pass_through():
    settings = load_settings("quick", ["loss.name=focal", "loss.gamma=1.5", "backbone.pad_type=same"])
    assert settings.loss.options["gamma"] == 1.5
    assert settings.backbone.options["pad_type"] == "same"
    assert "name" not in settings.loss.options


def test_the_last_word_counts():
    assert load_settings("quick", ["train.lr=1", "train.lr=2"]).train.lr == 2
    assert load_settings("quick", ["data.path=a"], data={"path": "b"}).data.path == "b"


def test_a_preset_is_only_a_start():
    settings = load_settings("quick", ["image.size=77"])
    assert settings.image.size == 77
    assert settings.model_copy(update={"image": load_settings("quick").image}) == load_settings("quick")


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["trian.lr=1"], "unknown key 'trian' (top level). Did you mean 'train'?"),
        (["train.lrr=1"], "unknown key 'lrr' (section 'train'). Did you mean 'lr'?"),
        (["train.qqq=1"], "unknown key 'qqq' (section 'train'). It takes: epochs,"),
        (["train.lr=-1"], "train.lr = -1: input should be greater than 0"),
        (["train.lr=fast"], "train.lr = 'fast': input should be a valid number"),
        (["image.fit=stretch"], "image.fit = 'stretch': input should be 'squash', 'crop' or 'pad'"),
        (["train.lr"], "--set 'train.lr': write it as section.key=value"),
        (["=3"], "--set '=3': write it as section.key=value"),
        (["a.b.c=3"], "--set 'a.b.c=3': write it as section.key=value"),
        (["seed=1", "seed.x=3"], "'seed' is a setting, not a section"),
        (["train=3"], "train = 3: input should be a"),
        (["device=tpu"], "device = 'tpu': input should be 'auto', 'cpu', 'cuda' or 'mps'"),
        (["train.lr=inf"], "train.lr = inf"),
        (["train.lr=nan"], "train.lr = nan"),
    ],
)
def test_a_mistake_in_set_is_one_line_with_the_way_out(texts: list[str], message: str):
    with pytest.raises(TaggerError) as error:
        load_settings("quick", texts)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_all_mistakes_come_at_once():
    with pytest.raises(TaggerError) as error:
        load_settings("quick", ["train.lrr=1", "image.sise=3", "train.epochs=-1"])
    assert all(word in str(error.value) for word in ("'lr'", "'size'", "train.epochs"))


def test_an_unknown_preset_suggests_the_nearest():
    with pytest.raises(
        TaggerError, match=r"Unknown preset 'quik'. Did you mean 'quick'.*best, quick, standard"
    ):
        load_settings("quik")


@pytest.mark.parametrize("preset", ["quick", "standard", "best"])
def test_settings_survive_config_toml(tmp_path: Path, preset: str):
    settings = load_settings(preset, ["backbone.pad_type=same", "loss.name=focal", "loss.gamma=1.5"])
    (tmp_path / "config.toml").write_text(dump_settings(settings), "utf-8")
    assert read_settings(tmp_path / "config.toml") == settings
    assert tomllib.loads(dump_settings(settings))["format_version"] == FORMAT_VERSION


@given(st.text(), st.floats(1e-9, 1e9), st.integers(0, 2**62), st.booleans())
def test_any_value_survives_config_toml(path: str, lr: float, seed: int, compile: bool):
    settings = check_settings({"data": {"path": path}, "train": {"lr": lr, "compile": compile}, "seed": seed})
    tree = tomllib.loads(dump_settings(settings))
    del tree["format_version"]
    again = check_settings(tree)
    assert again == settings
    assert math.isclose(again.train.lr, lr, rel_tol=0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f"format_version = {FORMAT_VERSION + 1}",
            f"format_version {FORMAT_VERSION + 1}, but this tagger reads",
        ),
        ("seed = 1", "format_version None"),
        ("= broken", "not valid TOML"),
        ("\xff", "not valid TOML"),
        (f"format_version = {FORMAT_VERSION}\nsede = 1", "Did you mean 'seed'"),
    ],
)
def test_a_config_that_is_not_ours_is_refused_with_a_reason(tmp_path: Path, text: str, message: str):
    (tmp_path / "config.toml").write_text(text, "latin-1")
    with pytest.raises(TaggerError, match=message) as error:
        read_settings(tmp_path / "config.toml")
    assert "\n" not in str(error.value)


def test_settings_cannot_be_changed_in_passing():
    with pytest.raises(ValueError, match="frozen"):
        Settings().seed = 3  # type: ignore[misc]
    assert issubclass(type(Settings().loss), PartSettings)
