"""Export to a folder for timm and the Hugging Face hub: config.json and model.safetensors.

timm's networks end in one linear layer on their own pooled features, and give scores for images that are
normalised outside. Only runs that are just that fit: a linear head (or several, which make one), one level,
no attention, no glimpses, no groups.
"""

import shutil
from pathlib import Path
from typing import Any

import timm
import torch
from timm.models import save_for_hf
from torch import Tensor, nn

from tagger.arrays import sigmoid
from tagger.commands.exporting.export_module import ExportModule
from tagger.commands.exporting.model_files import export_metadata
from tagger.commands.exporting.parity_check import TOLERANCE, ParityCheck
from tagger.commands.serving.predictor import Predictor
from tagger.errors import TaggerError
from tagger.heads import HeadEnsemble, LinearHead
from tagger.model import TagModel, needs_fixed_size
from tagger.runs.ownership import temporary_name
from tagger.text import counted

CROP_MODES = {"squash": "squash", "crop": "center", "pad": "border"}  # our fit -> timm's word
ALIGNED = (
    "It takes photos that are aligned by landmarks first: `config.json` says how, under `tagger`, `preprocessing`,"
    " `align`."
)
CARD_TEMPLATE = """---
library_name: timm
pipeline_tag: image-classification
tags:
- timm
- image-classification
- multi-label
- tagger
---

# {name}

An image tagger made with tagger. It knows {num}: {labels}.
`sigmoid` of its scores are probabilities of each label alone.{never_chosen}{aligned}

    import timm, torch
    model = timm.create_model("local-dir:THIS_FOLDER", pretrained=True).eval()
    transform = timm.data.create_transform(**timm.data.resolve_data_config(model=model))
    labels = model.pretrained_cfg["label_names"]

`config.json` has under `tagger` what the run does with the scores: views that are averaged, calibration, thresholds,
rules. A file that has all of it inside: `tagger export --format onnx`.
"""  # the fields between the dashes: https://huggingface.co/docs/hub/model-cards


def write_hub(predictor: Predictor, exported: ExportModule, check: ParityCheck, out: Path) -> None:
    """The folder ``out`` for ``timm.create_model("local-dir:OUT", pretrained=True)``; TaggerError if the run's
    model is more than timm's networks can be.
    """
    if reason := unsupported_reason(predictor.model):
        raise TaggerError(
            f"A hub folder cannot hold this model: {reason}. Use --format onnx, which holds all of it."
        )
    net = net_with_classifier(predictor, *linear_weights(predictor.model))
    temporary = out.with_name(temporary_name(out.name))
    temporary.mkdir()  # before the try: one that is there is not ours
    try:
        _save_hub_folder(predictor, net, temporary)
        scores_NK = _hub_logits(temporary, predictor.model, check)
        gap = float(
            (torch.sigmoid(scores_NK.double()).numpy() - sigmoid(_run_logits(predictor.model, check)))
            .__abs__()
            .max()
        )
        if not gap <= TOLERANCE:
            raise TaggerError(
                f"The hub folder's network differs from the run's by {gap:.1g}, so it was not kept."
            )
        temporary.rename(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def unsupported_reason(model: TagModel) -> str:
    """Why a timm network cannot be this model; "" if it can."""
    members = list(model.head.members) if isinstance(model.head, HeadEnsemble) else [model.head]
    if not all(isinstance(member, LinearHead) for member in members):
        return "its head is not linear (train with --set head.name=linear)"
    if model.attention is not None:
        return "it has attention beside the network (train with --set attention.depth=0)"
    if model.glimpses is not None or model.backbone.view_size is not None:
        return "it takes glimpses of a large image (train with --set glimpses.count=0)"
    if model.backbone.levels:
        return "its head reads several levels of the network, as presets have it (train with --set backbone.levels=1)"
    if members[0].members_GM is not None:
        return "labels of its groups share a softmax"
    return ""


def linear_weights(model: TagModel) -> tuple[Tensor, Tensor]:
    """(weights (K, D), bias (K)) of the linear head on features as they come."""
    with torch.inference_mode():
        weight_KD = model.head.classifier_weights()
        bias_K = model.head.raw_scores(torch.zeros(1, model.head.num_features))[0]
    return weight_KD.clone(), bias_K.clone()


def net_with_classifier(predictor: Predictor, weight_KD: Tensor, bias_K: Tensor) -> nn.Module:
    """timm's network with these scores as its classifier."""
    chosen = predictor.settings.backbone
    net: Any = timm.create_model(chosen.name, num_classes=len(bias_K), **_model_args(predictor))
    missing, unexpected = net.load_state_dict(predictor.model.backbone.net.state_dict(), strict=False)
    layer: Any = net.get_classifier()
    if (
        unexpected
        or not isinstance(layer, nn.Linear)
        or len(missing) != 2
        or layer.weight.shape != weight_KD.shape
    ):
        raise TaggerError(
            f"A hub folder cannot hold this model: the classifier of {chosen.name!r} is more than one linear layer."
            " Use --format onnx."
        )
    with torch.no_grad():
        layer.weight.copy_(weight_KD)
        layer.bias.copy_(bias_K)
    return net.eval()


def _model_args(predictor: Predictor) -> dict[str, Any]:
    """What the run gave to ``timm.create_model`` beside the name."""
    size = (
        {"img_size": predictor.settings.image.size}
        if needs_fixed_size(predictor.settings.backbone.name)
        else {}
    )
    return size | predictor.settings.backbone.options


def _save_hub_folder(predictor: Predictor, net: nn.Module, folder: Path) -> None:
    size = predictor.settings.image.size
    mode = CROP_MODES[predictor.settings.image.fit]
    pixels = {"input_size": (3, size, size), "interpolation": "bicubic", "crop_pct": 1.0, "crop_mode": mode}
    extra = {
        "label_names": list(predictor.labels),
        "pretrained_cfg": pixels,
        "tagger": export_metadata(predictor),
    }
    arguments = _model_args(predictor)
    save_for_hf(net, str(folder), model_config=extra, model_args=arguments, safe_serialization=True)
    (folder / "model.safetensors").chmod(0o644)  # safetensors makes files that only their owner can read
    (folder / "README.md").write_text(_hub_card(predictor), "utf-8")


def _hub_card(predictor: Predictor) -> str:
    """The card; it names the labels that must not be chosen, as scores alone do not tell."""
    note = predictor.thresholds.never_chosen_note(predictor.labels, quote=_code)
    return CARD_TEMPLATE.format(
        name=predictor.run.path.resolve().name,
        num=counted(len(predictor.labels), "label"),
        labels=", ".join(map(_code, predictor.labels)),
        never_chosen=f"\n{note}" if note else "",
        aligned=f"\n{ALIGNED}" if predictor.landmarks.alignment is not None else "",
    )


def _code(label: str) -> str:
    return f"`{' '.join(label.split())}`"


def _hub_logits(folder: Path, model: TagModel, check: ParityCheck) -> Tensor:
    """What timm makes of the folder says of the check's images, normalised as timm's transforms do it."""
    net: Any = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    cfg = timm.data.resolve_data_config(model=net)
    mean, std = (torch.tensor(cfg[key]).view(1, -1, 1, 1) for key in ("mean", "std"))
    with torch.inference_mode():
        return net((torch.from_numpy(check.images_NCHW) - mean) / std)


def _run_logits(model: TagModel, check: ParityCheck) -> Any:
    """The model's logits of the check's images, of one view."""
    with torch.inference_mode():
        return model(torch.from_numpy(check.images_NCHW)).numpy()
