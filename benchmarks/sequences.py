"""What frames in order are worth: gestures of a fingertip, drawn as one point a frame, told from the last 16 frames.

    python benchmarks/sequences.py --out results/sequences.jsonl

The recordings of ``data/gestures`` ($TAGGER_SHARED or ../shared) are drawn by ``data_tools/gestures.py``. All rows
read the same features (a random small network, averaged on a grid) and the same folds, which consist of whole
streams, and are judged out of fold on the frames that have 15 before them:

* last frame: the same network on the frame alone (``sequence.length=1``);
* bag of frames: the same network on the mean of the 16 frames' features;
* sequence: ``sequence.length=16``;
* reversed: the LSTMs of ``sequence`` on windows whose frames are in reverse order.

Intervals are of differences, drawn over streams. About 5 minutes on two cores.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from backbones import SHARED
from numpy.typing import NDArray

import tagger
from data_tools.gestures import draw_gestures
from tagger.commands.console.screen import Screen
from tagger.commands.steps.related_photos import frames_of
from tagger.config import Settings
from tagger.data import Vocabulary
from tagger.data.frame_windows import Frames
from tagger.runs import RunFolder
from tagger.training.features import Features
from tagger.training.head.cross_fit import CrossFittedHeads, cross_fit_heads
from tagger.training.head.cross_fit_sequences import CrossFittedSequences, cross_fit_sequences, raw_scores
from tagger.training.head.sequence_batches import SequenceFeatures
from tagger.training.head.train_sequence import sequence_scores
from tagger.training.training_data import TrainingData

LENGTH = 16
SETS = [
    "image.size=32", "image.tta_hflip=false", "backbone.levels=1", "data.sequence_column=clip",
    "data.frame_column=frame", f"sequence.length={LENGTH}", "sequence.grid=8", "sequence.level=4",
]  # fmt: skip
DRAWS = 2000


def features_of(folder: Path) -> tuple[TrainingData, Settings]:
    """The frames of a run that was trained on the gestures: features, folds, sequences."""
    one = ["sequence.epochs=1", "head_stage.epochs=1"]  # only the features are wanted of it
    run = tagger.train(
        draw_gestures(SHARED / "data/gestures/point_history.csv", folder / "gestures"),
        run=folder / "run", preset="quick", backbone="test_resnet", weights="none", overrides=[*SETS, *one],
        screen=Screen(),
    )  # fmt: skip
    return as_data(run), run.load_settings().model_copy(update=_learning(run.load_settings()))


def _learning(settings: Settings) -> dict[str, object]:
    """The settings of learning as they are without the shortcuts of ``features_of``."""
    usual = Settings()
    sequence = settings.sequence.model_copy(update={"epochs": usual.sequence.epochs})
    return {"sequence": sequence, "head_stage": usual.head_stage}


def as_data(run: RunFolder) -> TrainingData:
    """What a run kept, as its training saw it; all frames are in a fold, as there is no other judge here."""
    images, labels = run.load_images(), run.load_labels()
    features = Features(np.asarray(run.load_views()), {}, run.load_embeddings().shape[1])
    _, fold_N = run.load_oof()
    related = np.unique(images["related"].to_numpy(), return_inverse=True)[1]
    fold_N = np.where(fold_N < 0, related % (int(fold_N.max()) + 1), fold_N)
    vocabulary = Vocabulary(labels, run.load_groups(), run.load_rules())
    return TrainingData(
        None, run.load_cells(), np.full(len(images), "train"), fold_N, features,  # type: ignore[arg-type]
        vocabulary=vocabulary, frames=frames_of(images),
    )  # fmt: skip


def bag_of(data: TrainingData) -> TrainingData:
    """The frames alone, each with the mean of its window's features for its own."""
    assert data.features is not None
    assert data.frames is not None
    windows_NT = data.frames.windows(LENGTH)
    views_VND = data.features.views_VND.astype(np.float32)
    means = [_means(view_ND, windows_NT) for view_ND in views_VND]
    features = Features(np.stack(means).astype(np.float16), {}, data.features.num_pooled)
    return alone(replace(data, features=features))


