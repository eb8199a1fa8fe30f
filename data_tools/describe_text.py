"""How is a data set described on a screen? A few sentences and tables."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from data_tools.describe import Description
from tagger.data.wording import counted

Table = tuple[str, list[str], list[list[Any]]]  # title, columns, rows
MOST_PAIRS = 10


def sentences(found: Description) -> Iterator[str]:
    """The lines above the tables."""
    yield f"{counted(found.num_images, 'image')} with labels, {found.num_bytes / 1e6:,.1f} MB"
    if found.num_unlisted:
        yield f"{counted(found.num_unlisted, 'image')} that no label source names"
    share = found.num_unlabelled / max(found.num_images, 1)
    yield f"{counted(found.num_unlabelled, 'image')} without any label ({share:.1%})"
    yield f"{found.share_unknown:.1%} of cells are unknown"
    num = found.labels_per_image
    mean = np.average(np.arange(len(num)), weights=num)
    yield f"{counted(len(found.labels), 'label')}, {mean:.2f} an image on average"
    yield f"The commonest label has {found.imbalance:,.1f} times as many images as the rarest"
    readable = found.width_N > 0
    if readable.any():
        sides = [found.width_N[readable], found.height_N[readable]]
        middle = " x ".join(f"{int(np.median(side))}" for side in sides)
        smallest, largest = (" x ".join(str(int(pick(side))) for side in sides) for pick in (np.min, np.max))
        yield f"Sizes in pixels: median {middle}, narrowest and lowest {smallest}, widest and highest {largest}"
    if found.unreadable:
        yield f"{counted(len(found.unreadable), 'image')} that cannot be read, such as {found.unreadable[0]}"


def tables(found: Description) -> Iterator[Table]:
    """The tables below: labels, labels per image, pairs, mined rules."""
    rows = [[row.label, row.yes, row.no, row.unknown, f"{row.share:.1%}"] for row in found.labels.itertuples()]
    yield "Labels", ["label", "yes", "no", "unknown", "share"], rows
    yield "Labels per image", ["labels", "images"], [[n, int(num)] for n, num in enumerate(found.labels_per_image)]
    if len(found.pairs):
        pairs = found.pairs.head(MOST_PAIRS).itertuples()
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
