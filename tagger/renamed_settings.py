"""Former names of settings: the one table of them, and the reading of settings that still use them.

``--set``, presets and the ``config.toml`` of a run may hold either name. What is written holds the new one.
"""

import logging
from functools import cache
from pathlib import Path
from typing import Any

from tagger.errors import TaggerError

log = logging.getLogger(__name__)

RENAMED = {
    "attention.width": "attention.num_heads",
    "features.batch_size": "head_stage.batch_size",
    "features.enabled": "head_stage.enabled",
    "features.epochs": "head_stage.epochs",
    "features.lr": "head_stage.lr",
    "features.mixup": "head_stage.mixup",
    "features.repeats": "head_stage.num_seeds",
    "features.weight_decay": "head_stage.weight_decay",
    "image.flip_views": "image.tta_hflip",
    "image.grow_from": "image.progressive_start",
    "threshold.aim": "threshold.objective",
    "train.clip": "train.clip_grad_norm",
    "train.ema": "train.ema_decay",
    "train.keep": "train.wise_ft_share",
    "train.members": "train.fold_models",
}
_SECTIONS = {
    old.split(".")[0]: new.split(".")[0]
    for old, new in RENAMED.items()
    if old.split(".")[0] != new.split(".")[0]
}


def current_key(key: str) -> str:
    """The present name of a setting or section; a name that never changed comes back as it is.

    >>> current_key("train.keep"), current_key("features"), current_key("train.lr")
    ('train.wise_ft_share', 'head_stage', 'train.lr')
    """
    section, dot, name = key.partition(".")
    return RENAMED.get(key, _SECTIONS.get(section, section) + dot + name)


def former_names(section: str) -> dict[str, str]:
    """Former name -> present name of a section's keys; of the sections themselves for an empty ``section``.

    >>> former_names("head_stage"), former_names("")
    ({'repeats': 'num_seeds'}, {'features': 'head_stage'})
    """
    if not section:
        return dict(_SECTIONS)
    pairs = [(old.split(".")[1], *new.split(".")) for old, new in RENAMED.items()]
    return {old: new for old, its_section, new in pairs if its_section == section and old != new}


def current_names(tree: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Nested settings under their present names, and the former names that were used (former -> present).

    TaggerError if a setting is given under both names with different values.

    >>> current_names({"train": {"keep": 0.3, "lr": 0.1}})
    ({'train': {'wise_ft_share': 0.3, 'lr': 0.1}}, {'train.keep': 'train.wise_ft_share'})
    """
    current: dict[str, Any] = {}
    given: dict[tuple[str, str], str] = {}  # present section and name -> the key it was given as
    for section, values in tree.items():
        present = _SECTIONS.get(section, section)
        if not isinstance(values, dict):
            current[present] = values
        elif isinstance(target := current.setdefault(present, {}), dict):
            for name, value in values.items():
                key = f"{section}.{name}"
                present_name = RENAMED[key].split(".")[1] if key in RENAMED else name
                before = given.setdefault((present, present_name), key)
                if target.setdefault(present_name, value) != value:
                    raise TaggerError(_clash(before, target[present_name], key, value))
    return current, {key: RENAMED[key] for key in given.values() if key in RENAMED}


def announce(used: dict[str, str]) -> None:
    """Say what each setting is called now, once for each former name."""
    for old, new in used.items():
        _announce(old, new)


@cache
def _announce(old: str, new: str) -> None:
    log.warning("Setting %s is now called %s.", old, new)


@cache
def announce_old_config(path: Path) -> None:
    """Say once for each file that its settings have former names."""
    log.warning(
        "%s: from an earlier version of tagger. Its settings are read under their present names"
        " (docs/reference/settings.md).",
        path,
    )


def _clash(first: str, value: Any, second: str, other: Any) -> str:
    old, new = (first, second) if first in RENAMED else (second, first)
    return (
        f"Settings: {first} = {value!r} and {second} = {other!r} are the same setting"
        f" ({old} is now called {new}). Give {new} only."
    )
