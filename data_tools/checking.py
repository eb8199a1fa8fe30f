"""What is wrong with a data set? Everything, at once, with file and row."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from data_tools.label_files import Track, in_silence, read_with_progress
from tagger.config import Reading
from tagger.data.decode import UnreadableImage, load_image
from tagger.errors import Problem, TaggerError

BATCH, THREADS = 256, 2
SIDE = 64  # pixels; JPEG decodes to no less than twice that, whole file read all the same


def check_dataset(
    root: str | Path, labels: str | Path | None = None, *, reading: Reading | None = None, track: Track = in_silence
) -> list[Problem]:
    """All problems: of the label source, of files and names, images that nobody labelled, images that do not decode.

    An empty list is a data set with nothing wrong. Where the label source cannot be taken at its word at all, that is
    the one problem. Every image is decoded once, in bounded memory.
    """
    try:
        dataset = read_with_progress(root, labels, reading=reading, track=track)
    except TaggerError as error:
        return [Problem(str(labels or root), None, str(error))]
    unlisted = [Problem(file, None, "no label source names this image") for file in dataset.unlisted]
    files = [*dataset.images["file"].tolist(), *dataset.unlisted]
    return [*dataset.problems, *unlisted, *damaged_images(root, files, track=track)]


def damaged_images(root: str | Path, files: Sequence[str], *, track: Track = in_silence) -> list[Problem]:
    """A problem for each image that does not decode as a whole."""

    def reason(file: str) -> str:
        try:
            load_image(Path(root, file), size=SIDE)
        except UnreadableImage as error:
            return error.reason
        return ""

    return [
        Problem(file, None, why)
        for file, why in zip(track(files, "Decoding images"), in_threads(reason, files), strict=True)
        if why
    ]


def in_threads(call: Callable[[str], Any], files: Sequence[str]) -> Iterator[Any]:
    """What ``call`` says of each file, in order; a batch at a time, so that memory is bounded and Ctrl-C is heard."""
    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(files), BATCH):
            yield from pool.map(call, files[start : start + BATCH])
