"""Steps of a training that aligns photos: landmarks are read, the mean shape is fitted, pixels are read aligned.

The mean shape is that of the training photos, so the split comes first. Copies of photos, by which it is made, are
found on whole photos: one more pass reads these, and the split is the one of a training without alignment.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from tagger.arrays import Floats, Indices
from tagger.batches import (
    AlignedPhotos,
    ImageFiles,
    check_readable,
    fits_cache,
    make_loader,
    open_cache,
    write_cache,
)
from tagger.commands.console.screen import Screen
from tagger.commands.steps.feature_pass import compute_features
from tagger.commands.steps.training_steps import (
    LoadedImages,
    ScannedImages,
    SplitImages,
    TrainingJob,
    keep_alignment,
    select_features,
)
from tagger.config import Settings
from tagger.data.images.alignment import Alignment
from tagger.data.landmarks.landmark_set import NO_LANDMARKS, Landmarks, read_landmarks
from tagger.data.landmarks.procrustes import has_shape, mean_shape
from tagger.data.landmarks.rigid_points import used_points
from tagger.errors import Problem, TaggerError
from tagger.runs import Checkpoint, RunFolder
from tagger.setting_sections import AlignSettings
from tagger.text import counted
from tagger.training.check_parts import begins_with_features
from tagger.training.features import Features


def new_alignment(settings: AlignSettings, mean_P2: Floats, num_photos: int) -> Alignment:
    """The alignment onto a mean shape. TaggerError if its points span no area that a warp could fill."""
    used = used_points(len(mean_P2), settings.mode, settings.points)
    alignment = Alignment(mean_P2, settings.mode, settings.margin, used, num_photos)
    try:
        alignment.check()
    except ValueError as error:
        raise TaggerError(f"align.mode = warp: {error}. Use align.mode=crop.") from None
    return alignment


def load_alignment(run: RunFolder, settings: Settings) -> Alignment | None:
    """How a finished run aligns photos; None if it does not."""
    return new_alignment(settings.align, *run.load_mean_shape()) if settings.align.landmarks else None


def read_own_landmarks(settings: Settings, files: list[str]) -> Landmarks | None:
    """The landmarks that ``align.landmarks`` names, of the photos of a data set; None if photos are not aligned."""
    if not settings.align.landmarks:
        return None
    found = read_landmarks(settings.align.landmarks, settings.data.path, files)
    used_points(found.points_NP2.shape[1], settings.align.mode, settings.align.points)
    return found


def save_own_landmarks(
    checkpoint: Checkpoint, found: Landmarks, files: list[str], settings: Settings, screen: Screen
) -> None:
    """Keep the landmarks for the training, and say what was read and which photos have none."""
    unaligned = [Problem(files[row], None, reason) for row, reason in sorted(found.reasons.items())]
    checkpoint.save_landmarks(found.points_NP2, unaligned)
    for note in found.notes:
        screen.say(note)
    tell_unaligned(unaligned, settings, screen)


def tell_unaligned(unaligned: Sequence[Problem], settings: Settings, screen: Screen) -> None:
    """List the photos without landmarks, and what becomes of them."""
    if unaligned:
        whole = "used whole, unaligned (align.missing=skip leaves them out)"
        become = "left out" if settings.align.missing == "skip" else whole
        screen.say(f"{counted(len(unaligned), 'photo')} without landmarks: {become}:")
        screen.say_list(unaligned)


def without_landmarks(read: LoadedImages) -> dict[int, str]:
    """Row -> reason of photos that are left out because they have no landmarks."""
    align = read.job.settings.align
    if not align.landmarks or align.missing == "whole":
        return {}
    checkpoint = read.job.run.checkpoint
    if not checkpoint.has_landmarks:  # a retraining on the run's own photos
        return {}
    reasons = {problem.file: problem.reason for problem in checkpoint.load_unaligned()}
    rows = np.flatnonzero(~has_shape(checkpoint.load_landmarks())).tolist()
    files = read.images["file"]
    return {row: f"no landmarks: {reasons.get(files[row], 'none are known')}" for row in rows}


def align_pixels(read: LoadedImages, scanned: ScannedImages, divided: SplitImages) -> SplitImages:
    """The images with aligned pixels, and features of these, once the mean shape of the training photos is fitted."""
    job = read.job
    points_NP2 = job.run.checkpoint.load_landmarks()[scanned.rows]
    training_N = (divided.data.split_N == "train") & has_shape(points_NP2)
    mean_P2 = mean_shape(points_NP2[training_N])
    alignment = new_alignment(job.settings.align, mean_P2, int(training_N.sum()))
    aligned = AlignedPhotos(alignment, points_NP2, skips=job.settings.align.missing == "skip")
    keep_alignment(job.run, aligned, divided.images["file"].tolist(), job.run.checkpoint.load_unaligned())
    files = read.files.take(scanned.rows).with_alignment(aligned)
    features = _read_aligned(read, files)
    rows = np.arange(len(files))
    images = open_cache(files, rows, job.run.checkpoint.pixels_path)
    return replace(divided, data=replace(divided.data, images=images, features=features))


def _read_aligned(read: LoadedImages, files: ImageFiles) -> Features | None:
    """Features of the aligned pixels where they are needed; the pixels are written to the cache if they fit it."""
    job = read.job
    settings = job.settings
    first = begins_with_features(settings)
    cached = bool(settings.train.epochs) and fits_cache(files, settings.image.cache)
    if not first and not cached:
        return None
    loader = make_loader(
        files, np.arange(len(files)), batch_size=settings.train.batch_size, workers=settings.image.num_workers
    )
    batches = (check_readable(batch, files.files) for batch in job.screen.track(loader, "aligned photos"))
    tracked = write_cache(batches, files, job.run.checkpoint.pixels_path) if cached else batches
    if first:
        features = compute_features(read, files, tracked)
        return select_features(features, np.arange(len(files)), settings)

    def write_all() -> dict[int, str]:
        for _ in tracked:
            pass
        return {}

    job.run.checkpoint.aligned_rows(write_all)
    return None


def previous_alignment(previous: RunFolder, settings: Settings) -> AlignedPhotos | None:
    """The alignment of a run's own photos: its landmarks and its mean shape; None if it does not align."""
    alignment = load_alignment(previous, settings)
    if alignment is None:
        return None
    return AlignedPhotos(
        alignment, np.array(previous.load_landmarks()), skips=settings.align.missing == "skip"
    )


