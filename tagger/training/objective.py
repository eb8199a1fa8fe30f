"""The training objective: the loss on the labels plus the regularisers' penalties."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tagger.arrays import Cells
from tagger.config import Settings
from tagger.data import LabelGroup, Rule, Vocabulary, label_stats
from tagger.errors import TaggerError
from tagger.losses import grouped_loss, losses, number_loss
from tagger.regularisers import ModelOutputs, Regulariser, RegulariserContext, StepContext, regularisers


class Objective(nn.Module):
    """The labels' loss plus every regulariser's own, as one scalar."""

    def __init__(self, loss_of: nn.Module, parts: Sequence[Regulariser] = ()):
        super().__init__()
        self.loss_of = loss_of
        self.parts: Sequence[Regulariser] = nn.ModuleList(parts)  # type: ignore[assignment]

    def forward(
        self, outputs: ModelOutputs, targets_BK: Tensor, weights_BK: Tensor | None, step: StepContext
    ) -> Tensor:
        """The loss of one batch, float32."""
        total = self.loss_of(outputs.logits_BK, targets_BK, weights_BK)
        if outputs.penalty is not None:
            total = total + outputs.penalty
        for regulariser in self.parts:
            penalty = regulariser.loss(outputs, step)
            if penalty is not None:
                total = total + penalty
        return total

    def change_gradients(self, model: nn.Module) -> None:
        """Let the regularisers change the gradients that the backward pass left."""
        for regulariser in self.parts:
            regulariser.on_gradients(model)

    @contextmanager
    def around_update(self, model: nn.Module) -> Iterator[None]:
        """The regularisers' contexts round one step of the optimiser."""
        with ExitStack() as stack:
            for regulariser in self.parts:
                stack.enter_context(regulariser.around_update(model))
            yield

    def trainable_parameters(self) -> list[nn.Parameter]:
        """What the regularisers learn themselves."""
        return list(self.parts.parameters())  # type: ignore[attr-defined]


def make_loss(
    settings: Settings,
    labels_NK: Cells,
    rows: NDArray[np.int64],
    held_out: NDArray[np.int64],
    vocabulary: Vocabulary,
) -> nn.Module:
    """The loss of the labels with the statistics of the training ``rows``; exclusive labels are one question.

    Whether an image may have none of a group is read off the held-out rows too, as for ``set_head_groups``.
    """
    loss = losses.build(settings.loss.name, label_stats(labels_NK[rows]), **settings.loss.options)
    learnable_RK = labels_NK[np.concatenate([rows, held_out])]
    grouped = grouped_loss(
        loss, vocabulary.labels, vocabulary.groups, learnable_RK, smoothing=settings.loss.smoothing
    )
    return number_loss(grouped, vocabulary.labels, vocabulary.number_lows)


class LabelDefinitions(Protocol):
    """Whatever knows the labels with their groups and rules: a data set, a vocabulary."""

    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def groups(self) -> dict[str, LabelGroup]: ...
    @property
    def rules(self) -> tuple[Rule, ...]: ...


def regulariser_context(num_features: int, definitions: LabelDefinitions) -> RegulariserContext:
    """What regularisers may know when they are built."""
    return RegulariserContext(num_features, definitions.labels, definitions.groups, definitions.rules)


def make_regularisers(
    settings: Settings, context: RegulariserContext, *, features_only: bool = False
) -> list[Regulariser]:
    """The regularisers that the settings switch on; with ``features_only`` those that act on cached features too."""
    parts = [regularisers.build(name, context, **options) for name, options in settings.regularisers.items()]
    return (
        [regulariser for regulariser in parts if regulariser.supports_cached_features]
        if features_only
        else parts
    )


def check_regularisers(settings: Settings) -> None:
    """TaggerError if a regulariser or one of its options does not exist, or if it would have nothing to act on."""
    for name, options in settings.regularisers.items():
        regularisers.check(name, options)
        if not settings.train.epochs and not regularisers.find(name).supports_cached_features:  # type: ignore[attr-defined]
            raise TaggerError(
                f"regularisers.{name} acts on the network while it learns, but train.epochs = 0 leaves it as it is."
                " Use --preset standard, or --set train.epochs=3."
            )
        guided = regularisers.find(name).needs_classifier_weights and options.get("guide", "cam") == "cam"  # type: ignore[attr-defined]
        if guided and settings.head.name == "mlp":
            raise TaggerError(
                f"regularisers.{name} goes by the classifier's weights, and head 'mlp' has none by label."
                " Use --set head.name=linear."
            )
    if settings.attention.depth and not settings.train.epochs:
        raise TaggerError(
            "attention.depth adds modules to the network, but train.epochs = 0 trains only a head."
            " Use --preset standard, or --set train.epochs=3."
        )


def make_step_context(targets_BK: Tensor, progress: float, generator: torch.Generator) -> StepContext:
    """The step of a batch, ``progress`` (0..1) of the training being done."""
    return StepContext(targets_BK, torch.tensor(progress, device=targets_BK.device), generator)
