"""Hashes of image files, by which a photo is known after it was renamed or its metadata changed.

A file has two: of its bytes, which is cheap and tells that nothing changed, and of its picture
(``picture_hash``), which stays the same when a program writes keywords into the file. The second is computed
where a data set is read, and elsewhere only for files whose bytes changed.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from time import perf_counter
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tagger.data.images.hash_cache import (
    HASH_DIGITS,
    MIN_CACHED_FILES,
    STAT_FIELDS,
    UNKNOWN_PICTURE,
    FileStat,
    file_stat,
    file_system_time,
    load_hash_cache,
    save_hash_cache,
)
from tagger.data.images.picture_hash import MAX_BYTES, picture_hash
from tagger.data.io_watchdog import watch_read
from tagger.errors import Problem
from tagger.progress import ProgressCallback, no_progress

# Files are read in batches, so that memory is bounded and Ctrl-C works. Threads help on a network disk and with
# large files (hashing releases Python's lock); small local files are four times as fast in one thread. So one
# batch is read in one thread, and if it was slow, the next ones in several.
THREADS = 4
BATCH = 512
BATCHES_IN_THREADS = 32
SLOW_SECONDS = 200e-6  # per file
BLOCK = 2**20

Result = TypeVar("Result")


@dataclass(frozen=True)
class FileIdentity:
    """Hash of a file's bytes, hash of its picture (that of the bytes where it has none), size, and why not read."""

    hash: str
    picture_hash: str
    size: int
    reason: str


@dataclass(frozen=True)
class FileIdentities:
    """The ``FileIdentity`` of each of N files as columns; a file that cannot be read has a Problem and ``""``."""

    hashes: list[str]
    picture_hashes: list[str]
    sizes: NDArray[np.int64]
    problems: list[Problem]


def hash_files(
    root: str | Path, files: Sequence[str], *, progress: ProgressCallback | None = None
) -> tuple[list[str], NDArray[np.int64], list[Problem]]:
    """(hashes, sizes in bytes, problems) of files; hashes are blake2b of 16 bytes as 32 hex digits.

    An empty, vanished or unreadable file gets the hash ``""``, its size (or 0) and a Problem. ``progress``
    is called with the number of files done so far. If there are many, files that have not changed since the
    last time are not read again (``hash_cache``).
    """

    def hash_one(path: str) -> tuple[str, int, str]:
        digest, size, reason = hash_file(path)
        return digest and digest + UNKNOWN_PICTURE, size, reason

    digits, sizes, problems = _read_files(root, files, progress or no_progress, hash_one, HASH_DIGITS)
    return [both[:HASH_DIGITS] for both in digits], sizes, problems


def identify_files(
    root: str | Path, files: Sequence[str], *, progress: ProgressCallback | None = None
) -> FileIdentities:
    """The hashes of files as ``hash_files`` gives them, and of their pictures, from one reading of each file."""

    def identify_one(path: str) -> tuple[str, int, str]:
        found = identify_file(path)
        return found.hash + found.picture_hash, found.size, found.reason

    digits, sizes, problems = _read_files(root, files, progress or no_progress, identify_one, 2 * HASH_DIGITS)
    pairs = [(both[:HASH_DIGITS], both[HASH_DIGITS:]) for both in digits]
    return FileIdentities([hash for hash, _ in pairs], [picture for _, picture in pairs], sizes, problems)


def _read_files(
    root: str | Path,
    files: Sequence[str],
    report: ProgressCallback,
    read_one: Callable[[str], tuple[str, int, str]],
    num_digits: int,
) -> tuple[list[str], NDArray[np.int64], list[Problem]]:
    """(digits, sizes, problems): ``read_one`` of each file whose first ``num_digits`` are not in the cache."""
    if len(files) < MIN_CACHED_FILES or os.name == "nt":  # Windows has no ctime that shows every change
        return _read_all(root, files, report, read_one)
    now = file_system_time(root)
    cache = load_hash_cache(root)
    stats_NF = _stat_files(root, files)
    digits = cache.lookup(files, stats_NF)
    sizes = stats_NF[:, 0].copy()
    unknown = [n for n, both in enumerate(digits) if not _is_known(both, num_digits)]
    num_known = len(files) - len(unknown)
    report(num_known)
    new_digits, new_sizes, problems = _read_all(
        root, [files[n] for n in unknown], lambda done: report(num_known + done), read_one
    )
    for n, both, size in zip(unknown, new_digits, new_sizes.tolist(), strict=True):
        digits[n] = both
        sizes[n] = size
    if unknown:
        save_hash_cache(root, cache.updated(files, stats_NF, digits, now))
    return digits, sizes, problems


def _is_known(digits: str, num_digits: int) -> bool:
    return bool(digits) and (num_digits == HASH_DIGITS or not digits.endswith(UNKNOWN_PICTURE))


def _read_all(
    root: str | Path,
    files: Sequence[str],
    progress: ProgressCallback,
    read_one: Callable[[str], tuple[str, int, str]],
) -> tuple[list[str], NDArray[np.int64], list[Problem]]:
    hashes: list[str] = []
    sizes = np.zeros(len(files), dtype=np.int64)
    problems: list[Problem] = []
    folder = os.path.join(root, "")

    def read_watched(file: str) -> tuple[str, int, str]:
        with watch_read(path := folder + file):
            return read_one(path)

    for file, (digest, size, reason) in zip(files, _map_files(read_watched, files), strict=True):
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
    digest = hashlib.blake2b(digest_size=16)
    size, reason = _read_blocks(path, digest.update)
    return ("", size, reason) if reason else (digest.hexdigest(), size, "")


def identify_file(path: str | Path) -> FileIdentity:
    """The hash of one file and that of its picture, from one reading. Never waits on a pipe."""
    digest = hashlib.blake2b(digest_size=16)
    blocks: list[bytes] = []
    room = MAX_BYTES

    def take(block: bytes) -> None:
        nonlocal room
        digest.update(block)
        room -= len(block)
        blocks.append(block) if room >= 0 else blocks.clear()

    size, reason = _read_blocks(path, take)
    if reason:
        return FileIdentity("", "", size, reason)
    data = blocks[0] if len(blocks) == 1 else b"".join(blocks)
    hash = digest.hexdigest()
    return FileIdentity(hash, picture_hash(data) or hash, size, "")


def _read_blocks(path: str | Path, take: Callable[[bytes], None]) -> tuple[int, str]:
    """(size, "") after ``take`` was called with each block of a file, or (0, why it could not be read)."""
    size = 0
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            return 0, "not a regular file: left out"
        with open(path, "rb", buffering=0) as file:
            while block := file.read(min(status.st_size + 1, BLOCK)):  # mostly the whole file in one call
                take(block)
                size += len(block)
    except FileNotFoundError:
        return 0, "the file has vanished: left out"
    except OSError as error:
        return 0, f"cannot be read ({(error.strerror or type(error).__name__).lower()}): left out"
    return size, "" if size else "0 bytes: left out"
