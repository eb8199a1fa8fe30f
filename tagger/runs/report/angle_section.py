"""The model card's section on the angles between filters."""

from collections.abc import Mapping, Sequence
from typing import Any

from tagger.runs.report.markdown import escape, table


def angle_section(rows: Sequence[Mapping[str, Any]] | None, *, at_most: int = 12) -> list[str]:
    """What OrthoReg left: the layers whose nearest filters are closest; nothing without that method."""
    if not rows:
        return []
    closest = sorted(rows, key=lambda row: row["smallest"])[:at_most]
    cells = [
        [escape(row["layer"]), str(row["filters"]), f"{row['smallest']:.1f}", f"{row['mean_nearest']:.1f}"]
        for row in closest
    ]
    which = f"the {len(closest)} closest of {len(rows)} layers; " if len(rows) > len(closest) else ""
    return [
        "## Angles between filters",
        f"In degrees, {which}all are in `metrics.json`. Where a layer has more filters than numbers in one filter, they"
        " cannot all be at 90 degrees.",
        table(["layer", "filters", "between the nearest two", "from a filter to its nearest, mean"], cells),
        "![Angles between the filters of each layer](plots/filter_angles.png)",
    ]
