"""Files that are whole or absent: written under a temporary name, flushed to disk, then renamed."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

FULL = 1 << 20  # bytes left at which a disk counts as full


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` to write to; it becomes ``path`` only if the block ends without an error.

    A full disk is an OSError that names ``path``, whoever writes: torch and safetensors raise errors of their own.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
    except Exception as error:
        if shutil.disk_usage(path.parent).free < FULL:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """The text as UTF-8 in ``path``, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, "utf-8", newline="\n")


def sweep(folder: Path, name: str = "*") -> None:
    """Remove what killed processes left of unfinished files called ``name`` (a pattern) in ``folder``."""
    for leftover in folder.glob(f".{name}.*.part"):
        leftover.unlink(missing_ok=True)


def new_array(path: Path, dtype: DTypeLike, shape: tuple[int, ...]) -> np.memmap[Any, Any]:
    """A new ``.npy`` file, memory-mapped for writing, its room on the disk taken at once.

    Without that a disk that fills up would end the process (SIGBUS) in the middle of an assignment; so it is an OSError
    here, and no file is left.
    """
    array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    if hasattr(os, "posix_fallocate"):  # not on macOS
        with path.open("rb+") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
            except OSError as error:
                path.unlink()
                raise OSError(error.errno, error.strerror, str(path)) from None
    return array
