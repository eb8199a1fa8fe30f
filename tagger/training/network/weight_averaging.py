"""Average the weights of several networks (model soup), and interpolate to the start (WiSE-FT)."""

from collections.abc import Sequence

import torch

from tagger.heads import Head, HeadEnsemble, LinearHead
from tagger.model import TagModel


def average_weights(
    model: TagModel, weights: list[dict[str, torch.Tensor]], tuned_heads: Sequence[Head | HeadEnsemble]
) -> TagModel:
    """The model with the mean of several networks' weights (model soup, Wortsman et al. 2022, arXiv 2203.05482).

    Heads that are not linear began at different weights and are not averaged but asked one by one:
    ``HeadEnsemble``.
    """
    mean = {
        name: torch.stack([member[name] for member in weights]).mean(0)
        if first.is_floating_point()
        else first
        for name, first in weights[0].items()
    }
    model.load_state_dict(mean)
    if not all(isinstance(head, LinearHead) for head in tuned_heads):
        flat = [
            part
            for head in tuned_heads
            for part in (head.members if isinstance(head, HeadEnsemble) else [head])
        ]
        model.head = HeadEnsemble(flat)
    return model


def wise_ft(model: TagModel, start: dict[str, torch.Tensor], share: float) -> None:
    """Move the weights back by ``share`` of the way to where they started (WiSE-FT, Wortsman et al. 2022,
    2109.01903).

    What the pretrained network knows of rare labels survives, and most of what fine-tuning learnt stays.
    """
    mixed = {
        name: tensor.lerp(start[name].to(tensor.device), share) if tensor.is_floating_point() else tensor
        for name, tensor in model.state_dict().items()
    }
    model.load_state_dict(mixed)
