"""What a finished training leaves: thresholds, metrics, plots, the model card; ``metrics.json`` last."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from tagger.arrays import UNKNOWN, sigmoid
from tagger.commands.screen import Screen
from tagger.config import Settings
from tagger.data import split_table
from tagger.heads import report_of
from tagger.model import save_model
from tagger.runs import RunFolder, replacing
from tagger.runs.card import model_card
from tagger.runs.code_plot import code_picture
from tagger.runs.group_plots import confusion_plot
from tagger.runs.plots import cooccurrence, learning_curves, per_label_bars, precision_recall, reliability
from tagger.scoring import always_one, choose_thresholds, evaluate, fit_calibration, structure_of
from tagger.scoring.ordinal import GROUP_METRICS
from tagger.training.material import Material, Trained


def conclude(
    folder: RunFolder,
    material: Material,
    trained: Trained,
    images: pd.DataFrame,
    names: tuple[str, ...],
    settings: Settings,
    screen: Screen,
    *,
    judged_NK: np.ndarray | None = None,
    more: Callable[[], dict[str, Any]] = dict,
) -> None:
    """Choose thresholds on out-of-sample probabilities, judge them on the test split, and write the whole run.

    With ``judged_NK`` (bool) only those cells of the test split judge. ``more`` gives further keys of ``metrics.json``
    when all other files are written.
    """
    labels_NK, raw_NK = material.labels_NK, sigmoid(trained.logits_NK.astype(np.float64))
    choosing, test = trained.choosing_N, material.split_N == "test"
    known = material.vocabulary
    always = always_one(labels_NK[~test], names, known.groups)
    structure = structure_of(names, known.groups, known.rules, always=always, enforce=settings.rules.enforce)
    calibration = fit_calibration(labels_NK[choosing], raw_NK[choosing], structure.groups, seed=settings.seed)
    probs_NK = calibration.apply(raw_NK)
    thresholds = choose_thresholds(
        labels_NK[choosing],
        probs_NK[choosing],
        settings.threshold.aim,
        min_positives=settings.threshold.min_positives,
        seed=settings.seed,
    )

    judging_NK = labels_NK
    if judged_NK is not None:
        judging_NK = np.where(judged_NK | ~test[:, None], labels_NK, np.int8(UNKNOWN))
        folder.save_judged(judged_NK, names)

    def judge(rows: np.ndarray) -> dict[str, Any]:
        cells_NK, shared = judging_NK[rows], thresholds.shared
        return evaluate(
            cells_NK, probs_NK[rows], thresholds.values_K, names, structure, shared=shared, seed=settings.seed
        )

    val = material.split_N == "val"
    table = split_table(labels_NK, material.split_N, names)
    worst = table.sort_values("largest_difference").iloc[-1]
    parts = ("train", "val", "test")
    sizes = ", ".join(f"{(material.split_N == part).sum():,} {part}" for part in parts)
    least = ", ".join(f"{worst.get(part, 0):,}" for part in parts)
    screen.say(f"Split: {sizes}. Least even: {worst['label']!r}, on {least} images of these.")
    metrics: dict[str, Any] = {
        "test": judge(test) if test.any() else None,
        "validation": judge(val) if val.any() else None,
        "validation_map": {name: score if np.isfinite(score) else None for name, score in trained.scores.items()},
        "notes": trained.notes,
        "split": table.to_dict("records"),
    }
    with replacing(folder.model_path) as temporary:
        save_model(trained.model, temporary)
    folder.save_images(images.assign(embedder=trained.embedder_N))
    folder.save_cells(labels_NK, names)
    folder.save_decision_rule(thresholds, calibration, names)
    folder.save_oof(probs_NK, material.fold_N)
    folder.save_embeddings(trained.embeddings_ND)
    if material.features is not None and len(material.features.views_VND) > 1:
        folder.save_views(material.features.views_VND)
    folder.save_dynamics(trained.dynamics.mean_NK, trained.dynamics.spread_NK)
    folder.save_history(trained.history)
    shown = test if test.any() else choosing
    plots = {
        "precision_recall": precision_recall(labels_NK[shown], probs_NK[shown], names, thresholds.values_K),
        "learning_curves": learning_curves(folder.load_history()),
        "reliability": reliability(labels_NK[shown], raw_NK[shown], probs_NK[shown]),
        "cooccurrence": cooccurrence(labels_NK, names),
        "per_label": per_label_bars((metrics["test"] or metrics["validation"] or {"per_label": {}})["per_label"]),
    }
    for number, row in enumerate((metrics["test"] or metrics["validation"] or {}).get("groups", {}).values(), start=1):
        plots[f"group_{number}"] = confusion_plot(row["confusion"])
    if code := report_of(trained.model.head, names):
        metrics["code"] = code
        plots["code"] = code_picture(np.array(code["code"]), names)
    for name, png in plots.items():
        with replacing(folder.plots_path / f"{name}.png") as temporary:
            temporary.write_bytes(png)
    folder.save_card(model_card(metrics, thresholds, settings, names, images, folder.path))
    folder.finish(metrics | more())
    for note in trained.notes:
        screen.say(note)
    if shown_metrics := metrics["test"] or metrics["validation"]:
        where = "test split" if metrics["test"] else "validation split"
        report(shown_metrics, where, screen, rest=f"{folder.path / 'metrics.json'} has all")


def report(metrics: dict[str, Any], where: str, screen: Screen, *, rest: str) -> None:
    """The headline numbers and the per-label table of ``evaluate``'s result; ``rest`` says where more labels are."""
    names = ("map", "micro_f1", "macro_f1", "micro_precision", "micro_recall", "exact_match")
    rows = [["mAP" if name == "map" else name.replace("_", " "), *interval(metrics["overall"][name])] for name in names]
    screen.table(f"On {metrics['num_images']:,} images ({where})", ["", "value", "95 % interval"], rows)
    screen.say()
    lines = sorted(metrics["per_label"].items(), key=lambda item: -item[1]["positives"])
    scores = ("average_precision", "precision", "recall", "f1")
    screen.label_table(
        "Per label",
        ["label", "images", "AP", "precision", "recall", "F1", "threshold", ""],
        [[name, row["positives"], *_scores(row, scores), row["threshold"], _short(row["note"])] for name, row in lines],
        rest=rest,
    )
    report_groups(metrics.get("groups", {}), screen)
    gain, shared = metrics["threshold_gain"]["macro_f1"], metrics["thresholds_compared"]["best_shared"]
    if gain["value"] is not None:
        _, between = interval(gain)
        screen.say(
            f"One threshold per label instead of a shared one ({shared['threshold']:.2f}):"
            f" macro-F1 {gain['value']:+.3f}" + (f" ({between})" if between else "")
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
        screen.table("Groups: one label an image", ["", "images", "value", "95 % interval"], rows)
        screen.say()


def _scores(row: dict[str, Any], names: tuple[str, ...]) -> list[float | None]:
    """The values that are worth printing: none where there is too little data."""
    return [None if "not enough data" in row["note"] else row[name]["value"] for name in names]


def _short(note: str) -> str:
    return note.split(" (")[0].split(":")[0]


def interval(row: dict[str, Any]) -> tuple[float | None, str]:
    """A value and its interval as text."""
    return row["value"], "" if row["low"] is None else f"{row['low']:.3f} to {row['high']:.3f}"
