"""``tagger evaluate``: the metrics of a run on other labelled images."""

from pathlib import Path
from typing import Any

import numpy as np

from tagger.arrays import UNKNOWN, Cells
from tagger.commands.console.screen import Screen
from tagger.commands.serving.predictor import load
from tagger.commands.steps.dataset_reading import read_with_progress
from tagger.data import Dataset
from tagger.errors import TaggerError, did_you_mean
from tagger.runs import RunFolder
from tagger.scoring import evaluate as evaluate_arrays


def evaluate(
    data: str | Path,
    run: str | Path | RunFolder | None = None,
    *,
    labels: str | Path | None = None,
    landmarks: str | Path | None = None,
    screen: Screen | None = None,
) -> dict[str, Any]:
    """Metrics (``tagger.scoring.evaluation``) of a run on the labelled images in ``data``, with the run's
    thresholds.

    Labels go by name: those that the data lacks are unknown there, those that the run lacks are left out;
    both are said. ``landmarks`` as in ``tagger.load``. ``"unreadable"`` lists images that could not be read.
    TaggerError if the two have no label in common.
    """
    screen = screen or Screen(quiet=True)
    predictor = load(run, landmarks=landmarks, screen=screen)
    dataset = read_with_progress(data, labels, read_options=predictor.settings.data, track=screen.track)
    screen.say(dataset.source)
    screen.say_list(dataset.problems)
    labels_NK = match_labels(dataset, predictor.labels, screen)
    files = dataset.images["file"].tolist()
    predictor.follow(dataset.root, files, labels)
    predictions = predictor.predict_probs(dataset.root, files)
    rows = np.setdiff1d(np.arange(len(labels_NK)), list(predictions.reasons)).astype(np.int64)
    if not len(rows):
        raise TaggerError(f"{data}: none of its {len(labels_NK)} photos can be read.")
    result = evaluate_arrays(
        labels_NK[rows],
        predictions.probs_NK[rows],
        predictor.thresholds.values_K,
        predictor.labels,
        predictor.constraints,
        shared=predictor.thresholds.shared,
        seed=predictor.settings.seed,
    )
    unreadable = {problem.file: problem.reason for problem in dataset.unreadable}
    unreadable |= {predictions.files[row]: reason for row, reason in sorted(predictions.reasons.items())}
    return result | {"unreadable": unreadable}


def match_labels(dataset: Dataset, names: tuple[str, ...], screen: Screen) -> Cells:
    """The data's cells (N, K) in the run's order of labels."""
    column_of = {name: k for k, name in enumerate(dataset.labels)}
    common = [name for name in names if name in column_of]
    if not common:
        hint = next((h for name in dataset.labels if (h := did_you_mean(name, names))), "")
        raise TaggerError(
            f"{dataset.root} and the run have no label in common.{hint}"
            f" The run knows: {', '.join(names[:10])}{' ...' if len(names) > 10 else ''}."
        )
    if missing := [name for name in names if name not in column_of]:
        screen.say(f"Labels that the data lacks, not evaluated: {', '.join(missing)}")
    if extra := [name for name in dataset.labels if name not in names]:
        screen.say(f"Labels that the run does not know, left out: {', '.join(extra)}")
    labels_NK = np.full((len(dataset.labels_NK), len(names)), UNKNOWN, dtype=np.int8)
    for k, name in enumerate(names):
        if name in column_of:
            labels_NK[:, k] = dataset.labels_NK[:, column_of[name]]
    return labels_NK
