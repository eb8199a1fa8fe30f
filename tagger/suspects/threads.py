"""Parallel loop in threads, each with a single-threaded BLAS."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Piece = TypeVar("Piece")


def parallel_for(call: Callable[[Piece], None], pieces: Iterable[Piece]) -> None:
    """Call a function with every piece, several at once. It must write where no other piece does.

    numpy alone uses all cores for matrix products only; here all of the work does. Results do not depend on the
    number of cores.

    >>> squares = [0, 0, 0]
    >>> parallel_for(lambda n: squares.__setitem__(n, n * n), range(3)); squares
    [0, 1, 4]
    """
    from threadpoolctl import threadpool_limits  # comes with scikit-learn

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(cores) as pool:
        for _ in pool.map(call, pieces):
            pass
