"""Cache of file hashes: a file whose size, inode and times are unchanged is not read again.

A cached hash is used only if path, size, device, inode, and the times of the last change of content (mtime)
and of anything (ctime, in nanoseconds) are unchanged. A program that changes a file can restore its size and
mtime, but not its ctime. A file is not cached if its times are less than two seconds before it was hashed,
as it could change again within one tick of a coarse clock (git calls that racy), or in the future.

The cache is ``DATA/.tagger/files.npz``, or a file in the user's cache folder if that cannot be written. It is
written whole or not at all; an unreadable cache is replaced, and a failure to write it is no error. Fewer
than ``MIN_CACHED_FILES`` files are hashed in about a second and not cached.

Both hashes of a file are kept, those of pictures in an array of their own: versions without it read the rest,
and a cache of theirs only lacks the pictures.
"""

import hashlib
import os
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MIN_CACHED_FILES = 10_000
RACY_NANOSECONDS = 2_000_000_000
VERSION = 1
STAT_FIELDS = ("size", "device", "inode", "mtime", "ctime")  # times are in nanoseconds
MAX_INT64 = 2**63 - 1
HASH_DIGITS = 32
UNKNOWN_PICTURE = "0" * HASH_DIGITS
FileStat = tuple[int, ...]


@dataclass(frozen=True)
class HashCache:
    """Paths with their ``STAT_FIELDS`` (N, F) and hashes (N, 32): 16 bytes of the file's, 16 of its picture's."""

    files: list[str]
    stats_NF: NDArray[np.int64]
    hashes_NH: NDArray[np.uint8]

    def lookup(self, files: Sequence[str], stats_MF: NDArray[np.int64]) -> list[str]:
        """The cached hashes of each file (64 hex digits), or ``""`` if it is not cached or its stats changed.

        >>> cache = HashCache(["a"], np.array([[1, 2, 3, 4, 5]]), np.full((1, 32), 255, np.uint8))
        >>> [len(digits) for digits in cache.lookup(["b", "a"], np.array([[1, 2, 3, 4, 5], [1, 2, 3, 4, 5]]))]
        [0, 64]
        """
        if not self.files:
            return [""] * len(files)
        if list(files) == self.files:
            row_M = np.arange(len(files))
        else:
            row = {file: n for n, file in enumerate(self.files)}
            row_M = np.fromiter((row.get(file, -1) for file in files), np.int64, len(files))
        same_M = (row_M >= 0) & (self.stats_NF[row_M] == stats_MF).all(axis=1)
        digits = self.hashes_NH.tobytes().hex()
        return [
            digits[64 * n : 64 * n + 64] if same else ""
            for n, same in zip(row_M.tolist(), same_M.tolist(), strict=True)
        ]

    def updated(
        self, files: Sequence[str], stats_MF: NDArray[np.int64], hashes: Sequence[str], now: int
    ) -> "HashCache":
        """The cache with the hashes of these files, which were read at ``now`` (nanoseconds) or later.

        Other files stay in it, unless there are more of them than of these.
        """
        times_M = stats_MF[:, -2:].max(axis=1, initial=0)
        settled_M = times_M < now - RACY_NANOSECONDS
        cacheable = [
            bool(digest) and settled for digest, settled in zip(hashes, settled_M.tolist(), strict=True)
        ]
        asked = set(files)
        others = [n for n, file in enumerate(self.files) if file not in asked]
        others = others if len(others) <= len(files) else []
        kept = np.flatnonzero(cacheable)
        digits = bytes.fromhex("".join(hashes[n] for n in kept.tolist()))
        return HashCache(
            [self.files[n] for n in others] + [files[n] for n in kept.tolist()],
            np.concatenate([self.stats_NF[others], stats_MF[kept]]),
            np.concatenate([self.hashes_NH[others], np.frombuffer(digits, np.uint8).reshape(-1, 32)]),
        )


EMPTY_CACHE = HashCache([], np.empty((0, len(STAT_FIELDS)), np.int64), np.empty((0, 32), np.uint8))


def file_stat(status: os.stat_result) -> FileStat:
    """The ``STAT_FIELDS`` of a file; device and inode are cut to 63 bits to fit int64."""
    device = status.st_dev & MAX_INT64
    inode = status.st_ino & MAX_INT64
    return status.st_size, device, inode, status.st_mtime_ns, status.st_ctime_ns


def load_hash_cache(root: str | Path) -> HashCache:
    """The cache of a folder, the newer one if there are two; an empty one if none can be read."""
    for path in sorted(_cache_paths(root), key=_age):
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
                if int(kept["version"]) != VERSION:
                    continue
                files = kept["files"].tobytes().decode("utf-8", "surrogateescape").split("\0")
                pictures = kept["pictures"] if "pictures" in kept else np.zeros_like(kept["hashes"])
                hashes_NH = np.concatenate([kept["hashes"], pictures], axis=1)
                cache = HashCache(files if len(kept["facts"]) else [], kept["facts"], hashes_NH)
            num_files = len(cache.files)
            if len(cache.stats_NF) == num_files and cache.hashes_NH.shape == (num_files, 32):
                return cache
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            continue
    return EMPTY_CACHE


def save_hash_cache(root: str | Path, cache: HashCache) -> None:
    """Write the cache to the first of its paths that can be written, or not at all."""
    paths = np.frombuffer("\0".join(cache.files).encode("utf-8", "surrogateescape"), np.uint8)
    for path in _cache_paths(root):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            try:
                with os.fdopen(handle, "wb") as file:
                    hashes, pictures = np.split(cache.hashes_NH, 2, axis=1)
                    np.savez(
                        file,
                        version=VERSION,
                        files=paths,
                        facts=cache.stats_NF,
                        hashes=hashes,
                        pictures=pictures,
                    )
                os.replace(name, path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
            return
        except OSError:
            continue


def _age(path: Path) -> float:
    try:
        return -path.stat().st_mtime
    except OSError:
        return np.inf


def file_system_time(root: str | Path) -> int:
    """The earlier of this machine's clock and the folder's file system's, if that can be read (nanoseconds)."""
    now = time.time_ns()
    for path in _cache_paths(root):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=path.parent) as file:
                return min(now, os.fstat(file.fileno()).st_mtime_ns)
        except OSError:
            continue
    return now


def _cache_paths(root: str | Path) -> Iterator[Path]:
    """Paths of the cache: in the data folder, else in the user's cache folder, named by a hash of the data's path."""
    yield Path(root, ".tagger", "files.npz")
    environ = os.environ
    folder = environ.get("XDG_CACHE_HOME") or environ.get("LOCALAPPDATA") or os.path.expanduser("~/.cache")
    real_path = os.path.realpath(root).encode("utf-8", "surrogateescape")
    name = hashlib.blake2b(real_path, digest_size=16).hexdigest()
    yield Path(folder, "tagger", f"{name}.npz")
