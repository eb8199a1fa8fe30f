"""``tagger export``: a run as one file that other programs can use, refused unless it agrees with the run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tagger.commands.export_check import Check, make_check
from tagger.commands.export_files import write_onnx, write_torch_export, write_torchscript
from tagger.commands.export_hub import write_hub
from tagger.commands.export_model import Exported
from tagger.commands.screen import Screen
from tagger.commands.tagger_model import Tagger, load
from tagger.errors import TaggerError, did_you_mean

Writer = Callable[[Tagger, Exported, Check, Path], None]
FORMATS: dict[str, Writer] = {
    "onnx": write_onnx,
    "torchscript": write_torchscript,
    "torch-export": write_torch_export,
    "hub": write_hub,
}


def export(
    run: Any = None,
    *,
    format: str = "onnx",
    out: str | Path,
    thresholds: str | None = None,
    screen: Screen | None = None,
) -> Path:
    """The path of what was written: a model with the run's labels, calibration, thresholds and preprocessing in it.

    ``run`` is what ``tagger.load`` takes. ``format``: ``onnx``, ``torchscript`` and ``torch-export`` are one file from
    pixels to decisions; ``hub`` is a folder for ``timm.create_model("local-dir:OUT")`` and the Hugging Face hub, logits
    only. What is written is read again and compared with the run before it gets its name; TaggerError if it disagrees.
    """
    screen = screen or Screen(quiet=True)
    if format not in FORMATS:
        hint = did_you_mean(format, FORMATS)
        raise TaggerError(f"Unknown --format {format!r}.{hint} Available: {', '.join(FORMATS)}")
    out = Path(out)
    if out.exists():
        raise TaggerError(f"--out {out} exists already. Remove it, or name another.")
    if not out.parent.is_dir():
        raise TaggerError(f"--out {out}: there is no folder {out.parent}. Make it, or name another.")
    tagger = load(run, thresholds=thresholds, screen=screen)
    tagger.model.cpu().requires_grad_(False)
    flip_views = tagger.settings.image.flip_views
    exported = Exported(
        tagger.model, tagger.calibration, tagger.thresholds.values_K, tagger.structure, flip_views=flip_views
    )
    FORMATS[format](tagger, exported, make_check(tagger), out)
    return out
