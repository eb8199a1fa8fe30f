"""Export to one file: ONNX, torch.export or TorchScript, with metadata, checked after it is written.

ONNX goes through torch.export (``dynamo=True``): the older tracing exporter is deprecated and warns of its
removal. It costs one more dependency of the extra (onnxscript), and gives the same numbers (3e-8 on four
networks).

Exporters note for each node where in the Python code it comes from, with the full paths of the machine.
They are taken out (``source_paths.py``) before the file is checked.
"""

import io
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from tagger.commands.exporting.export_module import OUTPUT_NAMES, ExportModule, ExportOutputs
from tagger.commands.exporting.parity_check import ParityCheck
from tagger.commands.exporting.source_paths import (
    copy_without_debug_records,
    remove_onnx_stack_traces,
    remove_stack_traces,
)
from tagger.commands.serving.predictor import Predictor
from tagger.data.images.decoding import PAD_COLOUR
from tagger.errors import TaggerError
from tagger.runs.atomic import atomic_write

MAX_INLINE_BYTES = 1_500_000_000  # bytes of weights in the file itself, which cannot have more than 2 GB
ONNX_PACKAGES = ("onnx", "onnxruntime", "onnxscript")


def export_metadata(predictor: Predictor) -> dict[str, Any]:
    """What another program has to know, a JSON value a key: labels, thresholds, calibration, groups, rules, pixels."""
    names = predictor.labels
    image = predictor.settings.image
    sequences = predictor.model.sequences
    groups = [
        {"name": g.name, "labels": [names[k] for k in g.columns], "always": g.always, "ordinal": g.ordinal}
        for g in predictor.constraints.groups
    ]
    size = predictor.settings.input_size
    pixels = {"size": size, "fit": image.fit, "colour": "RGB", "range": [0, 1], "resample": "bicubic"}
    return {
        "labels": list(names),
        "thresholds": [float(value) for value in predictor.thresholds.values_K],
        "calibration": predictor.calibration.to_json(),
        "groups": groups,
        "rules": [{"if": names[a], "then": names[b]} for a, b in predictor.constraints.rules],
        "preprocessing": pixels | {"pad": list(PAD_COLOUR)} | _alignment(predictor),
        "views": ["image", "mirrored"] if image.tta_hflip else ["image"],
        "backbone": predictor.settings.backbone.name,
        **({} if sequences is None else {"window": sequences.length}),
    }


def _alignment(predictor: Predictor) -> dict[str, Any]:
    """How pixels must be aligned before the model sees them; nothing for a run that does not align."""
    found = predictor.landmarks.alignment
    if found is None:
        return {}
    size = predictor.settings.input_size
    needs = "pixels must be aligned: landmarks (counted from the first pixel's centre) moved onto template"
    how = {"needs": needs, "mode": found.mode, "template": found.template(size).round(4).tolist()}
    warped = {"warped_points": list(found.used), "triangulation": "Delaunay of the template"}
    return {"align": how | (warped if found.mode == "warp" else {"transform": "least-squares similarity"})}


def write_onnx(predictor: Predictor, exported: ExportModule, check: ParityCheck, out: Path) -> None:
    """``out``, an ONNX file with a dynamic batch: ``images`` to ``probabilities``, ``chosen``, ``logits``.
    What is too large for one file has its weights in ``OUT.data`` beside it.
    """
    runtime = require_onnx()
    external_data = (
        sum(tensor.numel() * tensor.element_size() for tensor in exported.state_dict().values())
        > MAX_INLINE_BYTES
    )
    try:
        program = torch.onnx.export(
            exported,
            (_example_images(check),),
            input_names=["images"],
            output_names=list(OUTPUT_NAMES),
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            dynamo=True,
            verbose=False,
        )
        assert program is not None
    except Exception as error:  # whatever one of timm's thousand networks does to the exporter
        raise _unsupported(predictor, "ONNX", error) from error
    remove_onnx_stack_traces(program.model)
    program.model.metadata_props.clear()
    program.model.metadata_props.update(
        {key: _json(value) for key, value in export_metadata(predictor).items()}
    )
    with _move_into_place(out) as temporary:
        program.save(temporary, external_data=external_data)
        session = runtime.InferenceSession(str(temporary), providers=["CPUExecutionProvider"])
        check.verify(lambda images: tuple(session.run(None, {"images": images})), "ONNX file")


