"""Features of photos that look different since the previous run: computed anew, the others stay as they are.

A photo that was rotated by its flag is the same photo, with the same decisions, and is shown another way round. So is
one that was edited and accepted. Only files with other bytes are decoded; features are computed for those whose
fingerprint has changed, or whose former fingerprint is not known (a run of an earlier version).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import Indices
from tagger.batches import ImageBatch, ImageFiles, fingerprint, make_loader
from tagger.commands.steps.kept_backbone import kept_backbone
from tagger.commands.steps.training_steps import LoadedImages
from tagger.model import with_grid
from tagger.runs import LocatedRun
from tagger.text import counted
from tagger.training.device import pick_precision
from tagger.training.features import Features
from tagger.training.inference import run_batches


@dataclass(frozen=True)
class ShownPhotos:
    """Rows of photos that look different than at the previous run, and the fingerprints of all, if they are known."""

    rows: Indices
    fingerprints: NDArray[np.uint8] | None


def find_shown_differently(read: LoadedImages, previous: LocatedRun) -> ShownPhotos:
    """The photos whose pixels, as they are shown, are others than before."""
    before = previous.load_fingerprints()
    rows = np.array(previous.changed_rows, dtype=np.int64)
    if not len(rows):
        return ShownPhotos(rows, before)
    now = np.zeros((len(rows), 0 if before is None else before.shape[1]), np.uint8)
    differs = np.ones(len(rows), dtype=bool)
    for batch in _batches(read, read.whole_files, rows, "comparing photos"):
        thumbs, colours = fingerprint(batch.images_BCHW, padded=read.files.fit == "pad")
        at = np.searchsorted(rows, batch.indices_B.numpy())
        if before is not None:
            now[at] = np.concatenate([thumbs.reshape(len(thumbs), -1), colours], axis=1)
            differs[at] = (now[at] != before[rows[at]]).any(axis=1)
        differs[at] &= [reason is None for reason in batch.reasons]  # what cannot be read keeps what it had
    rows, now = rows[differs], now[differs]
    if before is not None and len(rows):
        before = np.array(before)
        before[rows] = now
    return ShownPhotos(rows, before)


def refresh_features(
    features: Features, shown: ShownPhotos, read: LoadedImages, previous: LocatedRun
) -> Features:
    """The features, with those of photos that look different computed anew, by the backbone of all others."""
    if not len(shown.rows):
        return features
    job = read.job
    settings = job.settings
    device = job.accelerator.device
    backbone = with_grid(kept_backbone(previous, settings), settings).to(device).eval()
    views_VND = np.array(features.views_VND)
    for outputs in run_batches(
        backbone,
        _batches(read, read.files, shown.rows, "features"),
        device=device,
        precision=pick_precision(settings),
        tta_hflip=len(views_VND) > 1,
    ):
        views_VND[:, outputs.indices_B] = outputs.outputs_VBX
    verb = "looks" if len(shown.rows) == 1 else "look"
    job.screen.say(
        f"{counted(len(shown.rows), 'photo')} {verb} different than at the last training (rotated or edited):"
        " features computed anew."
    )
    return Features(views_VND, features.unreadable)


def _batches(read: LoadedImages, files: ImageFiles, rows: Indices, what: str) -> Iterable[ImageBatch]:
    settings = read.job.settings
    batches = make_loader(
        files, rows, batch_size=settings.train.batch_size, workers=settings.image.num_workers
    )
    return read.job.screen.track(batches, what)
