"""``tagger evaluate``: how good is a run on other labelled images?"""

from pathlib import Path
from typing import Any

import numpy as np

from tagger.arrays import UNKNOWN, Cells
from tagger.commands.reading import read_with_progress
from tagger.commands.screen import Screen
from tagger.commands.tagger_model import load
from tagger.data import Dataset
from tagger.errors import TaggerError, did_you_mean
from tagger.runs import RunFolder
from tagger.scoring import evaluate as evaluate_arrays


def evaluate(
    data: str | Path,
    run: str | Path | RunFolder | None = None,
    *,
    labels: str | Path | None = None,
    screen: Screen | None = None,
) -> dict[str, Any]:
    """Metrics (``tagger.scoring.evaluate``) of a run on the labelled images in ``data``, with the run's thresholds.

    Labels go by name: those that the data lacks are unknown there, those that the run lacks are left out; both are
    said. ``"unreadable"`` lists images that could not be read. TaggerError if the two have no label in common.
    """
    screen = screen or Screen(quiet=True)
    tagger = load(run, screen=screen)
    dataset = read_with_progress(data, labels, reading=tagger.settings.data, track=screen.track)
    screen.say(dataset.source)
    screen.few(dataset.problems)
    labels_NK = match_labels(dataset, tagger.labels, screen)
    tagged = tagger.tag(dataset.root, dataset.images["file"].tolist())
    rows = np.setdiff1d(np.arange(len(labels_NK)), list(tagged.reasons)).astype(np.int64)
    if not len(rows):
        raise TaggerError(f"{data}: none of its {len(labels_NK)} images can be read.")
    result = evaluate_arrays(
        labels_NK[rows],
        tagged.probs_NK[rows],
        tagger.thresholds.values_K,
        tagger.labels,
        tagger.structure,
        shared=tagger.thresholds.shared,
        seed=tagger.settings.seed,
    )
    unreadable = {problem.file: problem.reason for problem in dataset.unreadable}
    unreadable |= {tagged.files[row]: reason for row, reason in sorted(tagged.reasons.items())}
    return result | {"unreadable": unreadable}


def match_labels(dataset: Dataset, names: tuple[str, ...], screen: Screen) -> Cells:
    """The data's cells (N, K) in the run's order of labels."""
    place = {name: k for k, name in enumerate(dataset.labels)}
    common = [name for name in names if name in place]
    if not common:
        hint = next((h for name in dataset.labels if (h := did_you_mean(name, names))), "")
        raise TaggerError(
            f"{dataset.root} and the run have no label in common.{hint}"
            f" The run knows: {', '.join(names[:10])}{' ...' if len(names) > 10 else ''}"
        )
    if missing := [name for name in names if name not in place]:
        screen.say(f"Not in the data, so not judged: {', '.join(missing)}")
    if extra := [name for name in dataset.labels if name not in names]:
        screen.say(f"Not known to the run, so left out: {', '.join(extra)}")
    labels_NK = np.full((len(dataset.labels_NK), len(names)), UNKNOWN, dtype=np.int8)
    for k, name in enumerate(names):
        if name in place:
            labels_NK[:, k] = dataset.labels_NK[:, place[name]]
    return labels_NK
