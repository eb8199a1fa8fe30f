"""Forward pass of one training step: images to a loss, through the model and the regularisers' hooks."""

from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from tagger.model import TagModel
from tagger.model.feature_hooks import hook_feature_maps, map_classifier_weights
from tagger.regularisers import Regulariser, StepContext
from tagger.training.objective import Objective


class TrainStep(nn.Module):
    """Model, loss and regularisers as one module; ``train_step(images, targets, weights, step)`` is the loss.

    As one module it is wrapped once for mixed precision and for several processes. Without regularisers it
    computes what the model and the loss alone would. Call ``release`` after the training: it removes the
    hooks.
    """

    def __init__(self, model: TagModel, objective: Objective, *, compiled: bool = False):
        super().__init__()
        self.model = model
        self.objective = objective
        self._step: StepContext | None = None
        changing = [regulariser for regulariser in objective.parts if regulariser.num_maps]
        deepest = max((regulariser.num_maps for regulariser in changing), default=0)
        self._handles = hook_feature_maps(model.backbone, deepest, self._on_feature_map) if deepest else []
        self._map_regularisers = changing
        self._forward_outputs = torch.compile(model.forward_outputs) if compiled else model.forward_outputs

    def forward(
        self, images_BCHW: Tensor, targets_BK: Tensor, weights_BK: Tensor | None, step: StepContext
    ) -> Tensor:
        """The loss of one batch."""
        for regulariser in self.objective.parts:
            images_BCHW = regulariser.on_images(images_BCHW, step)
        self._step = step
        try:
            outputs = self._forward_outputs(images_BCHW.contiguous(memory_format=torch.channels_last))
        finally:
            self._step = None
        return self.objective(outputs, targets_BK, weights_BK, step)

    def change_gradients(self) -> None:
        """Let the regularisers change the gradients that the backward pass left."""
        self.objective.change_gradients(self.model)

    def around_update(self) -> AbstractContextManager[None]:
        """The regularisers' context round the optimiser's step."""
        return self.objective.around_update(self.model)

    def release(self) -> None:
        """Take all hooks off the backbone."""
        for handle in self._handles:
            handle.remove()

    def _on_feature_map(self, map_BCHW: Tensor, depth: int) -> Tensor:
        """A map of the backbone, ``depth`` 0 the last: changed by the regularisers during a training step."""
        if self._step is None:
            return map_BCHW
        for regulariser in self._map_regularisers:
            if depth < regulariser.num_maps:
                map_BCHW = regulariser.on_feature_map(
                    map_BCHW, self._weights_for(regulariser, map_BCHW, depth), self._step
                )
        return map_BCHW

    def _weights_for(self, regulariser: Regulariser, map_BCHW: Tensor, depth: int) -> Tensor | None:
        if not regulariser.needs_classifier_weights:
            return None
        return map_classifier_weights(self.model, depth, map_BCHW.shape[1]).detach()
