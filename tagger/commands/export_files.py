"""A run as one file: ONNX, torch.export or TorchScript, each with the same metadata and checked after it is written.

ONNX goes through torch.export (``dynamo=True``): the older tracing exporter is deprecated and warns of its removal. It
costs one more dependency of the extra (onnxscript), and gives the same numbers (3e-8 on four networks).
"""

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from tagger.commands.export_check import Check
from tagger.commands.export_model import OUTPUTS, Answers, Exported
from tagger.commands.tagger_model import Tagger
from tagger.data.decode import PAD_COLOUR
from tagger.errors import TaggerError
from tagger.runs.atomic import replacing

LARGEST = 1_500_000_000  # bytes of weights in the file itself, which cannot have more than 2 GB
NEEDED = ("onnx", "onnxruntime", "onnxscript")


def metadata(tagger: Tagger) -> dict[str, Any]:
    """What another program has to know, a JSON value a key: labels, thresholds, calibration, groups, rules, pixels."""
    names, image = tagger.labels, tagger.settings.image
    groups = [
        {"name": g.name, "labels": [names[k] for k in g.columns], "always": g.always, "ordinal": g.ordinal}
        for g in tagger.structure.groups
    ]
    pixels = {"size": image.size, "fit": image.fit, "colour": "RGB", "range": [0, 1], "resample": "bicubic"}
    return {
        "labels": list(names),
        "thresholds": [float(value) for value in tagger.thresholds.values_K],
        "calibration": tagger.calibration.to_json(),
        "groups": groups,
        "rules": [{"if": names[a], "then": names[b]} for a, b in tagger.structure.rules],
        "preprocessing": pixels | {"pad": list(PAD_COLOUR)},
        "views": ["image", "mirrored"] if image.flip_views else ["image"],
        "backbone": tagger.settings.backbone.name,
    }


def write_onnx(tagger: Tagger, exported: Exported, check: Check, out: Path) -> None:
    """``out``, an ONNX file with a dynamic batch: ``images`` to ``probabilities``, ``chosen``, ``logits``. What is too
    large for one file has its weights in ``OUT.data`` beside it."""
    runtime = need_onnx()
    apart = sum(tensor.numel() * tensor.element_size() for tensor in exported.state_dict().values()) > LARGEST
    try:
        program = torch.onnx.export(
            exported,
            (_example(check),),
            input_names=["images"],
            output_names=list(OUTPUTS),
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            dynamo=True,
            verbose=False,
        )
        assert program is not None
    except Exception as error:  # whatever one of timm's thousand networks does to the exporter
        raise _cannot(tagger, "ONNX", error) from error
    program.model.metadata_props.clear()
    program.model.metadata_props.update({key: _json(value) for key, value in metadata(tagger).items()})
    with _placed(out) as temporary:
        program.save(temporary, external_data=apart)
        session = runtime.InferenceSession(str(temporary), providers=["CPUExecutionProvider"])
        check.agree(lambda images: tuple(session.run(None, {"images": images})), "ONNX file")


def write_torch_export(tagger: Tagger, exported: Exported, check: Check, out: Path) -> None:
    """``out``, for ``torch.export.load``; the metadata is its extra file ``metadata.json``."""
    try:
        shapes = ({0: torch.export.Dim("batch")},)
        program = torch.export.export(exported, (_example(check),), dynamic_shapes=shapes)
    except Exception as error:
        raise _cannot(tagger, "torch.export", error) from error
    with warnings.catch_warnings(), replacing(out) as temporary, temporary.open("w+b") as file:
        warnings.simplefilter("ignore")  # of tensors that are views of others; the check reads them again
        torch.export.save(program, file, extra_files={"metadata.json": _json(metadata(tagger))})
        file.seek(0)
        _agree(torch.export.load(file).module(), check, "torch.export file")


def write_torchscript(tagger: Tagger, exported: Exported, check: Check, out: Path) -> None:
    """``out``, for ``torch.jit.load`` and libtorch; the metadata is its extra file ``metadata.json``."""
    with warnings.catch_warnings(), replacing(out) as temporary:
        warnings.simplefilter("ignore")  # torch calls TorchScript old; tracing warns of sizes, which the check tries
        try:
            script = torch.jit.trace(exported, (_example(check),), check_trace=False)
            torch.jit.save(script, str(temporary), _extra_files={"metadata.json": _json(metadata(tagger))})
        except Exception as error:
            raise _cannot(tagger, "TorchScript", error) from error
        _agree(torch.jit.load(str(temporary)), check, "TorchScript file")


def need_onnx() -> Any:
    """onnxruntime; TaggerError that names the extra if one of its packages is missing."""
    try:
        return [import_module(name) for name in NEEDED][1]
    except ImportError as error:
        raise TaggerError(f'--format onnx needs {", ".join(NEEDED)}: pip install "retagger[onnx]" ({error}).') from None


@contextmanager
def _placed(out: Path) -> Iterator[Path]:
    """A path called as ``out`` in a folder of its own; what is written there moves beside ``out`` if the block ends
    without an error, ``out`` last. Files that name each other need their names before."""
    if (data := out.with_name(f"{out.name}.data")).exists():
        raise TaggerError(f"{data} exists already: weights of another model. Remove it, or name another --out.")
    with TemporaryDirectory(prefix=f".{out.name}.", suffix=".part", dir=out.parent) as folder:
        yield (first := Path(folder) / out.name)
        for path in sorted(Path(folder).iterdir(), key=lambda path: path == first):
            with replacing(out.with_name(path.name)) as temporary:
                path.replace(temporary)


def _agree(module: Any, check: Check, what: str) -> None:
    def answer(images: Any) -> tuple[Any, ...]:
        with torch.inference_mode():
            return tuple(part.numpy() for part in Answers(*module(torch.from_numpy(images))))

    check.agree(answer, what)


def _example(check: Check) -> torch.Tensor:
    """Two images, as exporters take a batch of one for a fixed size."""
    return torch.from_numpy(check.images_NCHW[:2].copy())


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _cannot(tagger: Tagger, what: str, error: Exception) -> TaggerError:
    reason = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
    return TaggerError(f"{what} cannot express {tagger.settings.backbone.name!r} ({reason}). Try another --format.")
