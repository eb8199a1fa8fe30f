"""What a training minimises: the loss of the labels, and what the regularisers add to it."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tagger.arrays import Cells
from tagger.config import Settings
from tagger.data import Group, Rule, Vocabulary, label_stats
from tagger.errors import TaggerError
from tagger.losses import grouped, losses
from tagger.regularisers import Facts, Outputs, Regulariser, Step, regularisers


class Objective(nn.Module):
    """The labels' loss plus every regulariser's own, as one scalar."""

    def __init__(self, loss_of: nn.Module, parts: Sequence[Regulariser] = ()):
        super().__init__()
        self.loss_of = loss_of
        self.parts: Sequence[Regulariser] = nn.ModuleList(parts)  # type: ignore[assignment]

    def forward(self, outputs: Outputs, targets_BK: Tensor, weights_BK: Tensor | None, step: Step) -> Tensor:
        """The loss of one batch, float32."""
        total = self.loss_of(outputs.logits_BK, targets_BK, weights_BK)
        if outputs.penalty is not None:
            total = total + outputs.penalty
        for part in self.parts:
            more = part.loss(outputs, step)
            if more is not None:
                total = total + more
        return total

    def change_gradients(self, model: nn.Module) -> None:
        """Let the regularisers change the gradients that the backward pass left."""
        for part in self.parts:
            part.gradients(model)

    def learnt(self) -> list[nn.Parameter]:
        """What the regularisers learn themselves."""
        return list(self.parts.parameters())  # type: ignore[attr-defined]


def make_loss(
    settings: Settings, labels_NK: Cells, rows: NDArray[np.int64], held_out: NDArray[np.int64], vocabulary: Vocabulary
) -> nn.Module:
    """The labels' loss with the statistics of the ``rows`` that teach; labels that exclude each other are one question.

    Whether an image may have none of a group is read off the held-out rows too, as for ``group_head``.
    """
    loss = losses.build(settings.loss.name, label_stats(labels_NK[rows]), **settings.loss.options)
    learnable_RK = labels_NK[np.concatenate([rows, held_out])]
    return grouped(loss, vocabulary.labels, vocabulary.groups, learnable_RK, smoothing=settings.loss.smoothing)


class Labels(Protocol):
    """Whatever knows the labels with their groups and rules: a data set, a vocabulary."""

    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def groups(self) -> dict[str, Group]: ...
    @property
    def rules(self) -> tuple[Rule, ...]: ...


def facts_of(num_features: int, known: Labels) -> Facts:
    """What regularisers may know when they are built."""
    return Facts(num_features, known.labels, known.groups, known.rules)


def make_regularisers(settings: Settings, facts: Facts, *, features_only: bool = False) -> list[Regulariser]:
    """The regularisers that the settings switch on; with ``features_only`` those that act on cached features too."""
    parts = [regularisers.build(name, facts, **options) for name, options in settings.regularisers.items()]
    return [part for part in parts if part.on_features] if features_only else parts


def check_regularisers(settings: Settings) -> None:
    """TaggerError if a regulariser or one of its options does not exist, or if it would have nothing to act on."""
    for name, options in settings.regularisers.items():
        regularisers.check(name, options)
        if not settings.train.epochs and not regularisers.find(name).on_features:  # type: ignore[attr-defined]
            raise TaggerError(
                f"regularisers.{name} acts on the network while it learns, but train.epochs = 0 leaves it as it is."
                " Use --preset standard, or --set train.epochs=3."
            )
        if regularisers.find(name).needs_class_weights and settings.head.name == "mlp":  # type: ignore[attr-defined]
            raise TaggerError(
                f"regularisers.{name} goes by the classifier's weights, and head 'mlp' has none by label."
                " Use --set head.name=linear."
            )
    if settings.attention.depth and not settings.train.epochs:
        raise TaggerError(
            "attention.depth adds modules to the network, but train.epochs = 0 trains only a head."
            " Use --preset standard, or --set train.epochs=3."
        )


def make_step(targets_BK: Tensor, progress: float, generator: torch.Generator) -> Step:
    """The step of a batch, ``progress`` (0..1) of the training being done."""
    return Step(targets_BK, torch.tensor(progress, device=targets_BK.device), generator)
