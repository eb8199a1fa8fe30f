"""Options beside ``train --resume``: those that agree with the run's settings pass, any other is refused."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from tagger.config import Settings
from tagger.errors import TaggerError
from tagger.presets import full_preset_name, override_settings
from tagger.runs import RunFolder


def check_resume_options(
    folder: RunFolder,
    settings: Settings,
    *,
    data: str | Path | None,
    preset: str | None,
    backbone: str | None,
    weights: str | None,
    labels: str | Path | None,
    overrides: Sequence[str],
    from_run: str | Path | None = None,
) -> None:
    """TaggerError that lists the options which differ from the settings that the training began with."""
    own = settings.data
    given = {
        "--data": (data, own.path, None if data is None else str(Path(data).resolve())),
        "--preset": (preset, settings.preset, preset and full_preset_name(preset)),
        "--backbone": (backbone, settings.backbone.name, backbone),
        "--weights": (weights, settings.backbone.weights, weights_setting(weights)),
        "--from": (from_run, settings.started_from, from_run and str(Path(from_run).resolve())),
        "--labels": (labels, own.labels, None if labels is None else str(Path(labels).resolve())),
    }
    differing = [
        f"{option} {typed} (begun with {begun or 'none'})"
        for option, (typed, begun, value) in given.items()
        if value is not None and value != begun
    ]
    differing += list(_differing_overrides(settings, overrides))
    if differing:
        raise TaggerError(
            f"--resume continues {folder.path} with the settings in its config.toml. Different:"
            f" {', '.join(differing)}. Leave out these options, or start a new training without --resume."
        )


def weights_setting(weights: str | None) -> str | None:
    """The setting ``backbone.weights`` of ``--weights``: a file is named by its whole path.

    >>> weights_setting("none"), weights_setting(None)
    ('none', None)
    """
    return weights if weights in ("hub", "none", None) else str(Path(weights).resolve())


def with_whole_paths(settings: Settings) -> Settings:
    """The settings with the whole path of landmarks, which are read again from other folders."""
    if not settings.align.landmarks:
        return settings
    path = str(Path(settings.align.landmarks).resolve())
    return settings.model_copy(update={"align": settings.align.model_copy(update={"landmarks": path})})


def _differing_overrides(settings: Settings, overrides: Sequence[str]) -> Iterator[str]:
    for text in overrides:
        if with_whole_paths(override_settings(settings, text)) != settings:
            yield f"--set {text}"
