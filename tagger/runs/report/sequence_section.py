"""The model card's section on sequences: what the frames before each frame gave."""

from collections.abc import Mapping
from typing import Any

from tagger.runs.report.markdown import escape, format_number, table


def sequence_section(found: Mapping[str, Any] | None) -> list[str]:
    """Frames with and without those before them, overall and per label; nothing for a run without LSTMs."""
    if not found:
        return []
    shown = sorted(
        found["per_label"].items(), key=lambda item: -(item[1]["average_precision"]["sequence"] or 0)
    )
    rows = [
        ["all labels", *_pair(found["map"]), *_pair(found["skew_normalised_map"])],
        *[
            [escape(name), *_pair(row["average_precision"]), *_pair(row["skew_normalised"])]
            for name, row in shown
        ],
    ]
    columns = ["label", "AP of a frame", "with those before", "skew-normalised, frame", "with those before"]
    kept = "" if found["kept"] else " Out of fold they did not help, so the model goes by single frames."
    return [
        "## The frames before",
        f"An LSTM sees the last {found['length']} frames of a sequence; measured on {found['num_images']:,} images of"
        f" {found['where']}.{kept} Skew-normalised: as if each label were as frequent as its absence.",
        table(columns, rows),
    ]


def _pair(scores: Mapping[str, float | None]) -> list[str]:
    return [format_number(scores[which]) for which in ("frame", "sequence")]
