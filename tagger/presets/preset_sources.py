"""Settings of a preset as read: of the package, of a file of one's own, or of a run's ``config.toml``.

A file of one's own holds the settings that differ from the defaults, under present or former names. It may begin
with ``preset = "best"``, and then holds what differs from that preset.
"""

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

from tagger.config import check_settings, read_settings
from tagger.errors import TaggerError, did_you_mean
from tagger.renamed_settings import current_names

OPTION_KEYS = {"path": "--data", "labels": "--labels"}  # keys of ``data`` that no preset has


def preset_names() -> list[str]:
    """Names of the presets that ship with the package, sorted."""
    return sorted(
        p.name.removesuffix(".toml") for p in files("tagger.presets").iterdir() if p.name.endswith(".toml")
    )


def full_preset_name(preset: str) -> str:
    """What ``settings.preset`` holds: the name of a preset of the package, else the whole path of a file or run.

    >>> full_preset_name("quick")
    'quick'
    """
    return preset if preset in preset_names() else str(Path(preset).resolve())


def load_preset(preset: str) -> dict[str, Any]:
    """The settings of a preset as nested dicts, under present names.

    TaggerError if there is no such preset, file or run, or if a setting in it is unknown or has a bad value.
    """
    if preset in preset_names():
        return _shipped(preset)
    path = Path(preset)
    if path.is_dir() and (path / "config.toml").is_file():
        return _settings_of_run(path / "config.toml")
    if path.is_file():
        return _own_file(path)
    if path.is_dir():
        raise TaggerError(f"--preset {preset}: this folder is no run: it has no config.toml.")
    if path.suffix or len(path.parts) > 1:
        raise TaggerError(f"--preset {preset}: there is no such file of settings, and no such run folder.")
    known = preset_names()
    raise TaggerError(
        f"Unknown preset {preset!r}.{did_you_mean(preset, known)} Available: {', '.join(known)}; or give a file"
        " of settings (.toml), or a run folder."
    )


def _shipped(preset: str) -> dict[str, Any]:
    return tomllib.loads((files("tagger.presets") / f"{preset}.toml").read_text("utf-8"))


def _settings_of_run(config: Path) -> dict[str, Any]:
    """All settings of a run but its photos and labels."""
    tree = read_settings(config).model_dump()
    tree["data"] = {key: value for key, value in tree["data"].items() if key not in OPTION_KEYS}
    del tree["preset"], tree["started_from"]
    return tree


def _own_file(path: Path) -> dict[str, Any]:
    try:
        tree = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise TaggerError(
            f"--preset {path}: this is no file of settings in TOML ({error}). Write it as in docs/train.md,"
            " or name a preset."
        ) from None
    if "format_version" in tree:  # a copy of the config.toml of a run
        return _settings_of_run(path)
    base = _base(path, tree.pop("preset", None))
    _check_own(path, tree)
    for section, values in current_names(tree)[0].items():
        base[section] = {**base.get(section, {}), **values} if isinstance(values, dict) else values
    return base


def _base(path: Path, preset: Any) -> dict[str, Any]:
    """The preset of the package that a file begins with, or nothing."""
    if preset is None:
        return {}
    if preset not in preset_names():
        known = preset_names()
        raise TaggerError(
            f"--preset {path}: preset = {preset!r} is none of {', '.join(known)}.{did_you_mean(str(preset), known)}"
        )
    return _shipped(str(preset))


def _check_own(path: Path, tree: dict[str, Any]) -> None:
    """TaggerError with every unknown key and bad value of a file, or for a key that an option sets."""
    data = tree.get("data")
    taken = {
        f"data.{key}": option for key, option in OPTION_KEYS.items() if isinstance(data, dict) and key in data
    }
    taken |= {"started_from": "--from"} if "started_from" in tree else {}
    if taken:
        listed = ", ".join(f"{key} ({option} says this)" for key, option in taken.items())
        raise TaggerError(f"--preset {path}: remove {listed}.")
    try:
        check_settings(tree)
    except TaggerError as error:
        raise TaggerError(f"--preset {path}: {error}") from None
