"""Check that weights are finite: one NaN in a file makes every probability NaN."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from tagger.errors import TaggerError
from tagger.text import shortlist


def nonfinite_weights(tensors: Mapping[str, Tensor]) -> list[str]:
    """The names of the tensors that hold a NaN or an infinity.

    >>> nonfinite_weights({"weight": torch.ones(2), "bias": torch.tensor([0.0, float("inf")])})
    ['bias']
    """
    return [name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor).all())]


def check_finite_weights(tensors: Mapping[str, Tensor], path: str | Path) -> None:
    """Pass if all weights that came from ``path`` are finite; else TaggerError with the names of those that
    are not.

    >>> check_finite_weights({"weight": torch.ones(2)}, "model.safetensors")
    """
    names = nonfinite_weights(tensors)
    if names:
        raise TaggerError(
            f"{path}: {len(names)} of its {len(tensors)} tensors hold values that are not finite"
            f" ({shortlist(names, 3)}). Restore a copy, or take other weights."
        )
