"""Add LSTMs over the last frames to a model whose backbone stays frozen, if they are better out of fold."""

from dataclasses import replace

import numpy as np
import torch

from tagger.arrays import Floats, Indices
from tagger.config import Settings
from tagger.model import TagModel, new_sequences
from tagger.progress import Track
from tagger.scoring import mean_average_precision
from tagger.training.head.cross_fit import CrossFittedHeads
from tagger.training.head.cross_fit_sequences import cross_fit_sequences, raw_scores
from tagger.training.head.sequence_batches import SequenceFeatures
from tagger.training.head.train_sequence import sequence_scores
from tagger.training.training_data import TrainingData, TrainingResult


def add_sequences(
    frozen: TrainingResult, heads: CrossFittedHeads, data: TrainingData, settings: Settings, track: Track
) -> TrainingResult:
    """The result with LSTMs; the frame model alone, with a note, where they do not beat it out of fold.

    Either way the result has the logits of both, and its history the LSTMs' rows.
    """
    fitted = cross_fit_sequences(data, heads, settings, track=track)
    before = frozen.model
    model = TagModel(
        before.backbone, before.head, None, new_sequences(fitted.members, before.backbone, settings)
    ).eval()
    logits_NK = fitted.logits_NK.copy()
    test = data.rows("test")
    if len(test):
        logits_NK[test] = _logits(model, data, test)
    scores = {
        name: _score(data, of_NK) for name, of_NK in (("heads", frozen.logits_NK), ("sequence", logits_NK))
    }
    found = replace(
        frozen,
        scores=scores,
        history=frozen.history + fitted.history,
        frame_logits_NK=frozen.logits_NK,
        sequence_logits_NK=logits_NK,
    )
    if scores["sequence"] < scores["heads"]:
        return replace(found, notes=[*frozen.notes, _no_better(scores)])
    return replace(found, model=model, logits_NK=logits_NK)


def _logits(model: TagModel, data: TrainingData, rows: Indices) -> Floats:
    """Logits (rows, K) of the whole model, the mean over the views."""
    assert data.features is not None
    assert data.frames is not None
    assert model.sequences is not None
    features = SequenceFeatures.of(data.features.sequence_VNS, data.frames, model.sequences.length)
    scores_VRK = sequence_scores(model.sequences, features, rows)
    with torch.inference_mode():
        raw_VRK = raw_scores(model.head, data, rows) + scores_VRK
        return model.head.to_logits(raw_VRK.flatten(0, 1)).view(raw_VRK.shape).mean(0).numpy()


def _score(data: TrainingData, logits_NK: Floats) -> float:
    """mAP on the images of train and val; NaN if undefined."""
    rows = data.rows("train", "val")
    rows = rows[np.isfinite(logits_NK[rows]).all(1)]
    return mean_average_precision(data.labels_NK[rows], logits_NK[rows])


def _no_better(scores: dict[str, float]) -> str:
    return (
        "The frames before did not help: out of fold the LSTMs gave mAP"
        f" {scores['sequence']:.3f}, single frames {scores['heads']:.3f}. The model goes by single frames."
    )
