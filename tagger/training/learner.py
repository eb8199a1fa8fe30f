"""One training step's forward pass: images to a loss, through the model and the hooks of its regularisers."""

import torch
from torch import Tensor, nn

from tagger.model import TagModel
from tagger.model.taps import map_class_weights, tap
from tagger.regularisers import Regulariser, Step
from tagger.training.objective import Objective


class Learner(nn.Module):
    """The model together with what only its training needs; ``learner(images, targets, weights, step)`` is the loss.

    As one module it is wrapped once for mixed precision and for several processes. With no regulariser it computes
    what the model and the loss alone would. Call ``release`` when the training is over: it takes the hooks back.
    """

    def __init__(self, model: TagModel, objective: Objective, *, compiled: bool = False):
        super().__init__()
        self.model, self.objective = model, objective
        self._step: Step | None = None
        changing = [part for part in objective.parts if part.num_maps]
        deepest = max((part.num_maps for part in changing), default=0)
        self._handles = tap(model.backbone, deepest, self._on_map) if deepest else []
        self._changing = changing
        self._forward_parts = torch.compile(model.forward_parts) if compiled else model.forward_parts

    def forward(self, images_BCHW: Tensor, targets_BK: Tensor, weights_BK: Tensor | None, step: Step) -> Tensor:
        """The loss of one batch."""
        for part in self.objective.parts:
            images_BCHW = part.batch(images_BCHW, step)
        self._step = step
        try:
            outputs = self._forward_parts(images_BCHW.contiguous(memory_format=torch.channels_last))
        finally:
            self._step = None
        return self.objective(outputs, targets_BK, weights_BK, step)

    def change_gradients(self) -> None:
        """Let the regularisers change the gradients that the backward pass left."""
        self.objective.change_gradients(self.model)

    def release(self) -> None:
        """Take all hooks off the backbone."""
        for handle in self._handles:
            handle.remove()

    def _on_map(self, map_BCHW: Tensor, depth: int) -> Tensor:
        """A map of the backbone, ``depth`` 0 the last: changed while a training step is on its way."""
        if self._step is None:
            return map_BCHW
        for part in self._changing:
            if depth < part.num_maps:
                map_BCHW = part.on_map(map_BCHW, self._weights_for(part, map_BCHW, depth), self._step)
        return map_BCHW

    def _weights_for(self, part: Regulariser, map_BCHW: Tensor, depth: int) -> Tensor | None:
        if not part.needs_class_weights:
            return None
        return map_class_weights(self.model, depth, map_BCHW.shape[1]).detach()
