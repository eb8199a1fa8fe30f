"""Find what made a batch's loss or gradient infinite or NaN: weights, single images, or neither."""

import copy
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tagger.model.finite_weights import nonfinite_weights
from tagger.text import shortlist
from tagger.training.nonfinite_errors import nonfinite_rows


def diagnose_nonfinite(
    model: nn.Module, files: Sequence[str], compute_losses: Callable[[], NDArray[np.float64]]
) -> str:
    """The weights that are not finite, else the files whose ``losses`` (B, 1) are not, else that neither is to
    blame.

    >>> diagnose_nonfinite(nn.Linear(1, 1), ["a.jpg", "b.jpg"], lambda: np.array([[0.5], [np.inf]]))
    'the loss of 1 of its 2 images is not finite by itself: b.jpg'
    """
    if names := nonfinite_weights(dict(model.named_parameters())):
        return f"the weights are not finite ({shortlist(names, 3)}); its images are {shortlist(files, 3)}"
    if bad := nonfinite_rows(compute_losses()):
        named = shortlist([files[row] for row in bad], 5)
        return f"the loss of {len(bad)} of its {len(files)} images is not finite by itself: {named}"
    return f"each of its {len(files)} images has a finite loss by itself: {shortlist(files, 3)}"


def per_image_losses(
    ema_model: nn.Module,
    current_model: nn.Module,
    loss_of: Callable[[Tensor, Tensor, Tensor | None], Tensor],
    images: Tensor,
    targets_BK: Tensor,
    weights_BK: Tensor | None,
) -> NDArray[np.float64]:
    """Each image's loss (B, 1), by the weights of ``now`` and the normalisation's statistics of ``before``,
    which this batch has not changed.
    """
    model = copy.deepcopy(ema_model)
    with torch.inference_mode():
        for mine, current in zip(model.parameters(), current_model.parameters(), strict=True):
            mine.copy_(current)
        logits_BK = model(images).float()
        rows = [slice(row, row + 1) for row in range(len(images))]
        values = [
            loss_of(logits_BK[r], targets_BK[r], None if weights_BK is None else weights_BK[r]) for r in rows
        ]
        return np.array([[value.item()] for value in values])
