"""``tagger export``: a run as one file that other programs can use, refused unless it agrees with the run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tagger.commands.export_check import Check, make_check
from tagger.commands.export_files import need_onnx, write_onnx, write_torch_export, write_torchscript
from tagger.commands.export_hub import write_hub
from tagger.commands.export_model import Exported
from tagger.commands.screen import Screen
from tagger.commands.tagger_model import Tagger, load
from tagger.data.wording import counted
from tagger.errors import TaggerError, did_you_mean

Writer = Callable[[Tagger, Exported, Check, Path], None]
FORMATS: dict[str, Writer] = {
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
    """The path of what was written: a model with the run's labels, calibration, thresholds and preprocessing in it.

    ``run`` is what ``tagger.load`` takes: a path, what ``tagger.train`` gave, None for the newest run. ``thresholds``
    names a set that was saved in the review app. ``format``: ``onnx``, ``torchscript`` and ``torch-export`` are one
    file from pixels to decisions; ``hub`` is a folder for ``timm.create_model("local-dir:OUT")`` and the Hugging Face
    hub, logits only. What is written is read again and compared with the run before it gets its name; TaggerError if
    it disagrees, if ``out`` exists, or if the format needs a package that is not there.
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
    if format == "onnx":
        need_onnx()  # said before the work, not after
    tagger = load(run, thresholds=thresholds, screen=screen)
    what = f"{tagger.settings.backbone.name}, {counted(len(tagger.labels), 'label')}"
    screen.say(f"{tagger.run.path} ({what}) -> {out} ({format}); half a minute, or more for a large network")
    tagger.model.cpu().requires_grad_(False)
    flip_views = tagger.settings.image.flip_views
    exported = Exported(
        tagger.model, tagger.calibration, tagger.thresholds.values_K, tagger.structure, flip_views=flip_views
    )
    FORMATS[format](tagger, exported, make_check(tagger), out)
    return out
