"""The model card, a run's README.md: data, metrics, thresholds, limits, and how to use it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from tagger.config import Settings
from tagger.runs.report.angle_section import angle_section
from tagger.runs.report.markdown import escape, format_interval, format_number, format_value, table
from tagger.runs.report.number_section import number_section
from tagger.runs.report.sequence_section import sequence_section
from tagger.scoring import Thresholds

HEADLINE_METRICS = (
    ("map", "mAP", "how well each label's images are ranked first; 1 is perfect"),
    ("roc_auc", "ROC AUC", "a yes is more probable than a no, mean over labels; 0.5 is chance"),
    ("micro_f1", "micro-F1", "over all cells, so that frequent labels count most"),
    ("macro_f1", "macro-F1", "mean over labels, so that rare ones count as much"),
    ("micro_precision", "micro-precision", "chosen labels that are right"),
    ("micro_recall", "micro-recall", "true labels that are chosen"),
    ("exact_match", "exact match", "images with every label right"),
    ("ranking_loss", "ranking loss", "wrongly ordered label pairs; lower is better"),
    ("calibration_error", "calibration error", "how far probabilities are from shares; lower is better"),
    ("skew_normalised_accuracy", "skew-normalised accuracy", "accuracy if yes and no were equally common"),
)
GROUP_METRICS = (
    ("accuracy", "accuracy", "images that get their label of the group, or rightly none"),
    (
        "mean_absolute_error",
        "mean absolute error",
        "steps in the group's order from the likeliest label to the true one",
    ),
    ("one_off_accuracy", "one-off accuracy", "images at most one step off"),
)
DECISION_METRICS = ("micro_f1", "macro_f1", "micro_precision", "micro_recall")

MAX_LABELS = 500  # in the card's table
SPLIT_KINDS = {
    "random": "Iterative stratification; duplicates are on one side",
    "folders": "As the folders say",
}


def model_card(
    metrics: Mapping[str, Any],
    thresholds: Thresholds,
    settings: Settings,
    names: Iterable[str],
    images: pd.DataFrame,
    run: Path,
) -> str:
    """Markdown of everything a person should know of a run; plots are linked from its folder ``plots``."""
    names = list(names)
    evaluated = metrics["test"]
    where = "the test split, which no training has seen"
    if evaluated is None:
        evaluated = metrics["validation"]
        where = "the validation split, which flatters a little (there is no test split)"
    parts = [
        f"# {settings.backbone.name} tagging {len(names)} labels",
        _training_data(settings, images),
        *[f"> {note}" for note in metrics["notes"] if note != thresholds.never_chosen_note(names)],
        *[f"> {note}" for note in [thresholds.never_chosen_note(names, quote=escape)] if note],
        f"```\ntagger predict NEW_IMAGES --run {run}\ntagger evaluate --data OTHER_LABELLED_IMAGES --run {run}\n```",
        *([] if evaluated is None else _performance(evaluated, where, thresholds, names)),
        *_folds(metrics.get("folds", {})),
        *number_section(metrics.get("numbers")),
        *sequence_section(metrics.get("sequence")),
        *_training(metrics),
        *_code(metrics.get("code")),
        *angle_section(metrics.get("filter_angles")),
        "## The split",
        f"{SPLIT_KINDS[settings.data.split]}. The last column is the largest relative"
        " difference of a part's share of the label from the whole.",
        _split(metrics["split"]),
        "## Limits",
        _limits(thresholds, names),
        "Every setting is in `config.toml`; out-of-fold probabilities of all images are in `oof.npz`.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _training_data(settings: Settings, images: pd.DataFrame) -> str:
    counts = images["split"].value_counts()
    train, val, test = (f"{counts.get(part, 0):,}" for part in ("train", "val", "test"))
    return (
        f"Trained on {train} images of `{Path(settings.data.path).name}` ({val} for validation, {test} for the test)"
        f" with preset `{settings.preset_title}`: {_training_summary(settings)}, input {settings.input_summary},"
        f" loss `{settings.loss.name}`, head `{settings.head.name}`."
    )


def _performance(
    evaluated: Mapping[str, Any], where: str, thresholds: Thresholds, names: list[str]
) -> list[str]:
    """The metrics: overall, per label, and per group."""
    rows = [
        [label, format_value(row), format_interval(row), meaning]
        for key, label, meaning in HEADLINE_METRICS
        if (row := evaluated["overall"].get(key))
    ]
    return [
        "## How good it is",
        f"Measured on {evaluated['num_images']:,} images of {where}, with 95 % bootstrap intervals over images."
        " The labels it is judged by are as given: wrong ones count against the model.",
        table(["metric", "value", "95 % interval", "what it says"], rows),
        _threshold_gain(evaluated),
        "## Per label",
        _per_label(evaluated, thresholds, names),
        "![AP and F1 of each label](plots/per_label.png)",
        "![Precision and recall of each label](plots/precision_recall.png)",
        *_groups(evaluated.get("groups", {})),
    ]


def _folds(folds: Mapping[str, Any]) -> list[str]:
    """Mean and standard deviation over folds; nothing where there are no folds."""
    rows = [
        [
            label,
            f"{row['mean']:.3f} ± {row['std']:.3f}",
            ", ".join(map(format_number, row["folds"])),
            meaning,
        ]
        for key, label, meaning in HEADLINE_METRICS
        if (row := folds.get(key)) and row["std"] is not None
    ]
    if not rows:
        return []
    return [
        "## Per fold",
        "Out of fold: each part of train + val is measured by networks that have not seen it. Thresholds were chosen"
        " on all of them, which flatters F1 a little.",
        table(["metric", "mean ± deviation", "each fold", "what it says"], rows),
    ]


def _training(metrics: Mapping[str, Any]) -> list[str]:
    """The training, the calibration and the labels' co-occurrence, by their plots."""
    scores = [f"{name} {format_number(value)}" for name, value in metrics["validation_map"].items()]
    return [
        "## How it was trained",
        "![Learning curves](plots/learning_curves.png)",
        f"Validation mAP: {', '.join(scores)}.",
        "## Can its probabilities be believed?",
        "Each label's probabilities are calibrated on out-of-sample predictions; `thresholds.json` says how.",
        "![Reliability before and after calibration](plots/reliability.png)",
        "## Labels that occur together",
        "![Co-occurrence of labels](plots/cooccurrence.png)",
    ]


