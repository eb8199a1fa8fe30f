"""What is each image's identity? The hash of its bytes, so that decisions survive renaming."""

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

from tagger.data.file_index import FIELDS, MANY, Facts, facts_of, load_index, save_index, time_there
from tagger.data.waiting import reading
from tagger.errors import Problem

# Batches so that memory stays bounded and Ctrl-C is heard. Threads where files are waited for (a network disk) or large
# (hashing lets other threads run); small files that are at hand go four times as fast in one, as threads would only
# hand Python's lock to and fro. So a batch is looked at alone, and if it took long, the next ones in threads.
THREADS, BATCH, ROUND = 4, 512, 32
SLOW = 100e-6  # seconds a file
BLOCK = 2**20

Found = TypeVar("Found")

Progress = Callable[[int], None]


def hash_files(
    root: str | Path, files: Sequence[str], *, progress: Progress | None = None
) -> tuple[list[str], NDArray[np.int64], list[Problem]]:
    """Hashes (32 hex digits, blake2b of 16 bytes), sizes in bytes, and what could not be read; rows follow ``files``.

    An empty, vanished or unreadable file gets the hash ``""``, its size (or 0) and a Problem. ``progress`` is called
    with the number of files done so far. Of many files those that have not changed since the last time are not read
    again (``file_index``).
    """
    if len(files) < MANY or os.name == "nt":  # Windows does not say when a file was last changed in any way
        return _hash_all(root, files, progress or _nobody)
    now, index = time_there(root), load_index(root)
    facts_NF = _look(root, files)
    hashes, sizes = index.known(files, facts_NF), facts_NF[:, 0].copy()
    unknown = [n for n, digest in enumerate(hashes) if not digest]
    tell, num_known = progress or _nobody, len(files) - len(unknown)
    tell(num_known)
    found = _hash_all(root, [files[n] for n in unknown], lambda done: tell(num_known + done))
    for n, digest, size in zip(unknown, found[0], found[1].tolist(), strict=True):
        hashes[n], sizes[n] = digest, size
    if unknown:
        save_index(root, index.replaced(files, facts_NF, hashes, now))
    return hashes, sizes, found[2]


def _hash_all(
    root: str | Path, files: Sequence[str], progress: Progress
) -> tuple[list[str], NDArray[np.int64], list[Problem]]:
    hashes: list[str] = []
    sizes = np.zeros(len(files), dtype=np.int64)
    problems: list[Problem] = []
    folder = os.path.join(root, "")

    def hash_one(file: str) -> tuple[str, int, str]:
        with reading(path := folder + file):
            return hash_file(path)

    for file, (digest, size, reason) in zip(files, _of_each(hash_one, files), strict=True):
        sizes[len(hashes)] = size
        hashes.append(digest)
        if reason:
            problems.append(Problem(file, None, reason))
        if len(hashes) % BATCH == 0 or len(hashes) == len(files):
            progress(len(hashes))
    return hashes, sizes, problems


def _of_each(work: Callable[[str], Found], files: Sequence[str]) -> Iterator[Found]:
    """``work(file)`` of each, in their order: in threads while that is slow."""
    at = 0
    with ThreadPoolExecutor(THREADS) as pool:
        while at < len(files):
            begun, batch = perf_counter(), files[at : at + BATCH]
            yield from map(work, batch)
            at += len(batch)
            if perf_counter() - begun > SLOW * len(batch):
                yield from pool.map(work, files[at : at + ROUND * BATCH])
                at += ROUND * BATCH


def _look(root: str | Path, files: Sequence[str]) -> NDArray[np.int64]:
    """What the system knows of each file (N, ``FIELDS``); zeros for what is not there or no file."""
    folder, nothing = os.path.join(root, ""), (0,) * len(FIELDS)

    def look(file: str) -> Facts:
        try:
            status = os.stat(folder + file)
        except OSError:
            return nothing
        return facts_of(status) if stat.S_ISREG(status.st_mode) else nothing

    facts = chain.from_iterable(_of_each(look, files))
    return np.fromiter(facts, np.int64, len(files) * len(FIELDS)).reshape(len(files), len(FIELDS))


def _nobody(done: int) -> None:
    """Tells nobody."""


def hash_file(path: str | Path) -> tuple[str, int, str]:
    """(hash, size, "") of one file, or ("", size or 0, why it could not be read). Never waits on a pipe."""
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            return "", 0, "not a regular file: left out"
        digest, size = hashlib.blake2b(digest_size=16), 0
        with open(path, "rb", buffering=0) as file:
            while block := file.read(min(status.st_size + 1, BLOCK)):  # mostly the whole file: each call costs
                digest.update(block)
                size += len(block)
    except FileNotFoundError:
        return "", 0, "the file has vanished: left out"
    except OSError as error:
        return "", 0, f"cannot be read ({(error.strerror or type(error).__name__).lower()}): left out"
    return (digest.hexdigest(), size, "") if size else ("", 0, "0 bytes: left out")