def write_torch_export(predictor: Predictor, exported: ExportModule, check: ParityCheck, out: Path) -> None:
    """``out``, for ``torch.export.load``; the metadata is its extra file ``metadata.json``."""
    try:
        shapes = ({0: torch.export.Dim("batch")},)
        program = torch.export.export(exported, (_example_images(check),), dynamic_shapes=shapes)
    except Exception as error:
        raise _unsupported(predictor, "torch.export", error) from error
    remove_stack_traces(program)
    with warnings.catch_warnings(), atomic_write(out) as temporary, temporary.open("w+b") as file:
        warnings.simplefilter("ignore")  # of tensors that are views of others; the check reads them again
        torch.export.save(program, file, extra_files={"metadata.json": _json(export_metadata(predictor))})
        file.seek(0)
        _verify(torch.export.load(file).module(), check, "torch.export file")


def write_torchscript(predictor: Predictor, exported: ExportModule, check: ParityCheck, out: Path) -> None:
    """``out``, for ``torch.jit.load`` and libtorch; the metadata is its extra file ``metadata.json``."""
    with warnings.catch_warnings(), atomic_write(out) as temporary:
        # torch calls TorchScript old; tracing warns of sizes, which the check tries
        warnings.simplefilter("ignore")
        extra = {"metadata.json": _json(export_metadata(predictor))}
        saved = io.BytesIO()  # not a file: the archive's folder would be called as the temporary file
        try:
            script = torch.jit.trace(exported, (_example_images(check),), check_trace=False)
            torch.jit.save(script, saved, _extra_files=extra)
        except Exception as error:
            raise _unsupported(predictor, "TorchScript", error) from error
        copy_without_debug_records(saved, temporary)
        _verify(torch.jit.load(str(temporary)), check, "TorchScript file")


def require_onnx() -> Any:
    """onnxruntime; TaggerError that names the extra if one of its packages is missing."""
    try:
        return [import_module(name) for name in ONNX_PACKAGES][1]
    except ImportError as error:
        raise TaggerError(
            f'--format onnx needs {", ".join(ONNX_PACKAGES)}: pip install "retagger[onnx]" ({error}).'
        ) from None


@contextmanager
def _move_into_place(out: Path) -> Iterator[Path]:
    """A path called as ``out`` in a folder of its own; what is written there moves beside ``out`` if the block
    ends without an error, ``out`` last. Files that name each other need their names before.
    """
    if (data := out.with_name(f"{out.name}.data")).exists():
        raise TaggerError(
            f"{data} exists already: weights of another model. Remove it, or name another --out."
        )
    with TemporaryDirectory(prefix=f".{out.name}.", suffix=".part", dir=out.parent) as folder:
        yield (first := Path(folder) / out.name)
        for path in sorted(Path(folder).iterdir(), key=lambda path: path == first):
            with atomic_write(out.with_name(path.name)) as temporary:
                path.replace(temporary)


def _verify(module: Any, check: ParityCheck, what: str) -> None:
    def run_exported(images: Any) -> tuple[Any, ...]:
        with torch.inference_mode():
            return tuple(part.numpy() for part in ExportOutputs(*module(torch.from_numpy(images))))

    check.verify(run_exported, what)


def _example_images(check: ParityCheck) -> torch.Tensor:
    """Two images, as exporters take a batch of one for a fixed size."""
    return torch.from_numpy(check.images_NCHW[:2].copy())


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _unsupported(predictor: Predictor, what: str, error: Exception) -> TaggerError:
    reason = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
    return TaggerError(
        f"{what} cannot express {predictor.settings.backbone.name!r} ({reason}). Try another --format."
    )