def _training_summary(settings: Settings) -> str:
    if not settings.train.epochs:
        return "frozen backbone, heads on its cached features"
    networks = f", {settings.train.fold_models} networks averaged" if settings.train.fold_models > 1 else ""
    return f"{settings.train.epochs} epochs of the whole network{networks}"


def _threshold_gain(evaluated: Mapping[str, Any]) -> str:
    rows = []
    shared = evaluated["thresholds_compared"]["best_shared"]["threshold"]
    titles = {
        "per_label": "one threshold per label",
        "best_shared": f"best shared threshold ({shared:.2f})",
        "0.5": "0.5 for all",
    }
    for key, title in titles.items():
        row = evaluated["thresholds_compared"][key]
        rows.append([title, *(format_number(row.get(name)) for name in DECISION_METRICS)])
    gain = evaluated["threshold_gain"]["macro_f1"]
    change = "-" if gain["value"] is None else f"{gain['value']:+.3f} {format_interval(gain, sign=True)}"
    return (
        table(["thresholds", "micro-F1", "macro-F1", "precision", "recall"], rows)
        + f"\n\nThresholds per label change macro-F1 by {change} against the best shared one."
    )


def _per_label(evaluated: Mapping[str, Any], thresholds: Thresholds, names: list[str]) -> str:
    rows = []
    for name, threshold in zip(names, thresholds.labels, strict=True):
        row = evaluated["per_label"][name]
        columns = ("average_precision", "roc_auc", "precision", "recall", "f1")
        scores = [format_value(row[key]) for key in columns]
        scores[0] += " " + format_interval(row["average_precision"])
        scores[-1] += " " + format_interval(row["f1"])
        cutoff = "-" if threshold.never_chosen else f"{threshold.value:.2f}"
        note = row["note"] or threshold.how
        if threshold.never_chosen:
            note = f"{note.split(':')[0]}; {threshold.how}" if row["note"] else threshold.how
        rows.append([escape(name), str(row["positives"]), *scores, cutoff, note])
    order = sorted(rows, key=lambda row: -int(row[1]))
    more = (
        f"\n\n{len(order) - MAX_LABELS:,} rarer labels are in `metrics.json`."
        if len(order) > MAX_LABELS
        else ""
    )
    return (
        table(
            ["label", "positives", "AP", "ROC AUC", "precision", "recall", "F1", "threshold", "note"],
            order[:MAX_LABELS],
        )
        + more
    )


