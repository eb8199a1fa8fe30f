"""The predictor of a finished run: ``tagger.load(run).predict(paths)``."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import nn

from tagger.arrays import Floats, sigmoid
from tagger.batches import BatchSequence, ImageBatch, ImageFiles, make_loader
from tagger.commands.console.screen import Screen
from tagger.commands.serving.followed_frames import FollowedFrames, window_outputs
from tagger.commands.serving.photo_landmarks import PhotoLandmarks
from tagger.data import list_images
from tagger.data.formats.prediction_columns import label_column
from tagger.errors import TaggerError
from tagger.model import FrameOutputs, TagModel, example_images, fuse_batchnorm, load_model
from tagger.runs import RunFolder, find_run
from tagger.scoring import predict_labels
from tagger.training.device import make_accelerator
from tagger.training.inference import CPU_CHUNK_SIZE, BatchOutputs, run_batches
from tagger.training.thread_map import MAX_WORKERS

NONFINITE_LOGITS = (
    "the model gives no number for this photo (NaN or infinity). Check the photo; if others fail too, restore the run"
    " from a copy or train again"
)
MAX_READ = 64  # images that a core reads in one go; more, as its caches first hold the network's values
MIN_TO_FUSE = 32  # for fewer images, fusing the network takes longer than it saves


class Predictions(NamedTuple):
    """Calibrated probabilities of some images (N, K). Rows of unreadable ones are NaN; ``reasons`` is by row."""

    files: list[str]
    probs_NK: Floats
    reasons: dict[int, str]


class Predictor:
    """Predictor of a run: its model, labels, calibration and thresholds (its own, or a set saved beside them)."""

    def __init__(
        self,
        run: RunFolder,
        *,
        thresholds: str | None = None,
        landmarks: str | Path | None = None,
        screen: Screen | None = None,
    ):
        self.run = run
        self.screen = screen or Screen(quiet=True)
        self.settings = run.load_settings()
        self.labels = run.load_labels()
        self.landmarks = PhotoLandmarks(run, self.settings, landmarks, self.screen)
        self.thresholds, self.calibration = run.load_decision_rule()
        self.constraints = run.load_constraints()
        if thresholds is not None:
            self.thresholds = self.thresholds.replaced(
                run.load_threshold_set(thresholds), self.labels, how=thresholds
            )
        if note := self.thresholds.never_chosen_note(self.labels):
            self.screen.say(note)
        self.device = make_accelerator(self.settings).device
        model = load_model(run.model_path, self.settings, len(self.labels))
        self.model = model.to(self.device).to(memory_format=torch.channels_last)
        self.order: FollowedFrames | None = None  # of files that are followed

    def predict(self, images: str | Path | Sequence[str | Path]) -> pd.DataFrame:
        """Table of predictions, a row an image: ``file``, ``labels`` (joined by ``|``), then a probability a label.

        Labels with ``|`` in their names cannot be told apart in ``labels``: use ``chosen_labels`` for them.
        ``images`` is a folder or a list of files. An unreadable image has empty labels, no probabilities,
        and its reason in the table's ``attrs["unreadable"]`` (file -> reason). TaggerError if the folder
        has no images.
        """
        if isinstance(images, str | Path):
            root = Path(images)
            pairs = self.settings.data.pairs
            files = list(list_images(images, "raw" if pairs == "refuse" else pairs).files)
            if not files:
                raise TaggerError(f"{root}: there are no photos in it.")
        else:
            root = Path()
            files = [str(path) for path in images]
        if isinstance(images, str | Path) or not self.settings.data.sequence_column:
            self.follow(root, files)
        predictions = self.predict_probs(root, files)
        table = self.to_table(predictions)
        table.attrs["unreadable"] = {files[row]: reason for row, reason in predictions.reasons.items()}
        return table

    def follow(self, root: Path, files: Iterable[str], labels: str | Path | None = None) -> Iterable[str]:
        """The files in the order of their sequences, whose frames are from now on seen with those before them.

        As they are where the model goes by single photos. ``labels`` is a table beside those in ``root``.
        TaggerError if a column that says what is a sequence is in no table.
        """
        if self.model.sequences is None:
            return files
        data = self.settings.data.model_copy(update={"labels": str(labels or "")})
        self.order = FollowedFrames.read(root, list(files), data, self.model.sequences.length)
        return self.order.files

    def read_for(self, files: list[str]) -> list[str]:
        """The files whose pixels decide what these get: themselves, and the frames that are followed before them."""
        return files if self.order is None else self.order.read_for(files)

    def predict_probs(self, root: Path, files: list[str], *, description: str = "tagging") -> Predictions:
        """Probabilities of ``root / file`` for each file, in fp32 so that they are the same on every processor."""
        probs_NK = np.full((len(files), len(self.labels)), np.nan)
        reasons: dict[int, str] = {}
        for outputs in self.screen.track(
            _SizedIterator(self._run_batches(root, files), len(files)), description
        ):
            logits_BK = outputs.outputs_VBX.mean(0).astype(np.float64)
            probs_NK[outputs.indices_B] = self.calibration.apply(sigmoid(logits_BK))
            reasons |= {int(i): r for i, r in zip(outputs.indices_B, outputs.reasons, strict=True) if r}
            for row in outputs.indices_B[~np.isfinite(logits_BK).all(axis=1)].tolist():
                reasons.setdefault(row, NONFINITE_LOGITS)
        probs_NK[list(reasons)] = np.nan
        return Predictions(files, probs_NK, reasons)

    def _run_batches(self, root: Path, files: list[str]) -> Iterator[BatchOutputs]:
        """Logits of all files; of frames with those before them, where these are followed."""
        if self.model.sequences is None:
            return self._run_images(root, files)
        order = self.order
        if order is None or not all(file in order.place for file in files):
            order = FollowedFrames.alone(files, self.model.sequences.length)
        return window_outputs(self.model, order, files, lambda some: self._run_images(root, some))

    def _run_images(self, root: Path, files: list[str]) -> Iterator[BatchOutputs]:
        """What the model gives to single images. On several cores each reads its own; else processes read them."""
        image = self.settings.image
        dataset = self.images(root, files)
        batches: BatchSequence | Iterable[ImageBatch]
        if self.device.type == "cpu" and image.workers < 1 and torch.get_num_threads() <= MAX_WORKERS:
            # Small enough that all cores end at about the same time.
            several = max(1, min(MAX_READ // CPU_CHUNK_SIZE, len(files) // (16 * CPU_CHUNK_SIZE)))
            batches = BatchSequence(dataset, range(len(files)), batch_size=several * CPU_CHUNK_SIZE)
        else:
            workers = 0 if len(files) <= 64 else image.num_workers  # starting them costs more than few images
            batches = make_loader(
                dataset, range(len(files)), batch_size=self.settings.train.batch_size, workers=workers
            )
        few = len(files) < MIN_TO_FUSE
        if self.model.sequences is None:
            inference_model: nn.Module = self.model.eval() if few else self.inference_model
        else:
            inference_model = FrameOutputs(self.model).eval() if few else self.inference_frames
        return run_batches(inference_model, batches, device=self.device, tta_hflip=image.tta_hflip)

    def images(self, root: Path, files: Sequence[str]) -> ImageFiles:
        """The pixels of ``root / file`` as the model sees them, aligned where the run aligns."""
        image, aligned = self.settings.image, self.landmarks.aligned(root, files)
        return ImageFiles(root, files, size=self.settings.input_size, fit=image.fit, aligned=aligned)

    @cached_property
    def inference_model(self) -> TagModel:
        """The model with batch normalisation fused: the same logits, faster. For gradients use ``model``."""
        return fuse_batchnorm(self.model, example_images(self.settings.input_size, self.device))

    @cached_property
    def inference_frames(self) -> FrameOutputs:
        """What ``FrameOutputs`` of the model gives, with batch normalisation fused."""
        return fuse_batchnorm(FrameOutputs(self.model), example_images(self.settings.image.size, self.device))

    def chosen_labels(self, probs_NK: Floats) -> Iterator[list[str]]:
        """The chosen labels of each image: those above their thresholds that the run's groups and rules allow."""
        names = np.array(self.labels, dtype=object)
        for chosen_K in predict_labels(probs_NK, self.thresholds.values_K, self.constraints):
            yield names[chosen_K].tolist()

    def to_table(self, predictions: Predictions) -> pd.DataFrame:
        """Table with the columns of a prediction file: file, labels, probabilities rounded to six digits."""
        columns: dict[str, Any] = {
            "file": predictions.files,
            "labels": ["|".join(c) for c in self.chosen_labels(predictions.probs_NK)],
        }
        columns |= {
            label_column(name): predictions.probs_NK[:, k].round(6) for k, name in enumerate(self.labels)
        }
        return pd.DataFrame(columns)


def load(
    run: str | Path | RunFolder | None = None,
    *,
    thresholds: str | None = None,
    landmarks: str | Path | None = None,
    screen: Screen | None = None,
) -> Predictor:
    """The predictor of a finished run: a path or name, what ``tagger.train`` gave, or the run in use in ``./runs``: the
    chosen one, or the newest where none is chosen.

    ``thresholds`` names a set that was saved in the review app. ``landmarks``: a file or folder of those of new photos,
    for a run that aligns by them.
    """
    say = None if screen is None else screen.say
    found = run if isinstance(run, RunFolder) else find_run(run, say)
    return Predictor(found, thresholds=thresholds, landmarks=landmarks, screen=screen)


class _SizedIterator:
    """Iterator over outputs with a length: the number of images, which progress needs."""

    def __init__(self, outputs: Iterator[BatchOutputs], num_images: int):
        self.outputs = outputs
        self.num_images = num_images

    def __iter__(self) -> Iterator[BatchOutputs]:
        return self.outputs

    def __len__(self) -> int:
        return self.num_images
