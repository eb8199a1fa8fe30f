"""What made a batch's loss or gradient infinite, as far as can be told: weights, images, or none of them alone."""

import copy
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tagger.data.wording import shortlist
from tagger.model.sound import unsound_weights
from tagger.training.finite import rows_not_finite


def blame(model: nn.Module, files: Sequence[str], losses: Callable[[], NDArray[np.float64]]) -> str:
    """The weights that are not finite, else the files whose ``losses`` (B, 1) are not, else that neither is to blame.

    >>> blame(nn.Linear(1, 1), ["a.jpg", "b.jpg"], lambda: np.array([[0.5], [np.inf]]))
    'the loss of 1 of its 2 images is not finite by itself: b.jpg'
    """
    if names := unsound_weights(dict(model.named_parameters())):
        return f"the weights are not finite ({shortlist(names, 3)}); its images are {shortlist(files, 3)}"
    if bad := rows_not_finite(losses()):
        named = shortlist([files[row] for row in bad], 5)
        return f"the loss of {len(bad)} of its {len(files)} images is not finite by itself: {named}"
    return f"each of its {len(files)} images has a finite loss by itself: {shortlist(files, 3)}"


def own_losses(
    before: nn.Module,
    now: nn.Module,
    loss_of: Callable[[Tensor, Tensor, Tensor | None], Tensor],
    images: Tensor,
    targets_BK: Tensor,
    weights_BK: Tensor | None,
) -> NDArray[np.float64]:
    """Each image's loss (B, 1), by the weights of ``now`` and the normalisation's statistics of ``before``, which this
    batch has not changed."""
    model = copy.deepcopy(before)
    with torch.inference_mode():
        for mine, current in zip(model.parameters(), now.parameters(), strict=True):
            mine.copy_(current)
        logits_BK = model(images).float()
        rows = [slice(row, row + 1) for row in range(len(images))]
        values = [loss_of(logits_BK[r], targets_BK[r], None if weights_BK is None else weights_BK[r]) for r in rows]
        return np.array([[value.item()] for value in values])
