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

from tagger.arrays import UNKNOWN, Cells, Floats, Indices, labels_with_both_sides, sigmoid
from tagger.commands.console.metrics_report import report
from tagger.commands.console.screen import Screen
from tagger.commands.steps.number_report import number_report, tell_numbers, with_number_thresholds
from tagger.commands.steps.related_photos import sets_of
from tagger.commands.steps.sequence_metrics import sequence_metrics, tell_sequences
from tagger.commands.steps.settle_choice import keep_run_in_use, settle_choice
from tagger.commands.steps.training_steps import FittedModel, SplitImages
from tagger.config import Settings
from tagger.data import Vocabulary, split_table
from tagger.heads import head_code_report
from tagger.model import save_model
from tagger.regularisers.orthoreg import filter_angles
from tagger.runs import RunFolder, atomic_write
from tagger.runs.report.angle_plot import plot_filter_angles
from tagger.runs.report.code_plot import plot_code
from tagger.runs.report.confusion_matrix import plot_confusion_matrix
from tagger.runs.report.model_card import model_card
from tagger.runs.report.plots import (
    plot_cooccurrence,
    plot_learning_curves,
    plot_per_label,
    plot_precision_recall,
    plot_reliability,
)
from tagger.scoring import (
    Calibration,
    LabelConstraints,
    Thresholds,
    always_labelled_groups,
    build_constraints,
    choose_thresholds,
    evaluate,
    fit_calibration,
    fold_metrics,
)
from tagger.text import minutes
from tagger.training.training_data import TrainingData, TrainingResult


@dataclass(frozen=True)
class Judgement:
    """Evaluation of a trained model: probabilities (N, K), raw and calibrated, thresholds, metrics as JSON."""

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


def finalize(fitted: FittedModel, extra_metrics: Callable[[], dict[str, Any]] = dict) -> RunFolder:
    """The finished run. ``extra_metrics`` gives further keys of ``metrics.json``, after all other files."""
    job = fitted.split.job
    run = job.run
    data = fitted.split.data
    result = fitted.result
    related_N = sets_of(fitted.split.images)
    judgement = judge(data, result, job.settings, fitted.split.eval_mask_NK, related_N)
    _show_split(judgement.split_table, data, job.screen)
    save(run, fitted.split, result, judgement)
    for name, png in draw(data, result, judgement, run.load_history()).items():
        run.save_plot(name, png)
    names = data.vocabulary.labels
    run.save_card(
        model_card(
            judgement.metrics, judgement.thresholds, job.settings, names, fitted.split.images, run.path
        )
    )
    metrics = judgement.metrics | extra_metrics()
    keep_run_in_use(run, job.screen)
    run.finish(metrics)
    for note in judgement.metrics["notes"]:
        job.screen.say(note)
    if shown := judgement.headline:
        where = "test split" if judgement.metrics["test"] else "validation split"
        report(shown, where, job.screen, rest=f"{run.path / 'metrics.json'} has all")
    tell_numbers(judgement.metrics, job.screen)
    tell_sequences(judgement.metrics, job.screen)
    return run


def judge(
    data: TrainingData,
    result: TrainingResult,
    settings: Settings,
    eval_mask_NK: NDArray[np.bool_] | None = None,
    related_N: Indices | None = None,
) -> Judgement:
    """Calibration and thresholds chosen on out-of-sample probabilities, and metrics of the test and validation
    split.

    With ``eval_mask_NK`` only those cells of the test split count there.
    """
    labels_NK = data.labels_NK
    raw_NK = sigmoid(result.logits_NK.astype(np.float64))
    choosing = result.threshold_rows_N
    constraints = _constraints(data, settings)
    decidable_K = labels_with_both_sides(labels_NK[data.split_N != "test"])
    calibration = fit_calibration(
        labels_NK[choosing],
        raw_NK[choosing],
        constraints.groups,
        decidable_K=decidable_K,
        seed=settings.seed,
    )
    probs_NK = calibration.apply(raw_NK)
    rule = settings.threshold
    thresholds = choose_thresholds(
        labels_NK[choosing],
        probs_NK[choosing],
        rule.objective,
        decidable_K=decidable_K,
        min_positives=rule.min_positives,
        pooled_loss=rule.pooled_loss,
        seed=settings.seed,
    )
    thresholds = with_number_thresholds(thresholds, data, calibration, data.vocabulary.labels)
    eval_labels_NK = _eval_labels(data, eval_mask_NK)
    names = data.vocabulary.labels

    def metrics_of(split: str) -> dict[str, Any] | None:
        rows = data.split_N == split
        if not rows.any():
            return None
        return evaluate(
            eval_labels_NK[rows], probs_NK[rows], thresholds.values_K, names, constraints,
            shared=thresholds.shared, seed=settings.seed, related_N=None if related_N is None else related_N[rows],
        )  # fmt: skip

    table = split_table(labels_NK, data.split_N, names)
    finite = {name: score if np.isfinite(score) else None for name, score in result.scores.items()}
    metrics: dict[str, Any] = {
        "test": metrics_of("test"),
        "validation": metrics_of("val"),
        "validation_map": finite,
        "folds": _fold_metrics(eval_labels_NK, probs_NK, thresholds.values_K, data.fold_N, constraints),
        "notes": [*result.notes, *filter(None, [thresholds.never_chosen_note(names), thresholds.note])],
        "split": table.to_dict("records"),
    }
    if data.numbers is not None:
        metrics["numbers"] = number_report(data, result)
    if result.frame_logits_NK is not None:
        metrics["sequence"] = sequence_metrics(data, result, settings)
    if code := head_code_report(result.model.head, names):
        metrics["code"] = code
    if (chosen := settings.regularisers.get("orthoreg")) is not None:
        metrics["filter_angles"] = filter_angles(result.model, chosen.get("layers", "all"))
    return Judgement(raw_NK, probs_NK, calibration, thresholds, table, metrics)


