"""Features of the frozen backbone for every image, computed once and cached on disk.

One pass over the images also finds those that cannot be read. Both views of an image (as it is, mirrored)
are kept: heads train on either at random and are asked for the mean of both.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from tagger.batches import ImageBatch
from tagger.errors import TaggerError
from tagger.model import Backbone, GridBackbone
from tagger.runs import Checkpoint
from tagger.text import counted, shortlist
from tagger.training.inference import BatchOutputs, run_batches

ROWS_AT_ONCE = 4096  # of which there is a copy with twice the bits


@dataclass(frozen=True)
class Features:
    """views_VND (float16, mapped; V = 1 or 2 views) and why an image could not be read, by row.

    The first ``num_pooled`` (None: all) are for heads, all others for the LSTMs of sequences.
    """

    views_VND: NDArray[np.float16]
    unreadable: dict[int, str]
    num_pooled: int | None = None

    @property
    def pooled_VND(self) -> NDArray[np.float16]:
        """What heads read."""
        return self.views_VND[..., : self.num_pooled]

    @property
    def sequence_VNS(self) -> NDArray[np.float16]:
        """What the LSTMs of sequences read."""
        return self.views_VND[..., self.num_pooled or 0 :]

    def mean_ND(self) -> NDArray[np.float16]:
        """The mean over the views of what heads read: a linear head's mean logits depend on it alone."""
        pooled_VND = self.pooled_VND
        if len(pooled_VND) == 1:
            return pooled_VND[0]
        mean_ND = np.empty(pooled_VND.shape[1:], np.float16)
        for start in range(0, len(mean_ND), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            mean_ND[rows] = pooled_VND[:, rows].mean(0, dtype=np.float32)
        return mean_ND

    def select(self, rows: NDArray[np.int64]) -> "Features":
        """The features of some rows, renumbered; copies nothing when all are asked for."""
        if len(rows) == self.views_VND.shape[1]:
            return self
        return Features(self.views_VND[:, rows], {}, self.num_pooled)


def extract_features(
    backbone: Backbone | GridBackbone,
    loader: Iterable[ImageBatch],
    num_images: int,
    *,
    device: torch.device,
    precision: str,
    tta_hflip: bool,
    checkpoint: Checkpoint,
    files: Sequence[str] | None = None,
) -> Features:
    """Features of all images, computed and written to ``checkpoint``, or read from there if an earlier call
    finished.

    TaggerError, with their names in ``files``, if an image's features are not finite in float16.
    """
    if not checkpoint.has_features:
        views_VND = checkpoint.new_features((2 if tta_hflip else 1, num_images, backbone.num_features))
        unreadable: dict[int, str] = {}
        backbone.eval()
        for outputs in run_batches(backbone, loader, device=device, precision=precision, tta_hflip=tta_hflip):
            _check_finite(outputs, files, precision)
            views_VND[:, outputs.indices_B] = outputs.outputs_VBX
            unreadable |= _unreadable_rows(outputs.indices_B, outputs.reasons)
        views_VND.flush()
        checkpoint.finish_features(unreadable)
    return Features(*checkpoint.load_features())


def find_unreadable(loader: Iterable[ImageBatch], checkpoint: Checkpoint) -> dict[int, str]:
    """Which rows cannot be read, and why; where no features are needed. Kept in ``checkpoint`` like the features."""

    def find() -> dict[int, str]:
        unreadable: dict[int, str] = {}
        for batch in loader:
            unreadable |= _unreadable_rows(batch.indices_B.numpy(), batch.reasons)
        return unreadable

    return checkpoint.unreadable_rows(find)


def _check_finite(outputs: BatchOutputs, files: Sequence[str] | None, precision: str) -> None:
    """Pass if a batch's features are finite in float16; else TaggerError with the images and what would help."""
    largest_B = np.abs(outputs.outputs_VBX).max(axis=(0, 2))  # NaN where there is one
    bad = [int(row) for row in outputs.indices_B[~(largest_B <= np.finfo(np.float16).max)]]
    if bad:
        named = shortlist([files[row] if files is not None else f"row {row}" for row in bad], 5)
        other = "" if precision == "fp32" else f" train.precision=fp32 (now {precision}), or"
        raise TaggerError(
            f"Features are not finite, or too large for float16, for {counted(len(bad), 'image')} of a batch of"
            f" {len(largest_B)}: {named}. Begin a new run with{other} other --weights."
        )


def _unreadable_rows(indices_B: NDArray[np.int64], reasons: list[str | None]) -> dict[int, str]:
    return {int(row): reason for row, reason in zip(indices_B, reasons, strict=True) if reason}
