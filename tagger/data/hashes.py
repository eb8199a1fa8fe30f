"""What is each image's identity? The hash of its bytes, so that decisions survive renaming."""

import hashlib
import stat
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tagger.errors import Problem

# Threads because hashing lets other threads run and small files on a network disk are all waiting; batches so that
# memory stays bounded and Ctrl-C is heard.
THREADS, BATCH = 4, 512


def hash_files(
    root: str | Path, files: Sequence[str], *, progress: Callable[[int], None] | None = None
) -> tuple[list[str], NDArray[np.int64], list[Problem]]:
    """Hashes (32 hex digits, blake2b of 16 bytes), sizes in bytes, and what could not be read; rows follow ``files``.

    An empty, vanished or unreadable file gets the hash ``""``, its size (or 0) and a Problem. ``progress`` is called
    with the number of files done so far.
    """
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
            if progress is not None:
                progress(len(hashes))
    return hashes, sizes, problems


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