def draw(
    data: TrainingData, result: TrainingResult, judgement: Judgement, history: pd.DataFrame
) -> dict[str, bytes]:
    """The plots of a run as PNG, by name: of the test split, else of the images used to choose thresholds."""
    test = data.split_N == "test"
    shown = test if test.any() else result.threshold_rows_N
    labels_NK = data.labels_NK
    names = data.vocabulary.labels
    probs_NK = judgement.probs_NK
    headline = judgement.headline
    plots = {
        "precision_recall": plot_precision_recall(
            labels_NK[shown], probs_NK[shown], names, judgement.thresholds.values_K
        ),
        "learning_curves": plot_learning_curves(history),
        "reliability": plot_reliability(labels_NK[shown], judgement.raw_NK[shown], probs_NK[shown]),
        "cooccurrence": plot_cooccurrence(labels_NK, names),
        "per_label": plot_per_label((headline or {"per_label": {}})["per_label"]),
    }
    for number, row in enumerate((headline or {}).get("groups", {}).values(), start=1):
        plots[f"group_{number}"] = plot_confusion_matrix(row["confusion"])
    if code := judgement.metrics.get("code"):
        plots["code"] = plot_code(np.array(code["code"]), names)
    if "filter_angles" in judgement.metrics:
        plots["filter_angles"] = plot_filter_angles(judgement.metrics["filter_angles"])
    return plots


def save(run: RunFolder, split: SplitImages, result: TrainingResult, judgement: Judgement) -> None:
    """The model and every array of the run; whole files, in any order."""
    data = split.data
    names = data.vocabulary.labels
    if split.eval_mask_NK is not None:
        run.save_eval_mask(split.eval_mask_NK, names)
    with atomic_write(run.model_path) as temporary:
        save_model(result.model, temporary)
    run.save_images(split.images.assign(embedder=result.feature_source_N))
    run.save_cells(data.labels_NK, names)
    run.save_decision_rule(judgement.thresholds, judgement.calibration, names)
    run.save_oof(judgement.probs_NK, data.fold_N)
    run.save_embeddings(result.embeddings_ND)
    if (kept := data.features) is not None and (len(kept.views_VND) > 1 or kept.num_pooled):
        run.save_views(kept.views_VND)
    run.save_dynamics(result.dynamics.mean_NK, result.dynamics.std_NK)
    run.save_history(result.history)


def end_training(fitted: FittedModel) -> None:
    """Settle which run is chosen; show the time taken, and where the model card is."""
    job = fitted.split.job
    settle_choice(job.run, job.screen)
    job.screen.say(f"Done in {minutes(monotonic() - job.started)}. Model card: {job.run.card_path}")


def _constraints(data: TrainingData, settings: Settings) -> LabelConstraints:
    """The groups and rules that decisions keep to; all images but the test show what a group always has."""
    known: Vocabulary = data.vocabulary
    always = always_labelled_groups(data.labels_NK[data.split_N != "test"], known.labels, known.groups)
    return build_constraints(
        known.labels, known.groups, known.rules, always=always, enforce=settings.rules.enforce
    )


def _fold_metrics(
    labels_NK: Cells, probs_NK: Floats, thresholds_K: Floats, fold_N: Indices, constraints: LabelConstraints
) -> dict[str, Any]:
    """Metrics of each fold, of the images that have out-of-fold probabilities."""
    known_N = ~np.isnan(probs_NK).any(axis=1) & (fold_N >= 0)
    return fold_metrics(labels_NK[known_N], probs_NK[known_N], thresholds_K, fold_N[known_N], constraints)


def _eval_labels(data: TrainingData, eval_mask_NK: NDArray[np.bool_] | None) -> Cells:
    """The cells (N, K) that metrics count: all, or in the test split only those of the mask."""
    if eval_mask_NK is None:
        return data.labels_NK
    test = data.split_N == "test"
    return np.where(eval_mask_NK | ~test[:, None], data.labels_NK, np.int8(UNKNOWN))


def _show_split(table: pd.DataFrame, data: TrainingData, screen: Screen) -> None:
    worst = table.sort_values("largest_difference").iloc[-1]
    splits = ("train", "val", "test")
    sizes = ", ".join(f"{(data.split_N == split).sum():,} {split}" for split in splits)
    least = ", ".join(f"{worst.get(split, 0):,}" for split in splits)
    screen.say(f"Split: {sizes} photos. The label split least evenly is {worst['label']!r}: {least}.")
