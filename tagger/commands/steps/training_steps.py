"""The frozen result of each step of a training: read, scan_pixels, split, fit; and the step ``fit`` itself.

``tagger train`` and ``tagger retrain`` have their own first three steps. Both then fit and finalize in the
same way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic

import numpy as np
import pandas as pd
from accelerate import Accelerator
from numpy.typing import NDArray

from tagger.arrays import Cells
from tagger.batches import AlignedPhotos, CachedImages, ImageFiles, open_cache
from tagger.commands.console.screen import Screen
from tagger.commands.steps.file_changes import report_changed_files
from tagger.config import Settings
from tagger.data import Vocabulary
from tagger.errors import Problem
from tagger.model import Backbone, num_pooled_features
from tagger.runs import RunFolder
from tagger.text import counted
from tagger.training.device import make_accelerator
from tagger.training.features import Features
from tagger.training.number_targets import NumberTargets
from tagger.training.pipeline import train_model
from tagger.training.retraining.warm_start import WarmStart
from tagger.training.training_data import TrainingData, TrainingResult


@dataclass(frozen=True)
class TrainingJob:
    """One training or retraining: its run, settings, accelerator and screen."""

    run: RunFolder
    settings: Settings
    accelerator: Accelerator
    screen: Screen
    started: float

    @classmethod
    def start(cls, run: RunFolder, settings: Settings, screen: Screen) -> "TrainingJob":
        """A job that starts now. TaggerError if the settings name a device that is not available."""
        return cls(run, settings, make_accelerator(settings), screen, monotonic())


@dataclass(frozen=True)
class LoadedImages:
    """The images of a data set with their labels (N, K), and the backbone."""

    job: TrainingJob
    images: pd.DataFrame
    labels_NK: Cells
    vocabulary: Vocabulary
    problems: tuple[Problem, ...] = ()
    backbone: Backbone | None = None
    aligned: AlignedPhotos | None = None

    @property
    def files(self) -> ImageFiles:
        """The images as files, at the size that the network takes; aligned if that is known already."""
        image = self.job.settings.image
        return ImageFiles(
            self.job.settings.data.path, self.images["file"].tolist(), size=self.job.settings.input_size, fit=image.fit,
            aligned=self.aligned,
        )  # fmt: skip

    @property
    def whole_files(self) -> ImageFiles:
        """The images as files, never aligned: copies and edited photos are recognised by the whole photo."""
        return self.files.with_alignment(None)


@dataclass(frozen=True)
class ScannedImages:
    """The usable images: their rows among those that were read, their labels, pixels and features."""

    job: TrainingJob
    images: pd.DataFrame
    labels_NK: Cells
    vocabulary: Vocabulary
    rows: NDArray[np.int64]
    pixels: ImageFiles | CachedImages
    features: Features | None
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class SplitImages:
    """Input of ``fit``: the images with their split, and what a retraining adds.

    ``file_stats_NF`` are the files as they were when they were hashed, None where no file was read.
    ``eval_mask_NK`` (bool) are the cells of the test split to evaluate on, None for all. ``notes`` go to the
    model card.
    """

    job: TrainingJob
    images: pd.DataFrame
    data: TrainingData
    file_stats_NF: NDArray[np.int64] | None
    warm_start: WarmStart | None = None
    eval_mask_NK: NDArray[np.bool_] | None = None
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class FittedModel:
    """A trained model with its out-of-sample probabilities, and its training data."""

    split: SplitImages
    result: TrainingResult


def usable_images(
    read: LoadedImages, unreadable: Mapping[int, str], features: Features | None, lost: str
) -> ScannedImages:
    """The images without the unreadable ones (row -> reason), which are listed in the run and on the screen.

    ``lost`` ends the sentence "5 photos ...".
    """
    job = read.job
    problems = tuple(
        Problem(read.images["file"][row], None, reason) for row, reason in sorted(unreadable.items())
    )
    job.run.save_unreadable([*read.problems, *problems])
    if problems:
        job.screen.say(f"{counted(len(problems), 'photo')} {lost}:")
        job.screen.say_list(problems)
    rows = np.setdiff1d(np.arange(len(read.images)), list(unreadable)).astype(np.int64)
    if read.aligned is not None:
        keep_alignment(job.run, read.aligned.take(rows), read.images["file"].iloc[rows].tolist(), ())
    return ScannedImages(
        job,
        read.images.iloc[rows].reset_index(drop=True),
        read.labels_NK[rows],
        read.vocabulary,
        rows,
        open_cache(read.files, rows, job.run.checkpoint.pixels_path),
        select_features(features, rows, job.settings) if features else None,
        problems,
    )


def select_features(features: Features, rows: NDArray[np.int64], settings: Settings) -> Features:
    """The features of some rows; how many are for heads is known where sequences have others."""
    num_pooled = num_pooled_features(settings) if settings.sequence.own_features else None
    return replace(features, num_pooled=num_pooled).select(rows)


def with_number_targets(data: TrainingData, images: pd.DataFrame, settings: Settings) -> TrainingData:
    """The data with the numbers of labels that are some, on the scale of the images that are learnt."""
    numbers = NumberTargets.of(images, data.vocabulary.labels, settings.data.numbers, data.split_N != "test")
    if numbers is None:
        return data
    return replace(data, numbers=numbers, vocabulary=replace(data.vocabulary, number_lows=numbers.lows))


def keep_alignment(
    run: RunFolder, aligned: AlignedPhotos, files: Sequence[str], unaligned: Sequence[Problem]
) -> None:
    """Keep the landmarks of a run's photos, and list those without, with the reasons that are known."""
    reasons = {problem.file: problem.reason for problem in unaligned}
    names = [files[row] for row in np.flatnonzero(~aligned.known_N()).tolist()]
    run.save_mean_shape(aligned.alignment.mean_P2, aligned.alignment.num_photos)
    run.save_landmarks(
        aligned.points_NP2,
        [Problem(name, None, reasons.get(name, "no landmarks are known")) for name in names],
    )


def fit(split: SplitImages) -> FittedModel:
    """The trained model. Images that were replaced meanwhile are named, and the model card says so."""
    job = split.job
    result = train_model(
        split.data,
        job.settings,
        job.accelerator,
        job.run.checkpoint,
        track=job.screen.track,
        fold_models=job.run.fold_models_path,
        warm_start=split.warm_start,
    )
    notes = [*result.notes, *split.notes]
    if split.file_stats_NF is not None:
        notes += report_changed_files(job.settings.data.path, split.images, split.file_stats_NF, job.screen)
    return FittedModel(split, replace(result, notes=notes))
