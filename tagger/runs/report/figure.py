"""Figures of one style, without a display: colours, axes, headings, PNG bytes."""

from io import BytesIO

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Okabe and Ito 2008: told apart by people with any colour vision.
BLUE = "#0072B2"
ORANGE = "#E69F00"
RED = "#D55E00"
GREEN = "#009E73"
GREY = "#595959"
LIGHT = "#DDDDDD"


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches, with the Agg canvas: nothing global, no screen."""
    figure = Figure(figsize=(width, height), dpi=120, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def style_axes(ax: Axes, *, grid: str | None = None) -> None:
    """Only the lines that carry meaning: left and bottom axis, and a light grid along ``grid`` ("x" or "y")."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color("#999999")
    ax.tick_params(labelsize=8, color="#999999", labelcolor="#333333")
    if grid is not None:
        ax.grid(axis=grid, color=LIGHT, lw=0.6)  # type: ignore[arg-type]
        ax.set_axisbelow(True)


def add_heading(figure: Figure, title: str, lines: list[str]) -> None:
    """A title and, smaller beneath it, what a reader must know to read the plot."""
    figure.suptitle(
        "\n".join([title, *lines]), x=0.01, ha="left", fontsize=9, color="#333333", linespacing=1.35
    )


def to_png(figure: Figure) -> bytes:
    """The figure as PNG bytes, the same for the same figure (no date inside)."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def text_figure(text: str) -> bytes:
    """A plot that only says why there is nothing to plot; PNG bytes."""
    figure = new_figure(4.5, 1.2)
    figure.text(0.5, 0.5, text, ha="center", va="center", fontsize=9, color=GREY)
    return to_png(figure)
