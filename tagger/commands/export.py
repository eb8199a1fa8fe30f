"""``tagger export``: write a run's model for other programs, refused unless it agrees with the run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tagger.commands.console.screen import Screen
from tagger.commands.exporting.export_module import ExportModule
from tagger.commands.exporting.hub_folder import write_hub
from tagger.commands.exporting.model_files import (
    require_onnx,
    write_onnx,
    write_torch_export,
    write_torchscript,
)
from tagger.commands.exporting.parity_check import ParityCheck, make_parity_check
from tagger.commands.serving.predictor import Predictor, load
from tagger.commands.steps.predict_outputs import make_parent
from tagger.errors import TaggerError, did_you_mean
from tagger.text import counted

ExportWriter = Callable[[Predictor, ExportModule, ParityCheck, Path], None]
EXPORT_FORMATS: dict[str, ExportWriter] = {
    "onnx": write_onnx,
    "torchscript": write_torchscript,
    "torch-export": write_torch_export,
    "hub": write_hub,
}


def export(
    run: Any,
    out: str | Path,
    *,
    format: str = "onnx",
    thresholds: str | None = None,
    screen: Screen | None = None,
) -> Path:
    """The path of what was written: a model with the run's labels, calibration, thresholds and preprocessing
    in it.

    ``run`` is what ``tagger.load`` takes: a path, what ``tagger.train`` gave, None for the run in use.
    ``thresholds`` names a set that was saved in the review app. ``format``: ``onnx``, ``torchscript`` and
    ``torch-export`` are one file from pixels to decisions; ``hub`` is a folder for
    ``timm.create_model("local-dir:OUT")`` and the Hugging Face hub, logits only. What is written is read
    again and compared with the run before it gets its name; TaggerError if it disagrees, if ``out`` exists,
    or if the format needs a package that is not there.
    """
    screen = screen or Screen(quiet=True)
    if format not in EXPORT_FORMATS:
        hint = did_you_mean(format, EXPORT_FORMATS)
        raise TaggerError(f"Unknown --format {format!r}.{hint} Available: {', '.join(EXPORT_FORMATS)}")
    out = Path(out)
    if out.exists():
        raise TaggerError(f"--out {out} exists already. Remove it, or name another.")
    if format == "onnx":
        require_onnx()  # said before the work, not after
    predictor = load(run, thresholds=thresholds, screen=screen)
    if (sequences := predictor.model.sequences) is not None and format == "hub":
        raise TaggerError(
            f"--format hub: {predictor.run.path} sees up to {sequences.length} frames of a sequence, and this format"
            " has room for a network of single photos only. Choose onnx, torchscript or torch-export."
        )
    make_parent(out)
    what = f"{predictor.settings.backbone.name}, {counted(len(predictor.labels), 'label')}"
    screen.say(
        f"{predictor.run.path} ({what}) -> {out} ({format}); half a minute, or more for a large network"
    )
    if predictor.landmarks.alignment is not None:
        screen.say(
            "This model takes photos that are aligned by landmarks, which the file cannot do itself: 'preprocessing' in"
            " its metadata says how, under 'align'."
        )
    predictor.model.cpu().requires_grad_(False)
    tta_hflip = predictor.settings.image.tta_hflip
    exported = ExportModule(
        predictor.model,
        predictor.calibration,
        predictor.thresholds.values_K,
        predictor.constraints,
        tta_hflip=tta_hflip,
    )
    EXPORT_FORMATS[format](predictor, exported, make_parity_check(predictor), out)
    return out
