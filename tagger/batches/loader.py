"""Data loaders that give batches in exactly the order asked for, with any number of workers.

The order of an epoch is an array, made once by a sampler and the run's ``rng``; workers only decode. So
there is no random state in workers, and the batches are the same with 0 or 16 of them.
"""

import math
import os
import signal
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import BatchSampler, DataLoader, Dataset

from tagger.batches.dataset import ImageBatch, ImageItem, collate
from tagger.batches.image_cache import CachedImages
from tagger.data.io_watchdog import report_stalled_reads_to_stderr


def make_loader(
    dataset: Dataset[ImageItem],
    order: Sequence[int] | NDArray[np.integer],
    *,
    batch_size: int,
    workers: int | None = None,
    drop_last: bool = False,
) -> DataLoader[ImageBatch]:
    """A loader that gives ``ImageBatch``es of ``dataset[i] for i in order``, in that order; one pass is one
    epoch.

    ``order`` may repeat or leave out items; IndexError if it names one that does not exist.
    ``workers=None`` is ``default_num_workers()``; cached images never need any. With ``drop_last`` a last
    batch that is not full is left out.
    """
    rows = _check_order(dataset, order)
    if workers is None or isinstance(dataset, CachedImages):
        workers = 0 if isinstance(dataset, CachedImages) else default_num_workers()
    return DataLoader(
        dataset,  # type: ignore[arg-type]  # torch types a loader by its items, we by its batches
        batch_sampler=BatchSampler(rows, batch_size, drop_last),
        num_workers=workers,
        collate_fn=collate,
        worker_init_fn=_start_worker,
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator(),  # DataLoader draws a seed at each pass: not from the global state
    )


class BatchSequence:
    """The batches of an order, each made in the thread that asks for it by number: ``batches[0]`` is the first.

    For threads that compute as well: no process is started and no pixel is copied to another. IndexError as
    for ``make_loader``, and for a number that there is not.
    """

    def __init__(
        self, dataset: Dataset[ImageItem], order: Sequence[int] | NDArray[np.integer], *, batch_size: int
    ):
        self.dataset, self.rows, self.batch_size = dataset, _check_order(dataset, order), batch_size

    def __len__(self) -> int:
        return math.ceil(len(self.rows) / self.batch_size)

    def __getitem__(self, number: int) -> ImageBatch:
        if not 0 <= number < len(self):
            raise IndexError(f"batch {number} of {len(self)}")
        rows = self.rows[number * self.batch_size : (number + 1) * self.batch_size]
        return collate([self.dataset[row] for row in rows])


def default_num_workers(*, most: int = 8) -> int:
    """How many decoding processes suit this machine: one fewer than its usable cores, at most ``most``.

    >>> 0 <= default_num_workers(most=2) <= 2
    True
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(most, cores - 1)


def _check_order(
    dataset: Dataset[ImageItem], order: Sequence[int] | NDArray[np.integer]
) -> NDArray[np.int64]:
    """The order as one array; IndexError if it names an item that does not exist."""
    rows = np.asarray(order, dtype=np.int64)
    length = len(dataset)  # type: ignore[arg-type]  # a map-style dataset has a length
    if len(rows) and not (rows.min() >= 0 and rows.max() < length):
        raise IndexError(
            f"the order goes from {rows.min()} to {rows.max()}; the dataset has items 0 to {length - 1}"
        )
    return rows


def _start_worker(worker: int) -> None:
    """One thread a worker; Ctrl-C is for the main process, which stops its workers itself."""
    report_stalled_reads_to_stderr()
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
