"""SVG plots of counts, co-occurrence and image sizes for the HTML page, in its light or dark colours."""

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from tagger.text import counted

ROW = 22  # pixels, height of a bar's row
NAME = 170  # pixels, width of the names
WIDTH = 700  # pixels, width of a plot
SHOWN_NAME = 24  # characters of a name; the tooltip shows all of it
CELL = 26  # pixels, side of a cell in the co-occurrence chart
MAX_POINTS = 1500


def bar_chart(names: Sequence[str], counts: Sequence[int], total: int) -> str:
    """Horizontal bars, one per name, each with its count and its share of ``total``.

    >>> bar_chart(["a<b"], [3], 4).count("a&lt;b"), "75.0 %" in bar_chart(["a<b"], [3], 4)
    (2, True)
    """
    most = max([*counts, 1])
    room = WIDTH - NAME - 130
    rows = []
    for n, (name, count) in enumerate(zip(names, counts, strict=True)):
        length = max(room * count / most, 1 if count else 0)
        y = n * ROW
        share = f"{count / max(total, 1):.1%}".replace("%", " %")
        rows.append(
            f"<g><title>{escape(name)}: {count:,}</title>"
            f'<text x="{NAME - 8}" y="{y + 15}" text-anchor="end">{escape(truncate(name))}</text>'
            f'<rect class="bar" x="{NAME}" y="{y + 3}" width="{length:.1f}" height="16" rx="2"/>'
            f'<text class="soft" x="{NAME + length + 6:.1f}" y="{y + 15}">{count:,} · {share}</text></g>'
        )
    return svg(WIDTH, len(names) * ROW, "".join(rows))


def cooccurrence_chart(names: Sequence[str], together_KK: NDArray[np.float64]) -> str:
    """A heat map of co-occurrence: the darker a cell, the more images of the row's label have the column's.

    >>> "50 % of the 2 images with sea have beach" in cooccurrence_chart(["sea", "beach"], np.array([[2, 1], [1, 4]]))
    True
    """
    yes_K = np.diag(together_KK)
    size = len(names)
    parts = []
    top = 118
    for k, name in enumerate(names):
        x = NAME + k * CELL
        y = top + k * CELL
        parts.append(f'<text x="{NAME - 8}" y="{y + 18}" text-anchor="end">{escape(truncate(name))}</text>')
        parts.append(
            f'<text transform="translate({x + 17},{top - 6}) rotate(-55)"><title>{escape(name)}</title>'
            f"{escape(truncate(name, 16))}</text>"
        )
        for other, told in enumerate(names):
            share = together_KK[k, other] / yes_K[k] if yes_K[k] else 0.0
            text = (
                f"{share:.0%}".replace("%", " %")
                + f" of the {int(yes_K[k]):,} images with {name} have {told}"
            )
            kind = "self" if other == k else "bar"
            parts.append(
                f'<rect class="{kind}" x="{NAME + other * CELL}" y="{y}" width="{CELL - 2}" height="{CELL - 2}" rx="3"'
                + (
                    "/>"
                    if other == k
                    else f' opacity="{0.06 + 0.94 * share:.2f}"><title>{escape(text)}</title></rect>'
                )
            )
    return svg(NAME + size * CELL + 60, top + size * CELL, "".join(parts))


def size_chart(width_N: NDArray[np.int64], height_N: NDArray[np.int64]) -> str:
    """A scatter plot of image sizes in pixels (the ``MAX_POINTS`` most frequent); larger dots are more images.

    >>> "2 images of 4 x 3 pixels" in size_chart(np.array([4, 4, 0]), np.array([3, 3, 0]))
    True
    """
    known = width_N > 0
    found, counts = np.unique(np.stack([width_N[known], height_N[known]], 1), axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MAX_POINTS]
    side = 320
    most = int(found.max(initial=1))
    step = 10 ** int(np.log10(most)) // (1 if most >= 3 * 10 ** int(np.log10(most)) else 2) or 1
    parts = []
    for tick in range(0, most + 1, step):
        at = side * tick / most
        parts.append(
            f'<line class="grid" x1="50" x2="{50 + side}" y1="{side - at + 10:.0f}" y2="{side - at + 10:.0f}"/>'
        )
        parts.append(f'<text class="soft" x="44" y="{side - at + 14:.0f}" text-anchor="end">{tick:,}</text>')
        parts.append(
            f'<text class="soft" x="{50 + at:.0f}" y="{side + 28}" text-anchor="middle">{tick:,}</text>'
        )
    for (width, height), count in zip(found[order].tolist(), counts[order].tolist(), strict=True):
        radius = 2.5 + 9 * (count / counts.max()) ** 0.5
        parts.append(
            f'<circle class="dot" cx="{50 + side * width / most:.1f}" cy="{10 + side - side * height / most:.1f}"'
            f' r="{radius:.1f}"><title>{counted(count, "image")} of {width} x {height} pixels</title></circle>'
        )
    parts.append(
        f'<text class="soft" x="{50 + side / 2}" y="{side + 46}" text-anchor="middle">width, pixels</text>'
    )
    parts.append(f'<text class="soft" transform="translate(8,{side / 2 + 30}) rotate(-90)">height</text>')
    return svg(side + 80, side + 52, "".join(parts))


def svg(width: float, height: float, inside: str) -> str:
    """The SVG element of a drawing, at most as wide as its column."""
    box = f'viewBox="0 0 {width} {height}" style="max-width:{width}px"'
    return f'<svg {box} width="100%" font-size="13" role="img">{inside}</svg>'


def truncate(name: str, most: int = SHOWN_NAME) -> str:
    """The name, cut with an ellipsis where it is long.

    >>> truncate("a" * 30, 5)
    'aaaa…'
    """
    return name if len(name) <= most else name[: most - 1] + "…"
