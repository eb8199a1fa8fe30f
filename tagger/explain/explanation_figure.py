"""Figure of an explanation: the photo and an overlay a label, for one run or several side by side."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from tagger.arrays import Floats
from tagger.runs.report.figure import GREY, new_figure, to_png
from tagger.runs.report.label_fonts import drawable_texts
from tagger.runs.report.overlay import COLORMAP, METHOD_TITLES, blend_coarse

PHOTO_SIDE = 2.7  # inches of a photo's longer side: 324 pixels
MIN_WIDTH = 1.9  # inches that the words need
GAP = 0.15
ABOVE = 0.27
BELOW = 0.3
HEADER = 0.3  # inches: between columns, for words over and under a photo, run names
PANELS_PER_ROW = 4  # labels beside each other
LETTER_WIDTH = 0.093  # inches of a bold letter, about
BRIGHTEST = {
    "saliency": "most sensitive",
    "attention": "most looked at",
    "glimpses": "seen in high resolution",
}


class Panel(NamedTuple):
    """One overlay: the label, its probability, whether it is chosen, the map over the whole photo, and the
    share of its heat outside the hottest cell (NaN: there is none).
    """

    label: str
    prob: float
    chosen: bool
    heat_HW: Floats
    outside: float


def draw_explanation(
    photo_HWC: NDArray[np.uint8], runs: Sequence[tuple[str, Sequence[Panel]]], *, method: str
) -> bytes:
    """PNG bytes: the photo, then what ``runs``, (name, panels) each, saw on it; all have the same labels.

    Labels of one run stand beside each other, at most ``PANELS_PER_ROW`` in a row. Several runs stand
    beside each other, a row for each label.

    >>> panel = Panel("sea", 0.9, True, np.eye(2), 0.5)
    >>> draw_explanation(np.zeros((8, 8, 3), np.uint8), [("run", [panel])], method="cam")[1:4]
    b'PNG'
    """
    rows = [list(panels) for panels in zip(*(panels for _, panels in runs), strict=True)]
    names = [name for name, _ in runs] if len(runs) > 1 else []
    if not names:
        flat = [panel for row in rows for panel in row]
        rows = [flat[start : start + PANELS_PER_ROW] for start in range(0, len(flat), PANELS_PER_ROW)]
    figure_grid = FigureGrid(
        _resize_to(photo_HWC, round(PHOTO_SIDE * 120)),
        max(map(len, rows)),
        len(rows),
        header=HEADER if names else 0,
    )
    figure_grid.photo(
        METHOD_TITLES.get(method, method.capitalize()), BRIGHTEST.get(method, "most for the label")
    )
    for column, name in enumerate(names):
        figure_grid.name(column, name)
    for row_index, row in enumerate(rows):
        for column, panel in enumerate(row):
            figure_grid.overlay(row_index, column, panel)
    return to_png(figure_grid.figure)


class FigureGrid:
    """A figure of so many rows and columns of one photo, and a first column for the photo itself."""

    def __init__(self, photo_HWC: NDArray[np.uint8], across: int, down: int, *, header: float):
        self.photo_HWC = photo_HWC
        self.header = header
        self.height, self.width = (
            PHOTO_SIDE * side / max(photo_HWC.shape[:2]) for side in photo_HWC.shape[:2]
        )
        self.column_width = max(self.width, MIN_WIDTH) + GAP
        self.size = ((1 + across) * self.column_width + GAP, header + down * (ABOVE + self.height + BELOW))
        self.figure: Figure = new_figure(*self.size)
        self.figure.set_layout_engine("none")

    def photo(self, title: str, most: str) -> None:
        """The photo as it is, and what the colours mean."""
        ax = self._axes(0, 0, self.photo_HWC)
        self._add_text(ax, title, above=True)
        bar = self.figure.add_axes(self._box(GAP, self._top(0) + self.height + 0.09, 0.9, 0.1))
        steps = np.linspace(0, len(COLORMAP) - 1, 90)
        colours = [np.interp(steps, np.arange(len(COLORMAP)), COLORMAP[:, c]) for c in range(3)]
        bar.imshow(np.stack(colours, axis=-1)[None].astype(np.uint8), aspect="auto")
        bar.set_axis_off()
        self._add_text(ax, most, at=0.98)

    def name(self, column: int, name: str) -> None:
        """The name of a run over its column."""
        x = (GAP + (1 + column) * self.column_width) / self.size[0]
        y = 1 - self.header / self.size[1]
        drawable = drawable_texts([name], max_chars=self._max_chars)
        drawable.apply_fonts(
            [self.figure.text(x, y, drawable.names[0], va="bottom", fontsize=10, color=GREY)]
        )

    def overlay(self, row: int, column: int, panel: Panel) -> None:
        """One label's heat over the photo: its name and probability above, bold if it is chosen, its spread below."""
        ax = self._axes(row, 1 + column, blend_coarse(self.photo_HWC, panel.heat_HW))
        prob = f"  {panel.prob:.2f}"
        self._add_text(ax, panel.label, above=True, more=prob, weight="bold" if panel.chosen else "normal")
        nothing = "nothing speaks for it"
        self._add_text(
            ax, nothing if np.isnan(panel.outside) else f"{panel.outside:.0%} outside the hottest cell"
        )

    @property
    def _max_chars(self) -> int:
        return int(self.column_width / LETTER_WIDTH)

    def _top(self, row: int) -> float:
        """Inches from the upper edge to a row's photos."""
        return self.header + ABOVE + row * (ABOVE + self.height + BELOW)

    def _box(self, left: float, top: float, width: float, height: float) -> tuple[float, float, float, float]:
        """A box in inches from the upper left corner as shares of the figure, as matplotlib wants it."""
        across, down = self.size
        return left / across, 1 - (top + height) / down, width / across, height / down

    def _axes(self, row: int, column: int, pixels_HWC: NDArray[np.uint8]) -> Axes:
        box = self._box(GAP + column * self.column_width, self._top(row), self.width, self.height)
        ax = self.figure.add_axes(box)
        ax.imshow(pixels_HWC, interpolation="nearest", aspect="auto")
        ax.set_axis_off()
        return ax

    def _add_text(
        self, ax: Axes, text: str, *, above: bool = False, at: float = 0.0, more: str = "", **style: Any
    ) -> None:
        """Words over or under a photo, ``at`` so many inches from its left edge; ``more`` is never cut off."""
        drawable = drawable_texts(
            [text], max_chars=max(4, self._max_chars - len(more) - round(at / LETTER_WIDTH))
        )
        y = 1 + 0.07 / self.height if above else -0.07 / self.height
        style_defaults: dict[str, Any] = (
            {"va": "bottom", "fontsize": 10} if above else {"va": "top", "fontsize": 8.5, "color": GREY}
        )
        words = ax.text(
            at / self.width, y, drawable.names[0] + more, transform=ax.transAxes, **(style_defaults | style)
        )
        drawable.apply_fonts([words])


def _resize_to(photo_HWC: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The photo with this longer side, small ones enlarged."""
    image = Image.fromarray(photo_HWC)
    scale = side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return np.asarray(image.resize(size, Image.Resampling.LANCZOS))
