"""Plot of the angles between a layer's filters, layer by layer (figure 5.3 of the thesis)."""

from collections.abc import Mapping, Sequence
from typing import Any

from tagger.runs.report.figure import BLUE, ORANGE, add_heading, new_figure, style_axes, text_figure, to_png


def plot_filter_angles(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """The smallest angle of each layer, and the mean angle from a filter to its nearest; PNG bytes.

    ``rows`` are those of ``filter_angles``.

    >>> plot_filter_angles([{"layer": "conv1", "filters": 8, "smallest": 31.0, "mean_nearest": 60.0}])[1:4]
    b'PNG'
    """
    if not rows:
        return text_figure("There is no layer with two filters.")
    figure = new_figure(max(4.6, 2.0 + 0.09 * len(rows)), 3.1)
    ax = figure.subplots()
    places = range(1, len(rows) + 1)
    marker = "o" if len(rows) <= 40 else ""
    for key, colour, label in (
        ("mean_nearest", BLUE, "from a filter to its nearest, mean"),
        ("smallest", ORANGE, "between the nearest two"),
    ):
        angles = [row[key] for row in rows]
        ax.plot(places, angles, color=colour, marker=marker, ms=3, lw=1.2, label=label)
    ax.axhline(90, color="#999999", lw=0.8, ls=":")
    ax.set_ylim(0, max(95, 5 + max(row["mean_nearest"] for row in rows)))
    ax.set_xlabel("layer, from the input on", fontsize=9)
    ax.set_ylabel("degrees", fontsize=9)
    style_axes(ax, grid="y")
    ax.legend(fontsize=8, frameon=False, loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2)
    add_heading(figure, "Angles between the filters of a layer", ["90 degrees: filters that share nothing"])
    return to_png(figure)
