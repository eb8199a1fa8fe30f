"""``tagger train``: train a run on a folder of labelled images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tagger.batches import fits_cache, make_loader, write_cache, write_fingerprints
from tagger.commands.console.screen import Screen
from tagger.commands.steps.alignment_steps import (
    align_pixels,
    read_own_landmarks,
    save_own_landmarks,
    without_landmarks,
)
from tagger.commands.steps.chosen_settings import chosen_settings
from tagger.commands.steps.dataset_reading import read_with_file_stats, tell_dataset
from tagger.commands.steps.duplicate_groups import duplicate_groups, keep_fingerprints, picture_last
from tagger.commands.steps.feature_pass import compute_features
from tagger.commands.steps.file_changes import (
    find_changed_while_reading,
    stats_when_hashed,
)
from tagger.commands.steps.finalize import end_training, finalize
from tagger.commands.steps.related_photos import frames_of, related_groups, tell_related, with_frames
from tagger.commands.steps.resume_options import check_resume_options
from tagger.commands.steps.run_checks import check_free, check_new, check_unfinished
from tagger.commands.steps.started_from import load_start, run_started_from, split_beside, tell_labels
from tagger.commands.steps.training_steps import (
    LoadedImages,
    ScannedImages,
    SplitImages,
    TrainingJob,
    fit,
    usable_images,
    with_number_targets,
)
from tagger.config import Settings
from tagger.data import Dataset, Split, split_images
from tagger.data.folder_split import split_by_folders
from tagger.data.images.listing import check_folder
from tagger.data.landmarks.landmark_set import Landmarks
from tagger.errors import TaggerError
from tagger.model import Backbone, new_backbone
from tagger.runs import RunFolder, find_run, new_run_path, newest_unfinished
from tagger.text import counted
from tagger.training.check_parts import begins_with_features, check_dataset, check_parts
from tagger.training.device import pick_precision
from tagger.training.features import Features, find_unreadable
from tagger.training.training_data import TrainingData


def train(
    data: str | Path | None = None,
    *,
    run: str | Path | None = None,
    preset: str | None = None,
    backbone: str | None = None,
    weights: str | None = None,
    labels: str | Path | None = None,
    resume: bool = False,
    overrides: Sequence[str] = (),
    from_run: str | Path | None = None,
    screen: Screen | None = None,
) -> RunFolder:
    """A finished run: the model trained on the labelled images in ``data``, with thresholds and metrics.

    ``preset`` is ``quick``, ``standard`` (the default), ``best``, a TOML file of settings or a run folder;
    ``overrides`` are ``section.key=value`` texts. ``from_run`` is a run whose weights, learnt labels and
    settings the training starts from. ``resume`` continues an unfinished run (the newest, or
    ``run``) with its own settings; other options may only repeat these. TaggerError if the settings or the
    data cannot be used.
    """
    screen = screen or Screen(quiet=True)
    if resume:
        folder = _interrupted(run)
        settings = folder.load_settings()
        check_resume_options(
            folder, settings, data=data, preset=preset, backbone=backbone, weights=weights, labels=labels,
            overrides=overrides, from_run=from_run,
        )  # fmt: skip
    else:
        if data is None:
            raise TaggerError(
                "No photo folder was given. Give --data DIR, or --resume to continue an unfinished training."
            )
        settings = chosen_settings(
            check_folder(data), preset, backbone=backbone, weights=weights, labels=labels,
            overrides=overrides, start=None if from_run is None else find_run(from_run),
        )  # fmt: skip
        folder = RunFolder(run if run is not None else new_run_path(settings.backbone.name))
        check_new(folder, "--run")
    with folder.locked("train", screen.say):
        if resume:
            check_unfinished(folder)
            folder.claim()  # its settings are there; one of the last version has no mark yet
        else:
            check_free(folder, "--run")
        return _train(folder, settings, screen)


def _interrupted(run: str | Path | None) -> RunFolder:
    """The unfinished training to resume; TaggerError if there is none."""
    folder = RunFolder(run) if run is not None else newest_unfinished()
    check_unfinished(folder)
    if not folder.exists:
        raise TaggerError(
            f"{folder.path}: no training was started there. Start it: the same command without --resume."
        )
    if folder.checkpoint.load_origin() is not None:
        raise TaggerError(
            f"{folder.path} is a retraining. Resume it: tagger retrain --resume --out {folder.path}"
        )
    return folder


def _train(folder: RunFolder, settings: Settings, screen: Screen) -> RunFolder:
    """All steps from the data folder to the finished run."""
    job = TrainingJob.start(folder, settings, screen)
    fitted = fit(_scan_and_split(job))
    source = settings.started_from
    finalize(fitted, (lambda: {"started_from": source}) if source else dict)
    end_training(fitted)
    return folder


def _scan_and_split(job: TrainingJob) -> SplitImages:
    """The images with pixels, features and parts; the backbone that the scans share is free to go."""
    loaded = read(job)
    scanned = scan_pixels(loaded)
    divided = split(scanned)
    return align_pixels(loaded, scanned, divided) if job.settings.align.landmarks else divided


def read(job: TrainingJob) -> LoadedImages:
    """The labelled images of the data folder, or of the checkpoint that is resumed."""
    check_parts(job.settings)
    backbone = new_backbone(job.settings)  # before the images are read: a wrong name or file shows at once
    if not job.run.exists:
        _start(job, backbone)
    job.screen.log_path = job.run.log_path
    checkpoint = job.run.checkpoint
    found = LoadedImages(
        job,
        checkpoint.load_images(),
        checkpoint.load_cells(),
        job.run.load_vocabulary(),
        tuple(checkpoint.load_unreadable()),
        backbone,
    )
    settings = job.settings
    job.screen.say(
        f"{counted(len(found.images), 'photo')}, {counted(len(found.vocabulary.labels), 'label')} -> {job.run.path}"
        f" ({settings.preset_title}, {settings.backbone.name}, {settings.image.size} px, {pick_precision(settings)})"
    )
    return found


def _start(job: TrainingJob, backbone: Backbone) -> None:
    """Read the data folder into a checkpoint. TaggerError if no model can be trained on it."""
    settings = job.settings
    dataset, stats_NF = read_with_file_stats(settings.data, track=job.screen.track)
    check_dataset(settings, backbone.num_features, dataset)
    landmarks = read_own_landmarks(settings, dataset.images["file"].tolist())
    in_order = settings.sequence.length > 0
    tell_related(dataset.images["file"].tolist(), settings.data, job.screen, in_order=in_order)
    _write_checkpoint(job, dataset, stats_NF, landmarks)


def _write_checkpoint(
    job: TrainingJob, dataset: Dataset, stats_NF: NDArray[np.int64], landmarks: Landmarks | None
) -> None:
    """The run folder with everything that a resumed training needs; its settings are written last."""
    screen = job.screen
    run = job.run
    run.claim()
    screen.log_path = run.log_path
    tell_dataset(dataset, screen)
    if landmarks is not None:
        save_own_landmarks(run.checkpoint, landmarks, dataset.images["file"].tolist(), job.settings, screen)
    run.checkpoint.save_images(dataset.images)
    run.checkpoint.save_cells(dataset.labels_NK, dataset.labels)
    run.checkpoint.save_unreadable(list(dataset.unreadable))
    run.checkpoint.save_file_stats(stats_NF)
    run.save_labels(dataset.labels, dataset.groups, dataset.rules)
    run.save_settings(job.settings)


def scan_pixels(read: LoadedImages) -> ScannedImages:
    """The images that can be decoded and are still the ones that were hashed, with their features where needed."""
    features, unreadable = _decode(read)
    unreadable |= find_changed_while_reading(
        read.job.settings.data.path, read.images, read.job.run.checkpoint
    )
    unreadable = without_landmarks(read) | unreadable
    return usable_images(read, unreadable, features, "could not be read and are left out")


def _decode(read: LoadedImages) -> tuple[Features | None, dict[int, str]]:
    """(features where heads are trained first, row -> reason of images that cannot be read), in one pass."""
    settings = read.job.settings
    checkpoint = read.job.run.checkpoint
    files = read.files
    aligns = bool(settings.align.landmarks)  # then pixels and features are those of a later pass
    first = begins_with_features(settings) and not aligns
    everything = np.arange(len(files))
    batches = make_loader(
        files, everything, batch_size=settings.train.batch_size, workers=settings.image.num_workers
    )
    tracked = read.job.screen.track(batches, "features" if first else "reading images")
    tracked = write_fingerprints(tracked, files, checkpoint.fingerprints_path)
    if settings.train.epochs and not aligns and fits_cache(files, settings.image.cache):
        tracked = write_cache(tracked, files, checkpoint.pixels_path)
    if not first:
        return None, find_unreadable(tracked, checkpoint)
    features = compute_features(read, files, tracked)
    return features, features.unreadable


def split(scanned: ScannedImages) -> SplitImages:
    """Each image's split and fold, copies of one image together."""
    job = scanned.job
    labels_NK = scanned.labels_NK
    group_N = duplicate_groups(scanned.images, scanned.rows, job.run.checkpoint.fingerprints_path, job.screen)
    related_N = related_groups(scanned.images, group_N, job.settings.data)
    start = run_started_from(job.settings)
    found = _split(scanned, group_N if related_N is None else related_N, start)
    keep_fingerprints(job.run, scanned.rows)
    job.screen.say_list(found.notes, indent="")
    images = scanned.images.assign(split=found.split, fold=found.fold, group=group_N)
    if related_N is not None:
        images["related"] = related_N
    images = picture_last(with_frames(images, job.settings.data))
    data = TrainingData(
        scanned.pixels, labels_NK, found.split, found.fold, scanned.features, vocabulary=scanned.vocabulary,
        start=load_start(start, scanned) if start else None, frames=frames_of(images),
    )  # fmt: skip
    notes = (tell_labels(start, scanned),) if start else ()
    data = with_number_targets(data, images, job.settings)
    return SplitImages(job, images, data, stats_when_hashed(job.run.checkpoint, scanned.rows), notes=notes)


def _split(scanned: ScannedImages, group_N: NDArray[np.int64], start: RunFolder | None) -> Split:
    """The split by the settings. TaggerError, and the run is discarded, if there are too few images."""
    job, data = scanned.job, scanned.job.settings.data
    try:
        beside = split_beside(start, scanned, group_N) if start else None
        if beside is not None:
            return beside
        if data.split == "folders":
            return split_by_folders(
                scanned.images["file"].tolist(),
                scanned.labels_NK,
                scanned.images["hash"].tolist(),
                groups=group_N,
                folds=data.folds,
                seed=job.settings.seed,
                names=scanned.vocabulary.labels,
            )
        return split_images(
            scanned.labels_NK,
            scanned.images["hash"].tolist(),
            groups=group_N,
            val=data.val,
            test=data.test,
            folds=data.folds,
            seed=job.settings.seed,
            names=scanned.vocabulary.labels,
        )
    except TaggerError as error:
        job.run.discard()
        problems = scanned.problems
        such_as = (
            f" ({counted(len(problems), 'photo')} cannot be read, such as {problems[0]})" if problems else ""
        )
        raise TaggerError(f"{data.path}: {error}{such_as}") from None
