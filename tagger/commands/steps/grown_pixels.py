"""The pixels of a retraining that grows: all photos are read, features are computed of the new ones, parts joined."""

from collections.abc import Collection, Iterable
from dataclasses import replace

import numpy as np
import torch

from tagger.arrays import Bools, Indices
from tagger.batches import (
    ImageBatch,
    fits_cache,
    load_fingerprint_rows,
    load_fingerprints,
    make_loader,
    write_cache,
    write_fingerprints,
)
from tagger.commands.steps.alignment_steps import without_landmarks
from tagger.commands.steps.duplicate_groups import keep_fingerprints, picture_last
from tagger.commands.steps.file_changes import find_changed_while_reading
from tagger.commands.steps.grown_photos import GrownPhotos
from tagger.commands.steps.related_photos import related_groups, with_frames
from tagger.commands.steps.training_steps import LoadedImages, ScannedImages, usable_images
from tagger.data import near_duplicate_groups
from tagger.data.joined_split import by_folders, join_split
from tagger.model import example_images, fuse_batchnorm, with_grid
from tagger.runs import LocatedRun, RunFolder
from tagger.text import counted
from tagger.training.check_parts import begins_with_features
from tagger.training.device import pick_precision
from tagger.training.features import Features, extract_features, find_unreadable


def scan_grown(read: LoadedImages, previous: LocatedRun, growth: GrownPhotos) -> ScannedImages:
    """The photos that can be read, with features where they are needed, and a part of the split for each."""
    checkpoint = read.job.run.checkpoint
    unreadable = find_unreadable(_batches(read), checkpoint)
    unreadable |= find_changed_while_reading(read.job.settings.data.path, read.images, checkpoint)
    unreadable = without_landmarks(read) | unreadable
    features = None
    if begins_with_features(read.job.settings):
        row_N = np.where(_looks_different(read, previous, growth.row_N), -1, growth.row_N)
        features = _features(read, previous, row_N, unreadable)
    scanned = usable_images(read, unreadable, features, "could not be read and are left out")
    return _with_parts(scanned, int(previous.load_images()["fold"].max()) + 1)


def _batches(read: LoadedImages) -> Iterable[ImageBatch]:
    """All photos in batches, with progress; their fingerprints, and pixels where they fit the cache, are kept."""
    settings = read.job.settings
    files = read.whole_files
    checkpoint = read.job.run.checkpoint
    everything = np.arange(len(files))
    batches = make_loader(
        files, everything, batch_size=settings.train.batch_size, workers=settings.image.num_workers
    )
    tracked = read.job.screen.track(batches, "reading images")
    tracked = write_fingerprints(tracked, files, checkpoint.fingerprints_path)
    if settings.train.epochs and read.aligned is None and fits_cache(files, settings.image.cache):
        tracked = write_cache(tracked, files, checkpoint.pixels_path)
    return tracked


def _looks_different(read: LoadedImages, previous: LocatedRun, row_N: Indices) -> Bools:
    """Whether each photo of the run is shown another way round, or edited, since: its file and fingerprint changed."""
    different_N = np.isin(row_N, previous.changed_rows)
    now, before = (
        load_fingerprint_rows(read.job.run.checkpoint.fingerprints_path),
        previous.load_fingerprints(),
    )
    if now is not None and before is not None:
        rows = np.flatnonzero(different_N)
        different_N[rows] = (now[rows] != before[row_N[rows]]).any(axis=1)
    return different_N


def _features(
    read: LoadedImages, previous: RunFolder, row_N: Indices, unreadable: Collection[int]
) -> Features:
    """The features of all photos: those that the run kept, and new ones."""
    settings = read.job.settings
    kept_VMD = previous.load_views()
    if kept_VMD.shape[0] != (2 if settings.image.tta_hflip else 1):  # a run of before kept no views
        row_N = np.full(len(row_N), -1)
    new = np.setdiff1d(np.flatnonzero(row_N < 0), list(unreadable))
    files = read.files
    device = read.job.accelerator.device
    assert read.backbone is not None
    backbone = with_grid(read.backbone, settings).to(device).to(memory_format=torch.channels_last)
    loader = make_loader(files, new, batch_size=settings.train.batch_size, workers=settings.image.num_workers)
    computed = extract_features(
        fuse_batchnorm(backbone, example_images(files.size, device)),
        read.job.screen.track(loader, "features"),
        len(files),
        device=device,
        precision=pick_precision(settings),
        tta_hflip=settings.image.tta_hflip,
        checkpoint=read.job.run.checkpoint,
        files=files.files,
    )
    views_VND = np.array(computed.views_VND)
    known = np.flatnonzero(row_N >= 0)
    views_VND[:, known] = kept_VMD[:, row_N[known]]
    return Features(views_VND, {})


def _with_parts(scanned: ScannedImages, num_folds: int) -> ScannedImages:
    """The photos with split, fold and group: the run's as they were, the new ones beside what they resemble."""
    job = scanned.job
    images = scanned.images
    hashes = images["hash"].to_numpy(dtype=str)
    prints = load_fingerprints(job.run.checkpoint.fingerprints_path)
    assert prints is not None
    group_N = near_duplicate_groups(*(array[scanned.rows] for array in prints), hashes=hashes)
    keep_fingerprints(job.run, scanned.rows)
    images = picture_last(images)
    data = job.settings.data
    related_N = related_groups(images, group_N, data)
    together_N = group_N if related_N is None else related_N
    parts = join_split(
        scanned.labels_NK, hashes, together_N, images["split"].to_numpy(dtype=str), images["fold"].to_numpy(np.int64),
        val=data.val, test=data.test, num_folds=num_folds, seed=job.settings.seed,
    )  # fmt: skip
    if data.split == "folders":
        parts = by_folders(
            parts, images["file"].tolist(), images["split"].to_numpy(dtype=str) == "", num_folds
        )
    if parts.num_joined:
        job.screen.say(
            f"{counted(parts.num_joined, 'new photo')} like photos of the previous run: on their side of the split."
        )
    if parts.num_between:
        job.screen.say(
            f"{counted(parts.num_between, 'new photo')} like photos of several parts of the previous run: in the test"
            " part where one of these is."
        )
    images = images.assign(split=parts.split, fold=parts.fold, group=group_N)
    if related_N is not None:
        images["related"] = related_N
        images = with_frames(images, data)
    if "picture_hash" in images:
        images["picture_hash"] = images.pop("picture_hash")  # last, as in a training
    return replace(scanned, images=images)
