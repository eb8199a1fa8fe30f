"""Cache of file hashes: a file whose size, inode and times are unchanged is not read again.

a million unchanged photos again.

A hash is taken from the index only if path, size, device, inode, and the times of the last change of
content (mtime) and of anything (ctime, in nanoseconds) are all as they were. ctime cannot be set by a
program: who changes a file and restores its size and mtime still changes it. A file whose times lie within
two seconds of being hashed is not noted, as it could change again within one tick of a coarse clock (git
calls that racy); nor is one with times in the future.

The index lies in ``DATA/.tagger/files.npz``, or in the user's cache folder where that cannot be written. It
is a convenience: it appears whole or not at all, one that cannot be read is made anew, and no failure to
keep it is an error. Fewer than ``MIN_CACHED_FILES`` files are hashed in about a second, and nothing is kept
of them.
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
RACY_NANOSECONDS = 2_000_000_000  # nanoseconds
VERSION = 1
STAT_FIELDS = ("size", "device", "inode", "mtime", "ctime")  # in nanoseconds where they are times

MAX_INT64 = 2**63 - 1

FileStat = tuple[int, ...]


@dataclass(frozen=True)
class HashCache:
    """Paths, their facts (N, the ``STAT_FIELDS``) and the hashes (N, 16 bytes) that they had."""

    files: list[str]
    stats_NF: NDArray[np.int64]
    hashes_NH: NDArray[np.uint8]

    def lookup(self, files: Sequence[str], stats_MF: NDArray[np.int64]) -> list[str]:
        """The hash of each file (32 hex digits) whose facts are those in the index, otherwise ``""``.

        >>> index = HashCache(["a"], np.array([[1, 2, 3, 4, 5]]), np.full((1, 16), 255, np.uint8))
        >>> index.lookup(["b", "a"], np.array([[1, 2, 3, 4, 5], [1, 2, 3, 4, 5]]))
        ['', 'ffffffffffffffffffffffffffffffff']
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
            digits[32 * n : 32 * n + 32] if same else ""
            for n, same in zip(row_M.tolist(), same_M.tolist(), strict=True)
        ]

    def updated(
        self, files: Sequence[str], stats_MF: NDArray[np.int64], hashes: Sequence[str], now: int
    ) -> "HashCache":
        """The index after these files were looked at, at the time ``now`` (nanoseconds) or later.

        Files of other calls stay in it, as long as they are not more than these.
        """
        times_M = stats_MF[:, -2:].max(axis=1, initial=0)
        sure = [
            bool(digest) and calm
            for digest, calm in zip(hashes, (times_M < now - RACY_NANOSECONDS).tolist(), strict=True)
        ]
        asked = set(files)
        others = [n for n, file in enumerate(self.files) if file not in asked]
        others = others if len(others) <= len(files) else []
        kept = np.flatnonzero(sure)
        digits = bytes.fromhex("".join(hashes[n] for n in kept.tolist()))
        return HashCache(
            [self.files[n] for n in others] + [files[n] for n in kept.tolist()],
            np.concatenate([self.stats_NF[others], stats_MF[kept]]),
            np.concatenate([self.hashes_NH[others], np.frombuffer(digits, np.uint8).reshape(-1, 16)]),
        )


EMPTY_CACHE = HashCache([], np.empty((0, len(STAT_FIELDS)), np.int64), np.empty((0, 16), np.uint8))


def file_stat(status: os.stat_result) -> FileStat:
    """What is compared, as ``STAT_FIELDS`` names it; numbers of 64 bits lose the first one, so that they fit."""
    device = status.st_dev & MAX_INT64
    inode = status.st_ino & MAX_INT64
    return status.st_size, device, inode, status.st_mtime_ns, status.st_ctime_ns


def load_hash_cache(root: str | Path) -> HashCache:
    """The index of a folder, the latest if there are two; an empty one if there is none that can be read."""
    for path in sorted(_cache_paths(root), key=_age):
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
                if int(kept["version"]) != VERSION:
                    continue
                files = kept["files"].tobytes().decode("utf-8", "surrogateescape").split("\0")
                index = HashCache(files if len(kept["facts"]) else [], kept["facts"], kept["hashes"])
            if len(index.files) == len(index.stats_NF) == len(index.hashes_NH) and index.hashes_NH.shape[
                1:
            ] == (16,):
                return index
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            continue
    return EMPTY_CACHE


def save_hash_cache(root: str | Path, index: HashCache) -> None:
    """Keeps the index for the next time, in the first place that can be written, or nowhere."""
    paths = np.frombuffer("\0".join(index.files).encode("utf-8", "surrogateescape"), np.uint8)
    for path in _cache_paths(root):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            try:
                with os.fdopen(handle, "wb") as file:
                    np.savez(file, version=VERSION, files=paths, facts=index.stats_NF, hashes=index.hashes_NH)
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
    """Nanoseconds: the earlier of this machine's clock and that of the folder's file system, where one can ask it."""
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
    """Where the index may be: with the data, or else in the cache folder under the name of the data's real path."""
    yield Path(root, ".tagger", "files.npz")
    cache = (
        os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or os.path.expanduser("~/.cache")
    )
    name = hashlib.blake2b(
        os.path.realpath(root).encode("utf-8", "surrogateescape"), digest_size=16
    ).hexdigest()
    yield Path(cache, "tagger", f"{name}.npz")
