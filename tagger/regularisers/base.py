"""Base class and registry of regularisers, with the hooks through which they act on a training step.

A method of the literature is a few lines at one or two of these places, so each is one file: change the
images of a batch (``on_images``), change a feature map (``on_feature_map``), add to the loss
(``loss``), change gradients before the optimiser's step (``on_gradients``), change weights after it
(``around_update``). What a method learns itself, such
as an auxiliary head, are its own parameters: they are trained and kept in checkpoints, and are no part of
the saved model.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tagger.data import LabelGroup, Rule
from tagger.registry import Registry

regularisers = Registry("regulariser")


@dataclass(frozen=True)
class RegulariserContext:
    """What a regulariser may know when it is built: the size of what the head reads, the labels, groups and rules."""

    num_features: int
    names: tuple[str, ...]
    groups: Mapping[str, LabelGroup] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()


@dataclass
class StepContext:
    """One training step as the hooks see it.

    ``targets_BK`` are in 0..1, negative where unknown, after mixing; ``progress`` (a scalar tensor in 0..1)
    is the share of the training that is done; ``generator`` draws what changes the batch; ``kept`` is for
    what an earlier hook of the same step leaves for a later one.
    """

    targets_BK: Tensor
    progress: Tensor
    generator: torch.Generator
    shared: dict[str, Tensor] = field(default_factory=dict)


class ModelOutputs(NamedTuple):
    """What the model computed: logits (B, K), the pooled features that the head read (B, D), and what the
    model itself wants added to the loss, or None.
    """

    logits_BK: Tensor
    features_BD: Tensor
    penalty: Tensor | None = None


class Regulariser(nn.Module):
    """Base of the regularisers, ``Part(facts, *, options)``: every hook does nothing until a method overrides
    it.

    No tensor stays on ``self`` between calls. Randomness: ``batch`` draws from ``step.generator``, the
    others from torch's global generator, as dropout does; a training seeds both for each epoch.
    """

    supports_cached_features = False
    """Whether ``loss`` needs features and logits only: then it also acts while heads learn on cached features."""

    num_maps = 0
    """How many of the backbone's maps, from the last backwards, pass through ``on_feature_map``."""

    needs_classifier_weights = False
    """Whether ``on_feature_map`` asks for the classifier's weights on the map's channels."""

    def __init__(self, context: RegulariserContext):
        super().__init__()

    def on_images(self, images_BCHW: Tensor, step: StepContext) -> Tensor:
        """The images (0..1, augmented and mixed) that the network is to see instead."""
        return images_BCHW

    def on_feature_map(
        self, map_BCHW: Tensor, classifier_weights_KC: Tensor | None, step: StepContext
    ) -> Tensor:
        """The feature map that the next layer is to see instead."""
        return map_BCHW

    def loss(self, outputs: ModelOutputs, step: StepContext) -> Tensor | None:
        """A scalar to add to the loss, weighted already; None for nothing."""
        return None

    def around_update(self, model: nn.Module) -> AbstractContextManager[None]:
        """A context round the optimiser's step: it may keep something of the weights and put it back afterwards."""
        return nullcontext()

    def on_gradients(self, model: nn.Module) -> None:
        """Change the gradients of the model's parameters in place, after the backward pass, before they are clipped."""
