"""Former names of settings: each reads like the present one, is announced once, and never overrules it silently."""

import logging
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from tagger import renamed_settings
from tagger.config import FORMAT_VERSION, Settings, check_settings, dump_settings, read_settings
from tagger.errors import TaggerError
from tagger.presets import load_settings
from tagger.renamed_settings import RENAMED

# A value of each that is not the default.
VALUES: dict[str, Any] = {
    "attention.width": 7,
    "features.batch_size": 17,
    "features.enabled": False,
    "features.epochs": 9,
    "features.lr": 0.25,
    "features.mixup": 0.3,
    "features.repeats": 3,
    "features.weight_decay": 0.125,
    "image.flip_views": False,
    "image.grow_from": 48,
    "threshold.aim": "precision>=0.9",
    "train.clip": 0.5,
    "train.ema": 0.75,
    "train.keep": 0.4,
    "train.members": 2,
}


@pytest.fixture(autouse=True)
def _nothing_said_before() -> None:
    renamed_settings._announce.cache_clear()
    renamed_settings.announce_old_config.cache_clear()


def text(key: str, value: Any) -> str:
    """The setting as ``--set`` takes it."""
    return f"{key}={str(value).lower() if isinstance(value, bool) else value}"


def nested(values: dict[str, Any]) -> dict[str, Any]:
    """Nested settings of dotted keys."""
    tree: dict[str, Any] = {}
    for key, value in values.items():
        section, name = key.split(".")
        tree.setdefault(section, {})[name] = value
    return tree


def test_every_former_name_has_a_value_here_and_no_present_name_is_a_former_one():
    assert set(VALUES) == set(RENAMED)
    present = {
        f"{section}.{name}"
        for section, values in Settings().model_dump().items()
        if isinstance(values, dict)
        for name in values
    }
    assert set(RENAMED.values()) <= present
    assert not set(RENAMED) & present
    assert len(set(RENAMED.values())) == len(RENAMED)


@pytest.mark.parametrize(("old", "value"), VALUES.items())
@pytest.mark.parametrize("preset", ["quick", "standard", "best"])
def test_the_former_name_gives_the_same_settings(preset: str, old: str, value: Any):
    now = load_settings(preset, [text(RENAMED[old], value)])
    assert load_settings(preset, [text(old, value)]) == now
    assert now != load_settings(preset)


@pytest.mark.parametrize(("old", "value"), VALUES.items())
def test_nested_settings_read_alike(old: str, value: Any):
    assert check_settings(nested({old: value})) == check_settings(nested({RENAMED[old]: value}))


@pytest.mark.parametrize("version", [1, FORMAT_VERSION])
def test_a_config_toml_of_former_names_loads_equal(tmp_path: Path, version: int):
    expected = check_settings(nested({RENAMED[old]: value for old, value in VALUES.items()}))
    written = tomllib.loads(dump_settings(expected))
    assert written["format_version"] == FORMAT_VERSION
    for old, new in RENAMED.items():
        section, name = new.split(".")
        written.setdefault(old.split(".")[0], {})[old.split(".")[1]] = written[section].pop(name)
    assert written.pop("head_stage") == {}  # all of it is renamed
    (tmp_path / "config.toml").write_text(tomli_w.dumps(written | {"format_version": version}), "utf-8")
    assert read_settings(tmp_path / "config.toml") == expected


def test_each_former_name_is_announced_once(caplog: pytest.LogCaptureFixture):
    for _ in range(2):
        load_settings("quick", ["train.keep=0.2", "features.epochs=3", "train.keep=0.3", "train.lr=0.1"])
    assert caplog.messages == [
        "Setting train.keep is now called train.wise_ft_share.",
        "Setting features.epochs is now called head_stage.epochs.",
    ]


def test_the_sentences_stand_on_the_screen_once(tmp_path: Path):
    config = tomli_w.dumps(nested(VALUES) | {"format_version": 1})
    (tmp_path / "config.toml").write_text(config, "utf-8")
    code = """
from pathlib import Path
from tagger.config import read_settings
from tagger.presets import load_settings
for _ in range(2):
    load_settings("quick", ["train.keep=0.2"])
    read_settings(Path("config.toml"))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    said = done.stderr.splitlines()
    assert said[0] == "Setting train.keep is now called train.wise_ft_share."
    assert said[1].startswith("config.toml: from an earlier version of tagger.")
    assert len(said) == 2


def test_present_names_are_not_announced(caplog: pytest.LogCaptureFixture):
    load_settings("best", [text(RENAMED[old], value) for old, value in VALUES.items()])
    assert not caplog.messages


def test_a_run_of_an_earlier_version_is_one_sentence(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = tmp_path / "config.toml"
    path.write_text(tomli_w.dumps(nested(VALUES) | {"format_version": 1}), "utf-8")
    assert read_settings(path) == read_settings(path)
    assert [(record.levelno, record.message.split(": ")[0]) for record in caplog.records] == [
        (logging.WARNING, str(path))
    ]


def test_the_last_word_counts_under_either_name():
    assert load_settings("best", ["train.keep=0.1", "train.keep=0.2"]).train.wise_ft_share == 0.2
    assert load_settings("best", ["train={keep=0.1}"]).train.wise_ft_share == 0.1
    assert load_settings("best", ["features={repeats=3}"]).head_stage.num_seeds == 3


def test_both_names_with_one_value_are_no_mistake():
    assert load_settings("quick", ["train.keep=0.1", "train.wise_ft_share=0.1"]).train.wise_ft_share == 0.1


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (
            ["train.keep=0.1", "train.wise_ft_share=0.2"],
            "Settings: train.keep = 0.1 and train.wise_ft_share = 0.2 are the same setting"
            " (train.keep is now called train.wise_ft_share). Give train.wise_ft_share only.",
        ),
        (
            ["head_stage.epochs=1", "features.epochs=2"],
            "Settings: head_stage.epochs = 1 and features.epochs = 2 are the same setting"
            " (features.epochs is now called head_stage.epochs). Give head_stage.epochs only.",
        ),
    ],
)
def test_both_names_with_different_values_are_refused(texts: list[str], message: str):
    for given in (texts, texts[::-1]):
        with pytest.raises(TaggerError, match="are the same setting"):
            load_settings("quick", given)
    with pytest.raises(TaggerError) as error:
        load_settings("quick", texts)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            "train.keeep=1",
            "unknown key 'keeep' (section 'train'). Did you mean 'wise_ft_share' (formerly 'keep')?",
        ),
        ("train.wise_ft_shar=1", "(section 'train'). Did you mean 'wise_ft_share'?"),
        ("featurs.epochs=1", "'featurs' (top level). Did you mean 'head_stage' (formerly 'features')?"),
        (
            "features.repeat=1",
            "'repeat' (section 'head_stage'). Did you mean 'num_seeds' (formerly 'repeats')?",
        ),
        ("features.epoch=1", "unknown key 'epoch' (section 'head_stage'). Did you mean 'epochs'?"),
        ("features=1", "head_stage = 1: input should be a"),
        ("train.keep=2", "train.wise_ft_share = 2: input should be less than or equal to 1"),
    ],
)
def test_a_misspelt_key_finds_both_names(given: str, message: str):
    with pytest.raises(TaggerError) as error:
        load_settings("quick", [given])
    assert message in str(error.value)
