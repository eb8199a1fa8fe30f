"""Batches of cached features for the training of heads, made ahead in a thread of their own.

Half of a training step is moving features: reading, standardising, dropout. One thread does that for the
next batches while another trains, each on one core: threads that share such small products spend most of
their time waiting for each other. Several batches are made in one go, as each operation may have to wait
for Python's lock.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import starmap
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tagger.arrays import Indices
from tagger.batches import mix_targets
from tagger.heads import Head
from tagger.training.targets import TrainingTargets

PREFETCH_BLOCKS = 2  # blocks of batches that are made before they are trained on
BLOCK_VALUES = 2**21  # feature values of a block: 8 MB, and four blocks are held


class HeadBatch(NamedTuple):
    """Features, the inputs that the head's first layer reads, and targets with their weights as further columns."""

    features_BD: Tensor
    inputs_BD: Tensor
    targets: Tensor


def split_blocks(order: Indices, batch_size: int, num_features: int) -> list[Indices]:
    """``order`` in blocks of whole batches, each of about ``BLOCK_VALUES`` feature values.

    >>> [len(block) for block in split_blocks(np.arange(10), batch_size=4, num_features=BLOCK_VALUES // 8)]
    [8, 2]
    """
    rows_per_block = batch_size * max(1, BLOCK_VALUES // (batch_size * num_features))
    return [order[at : at + rows_per_block] for at in range(0, len(order), rows_per_block)]


def make_block(
    head: Head,
    views_VND: NDArray[np.float16],
    targets: TrainingTargets,
    rows: Indices,
    batch_size: int,
    mixup: float,
    rng: np.random.Generator,
) -> Iterator[HeadBatch]:
    """The batches of these rows, made in one go; with ``mixup`` each vector is mixed with one of its batch."""
    features_RD = sample_views(views_VND, rows, rng)
    targets_R = targets.batch(rows)
    if mixup:
        pairs = zip(features_RD.split(batch_size), targets_R.split(batch_size), strict=True)
        mixed = [mixup_features(*pair, mixup, rng) for pair in pairs]
        features_RD, targets_R = (torch.cat(parts) for parts in zip(*mixed, strict=True))
    with torch.no_grad():
        inputs_RD = head.prepare_inputs(features_RD)
    parts = (features_RD.split(batch_size), inputs_RD.split(batch_size), targets_R.split(batch_size))
    return starmap(HeadBatch, zip(*parts, strict=True))


def prefetch_batches(
    make: Callable[[Indices], Iterator[HeadBatch]], parts: Sequence[Indices], prefetch: bool
) -> Iterator[Iterator[HeadBatch]]:
    """``make(rows)`` of each part, in order; with ``prefetch`` in a thread of its own."""
    if not prefetch:
        yield from map(make, parts)
        return
    pending: deque[Future[Iterator[HeadBatch]]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as pool:
        try:
            for rows in parts:
                pending.append(pool.submit(make, rows))
                if len(pending) > PREFETCH_BLOCKS:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def sample_views(views_VND: NDArray[np.float16], rows: Indices, rng: np.random.Generator) -> Tensor:
    """Features (B, D) of some rows, float16, each of a view drawn for it."""
    num_views, num_images, num_features = views_VND.shape
    view_B = rng.integers(num_views, size=len(rows)) if num_views > 1 else np.zeros(len(rows), np.int64)
    if not views_VND.flags.c_contiguous:  # a part of all features: to reshape it would copy them
        return torch.from_numpy(np.asarray(views_VND[view_B, rows]))
    rows = rows + num_images * view_B
    return torch.from_numpy(np.asarray(views_VND).reshape(-1, num_features).take(rows, axis=0))


def take_rows(view_ND: NDArray[np.float16], rows: Indices) -> Tensor:
    """Some rows, copied; of columns of a wider array too, which ``take`` would copy as a whole."""
    if view_ND.flags.c_contiguous:
        return torch.from_numpy(view_ND.take(rows, axis=0))
    return torch.from_numpy(np.asarray(view_ND[rows]))


def mixup_features(
    features_BD: Tensor, targets: Tensor, alpha: float, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Mixup (Zhang et al. 2018) of feature vectors; a cell unknown in either partner is unknown."""
    if not alpha:
        return features_BD, targets
    own_B1 = torch.from_numpy(rng.beta(alpha, alpha, (len(features_BD), 1)).astype(np.float32))
    partner = torch.from_numpy(rng.permutation(len(features_BD)))
    features_BD = features_BD.float()
    return torch.lerp(features_BD[partner], features_BD, own_B1), mix_targets(
        targets, targets[partner], own_B1
    )
