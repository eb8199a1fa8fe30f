"""A run as the folder that timm and the Hugging Face hub know: config.json and model.safetensors.

timm's networks end in one linear layer on their own pooled features, and give scores for images that are normalised
outside. Only runs that are just that fit: a linear head (or several, which make one), one level, no attention, no
groups.
"""

import shutil
from pathlib import Path
from typing import Any

import timm
import torch
from timm.models import save_for_hf
from torch import Tensor, nn

from tagger.arrays import sigmoid
from tagger.commands.export_check import TOLERANCE, Check
from tagger.commands.export_files import metadata
from tagger.commands.export_model import Exported
from tagger.commands.tagger_model import Tagger
from tagger.data.wording import counted
from tagger.errors import TaggerError
from tagger.heads import HeadEnsemble, LinearHead
from tagger.model import TagModel, needs_fixed_size
from tagger.runs.ours import temporary_name

CROP_MODES = {"squash": "squash", "crop": "center", "pad": "border"}  # our fit -> timm's word
CARD = """---
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
`sigmoid` of its scores are probabilities of each label alone.

    import timm, torch
    model = timm.create_model("local-dir:THIS_FOLDER", pretrained=True).eval()
    transform = timm.data.create_transform(**timm.data.resolve_data_config(model=model))
    labels = model.pretrained_cfg["label_names"]

`config.json` has under `tagger` what the run does with the scores: views that are averaged, calibration, thresholds,
rules. A file that has all of it inside: `tagger export --format onnx`.
"""  # the fields between the dashes: https://huggingface.co/docs/hub/model-cards


def write_hub(tagger: Tagger, exported: Exported, check: Check, out: Path) -> None:
    """The folder ``out`` for ``timm.create_model("local-dir:OUT", pretrained=True)``; TaggerError if the run's model is
    more than timm's networks can be."""
    if reason := why_not(tagger.model):
        raise TaggerError(f"A hub folder cannot hold this model: {reason}. Use --format onnx, which holds all of it.")
    net = with_classifier(tagger, *folded(tagger.model))
    temporary = out.with_name(temporary_name(out.name))
    temporary.mkdir()  # before the try: one that is there is not ours
    try:
        _save(tagger, net, temporary)
        scores_NK = _scores(temporary, tagger.model, check)
        gap = float((torch.sigmoid(scores_NK.double()).numpy() - sigmoid(_plain(tagger.model, check))).__abs__().max())
        if not gap <= TOLERANCE:
            raise TaggerError(f"The hub folder's network differs from the run's by {gap:.1g}, so it was not kept.")
        temporary.rename(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def why_not(model: TagModel) -> str:
    """Why a timm network cannot be this model; "" if it can."""
    members = list(model.head.members) if isinstance(model.head, HeadEnsemble) else [model.head]
    if not all(isinstance(member, LinearHead) for member in members):
        return "its head is not linear (train with --set head.name=linear)"
    if model.attention is not None:
        return "it has attention beside the network (train with --set attention.depth=0)"
    if model.backbone.levels:
        return "its head reads several levels of the network, as presets have it (train with --set backbone.levels=1)"
    if members[0].members_GM is not None:
        return "labels of its groups share a softmax"
    return ""


def folded(model: TagModel) -> tuple[Tensor, Tensor]:
    """(weights (K, D), bias (K)) of the linear head on features as they come."""
    with torch.inference_mode():
        weight_KD = model.head.class_weights()
        bias_K = model.head.raw(torch.zeros(1, model.head.num_features))[0]
    return weight_KD.clone(), bias_K.clone()


def with_classifier(tagger: Tagger, weight_KD: Tensor, bias_K: Tensor) -> nn.Module:
    """timm's network with these scores as its classifier."""
    chosen = tagger.settings.backbone
    net: Any = timm.create_model(chosen.name, num_classes=len(bias_K), **_arguments(tagger))
    missing, surplus = net.load_state_dict(tagger.model.backbone.net.state_dict(), strict=False)
    layer: Any = net.get_classifier()
    if surplus or not isinstance(layer, nn.Linear) or len(missing) != 2 or layer.weight.shape != weight_KD.shape:
        raise TaggerError(
            f"A hub folder cannot hold this model: the classifier of {chosen.name!r} is more than one linear layer."
            " Use --format onnx."
        )
    with torch.no_grad():
        layer.weight.copy_(weight_KD)
        layer.bias.copy_(bias_K)
    return net.eval()


def _arguments(tagger: Tagger) -> dict[str, Any]:
    """What the run gave to ``timm.create_model`` beside the name."""
    size = {"img_size": tagger.settings.image.size} if needs_fixed_size(tagger.settings.backbone.name) else {}
    return size | tagger.settings.backbone.options


def _save(tagger: Tagger, net: nn.Module, folder: Path) -> None:
    size, mode = tagger.settings.image.size, CROP_MODES[tagger.settings.image.fit]
    pixels = {"input_size": (3, size, size), "interpolation": "bicubic", "crop_pct": 1.0, "crop_mode": mode}
    extra = {"label_names": list(tagger.labels), "pretrained_cfg": pixels, "tagger": metadata(tagger)}
    arguments = _arguments(tagger)
    save_for_hf(net, str(folder), model_config=extra, model_args=arguments, safe_serialization=True)
    (folder / "model.safetensors").chmod(0o644)  # safetensors makes files that only their owner can read
    names = ", ".join(f"`{' '.join(name.split())}`" for name in tagger.labels)
    num = counted(len(tagger.labels), "label")
    card = CARD.format(name=tagger.run.path.resolve().name, num=num, labels=names)
    (folder / "README.md").write_text(card, "utf-8")


def _scores(folder: Path, model: TagModel, check: Check) -> Tensor:
    """What timm makes of the folder says of the check's images, normalised as timm's transforms do it."""
    net: Any = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    cfg = timm.data.resolve_data_config(model=net)
    mean, std = (torch.tensor(cfg[key]).view(1, -1, 1, 1) for key in ("mean", "std"))
    with torch.inference_mode():
        return net((torch.from_numpy(check.images_NCHW) - mean) / std)


def _plain(model: TagModel, check: Check) -> Any:
    """The model's logits of the check's images, of one view."""
    with torch.inference_mode():
        return model(torch.from_numpy(check.images_NCHW)).numpy()
