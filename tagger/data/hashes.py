"""What is each image's identity? The hash of its bytes, so that decisions survive renaming."""

import hashlib
import os
import stat
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tagger.data.file_index import FIELDS, MANY, facts_of, load_index, save_index, time_there
from tagger.errors import Problem

# Threads because hashing lets other threads run and small files on a network disk are all waiting; batches so that
# memory stays bounded and Ctrl-C is heard.
THREADS, BATCH = 4, 512

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
    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(files), BATCH):
            batch = files[start : start + BATCH]
            for file, (digest, size, reason) in zip(
                batch, pool.map(lambda f: hash_file(Path(root, f)), batch), strict=True
            ):
                sizes[len(hashes)] = size
                hashes.append(digest)
                if reason:
                    problems.append(Problem(file, None, reason))
            progress(len(hashes))
    return hashes, sizes, problems


def _look(root: str | Path, files: Sequence[str]) -> NDArray[np.int64]:
    """What the system knows of each file (N, ``FIELDS``); zeros for what is not there or no file."""
    facts_NF = np.zeros((len(files), len(FIELDS)), np.int64)
    folder = os.path.join(root, "")

    def look(start: int) -> None:
        for n in range(start, min(start + BATCH, len(files))):
            try:
                status = os.stat(folder + files[n])
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode):
                facts_NF[n] = facts_of(status)

    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(look, range(0, len(files), BATCH)):
            pass
    return facts_NF


def _nobody(done: int) -> None:
    """Tells nobody."""


def hash_file(path: Path) -> tuple[str, int, str]:
    """(hash, size, "") of one file, or ("", size or 0, why it could not be read). Never waits on a pipe."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return "", 0, "not a regular file: left out"
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()  # type: ignore[arg-type]
            size = file.tell()
    except FileNotFoundError:
        return "", 0, "the file has vanished: left out"
    except OSError as error:
        return "", 0, f"cannot be read ({(error.strerror or type(error).__name__).lower()}): left out"
    return (digest, size, "") if size else ("", 0, "0 bytes: left out")
