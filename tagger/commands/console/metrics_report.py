"""The tables of metrics that ``train``, ``retrain`` and ``evaluate`` print."""

from typing import Any

from tagger.commands.console.screen import Screen
from tagger.scoring.group_metrics import GROUP_METRICS

TITLES = {"map": "mAP", "roc_auc": "ROC AUC"}


def report(metrics: dict[str, Any], where: str, screen: Screen, *, rest: str) -> None:
    """The headline numbers and the per-label table of ``evaluate``'s result; ``rest`` says where more labels are."""
    names = ("map", "roc_auc", "micro_f1", "macro_f1", "micro_precision", "micro_recall", "exact_match")
    rows = [[TITLES.get(name, name.replace("_", " ")), *interval(metrics["overall"][name])] for name in names]
    screen.table(f"On {metrics['num_images']:,} photos ({where})", ["", "value", "95 % interval"], rows)
    screen.say()
    lines = sorted(metrics["per_label"].items(), key=lambda item: -item[1]["positives"])
    scores = ("average_precision", "precision", "recall", "f1")  # 80 columns hold no more
    screen.label_table(
        "Per label",
        ["label", "photos", "AP", "precision", "recall", "F1", "threshold", ""],
        [
            [name, row["positives"], *_scores(row, scores), shown_threshold(row), _short(row["note"])]
            for name, row in lines
        ],
        rest=rest,
    )
    report_groups(metrics.get("groups", {}), screen)
    gain = metrics["threshold_gain"]["macro_f1"]
    shared = metrics["thresholds_compared"]["best_shared"]
    if gain["value"] is not None:
        _, interval_text = interval(gain)
        screen.say(
            f"One threshold per label instead of a shared one ({shared['threshold']:.2f}):"
            f" macro-F1 {gain['value']:+.3f}" + (f" ({interval_text})" if interval_text else "")
        )
    screen.say()


def report_groups(groups: dict[str, Any], screen: Screen) -> None:
    """How good the decisions within each group of labels are; nothing where there is no group."""
    if groups:
        rows = [
            [f"{group}: {name.replace('_', ' ')}", row["num_images"], *interval(row[name])]
            for group, row in groups.items()
            for name in GROUP_METRICS
            if name in row
        ]
        screen.say()
        screen.table("Groups: one label a photo", ["", "photos", "value", "95 % interval"], rows)
        screen.say()


def shown_threshold(row: dict[str, Any]) -> float | None:
    """The threshold of a label's row; none where no probability reaches it."""
    return None if row["threshold"] > 1 else row["threshold"]


def _scores(row: dict[str, Any], names: tuple[str, ...]) -> list[float | None]:
    """The values that are worth printing: none where there is too little data."""
    return [None if "not enough data" in row["note"] else row[name]["value"] for name in names]


def _short(note: str) -> str:
    return note.split(" (")[0].split(":")[0]


def interval(row: dict[str, Any]) -> tuple[float | None, str]:
    """A value and its interval as text."""
    return row["value"], "" if row["low"] is None else f"{row['low']:.3f} to {row['high']:.3f}"
