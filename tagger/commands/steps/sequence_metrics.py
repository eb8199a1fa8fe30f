"""Scores of frames with and without those before them: for ``metrics.json``, and as one line on the screen."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tagger.commands.console.screen import Screen
from tagger.config import Settings
from tagger.scoring.sequence_comparison import compare_with_frames
from tagger.training.training_data import TrainingData, TrainingResult


def sequence_metrics(data: TrainingData, result: TrainingResult, settings: Settings) -> dict[str, Any]:
    """Scores of single frames and of frames with those before, on the test split, else out of fold."""
    assert result.frame_logits_NK is not None
    assert result.sequence_logits_NK is not None
    rows = data.rows("test")
    where = "the test split" if len(rows) else "train and validation, out of fold"
    rows = rows if len(rows) else np.flatnonzero(data.fold_N >= 0)
    logits = result.frame_logits_NK[rows], result.sequence_logits_NK[rows]
    found = compare_with_frames(data.labels_NK[rows], *logits, data.vocabulary.labels)
    kept = result.model.sequences is not None
    return {"kept": kept, "length": settings.sequence.length, "where": where} | found


def tell_sequences(metrics: Mapping[str, Any], screen: Screen) -> None:
    """What the frames before gave, if there are LSTMs."""
    found = metrics.get("sequence")
    if not found or found["map"]["frame"] is None:
        return
    screen.say(
        f"With up to {found['length'] - 1} frames before each: mAP {found['map']['sequence']:.3f};"
        f" single frames {found['map']['frame']:.3f} ({found['where']})."
    )
