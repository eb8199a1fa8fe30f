"""Text of a data set's summary for the terminal: sentences and tables."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_tools.describe import Description
from tagger.text import counted

Table = tuple[str, list[str], list[list[Any]]]  # title, columns, rows
MAX_PAIRS = 10


def sentences(found: Description) -> Iterator[str]:
    """The lines above the tables."""
    yield f"{counted(found.num_images, 'image')} with labels, {found.num_bytes / 1e6:,.1f} MB"
    if found.num_unlisted:
        yield f"{counted(found.num_unlisted, 'image')} that the labels do not name"
    share = found.num_unlabelled / max(found.num_images, 1)
    yield f"{counted(found.num_unlabelled, 'image')} without any label ({share:.1%})"
    yield f"{found.share_unknown:.1%} of cells are unknown"
    num = found.labels_per_image
    mean = np.average(np.arange(len(num)), weights=num)
    yield f"{counted(len(found.labels), 'label')}, {mean:.2f} an image on average"
    used = found.labels[found.labels["yes"] > 0]
    if len(used):
        yield f"{used['label'].iloc[0]} has {found.imbalance:,.1f} times as many images as {used['label'].iloc[-1]}"
    if len(used) < len(found.labels):
        yield f"{counted(len(found.labels) - len(used), 'label')} without any image"
    readable = found.width_N > 0
    if readable.any():
        yield _sizes(found.width_N[readable], found.height_N[readable])
    if found.unreadable:
        yield f"{counted(len(found.unreadable), 'image')} that cannot be read, such as {found.unreadable[0]}"


def _sizes(width_M: NDArray[np.int64], height_M: NDArray[np.int64]) -> str:
    """One line of at most 80 characters."""
    if width_M.min() == width_M.max() and height_M.min() == height_M.max():
        return f"All of {width_M[0]} x {height_M[0]} pixels"
    middle = f"{np.median(width_M):.0f} x {np.median(height_M):.0f}"
    widths = f"{width_M.min()} to {width_M.max()} wide"
    return f"Pixels: median {middle}; {widths}, {height_M.min()} to {height_M.max()} high"


def tables(found: Description) -> Iterator[Table]:
    """The tables below: labels, labels per image, pairs, mined rules."""
    rows = [
        [row.label, row.yes, row.no, row.unknown, f"{row.share:.1%}"] for row in found.labels.itertuples()
    ]
    yield "Labels", ["label", "yes", "no", "unknown", "share"], rows
    yield (
        "Labels per image",
        ["labels", "images"],
        [[n, int(num)] for n, num in enumerate(found.labels_per_image)],
    )
    if len(found.pairs):
        pairs = found.pairs.head(MAX_PAIRS).itertuples()
        yield (
            "Labels that meet more often than by chance",
            ["labels", "images", "times"],
            [[f"{row.label} + {row.other}", row.images, f"{row.lift:.1f}"] for row in pairs],
        )
    if found.rules:
        yield (
            "Rules that the labels follow almost always",
            ["rule", "images", "share"],
            [
                [f"{rule.premise} implies {rule.implied}", rule.support, f"{rule.confidence:.1%}"]
                for rule in found.rules
            ],
        )
