"""``tagger predict PHOTO``: the label probabilities of one photo, shown instead of written."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from tagger.commands.console.screen import Screen
from tagger.commands.serving.predictor import load
from tagger.errors import TaggerError

NUM_SHOWN = 10  # labels shown, and all that were chosen


class LabelPrediction(NamedTuple):
    """A label, its calibrated probability, the threshold it has to reach, and whether it was chosen."""

    label: str
    probability: float
    threshold: float
    chosen: bool


def predict_one(
    photo: str | Path,
    *,
    run: str | Path | None = None,
    thresholds: str | None = None,
    landmarks: str | Path | None = None,
    screen: Screen | None = None,
) -> list[LabelPrediction]:
    """Tags of one photo, the most probable first: those that were chosen and others, ``NUM_SHOWN`` in all at
    least.

    TaggerError if it cannot be read. ``thresholds`` names a set that was saved in the review app, ``landmarks`` those
    of the photo.
    """
    photo = Path(photo)
    predictor = load(run, thresholds=thresholds, landmarks=landmarks, screen=screen)
    predictions = predictor.predict_probs(photo.parent, [photo.name])
    if predictions.reasons:
        raise TaggerError(f"{photo}: {predictions.reasons[0]}")
    (chosen,) = predictor.chosen_labels(predictions.probs_NK)
    probs_K = predictions.probs_NK[0]
    thresholds_K = predictor.thresholds.values_K
    tags = [
        LabelPrediction(
            predictor.labels[k], float(probs_K[k]), float(thresholds_K[k]), predictor.labels[k] in chosen
        )
        for k in np.argsort(-probs_K, kind="stable")
    ]
    return [tag for rank, tag in enumerate(tags) if tag.chosen or rank < NUM_SHOWN]