def _means(view_ND: NDArray[np.float32], windows_NT: NDArray[np.int64]) -> NDArray[np.float32]:
    """The mean of the rows of each window, a few windows at a time."""
    out = np.empty_like(view_ND)
    for start in range(0, len(out), 256):
        rows = windows_NT[start : start + 256]
        seen = (rows >= 0)[:, :, None]
        out[start : start + 256] = (view_ND[rows] * seen).sum(1) / seen.sum(1)
    return out


def alone(data: TrainingData) -> TrainingData:
    """Every frame a sequence of its own."""
    num = len(data.labels_NK)
    return replace(data, frames=Frames(np.arange(num), np.zeros(num, np.int64)))


def fit(data: TrainingData, settings: Settings) -> tuple[CrossFittedHeads, CrossFittedSequences]:
    """Heads and LSTMs, one a fold."""
    assert data.features is not None
    heads = cross_fit_heads(
        data.features.pooled_VND, data.labels_NK, data.fold_N, settings, track=lambda items, _: items,
        vocabulary=data.vocabulary,
    )  # fmt: skip
    return heads, cross_fit_sequences(data, heads, settings, track=lambda items, _: items)


def reversed_logits(
    data: TrainingData, heads: CrossFittedHeads, fitted: CrossFittedSequences, rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Logits (N, K) of the windows of ``rows``, frames in reverse order; the head sees what is now the last frame."""
    assert data.features is not None
    assert data.frames is not None
    found = SequenceFeatures.of(data.features.sequence_VNS, data.frames, LENGTH)
    backwards = replace(found, windows_NT=found.windows_NT[:, ::-1].copy())
    logits_NK = np.full(data.labels_NK.shape, np.nan, np.float32)
    for fold, (head, lstm) in enumerate(zip(heads.heads, fitted.members, strict=True)):
        own = rows[data.fold_N[rows] == fold]
        first = found.windows_NT[own, 0]
        with torch.inference_mode():
            raw_VRK = raw_scores(head, data, first) + sequence_scores(lstm, backwards, own)
            logits_NK[own] = head.to_logits(raw_VRK.flatten(0, 1)).view(raw_VRK.shape).mean(0).numpy()
    return logits_NK


def difference(
    better_R: NDArray[np.bool_], worse_R: NDArray[np.bool_], stream_R: NDArray[np.int64]
) -> list[float]:
    """Difference in accuracy, with its 95 % interval over streams."""
    rng = np.random.default_rng(0)
    gain_R = better_R.astype(float) - worse_R
    _, place_R = np.unique(stream_R, return_inverse=True)
    sums, sizes = np.bincount(place_R, gain_R), np.bincount(place_R)
    drawn = rng.integers(len(sums), size=(DRAWS, len(sums)))
    values = sums[drawn].sum(1) / sizes[drawn].sum(1)
    return [float(gain_R.mean()), *np.percentile(values, [2.5, 97.5]).tolist()]


def measure(folder: Path) -> dict[str, object]:
    """Accuracy of all four, and the differences to the sequence model."""
    data, settings = features_of(folder)
    assert data.frames is not None
    single = settings.model_copy(update={"sequence": settings.sequence.model_copy(update={"length": 1})})
    rows = np.flatnonzero(data.frames.place_N >= LENGTH - 1)
    heads, fitted = fit(data, settings)
    logits = {
        "sequence": fitted.logits_NK,
        "last frame": fit(alone(data), single)[1].logits_NK,
        "bag of frames": fit(bag_of(data), single)[1].logits_NK,
        "reversed": reversed_logits(data, heads, fitted, rows),
    }
    truth_R = data.labels_NK[rows].argmax(1)
    right = {name: of_NK[rows].argmax(1) == truth_R for name, of_NK in logits.items()}
    stream_R = data.frames.sequence_N[rows]
    return {
        "frames": len(rows),
        "accuracy": {name: float(of_R.mean()) for name, of_R in right.items()},
        "sequence less": {
            name: difference(right["sequence"], of_R, stream_R)
            for name, of_R in right.items()
            if name != "sequence"
        },
    }


def main() -> None:
    """Measure, print, and keep a line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, help="a line is added to this file")
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        found = measure(Path(folder))
    print(json.dumps(found, indent=1))
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        with arguments.out.open("a") as file:
            file.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