def _groups(groups: Mapping[str, Any]) -> list[str]:
    """How good the decisions within each group are; nothing where there is no group."""
    parts = ["## Groups of labels", "An image gets one label of a group at most."] if groups else []
    for number, (name, row) in enumerate(groups.items(), start=1):
        rows = [
            [title, format_value(row[key]), format_interval(row[key]), meaning]
            for key, title, meaning in GROUP_METRICS
            if key in row
        ]
        parts += [
            f"### {escape(name)} ({row['kind']})",
            f"On {row['num_images']:,} images whose label in the group is known.",
            table(["metric", "value", "95 % interval", "what it says"], rows),
            f"![Which label is taken for which](plots/group_{number}.png)",
        ]
    return parts


def _code(report: Mapping[str, Any] | None, *, at_most: int = 12) -> list[str]:
    """What each bit of the head's code asks, if it has one; the rest is in ``metrics.json``."""
    if report is None:
        return []
    ends = report["ends"]
    words = report["rows"]
    bits = report["columns"]
    lines = [f"The head answers {len(ends)} questions, each of which divides the labels in two. A fixed code"
             f" (`{report['kind']}`) makes {len(report['code'])} labels of the answers."]  # fmt: skip
    if report["num_heads"] > 1:
        lines.append(f"There are {report['num_heads']} heads; this is the first one's code.")
    if words["smallest"] is not None:
        near = " and ".join(escape(name) for name in words["nearest"])
        lines.append(f"Two labels' code words differ in {words['mean']:.0%} of the bits on average, in"
                     f" {words['smallest']:.0%} where they are nearest: {near}.")  # fmt: skip
    if bits["smallest"] is not None:
        lines.append(
            f"Two bits divide {bits['smallest']:.0%} of the labels differently, or more (50% is the most)."
        )
    if len(ends) > at_most:
        lines.append(f"{len(ends) - at_most} further bits are in `metrics.json`.")
    attributes = report.get("attributes", {})
    if attributes.get("missing"):
        lines.append(f"Its attributes could not be read: {escape(attributes['missing'])}")
    rows = [
        [str(bit + 1), _labels_at_end(both, "low"), _labels_at_end(both, "high")]
        for bit, both in enumerate(ends[:at_most])
    ]
    header = ["bit", "labels at one end", "at the other"]
    if known := attributes.get("bits"):
        header += ["attribute of the one end (correlation)", "of the other"]
        rows = [
            [*row, *map(_attribute, (of["low"], of["high"]))] for row, of in zip(rows, known, strict=False)
        ]
    return [
        "## The code of the labels",
        " ".join(lines),
        table(header, rows),
        "![Code words of the labels](plots/code.png)",
    ]


def _attribute(strongest: list[Any] | None) -> str:
    return "-" if strongest is None else f"{escape(strongest[0])} ({strongest[1]:+.2f})"


def _labels_at_end(ends: Mapping[str, Any], side: str) -> str:
    more = ends[f"num_{side}"] - len(ends[side])
    return ", ".join(escape(name) for name in ends[side]) + (f" and {more} more" if more else "")


def _split(rows: list[dict[str, Any]]) -> str:
    parts = [part for part in ("train", "val", "test") if rows and part in rows[0]]
    lines = []
    for row in rows:
        shares = [f"{row[part]} ({row[f'share_{part}']:.1%})" for part in parts]
        lines.append([escape(row["label"]), *shares, f"{row['largest_difference']:.0%}"])
    return table(["label", *parts, "difference"], lines)


def _limits(thresholds: Thresholds, names: list[str]) -> str:
    rare = [escape(n) for n, t in zip(names, thresholds.labels, strict=True) if "not enough data" in t.how]
    lines = ["* It knows only the labels above, and images like those it was trained on."]
    if rare:
        lines.append(f"* Too few examples for a threshold of their own: {', '.join(rare)}.")
    lines.append(
        "* Labels are as given, except those that people decided in tagger. `tagger suspects` lists those most"
        " likely wrong."
    )
    return "\n".join(lines)
