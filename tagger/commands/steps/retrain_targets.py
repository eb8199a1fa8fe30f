"""Training targets of a retraining: verified cells as they are, doubted ones by the strategy that validates best."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tagger.commands.steps.retrain_inputs import RetrainInputs
from tagger.commands.steps.training_steps import ScannedImages
from tagger.text import counted
from tagger.training.retraining.noisy_targets import DOUBT_THRESHOLD, NoisyTargets
from tagger.training.targets import TrainingTargets


@dataclass(frozen=True)
class RetrainTargets:
    """Training targets of the cells while some rows are held out, and the strategy for doubted cells, as JSON."""

    targets_without: Callable[[np.ndarray], TrainingTargets]
    strategy: dict[str, Any]


def training_targets(scanned: ScannedImages, inputs: RetrainInputs) -> RetrainTargets:
    """The training targets: verified cells as they are, doubted ones by the strategy that validates best."""
    labels_NK = scanned.labels_NK
    screen = scanned.job.screen
    doubt_NK = inputs.doubt_NK[scanned.rows]
    fold_N = scanned.images["fold"].to_numpy(np.int64)
    weights_NK = np.where(
        inputs.corrected.applied.verified_NK[scanned.rows], inputs.settings.train.verified_weight, 1.0
    )
    num_doubted = int((doubt_NK[fold_N >= 0] >= DOUBT_THRESHOLD).sum())
    if scanned.features is None:  # a trained network has memorised these labels: its features tell nothing
        return RetrainTargets(
            lambda held_out: TrainingTargets.from_labels(labels_NK, None, weights_NK),
            {"way": "trust", "cells": num_doubted},
        )
    views_VND = scanned.features.pooled_VND
    noisy_targets = NoisyTargets(
        views_VND, labels_NK, doubt_NK, weights_NK, fold_N, inputs.settings, scanned.vocabulary
    )
    strategy, scores = noisy_targets.choose_strategy(track=screen.track)
    if scores:
        listed = ", ".join(f"{name} {score:.3f}" for name, score in scores.items())
        screen.say(
            f"{counted(num_doubted, 'label')} still in doubt. Of the ways to treat them, {strategy!r} was best on"
            f" validation photos (mAP: {listed})."
        )
    return RetrainTargets(
        lambda held_out: noisy_targets.targets(strategy, held_out),
        {"way": strategy, "cells": num_doubted, "validation_map": scores},  # the key "way" is historic
    )
