"""Content hashes of image files, by which an image is known after it is renamed."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from time import perf_counter
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tagger.data.images.hash_cache import (
    MIN_CACHED_FILES,
    STAT_FIELDS,
    FileStat,
    file_stat,
    file_system_time,
    load_hash_cache,
    save_hash_cache,
)
from tagger.data.io_watchdog import watch_read
from tagger.errors import Problem
from tagger.progress import ProgressCallback, no_progress

# Files are read in batches, so that memory is bounded and Ctrl-C works. Threads help on a network disk and with
# large files (hashing releases Python's lock); small local files are four times as fast in one thread. So one
# batch is read in one thread, and if it was slow, the next ones in several.
THREADS = 4
BATCH = 512
BATCHES_IN_THREADS = 32
SLOW_SECONDS = 100e-6  # per file
BLOCK = 2**20

Result = TypeVar("Result")


def hash_files(
    root: str | Path, files: Sequence[str], *, progress: ProgressCallback | None = None
) -> tuple[list[str], NDArray[np.int64], list[Problem]]:
    """(hashes, sizes in bytes, problems) of files; hashes are blake2b of 16 bytes as 32 hex digits.

    An empty, vanished or unreadable file gets the hash ``""``, its size (or 0) and a Problem. ``progress``
    is called with the number of files done so far. If there are many, files that have not changed since the
    last time are not read again (``hash_cache``).
    """
    report = progress or no_progress
    if len(files) < MIN_CACHED_FILES or os.name == "nt":  # Windows has no ctime that shows every change
        return _hash_all(root, files, report)
    now = file_system_time(root)
    cache = load_hash_cache(root)
    stats_NF = _stat_files(root, files)
    hashes = cache.lookup(files, stats_NF)
    sizes = stats_NF[:, 0].copy()
    unknown = [n for n, digest in enumerate(hashes) if not digest]
    num_known = len(files) - len(unknown)
    report(num_known)
    new_hashes, new_sizes, problems = _hash_all(
        root, [files[n] for n in unknown], lambda done: report(num_known + done)
    )
    for n, digest, size in zip(unknown, new_hashes, new_sizes.tolist(), strict=True):
        hashes[n] = digest
        sizes[n] = size
    if unknown:
        save_hash_cache(root, cache.updated(files, stats_NF, hashes, now))
    return hashes, sizes, problems


def _hash_all(
    root: str | Path, files: Sequence[str], progress: ProgressCallback
) -> tuple[list[str], NDArray[np.int64], list[Problem]]:
    hashes: list[str] = []
    sizes = np.zeros(len(files), dtype=np.int64)
    problems: list[Problem] = []
    folder = os.path.join(root, "")

    def hash_one(file: str) -> tuple[str, int, str]:
        with watch_read(path := folder + file):
            return hash_file(path)

    for file, (digest, size, reason) in zip(files, _map_files(hash_one, files), strict=True):
        sizes[len(hashes)] = size
        hashes.append(digest)
        if reason:
            problems.append(Problem(file, None, reason))
        if len(hashes) % BATCH == 0 or len(hashes) == len(files):
            progress(len(hashes))
    return hashes, sizes, problems


def _map_files(work: Callable[[str], Result], files: Sequence[str]) -> Iterator[Result]:
    """``work(file)`` of each file, in order; in threads if one thread is slow."""
    at = 0
    with ThreadPoolExecutor(THREADS) as pool:
        while at < len(files):
            begun = perf_counter()
            batch = files[at : at + BATCH]
            yield from map(work, batch)
            at += len(batch)
            if perf_counter() - begun > SLOW_SECONDS * len(batch):
                yield from pool.map(work, files[at : at + BATCHES_IN_THREADS * BATCH])
                at += BATCHES_IN_THREADS * BATCH


def _stat_files(root: str | Path, files: Sequence[str]) -> NDArray[np.int64]:
    """The ``STAT_FIELDS`` of each file (N, F); zeros if it does not exist or is not a regular file."""
    folder = os.path.join(root, "")
    nothing = (0,) * len(STAT_FIELDS)

    def stat_one(file: str) -> FileStat:
        try:
            status = os.stat(folder + file)
        except OSError:
            return nothing
        return file_stat(status) if stat.S_ISREG(status.st_mode) else nothing

    stats = chain.from_iterable(_map_files(stat_one, files))
    return np.fromiter(stats, np.int64, len(files) * len(STAT_FIELDS)).reshape(len(files), len(STAT_FIELDS))


def hash_file(path: str | Path) -> tuple[str, int, str]:
    """(hash, size, "") of one file, or ("", size or 0, why it could not be read). Never waits on a pipe."""
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            return "", 0, "not a regular file: left out"
        digest = hashlib.blake2b(digest_size=16)
        size = 0
        with open(path, "rb", buffering=0) as file:
            while block := file.read(min(status.st_size + 1, BLOCK)):  # mostly the whole file in one call
                digest.update(block)
                size += len(block)
    except FileNotFoundError:
        return "", 0, "the file has vanished: left out"
    except OSError as error:
        return "", 0, f"cannot be read ({(error.strerror or type(error).__name__).lower()}): left out"
    return (digest.hexdigest(), size, "") if size else ("", 0, "0 bytes: left out")
