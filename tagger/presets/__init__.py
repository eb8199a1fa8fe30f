"""Settings from a preset and ``--set`` texts; ``preset_sources.py`` reads the preset."""

import tomllib
from collections.abc import Sequence
from typing import Any

from tagger.config import Settings, check_read_options, check_settings
from tagger.errors import TaggerError
from tagger.presets.preset_sources import full_preset_name, load_preset, preset_names
from tagger.read_options import ReadOptions
from tagger.renamed_settings import announce, current_key, current_names
from tagger.setting_sections import DataSettings

__all__ = [
    "full_preset_name",
    "load_read_options",
    "load_settings",
    "override_keys",
    "override_settings",
    "preset_names",
]


def load_settings(
    preset: str = "standard", overrides: list[str] | None = None, **named: dict[str, Any]
) -> Settings:
    """Settings of a preset (a name, a TOML file or a run folder), with ``section.key=value`` overrides and then named
    sections applied.

    All bad keys and values are reported in one TaggerError, each with the nearest known name.

    >>> load_settings("quick", ["train.lr=0.01"]).train.lr
    0.01
    """
    tree = load_preset(preset)
    tree["preset"] = full_preset_name(preset)
    _check_names(overrides or [])
    for text in overrides or []:
        _set_key(tree, text, _with_current_names(*_parse_override(text)))
    given = [key for text in overrides or [] for key in override_keys(text)]
    given += [
        f"{section}.{key}" for section, values in named.items() if isinstance(values, dict) for key in values
    ]
    for section, values in named.items():
        if isinstance(values, dict):
            if isinstance(tree.setdefault(section, {}), dict):  # else it is refused below
                tree[section].update(values)
        else:
            tree[section] = values
    settings = check_settings(tree)
    check_used(given, settings.data)
    return settings


def override_settings(settings: Settings, text: str) -> Settings:
    """The settings with one ``section.key=value`` applied; TaggerError if it is no setting.

    >>> override_settings(load_settings("quick"), "train.lr=0.01").train.lr
    0.01
    """
    tree = settings.model_dump()
    _check_names([text])
    _set_key(tree, text, _with_current_names(*_parse_override(text)))
    return check_settings(tree)


def override_keys(text: str) -> list[str]:
    """The settings that a ``section.key=value`` text sets, under present names; it may set a whole section.

    >>> override_keys("train.keep=0.5"), override_keys("data={path='x', val=0.2}")
    (['train.wise_ft_share'], ['data.path', 'data.val'])
    """
    parts, chosen = _with_current_names(*_parse_override(text))
    key = ".".join(parts)
    return [f"{key}.{name}" for name in chosen] if isinstance(chosen, dict) else [key]


def load_read_options(overrides: Sequence[str] = ()) -> ReadOptions:
    """Read options from ``data.key=value`` texts; TaggerError for any other setting.

    >>> load_read_options(["data.file_column=image_id"]).file_column
    'image_id'
    """
    tree: dict[str, Any] = {}
    for text in overrides:
        _set_key(tree, text, _parse_override(text))
    return check_read_options(tree)


def check_used(given: Sequence[str], data: DataSettings) -> None:
    """TaggerError for each of the settings ``given`` that another setting leaves without effect."""
    folders, no_time = data.split == "folders", data.sequences != "time"
    idle = {
        "data.val": "data.split=folders: the folders say which photos are for validation" if folders else "",
        "data.test": "data.split=folders: the folders say which photos are for the test" if folders else "",
        "data.burst_gap": f"data.sequences={data.sequences}: it is for data.sequences=time"
        if no_time
        else "",
    }
    found = [f"{key} has no effect with {idle[key]}" for key in dict.fromkeys(given) if idle.get(key)]
    if found:
        raise TaggerError(f"Settings: {'; '.join(found)}. Leave {'it' if len(found) == 1 else 'them'} out")


def _check_names(overrides: Sequence[str]) -> None:
    """Announce former names among ``section.key=value`` texts; TaggerError for one setting under both names."""
    given: dict[str, Any] = {}
    for text in overrides:
        _set_key(given, text, _parse_override(text))
    announce(current_names(given)[1])


def _parse_override(text: str) -> tuple[list[str], Any]:
    """The parts of the key and the value of ``section.key=value``."""
    key, equals, value = text.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts) or len(parts) > (3 if parts[0] == "regularisers" else 2):
        raise TaggerError(f"--set {text!r}: write it as section.key=value, e.g. --set train.lr=0.001")
    return parts, _parse_value(value.strip())


def _with_current_names(parts: list[str], chosen: Any) -> tuple[list[str], Any]:
    """The same override under present names; the value may be a whole section."""
    if len(parts) > 1 or not isinstance(chosen, dict):
        return current_key(".".join(parts)).split("."), chosen
    [(section, values)] = current_names({parts[0]: chosen})[0].items()
    return [section], values


def _set_key(tree: dict[str, Any], text: str, override: tuple[list[str], Any]) -> None:
    parts, chosen = override
    target = tree
    for part in parts[:-1]:
        if target.get(part) is True:  # an earlier --set switched it on with its defaults
            target[part] = {}
        target = target.setdefault(part, {})
        if not isinstance(target, dict):
            raise TaggerError(f"--set {text!r}: {part!r} is a setting, not a section")
    before = target.get(parts[-1])
    # `name=true` keeps options that were set before it.
    target[parts[-1]] = before if chosen is True and isinstance(before, dict) else chosen


def _parse_value(text: str) -> Any:
    """A TOML value if the text is one, else the text: ``--set loss.name=focal`` needs no quotes."""
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except (ValueError, RecursionError):  # not TOML, huge numbers, thousands of brackets
        return {"True": True, "False": False}.get(text, text)
