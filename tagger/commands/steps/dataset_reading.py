"""Reading a data set with progress on the screen, and progress callbacks for what hashes images."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tagger.data import Dataset, list_images, read_dataset
from tagger.data.images.listing import check_folder
from tagger.sections import ReadOptions

Track = Callable[
    [Sequence[Any], str], Iterable[Any]
]  # the items as they are; a screen draws progress on the way


def without_progress(items: Sequence[Any], description: str) -> Iterator[Any]:
    """The items, with no progress shown: what a tool does when it is called from Python.

    >>> list(without_progress([1, 2], "counting"))
    [1, 2]
    """
    yield from items


def read_with_progress(
    root: str | Path,
    labels: str | Path | None = None,
    *,
    read_options: ReadOptions | None = None,
    track: Track = without_progress,
) -> Dataset:
    """The data set, as ``tagger.read_dataset`` reads it, with progress while images are hashed."""
    total = len(list_images(check_folder(root)).files)
    return read_dataset(
        root, labels, read_options=read_options, progress=progress_callback(track, total, "Reading images")
    )


def progress_callback(track: Track, total: int, description: str) -> Callable[[int], None]:
    """A function that is told how many of ``total`` are done, and moves the progress of ``track`` there.

    >>> step = progress_callback(without_progress, 3, "counting")
    >>> step(2), step(3)
    (None, None)
    """
    steps = iter(track(range(total + 1), description))
    done = 0
    next(steps, None)  # from now on a screen names files that are waited for

    def step(now: int) -> None:
        nonlocal done
        while done < now and next(steps, None) is not None:
            done += 1

    return step
