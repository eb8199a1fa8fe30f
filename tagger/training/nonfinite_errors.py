"""Errors for losses, features and logits that are not finite, with the settings that help."""

import math
from collections.abc import Sequence

import numpy as np

from tagger.arrays import Floats
from tagger.config import Settings
from tagger.errors import TaggerError
from tagger.text import shortlist
from tagger.training.device import pick_precision


def suggested_settings(settings: Settings, *, for_heads: bool = False) -> str:
    """The settings that help where numbers grow without bound, each with its value now, as one sentence.

    >>> suggested_settings(Settings(device="cpu"), for_heads=True)
    'Begin a new run with a lower head_stage.lr (now 0.001).'
    """
    train = settings.train
    suggestions = [
        f"a lower head_stage.lr (now {settings.head_stage.lr:g})"
        if for_heads
        else f"a lower train.lr (now {train.lr:g})"
    ]
    precision = pick_precision(settings)
    if precision != "fp32" and not for_heads:
        suggestions.append(f"train.precision=fp32 (now {precision})")
    if not train.clip_grad_norm and not for_heads:
        suggestions.append("train.clip_grad_norm=1 (now 0)")
    if settings.loss.name != "bce":
        suggestions.append(f"loss.name=bce (now {settings.loss.name})")
    if settings.regularisers:
        suggestions.append(f"no regularisers (now {', '.join(settings.regularisers)})")
    return f"Begin a new run with {', or '.join(suggestions)}."


def nonfinite_error(
    what: str, where: str, cause: str, settings: Settings, *, for_heads: bool = False
) -> TaggerError:
    """The error of a training that cannot continue: what happened where, the cause, and settings that help."""
    return TaggerError(f"{what} ({where}): {cause}. {suggested_settings(settings, for_heads=for_heads)}")


def nonfinite_rows(values_NX: Floats) -> list[int]:
    """The rows that hold a NaN or an infinity.

    >>> nonfinite_rows(np.array([[1.0, 2.0], [np.nan, 0.0], [0.0, np.inf]]))
    [1, 2]
    """
    return [
        int(row) for row in np.flatnonzero(~np.isfinite(values_NX).reshape(len(values_NX), -1).all(axis=1))
    ]


def check_finite_outputs(values_NX: Floats, files: Sequence[str], what: str, settings: Settings) -> None:
    """Pass if all numbers that the network gave for ``files`` are finite; else TaggerError with the files named.

    >>> check_finite_outputs(np.ones((1, 2)), ["a.jpg"], "Logits", Settings())
    """
    rows = nonfinite_rows(values_NX)
    if rows:
        named = shortlist([files[row] for row in rows], 3)
        raise nonfinite_error(
            f"{what} are not finite", f"{len(rows)} of {len(files)} images", named, settings
        )


def check_finite_head_loss(value: float, where: str, settings: Settings) -> None:
    """Pass if the loss of a step of the head stage is finite; else TaggerError.

    >>> check_finite_head_loss(0.5, "head, epoch 1", Settings())
    """
    if not math.isfinite(value):
        cause = "the photos' features are finite; the training of the head itself diverged"
        raise nonfinite_error(f"The loss became {value}", where, cause, settings, for_heads=True)
