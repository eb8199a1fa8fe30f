"""Models with random weights that depend on nothing but their name, and noise to show them. No test itself."""

from typing import Any

import torch

from tagger.config import check_settings
from tagger.heads import HeadEnsemble
from tagger.model import TagModel, new_attention, new_backbone, new_head

LABELS = 3
SEED = 1  # of the heads: each network finds something that speaks for a label


def make(
    name: str = "test_resnet",
    *,
    levels: int = 1,
    size: int = 64,
    members: int = 0,
    head: str = "linear",
    depth: int = 0,
    **more: Any,
) -> TagModel:
    """A model in evaluation mode: ``members`` heads, ``depth`` modules of attention, ``more`` to the backbone."""
    backbone_of = {"name": name, "weights": "none", "levels": levels} | more
    settings = check_settings(
        {
            "backbone": backbone_of,
            "image": {"size": size},
            "head": {"name": head},
            "attention": {"depth": depth},
        }
    )
    with torch.random.fork_rng(devices=[]):
        backbone = new_backbone(settings)
        torch.manual_seed(SEED)
        heads = [new_head(backbone.num_features, LABELS, settings) for _ in range(members or 1)]
        attention = new_attention(backbone, LABELS, settings)
        for parameter in attention.parameters() if attention is not None else ():
            torch.nn.init.normal_(parameter, std=0.1)
    return TagModel(backbone, HeadEnsemble(heads) if members else heads[0], attention).eval()


def noise(*, batch: int = 1, size: int = 64) -> torch.Tensor:
    """Images of noise in 0..1."""
    return torch.rand(batch, 3, size, size, generator=torch.Generator().manual_seed(1))
