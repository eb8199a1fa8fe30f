"""The settings of a run, checked, read from and written to ``config.toml``; every key is in ``setting_sections.py``."""

import tomllib
from pathlib import Path
from typing import Any, Literal

import tomli_w
from pydantic import Field, ValidationError, field_validator

from tagger.errors import TaggerError, did_you_mean
from tagger.glimpse_settings import GlimpseSettings
from tagger.renamed_settings import announce, announce_old_config, current_names, former_names
from tagger.setting_sections import (
    AlignSettings,
    AttentionSettings,
    AugmentSettings,
    BackboneSettings,
    DataSettings,
    HeadSettings,
    HeadStageSettings,
    ImageSettings,
    LossSettings,
    MixSettings,
    ReadOptions,
    RuleSettings,
    SamplerSettings,
    Section,
    SequenceSettings,
    ThresholdSettings,
    TrainSettings,
)

# The format of the whole run folder, not of config.toml alone. It rises when a file could be misread, or a
# setting not be found, by the readers of before. Files and columns that are merely new need no other number:
# readers do without (tests/runs/test_run_versions.py).
#   1  settings under their former names (renamed_settings.py); read
#   2  settings under the names in setting_sections.py; written and read
FORMAT_VERSION = 2
READABLE_VERSIONS = (1, 2)


class Settings(Section):
    seed: int = Field(0, ge=0)
    """The same seed on the same machine gives the same run."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """`auto` (a GPU if there is one), `cpu`, `cuda` or `mps`."""
    data: DataSettings = DataSettings()
    image: ImageSettings = ImageSettings()
    align: AlignSettings = AlignSettings()
    backbone: BackboneSettings = BackboneSettings()
    head: HeadSettings = HeadSettings()
    attention: AttentionSettings = AttentionSettings()
    sequence: SequenceSettings = SequenceSettings()
    glimpses: GlimpseSettings = GlimpseSettings()
    loss: LossSettings = LossSettings()
    regularisers: dict[str, dict[str, Any]] = Field({})
    """Methods that act while the network learns, by name, each with its options; `true` takes their defaults."""
    rules: RuleSettings = RuleSettings()
    sampler: SamplerSettings = SamplerSettings()
    augment: AugmentSettings = AugmentSettings()
    mix: MixSettings = MixSettings()
    head_stage: HeadStageSettings = HeadStageSettings()
    train: TrainSettings = TrainSettings()
    threshold: ThresholdSettings = ThresholdSettings()
    started_from: str = ""
    """The run whose weights and labels the training started from; `--from` sets it."""
    preset: str = "standard"
    """The preset these settings began from: a name, or the path of a file or run."""

    @field_validator("regularisers", mode="before")
    @classmethod
    def _switches(cls, chosen: Any) -> Any:
        """``true`` becomes the default options; ``false`` removes the entry."""
        if not isinstance(chosen, dict):
            return chosen
        return {
            name: {} if options is True else options
            for name, options in chosen.items()
            if options is not False
        }

    @property
    def input_size(self) -> int:
        """Side of the square that photos are decoded to: that of glimpses, or what the network sees."""
        return self.glimpses.size if self.glimpses.count else self.image.size

    @property
    def input_summary(self) -> str:
        """What the network sees of a photo, in words."""
        seen = self.glimpses
        cells = (
            f" and {seen.count} of {seen.grid} x {seen.grid} cells at {seen.size} px" if seen.count else ""
        )
        return f"{self.image.size} px{cells}"

    @property
    def preset_title(self) -> str:
        """The preset as people see it: a file or run by its name."""
        return Path(self.preset).name


def check_settings(tree: dict[str, Any]) -> Settings:
    """Settings of nested dicts, under present or former names; TaggerError lists every unknown key and bad value."""
    tree, used = current_names(tree)
    announce(used)
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        raise TaggerError("Settings: " + "; ".join(_explain(e) for e in error.errors())) from None


def check_read_options(tree: dict[str, Any]) -> ReadOptions:
    """Read options of nested dicts, which may hold keys of ``data`` only; TaggerError lists what is wrong.

    >>> check_read_options({"data": {"label_separator": "space"}}).label_separator
    ' '
    """
    others = [section for section in tree if section != "data"]
    if others:
        raise TaggerError(
            f"Settings: {', '.join(others)}: only keys of 'data' that say how labels are read are allowed here"
        )
    try:
        return ReadOptions.model_validate(tree.get("data", {}))
    except ValidationError as error:
        raise TaggerError(
            "Settings: " + "; ".join(_explain(e, ReadOptions) for e in error.errors())
        ) from None


def dump_settings(settings: Settings) -> str:
    """``config.toml``: every setting in force and the format version."""
    return tomli_w.dumps({"format_version": FORMAT_VERSION, **settings.model_dump()})


def read_settings(path: Path) -> Settings:
    """Settings of a run's ``config.toml``; TaggerError for a version that cannot be read, or for unknown settings."""
    try:
        tree = tomllib.loads(path.read_text("utf-8"))
    except (
        ValueError,
        RecursionError,
    ) as error:  # no TOML, no UTF-8, huge numbers, brackets nested by the thousand
        raise TaggerError(
            f"{path}: this is not valid TOML ({error}). Restore it from a copy, or train again."
        ) from None
    version = tree.pop("format_version", None)
    if type(version) is not int or version not in READABLE_VERSIONS:
        raise TaggerError(
            f"{path}: format_version {version!r}, but this tagger reads"
            f" {' and '.join(map(str, READABLE_VERSIONS))}."
            " Use the tagger it was made with, or train again."
        )
    try:
        if version == 1:  # all its settings have former names: one sentence, not one for each
            tree, used = current_names(tree)
            if used:
                announce_old_config(path)
        return check_settings(tree)
    except TaggerError as error:
        raise TaggerError(
            f"{path}: made by another version of tagger (use that one, or train again), or changed by hand. {error}"
        ) from None


def _explain(error: Any, section: Any = None) -> str:
    path = [str(p) for p in error["loc"]]
    if section is ReadOptions:
        path = ["data", *path]
    if error["type"] != "extra_forbidden":
        return f"{'.'.join(path)} = {error['input']!r}: {error['msg'].lower()}"
    if section is None:
        section = Settings
        for name in path[:-1]:
            section = section.model_fields[name].annotation
    known = list(section.model_fields)
    here = f"section {'.'.join(path[:-1])!r}" if path[:-1] else "top level"
    hint = (
        did_you_mean(path[-1], known, former_names(".".join(path[:-1]))) or f" It takes: {', '.join(known)}"
    )
    return f"unknown key {path[-1]!r} ({here}).{hint}"
