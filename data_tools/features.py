"""Image features of a run's network: the stored ones if the run has them all, else computed."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tagger.errors import Problem
from tagger.progress import Track, no_track
from tagger.runs import find_run

FeaturesAndProblems = tuple[NDArray[np.float16], list[Problem]]


def features_of(
    run: str | Path | None,
    root: str | Path,
    files: Sequence[str],
    hashes: Sequence[str],
    *,
    track: Track = no_track,
) -> FeaturesAndProblems:
    """(features_ND, problems): float16, the mean over the run's views; zeros for an image that cannot be read.

    A run stores the features of its own images. They are used if they cover all ``hashes`` and come from one
    network; otherwise the run's model computes all features (loads torch). ``run`` as for ``tagger.load``.
    """
    folder = find_run(run)
    rows = stored_rows(folder.load_images(), hashes)
    if rows is not None:
        return np.asarray(folder.load_embeddings()[rows]), []
    from tagger.commands.serving.predictor import load

    tagger = load(folder)
    return compute_features(
        tagger.model.features, tagger.settings, root, files, device=tagger.device, track=track
    )


def stored_rows(images: pd.DataFrame, hashes: Sequence[str]) -> NDArray[np.int64] | None:
    """The row of each hash in a run's table; None if one is missing, or if several networks made the features.

    >>> images = pd.DataFrame({"hash": ["x", "y"], "embedder": [0, 0]})
    >>> stored_rows(images, ["y", "y"]).tolist(), stored_rows(images, ["z"])
    ([1, 1], None)
    """
    row = {digest: n for n, digest in enumerate(images["hash"])}
    if not set(hashes) <= row.keys():
        return None
    rows = np.array([row[digest] for digest in hashes], dtype=np.int64)
    several = "embedder" in images and images["embedder"].iloc[rows].nunique() > 1
    return None if several else rows


def compute_features(
    call: Any,
    settings: Any,
    root: str | Path,
    files: Sequence[str],
    *,
    device: Any,
    track: Track = no_track,
) -> FeaturesAndProblems:
    """Features of every image by ``call`` (tensors to (B, D)), in a temporary file: memory is that of a batch."""
    from tagger.batches import ImageFiles, make_loader
    from tagger.training.inference import run_batches

    images = ImageFiles(root, files, size=settings.input_size, fit=settings.image.fit)
    loader = make_loader(images, range(len(files)), batch_size=settings.train.batch_size)
    features_ND = np.zeros((len(files), 0), np.float16)
    problems = []
    batches: Any = track(loader, "Embedding images")
    for outputs in run_batches(call, batches, device=device, tta_hflip=settings.image.tta_hflip):
        mean_BD = outputs.outputs_VBX.mean(0)
        if not features_ND.shape[1]:
            with tempfile.TemporaryFile() as file:  # the map outlives it
                features_ND = np.memmap(file, np.float16, "w+", shape=(len(files), mean_BD.shape[1]))
        for n, reason, vector_D in zip(outputs.indices_B.tolist(), outputs.reasons, mean_BD, strict=True):
            features_ND[n] = 0 if reason else vector_D
            problems += [Problem(files[n], None, reason)] if reason else []
    return features_ND, problems
