"""Errors of reading a file that tagger wrote, as one sentence that says what to do."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tagger.errors import TaggerError

RESTORE_HINT = "Restore it from a copy, or train again"


@contextmanager
def wrap_read_errors(path: Path, hint: str = RESTORE_HINT) -> Iterator[None]:
    """Turn any error of reading ``path`` into a TaggerError that names it and the hint; not errors of the disk.

    >>> with wrap_read_errors(Path("run/oof.npz")):
    ...     raise ValueError("Object arrays cannot be loaded when allow_pickle=False")
    Traceback (most recent call last):
    tagger.errors.TaggerError: run/oof.npz: cannot be read (Object arrays cannot be loaded ...
    """
    try:
        yield
    except TaggerError:
        raise
    except Exception as error:  # readers of arrays, tables and weights raise nearly every type
        if isinstance(error, OSError) and error.errno:
            raise
        words = " ".join(str(error).split()) or type(error).__name__
        reason = words if len(words) <= 140 else f"{words[:140]}..."
        raise TaggerError(f"{path}: cannot be read ({reason}). {hint}.") from error


def load_array(path: Path, hint: str = RESTORE_HINT, *, mapped: bool = True) -> np.ndarray[Any, Any]:
    """The array in a ``.npy`` file, mapped or read. TaggerError, with the remedy, where the file holds none."""
    with wrap_read_errors(path, hint):
        array = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
        if not isinstance(array, np.ndarray):  # whatever is a zip file, numpy opens as an archive of arrays
            array.close()
            raise ValueError("an archive, not an array")
        return array
