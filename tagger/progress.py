"""Progress of long work: ``Track`` wraps the items, ``ProgressCallback`` gets the number of items done."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

Track = Callable[[Any, str], Iterable[Any]]  # (items, description): the items, with progress drawn on the way
ProgressCallback = Callable[[int], None]  # (number of items done so far)


def no_track(items: Iterable[Any], description: str) -> Iterator[Any]:
    """The items, with no progress shown: the default when called from Python.

    >>> list(no_track([1, 2], "counting"))
    [1, 2]
    """
    yield from items


def no_progress(done: int) -> None:
    """Ignore the number of items done: the default when called from Python."""


def progress_callback(track: Track, total: int, description: str) -> ProgressCallback:
    """A callback that moves the progress of ``track`` to the number of items done, out of ``total``.

    >>> progress = progress_callback(no_track, 3, "counting")
    >>> progress(2), progress(3)
    (None, None)
    """
    steps = iter(track(range(total + 1), description))
    done = 0
    next(steps, None)  # starts the screen's progress, which also names files that stall

    def move_to(now: int) -> None:
        nonlocal done
        while done < now and next(steps, None) is not None:
            done += 1

    return move_to
