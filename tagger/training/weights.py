"""Between networks: the mean of several, and a step back to where one began."""

import torch

from tagger.model import TagModel


def average(model: TagModel, weights: list[dict[str, torch.Tensor]]) -> TagModel:
    """The model with the mean of several networks' weights (model soup, Wortsman et al. 2022, arXiv 2203.05482)."""
    mean = {
        name: torch.stack([member[name] for member in weights]).mean(0) if first.is_floating_point() else first
        for name, first in weights[0].items()
    }
    model.load_state_dict(mean)
    return model


def pull_back(model: TagModel, start: dict[str, torch.Tensor], share: float) -> None:
    """Move the weights back by ``share`` of the way to where they started (WiSE-FT, Wortsman et al. 2022, 2109.01903).

    What the pretrained network knows of rare labels survives, and most of what fine-tuning learnt stays.
    """
    mixed = {
        name: tensor.lerp(start[name].to(tensor.device), share) if tensor.is_floating_point() else tensor
        for name, tensor in model.state_dict().items()
    }
    model.load_state_dict(mixed)
