"""The settings of a new training, from its options. What two options say is refused: neither is ignored."""

import json
from collections.abc import Sequence
from pathlib import Path

from tagger.commands.steps.resume_options import weights_setting
from tagger.config import Settings
from tagger.errors import TaggerError
from tagger.presets import load_settings, override_keys
from tagger.scoring import parse_objective


def chosen_settings(
    data: Path,
    preset: str,
    *,
    backbone: str | None,
    weights: str | None,
    labels: str | Path | None,
    overrides: Sequence[str],
) -> Settings:
    """The settings of a preset with what the other options of ``tagger train`` say. TaggerError for a bad one."""
    named = [f"backbone.name={json.dumps(backbone)}"] * bool(backbone)
    if weights is not None:
        named.append(f"backbone.weights={json.dumps(weights_setting(weights), ensure_ascii=False)}")
    options = {"data.path": "--data", "data.labels": "--labels", "preset": "--preset"}
    options |= {"backbone.name": "--backbone"} if backbone is not None else {}
    options |= {"backbone.weights": "--weights"} if weights is not None else {}
    check_overrides(overrides, options)
    paths = {"path": str(data.resolve()), "labels": "" if labels is None else str(Path(labels).resolve())}
    settings = load_settings(preset, [*named, *overrides], data=paths)
    parse_objective(settings.threshold.objective)
    return settings


def check_overrides(overrides: Sequence[str], options: dict[str, str]) -> None:
    """TaggerError for a ``--set`` of a setting that an option sets (setting -> option), in a whole section too."""
    for text in overrides:
        for key in override_keys(text):
            option = next(
                (option for name, option in options.items() if f"{key}.".startswith(f"{name}.")), None
            )
            if option is not None:
                raise TaggerError(
                    f"--set {text}: {option} says this. Leave out --set {key}, give {option} only."
                )
