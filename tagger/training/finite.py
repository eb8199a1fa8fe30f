"""What is said when a training's numbers are no numbers any more: where, on which files, and what would help."""

import math
from collections.abc import Sequence

import numpy as np

from tagger.arrays import Floats
from tagger.config import Settings
from tagger.data.wording import shortlist
from tagger.errors import TaggerError
from tagger.training.device import pick_precision


def remedies(settings: Settings, *, of_heads: bool = False) -> str:
    """The settings that help where numbers grow without bound, each with its value now, as one sentence.

    >>> remedies(Settings(device="cpu"), of_heads=True)
    'Begin a new run with a lower features.lr (now 0.001).'
    """
    train = settings.train
    ways = [
        f"a lower features.lr (now {settings.features.lr:g})" if of_heads else f"a lower train.lr (now {train.lr:g})"
    ]
    precision = pick_precision(settings)
    if precision != "fp32" and not of_heads:
        ways.append(f"train.precision=fp32 (now {precision})")
    if not train.clip and not of_heads:
        ways.append("train.clip=1 (now 0)")
    if settings.loss.name != "bce":
        ways.append(f"loss.name=bce (now {settings.loss.name})")
    if settings.regularisers:
        ways.append(f"no regularisers (now {', '.join(settings.regularisers)})")
    return f"Begin a new run with {', or '.join(ways)}."


def stopped(what: str, where: str, blamed: str, settings: Settings, *, of_heads: bool = False) -> TaggerError:
    """The error of a training that cannot go on: ``what`` happened ``where``, and what is to blame."""
    return TaggerError(f"{what} ({where}): {blamed}. {remedies(settings, of_heads=of_heads)}")


def rows_not_finite(values_NX: Floats) -> list[int]:
    """The rows that hold a NaN or an infinity.

    >>> rows_not_finite(np.array([[1.0, 2.0], [np.nan, 0.0], [0.0, np.inf]]))
    [1, 2]
    """
    return [int(row) for row in np.flatnonzero(~np.isfinite(values_NX).reshape(len(values_NX), -1).all(axis=1))]


def check_outputs(values_NX: Floats, files: Sequence[str], what: str, settings: Settings) -> None:
    """Pass if all numbers that the network gave for ``files`` are finite; else TaggerError with the files named.

    >>> check_outputs(np.ones((1, 2)), ["a.jpg"], "Logits", Settings())
    """
    rows = rows_not_finite(values_NX)
    if rows:
        named = shortlist([files[row] for row in rows], 3)
        raise stopped(f"{what} are not finite", f"{len(rows)} of {len(files)} images", named, settings)


def check_head_loss(value: float, where: str, settings: Settings) -> None:
    """Pass if the loss of a step of the head stage is finite; else TaggerError.

    >>> check_head_loss(0.5, "head, epoch 1", Settings())
    """
    if not math.isfinite(value):
        blamed = "the cached features are finite, so it is how the head learns"
        raise stopped(f"The loss became {value}", where, blamed, settings, of_heads=True)
