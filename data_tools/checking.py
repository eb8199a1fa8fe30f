"""Checks of a data set: every problem at once, with file and row."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from tagger.arrays import YES
from tagger.commands.steps.dataset_reading import read_with_progress
from tagger.data import Dataset, list_images, violates_group_N, violates_rule_N
from tagger.data.images.decoding import UnreadableImage, load_image
from tagger.errors import Problem, TaggerError
from tagger.progress import Track, no_track
from tagger.read_options import ReadOptions

BATCH = 256
THREADS = 2
MAGIC_BYTES = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG",),
    "GIF": (b"GIF8",),
    "BMP": (b"BM",),
    "TIFF": (b"II*\0", b"MM\0*"),
}
SUFFIX_FORMATS = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), "JPEG"),
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    **dict.fromkeys((".bmp", ".dib"), "BMP"),
    **dict.fromkeys((".heic", ".heif", ".hif"), "HEIC"),
    **dict.fromkeys((".jp2", ".j2k", ".jpf", ".jpx"), "JPEG 2000"),
    ".png": "PNG",
    ".gif": "GIF",
    ".webp": "WebP",
    ".avif": "AVIF",
}
DECODE_SIDE = 64  # pixels; JPEG decodes to no less than twice that, whole file read all the same


def check_dataset(
    root: str | Path,
    labels: str | Path | None = None,
    *,
    read_options: ReadOptions | None = None,
    track: Track = no_track,
    on_read: Callable[[Dataset], None] | None = None,
) -> list[Problem]:
    """All problems of a data set: labels, file names, rules, images without labels, images that do not decode.

    The list is empty if nothing is wrong. Labels that cannot be read at all are one problem, beside those of
    the images. Every image is decoded once, in bounded memory. ``on_read`` is called with the data set before that.
    """
    listing = list_images(root, read_options.pairs if read_options else "raw")
    same = names_in_other_case(listing.files)
    try:
        dataset = read_with_progress(root, labels, read_options=read_options, track=track)
    except TaggerError as error:
        found = [Problem(str(labels or root), None, str(error)), *listing.problems]
        return [*found, *same, *damaged_images(root, listing.files, track=track)]
    if on_read is not None:
        on_read(dataset)
    unlisted = [Problem(file, None, "the labels do not name this image") for file in dataset.unlisted]
    unread = {problem.file for problem in dataset.unreadable}
    files = [file for file in listing.files if file not in unread]  # with the copies that the reader merges
    return [
        *dataset.problems,
        *constraint_violations(dataset),
        *same,
        *unlisted,
        *damaged_images(root, files, track=track),
    ]


def constraint_violations(dataset: Dataset) -> list[Problem]:
    """A problem for each image that breaks a rule or has several labels of an exclusive group."""
    cells = dataset.labels_NK
    names = dataset.labels
    files = dataset.images["file"].tolist()
    found = []
    for rule in dataset.rules:
        reason = f"has {rule.premise!r}, but not {rule.implied!r}, which {rule.premise!r} implies"
        found += [(n, reason) for n in np.flatnonzero(violates_rule_N(cells, names, rule)).tolist()]
    for name, group in dataset.groups.items():
        for n in np.flatnonzero(violates_group_N(cells, names, group)).tolist():
            several = [repr(label) for label in group["labels"] if cells[n, names.index(label)] == YES]
            found.append((n, f"has {' and '.join(several)} of the group {name!r}, which allows one label"))
    return [Problem(files[n], None, reason) for n, reason in sorted(found)]


def names_in_other_case(files: Sequence[str]) -> list[Problem]:
    """A problem for each image whose path differs from an earlier one's only in case.

    >>> print(*names_in_other_case(["A.jpg", "a.jpg"]))
    a.jpg: differs from 'A.jpg' only in case: on Windows and macOS one would replace the other
    """
    first: dict[str, str] = {}
    reason = "differs from {!r} only in case: on Windows and macOS one would replace the other"
    pairs = [(file, first.setdefault(file.casefold(), file)) for file in files]
    return [Problem(file, None, reason.format(earlier)) for file, earlier in pairs if file != earlier]


def damaged_images(root: str | Path, files: Sequence[str], *, track: Track = no_track) -> list[Problem]:
    """A problem for each image that does not decode completely, or has the suffix of another format."""

    def reason(file: str) -> str:
        try:
            load_image(Path(root, file), size=DECODE_SIDE)
            return wrong_suffix(Path(root, file))
        except UnreadableImage as error:
            return error.reason

    return [
        Problem(file, None, why)
        for file, why in zip(track(files, "Decoding images"), map_in_threads(reason, files), strict=True)
        if why
    ]


def wrong_suffix(path: Path) -> str:
    """A sentence if the suffix is that of another common format than the file's bytes; or nothing."""
    with path.open("rb") as file:
        head = file.read(12)
    actual = next((name for name, marks in MAGIC_BYTES.items() if head.startswith(marks)), "")
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        actual = "WebP"
    said = SUFFIX_FORMATS.get(path.suffix.lower(), "")  # raw files, most of them TIFF, have none
    return (
        f"its suffix says {said}, but it is {actual}. Rename it" if actual and said and actual != said else ""
    )


def map_in_threads(call: Callable[[str], Any], files: Sequence[str]) -> Iterator[Any]:
    """``call(file)`` of each file, in order, in threads; in batches, so that memory is bounded and Ctrl-C works."""
    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(files), BATCH):
            yield from pool.map(call, files[start : start + BATCH])