def grown_alignment(
    job: TrainingJob, previous: RunFolder, images: pd.DataFrame, row_N: Indices
) -> AlignedPhotos | None:
    """The alignment of photos as they are now: those of the run with its landmarks, new ones with those read anew."""
    before = previous_alignment(previous, job.settings)
    if before is None:
        return None
    checkpoint = job.run.checkpoint
    if not checkpoint.has_landmarks:
        points_NP2 = np.where((row_N >= 0)[:, None, None], before.points_NP2[row_N], np.float32(np.nan))
        new = np.flatnonzero(row_N < 0)
        files = images["file"].to_numpy(dtype=object)[new].tolist()
        points_NP2[new], unaligned = _new_landmarks(job, files, before.points_NP2.shape[1])
        checkpoint.save_landmarks(points_NP2, unaligned)
    return replace(before, points_NP2=np.array(checkpoint.load_landmarks()))


def _new_landmarks(job: TrainingJob, files: list[str], num_points: int) -> tuple[Floats, list[Problem]]:
    """(landmarks of new photos, who has none and why); says so. TaggerError if their number of points is another."""
    align = job.settings.align
    points_NP2 = np.full((len(files), num_points, 2), np.nan, np.float32)
    if not files:
        return points_NP2, []
    try:
        found = read_landmarks(align.landmarks, job.settings.data.path, files)
    except TaggerError as error:
        job.screen.say(f"The new photos have no landmarks. {error}")
        return points_NP2, [Problem(file, None, NO_LANDMARKS) for file in files]
    if found.points_NP2.shape[1] != num_points:
        found_points = counted(found.points_NP2.shape[1], "point")
        raise TaggerError(f"{align.landmarks}: {found_points}, and the run was trained with {num_points}.")
    unaligned = [Problem(files[row], None, reason) for row, reason in sorted(found.reasons.items())]
    tell_unaligned(unaligned, job.settings, job.screen)
    return found.points_NP2, unaligned
