"""``tagger predict PHOTO``: one photo's labels, shown instead of written."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from tagger.commands.screen import Screen
from tagger.commands.tagger_model import load
from tagger.errors import TaggerError

MOST = 10  # labels shown, and all that were chosen


class Tag(NamedTuple):
    """A label, its calibrated probability, the threshold it has to reach, and whether it was chosen."""

    label: str
    probability: float
    threshold: float
    chosen: bool


def predict_one(
    photo: str | Path, *, run: str | Path | None = None, thresholds: str | None = None, screen: Screen | None = None
) -> list[Tag]:
    """Tags of one photo, the most probable first: those that were chosen and others, ``MOST`` in all at least.

    TaggerError if it cannot be read. ``thresholds`` names a set that was saved in the review app.
    """
    photo = Path(photo)
    tagger = load(run, thresholds=thresholds, screen=screen)
    tagged = tagger.tag(photo.parent, [photo.name])
    if tagged.reasons:
        raise TaggerError(f"{photo}: {tagged.reasons[0]}")
    (chosen,) = tagger.choose(tagged.probs_NK)
    probs_K, ends_K = tagged.probs_NK[0], tagger.thresholds.values_K
    tags = [
        Tag(tagger.labels[k], float(probs_K[k]), float(ends_K[k]), tagger.labels[k] in chosen)
        for k in np.argsort(-probs_K, kind="stable")
    ]
    return [tag for rank, tag in enumerate(tags) if tag.chosen or rank < MOST]
