"""The model card's section on labels that are numbers."""

from collections.abc import Mapping
from typing import Any

from tagger.runs.report.markdown import escape, format_number, table


def number_section(found: Mapping[str, Any] | None) -> list[str]:
    """Errors and correlations of each number; nothing without numbers."""
    if not found:
        return []
    rows = [
        [
            escape(name),
            str(row["num_images"]),
            f"{row['yes_from']:g}",
            *(format_number(row[key]) for key in KEYS),
        ]
        for name, row in found.items()
    ]
    where = next(iter(found.values()))["where"]
    return [
        "## Numbers",
        f"Predicted numbers against the given ones, measured on {where}. A label is chosen where its number reaches"
        " `yes from`. MAE and MSE are in the numbers' own units; ICC(3,1) is the consistency of model and truth.",
        table(["label", "images", "yes from", "MAE", "MSE", "PCC", "ICC(3,1)"], rows),
    ]


KEYS = ("mae", "mse", "pcc", "icc")
