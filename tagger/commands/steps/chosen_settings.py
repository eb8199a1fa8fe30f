"""The settings of a new training, from its options. What two options say is refused: neither is ignored."""

import json
from collections.abc import Sequence
from pathlib import Path

from tagger.commands.steps.resume_options import weights_setting, with_whole_paths
from tagger.commands.steps.started_from import check_compatible
from tagger.config import Settings
from tagger.data.numbers import with_numbers
from tagger.errors import TaggerError
from tagger.presets import load_settings, override_keys
from tagger.runs import RunFolder
from tagger.scoring import parse_objective

PATH_OPTIONS = {
    "data.path": "--data", "data.labels": "--labels", "preset": "--preset", "started_from": "--from",
}  # fmt: skip


def chosen_settings(
    data: Path,
    preset: str | None,
    *,
    backbone: str | None,
    weights: str | None,
    labels: str | Path | None,
    overrides: Sequence[str],
    start: RunFolder | None = None,
) -> Settings:
    """The settings of a preset with what the other options of ``tagger train`` say. TaggerError for a bad one.

    ``start`` is a run to start from: its settings take the place of the preset, and its weights are the first ones.
    """
    if start is not None:
        return _settings_from_run(start, data, preset, backbone, weights, labels, overrides)
    preset = preset or "standard"
    named = [f"backbone.name={json.dumps(backbone)}"] * bool(backbone)
    if weights is not None:
        named.append(f"backbone.weights={json.dumps(weights_setting(weights), ensure_ascii=False)}")
    options = dict(PATH_OPTIONS)
    options |= {"backbone.name": "--backbone"} if backbone is not None else {}
    options |= {"backbone.weights": "--weights"} if weights is not None else {}
    check_overrides(overrides, options)
    return _load(preset, [*named, *overrides], data, labels)


def _load(
    preset: str, overrides: list[str], data: Path, labels: str | Path | None, **more: dict[str, str]
) -> Settings:
    paths = {"path": str(data.resolve()), "labels": "" if labels is None else str(Path(labels).resolve())}
    settings = with_whole_paths(load_settings(preset, overrides, data=paths, **more))
    parse_objective(settings.threshold.objective)
    return settings.model_copy(update={"data": with_numbers(data, settings.data)})


def _settings_from_run(
    start: RunFolder,
    data: Path,
    preset: str | None,
    backbone: str | None,
    weights: str | None,
    labels: str | Path | None,
    overrides: Sequence[str],
) -> Settings:
    """The settings of a run with the overrides, and its model as first weights."""
    given = {"--preset": preset, "--weights": weights, "--backbone": backbone}
    own_backbone = start.load_settings().backbone.name
    taken = [f"{option} {value}" for option, value in given.items() if value not in (None, own_backbone)]
    if taken:
        raise TaggerError(
            f"{', '.join(taken)}: --from {start.path} gives the network, its weights and the settings. Leave it out;"
            " single settings can be changed with --set."
        )
    check_overrides(overrides, PATH_OPTIONS | {"backbone.weights": "--from"})
    more = {"backbone": {"weights": str(start.model_path.resolve())}}
    settings = _load(str(start.path), list(overrides), data, labels, **more)
    check_compatible(start, settings)
    return settings.model_copy(update={"started_from": str(start.path.resolve())})


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
