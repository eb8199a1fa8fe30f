"""The last step of a training: thresholds, metrics, plots and the model card become a finished run.

``judge`` computes, ``draw`` makes the plots, ``save`` writes the arrays; ``finalize`` calls them and writes
``metrics.json`` last, which makes the run a finished one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tagger.arrays import UNKNOWN, Cells, Floats, sigmoid
from tagger.commands.console.metrics_report import report
from tagger.commands.screen import Screen
from tagger.commands.steps.training_steps import FittedModel, SplitImages
from tagger.config import Settings
from tagger.data import Vocabulary, split_table
from tagger.data.wording import minutes
from tagger.heads import report_of
from tagger.model import save_model
from tagger.runs import RunFolder, replacing
from tagger.runs.card import model_card
from tagger.runs.code_plot import code_picture
from tagger.runs.group_plots import confusion_plot
from tagger.runs.plots import cooccurrence, learning_curves, per_label_bars, precision_recall, reliability
from tagger.scoring import (
    Calibration,
    Structure,
    Thresholds,
    always_one,
    choose_thresholds,
    evaluate,
    fit_calibration,
    structure_of,
)
from tagger.training.material import Material, Trained


@dataclass(frozen=True)
class Judgement:
    """How good a trained model is: probabilities (N, K), raw and calibrated, thresholds, and the metrics as JSON."""

    raw_NK: Floats
    probs_NK: Floats
    calibration: Calibration
    thresholds: Thresholds
    split_table: pd.DataFrame
    metrics: dict[str, Any]

    @property
    def headline(self) -> dict[str, Any] | None:
        """The metrics of the test split, else those of the validation split, else None."""
        return self.metrics["test"] or self.metrics["validation"]


def finalize(fitted: FittedModel, more: Callable[[], dict[str, Any]] = dict) -> RunFolder:
    """The finished run. ``more`` gives further keys of ``metrics.json`` when all other files are written."""
    job = fitted.split.job
    run, data, result = job.run, fitted.split.data, fitted.result
    judgement = judge(data, result, job.settings, fitted.split.judged_NK)
    _show_split(judgement.split_table, data, job.screen)
    save(run, fitted.split, result, judgement)
    for name, png in draw(data, result, judgement, run.load_history()).items():
        run.save_plot(name, png)
    names = data.vocabulary.labels
    run.save_card(
        model_card(judgement.metrics, judgement.thresholds, job.settings, names, fitted.split.images, run.path)
    )
    run.finish(judgement.metrics | more())
    for note in result.notes:
        job.screen.say(note)
    if shown := judgement.headline:
        where = "test split" if judgement.metrics["test"] else "validation split"
        report(shown, where, job.screen, rest=f"{run.path / 'metrics.json'} has all")
    return run


def judge(data: Material, result: Trained, settings: Settings, judged_NK: NDArray[np.bool_] | None = None) -> Judgement:
    """Calibration and thresholds chosen on out-of-sample probabilities, and metrics of the test and validation split.

    With ``judged_NK`` only those cells of the test split count there.
    """
    labels_NK = data.labels_NK
    raw_NK = sigmoid(result.logits_NK.astype(np.float64))
    choosing = result.choosing_N
    structure = _structure(data, settings)
    calibration = fit_calibration(labels_NK[choosing], raw_NK[choosing], structure.groups, seed=settings.seed)
    probs_NK = calibration.apply(raw_NK)
    thresholds = choose_thresholds(
        labels_NK[choosing],
        probs_NK[choosing],
        settings.threshold.aim,
        min_positives=settings.threshold.min_positives,
        seed=settings.seed,
    )
    judging_NK = _judging_cells(data, judged_NK)
    names = data.vocabulary.labels

    def metrics_of(split: str) -> dict[str, Any] | None:
        rows = data.split_N == split
        if not rows.any():
            return None
        shared = thresholds.shared
        return evaluate(
            judging_NK[rows], probs_NK[rows], thresholds.values_K, names, structure, shared=shared, seed=settings.seed
        )

    table = split_table(labels_NK, data.split_N, names)
    metrics: dict[str, Any] = {
        "test": metrics_of("test"),
        "validation": metrics_of("val"),
        "validation_map": {name: score if np.isfinite(score) else None for name, score in result.scores.items()},
        "notes": result.notes,
        "split": table.to_dict("records"),
    }
    if code := report_of(result.model.head, names):
        metrics["code"] = code
    return Judgement(raw_NK, probs_NK, calibration, thresholds, table, metrics)


def draw(data: Material, result: Trained, judgement: Judgement, history: pd.DataFrame) -> dict[str, bytes]:
    """The plots of a run as PNG, by name: of the test split, or where there is none of the images that chose."""
    test = data.split_N == "test"
    shown = test if test.any() else result.choosing_N
    labels_NK, names = data.labels_NK, data.vocabulary.labels
    probs_NK, headline = judgement.probs_NK, judgement.headline
    plots = {
        "precision_recall": precision_recall(labels_NK[shown], probs_NK[shown], names, judgement.thresholds.values_K),
        "learning_curves": learning_curves(history),
        "reliability": reliability(labels_NK[shown], judgement.raw_NK[shown], probs_NK[shown]),
        "cooccurrence": cooccurrence(labels_NK, names),
        "per_label": per_label_bars((headline or {"per_label": {}})["per_label"]),
    }
    for number, row in enumerate((headline or {}).get("groups", {}).values(), start=1):
        plots[f"group_{number}"] = confusion_plot(row["confusion"])
    if code := judgement.metrics.get("code"):
        plots["code"] = code_picture(np.array(code["code"]), names)
    return plots


def save(run: RunFolder, split: SplitImages, result: Trained, judgement: Judgement) -> None:
    """The model and every array of the run; whole files, in any order."""
    data = split.data
    names = data.vocabulary.labels
    if split.judged_NK is not None:
        run.save_judged(split.judged_NK, names)
    with replacing(run.model_path) as temporary:
        save_model(result.model, temporary)
    run.save_images(split.images.assign(embedder=result.embedder_N))
    run.save_cells(data.labels_NK, names)
    run.save_decision_rule(judgement.thresholds, judgement.calibration, names)
    run.save_oof(judgement.probs_NK, data.fold_N)
    run.save_embeddings(result.embeddings_ND)
    if data.features is not None and len(data.features.views_VND) > 1:
        run.save_views(data.features.views_VND)
    run.save_dynamics(result.dynamics.mean_NK, result.dynamics.spread_NK)
    run.save_history(result.history)


def tell_done(fitted: FittedModel) -> None:
    """How long it took, and where the model card is, on the screen."""
    job = fitted.split.job
    job.screen.say(f"Done in {minutes(monotonic() - job.started)}. Model card: {job.run.card_path}")


def _structure(data: Material, settings: Settings) -> Structure:
    """The groups and rules that decisions keep to; what a group's images always have is read off all but the test."""
    known: Vocabulary = data.vocabulary
    always = always_one(data.labels_NK[data.split_N != "test"], known.labels, known.groups)
    return structure_of(known.labels, known.groups, known.rules, always=always, enforce=settings.rules.enforce)


def _judging_cells(data: Material, judged_NK: NDArray[np.bool_] | None) -> Cells:
    """The cells (N, K) that metrics count: all, or of the test split only the judged ones."""
    if judged_NK is None:
        return data.labels_NK
    test = data.split_N == "test"
    return np.where(judged_NK | ~test[:, None], data.labels_NK, np.int8(UNKNOWN))


def _show_split(table: pd.DataFrame, data: Material, screen: Screen) -> None:
    worst = table.sort_values("largest_difference").iloc[-1]
    splits = ("train", "val", "test")
    sizes = ", ".join(f"{(data.split_N == split).sum():,} {split}" for split in splits)
    least = ", ".join(f"{worst.get(split, 0):,}" for split in splits)
    screen.say(f"Split: {sizes}. Least even: {worst['label']!r}, on {least} images of these.")
