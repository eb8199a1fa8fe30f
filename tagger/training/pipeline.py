"""Train a model and compute out-of-sample probabilities of every image, in one of three schemes.

Three ways, by what there is to start from:

* frozen: heads on cached features; the model's head is their mean (preset ``quick``).
* cross-fitted: a network from each part's head, trained without that part; the model is the mean of their
  weights. They start from the same pretrained weights and stay close, so that the mean is as good as their
  ensemble.
* single: one network on ``train``, stopped on ``val``; out-of-fold probabilities come from heads on
  pretrained features, or, from random weights, from two networks that each saw one half.

Fine-tuning that does not beat the heads out of fold is thrown away: the heads are kept and a note says so.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from tagger.arrays import Floats, Indices
from tagger.batches import check_readable, make_loader
from tagger.config import Settings
from tagger.errors import TaggerError
from tagger.heads import Head, HeadEnsemble
from tagger.model import TagModel, example_images, fuse_batchnorm, new_backbone, save_model
from tagger.progress import Track
from tagger.runs import Checkpoint, atomic_write, wrap_read_errors
from tagger.runs.checkpoint import FitFiles
from tagger.scoring import mean_average_precision
from tagger.training.device import pick_precision
from tagger.training.dynamics import TrainingDynamics
from tagger.training.fit_key import FitKey
from tagger.training.head.cross_fit import CrossFittedHeads, cross_fit_heads, fit_head, head_logits
from tagger.training.inference import predict_in_order
from tagger.training.network.model_init import init_model, set_task_groups
from tagger.training.network.train_network import FitTask, train_network
from tagger.training.network.weight_averaging import average_weights, wise_ft
from tagger.training.retraining.warm_start import WarmStart, finetune_settings
from tagger.training.training_data import History, TrainingData, TrainingResult, ValidationScores

ForwardFn = Callable[[TagModel, torch.Tensor], torch.Tensor]
TunedResult = tuple[TagModel, Floats, NDArray[np.bool_], History, TrainingDynamics, ValidationScores]


def train_model(
    training_data: TrainingData,
    settings: Settings,
    accelerator: Accelerator,
    checkpoint: Checkpoint,
    *,
    track: Track,
    members: Path | None = None,
    start: WarmStart | None = None,
) -> TrainingResult:
    """The model and probabilities that the settings ask for; an interrupted call resumes from ``checkpoint``.

    Networks that are trained without a part stay in the folder ``members`` (default: the checkpoint's).
    With a ``start`` each goes on from its predecessor there, with a lower rate and fewer epochs.
    """
    job = _Pipeline(
        training_data, settings, accelerator, checkpoint, track, members or checkpoint.path, start
    )
    if training_data.features is None:
        return job.from_scratch()
    if settings.train.epochs == 0:
        return job.frozen(job.heads(training_data.fold_N))
    return job.single_network() if settings.train.fold_models == 1 else job.cross_fit_networks()


@dataclass(frozen=True)
class _Pipeline:
    """The three ways, over the same material."""

    training_data: TrainingData
    settings: Settings
    accelerator: Accelerator
    checkpoint: Checkpoint
    track: Track
    members: Path
    start: WarmStart | None

    def heads(self, fold_N: Indices) -> CrossFittedHeads:
        """Heads on the cached features, one without each part."""
        m = self.training_data
        assert m.features is not None
        views_VND = m.features.views_VND
        return cross_fit_heads(
            views_VND, m.labels_NK, fold_N, self.settings,
            track=self.track, targets=m.targets_without, vocabulary=m.vocabulary,
        )  # fmt: skip

    def frozen(self, heads: CrossFittedHeads, scores: ValidationScores | None = None) -> TrainingResult:
        """The pretrained backbone with the mean of the heads."""
        m = self.training_data
        assert m.features is not None
        backbone = self.start.backbone() if self.start else new_backbone(self.settings)
        model = TagModel(backbone, heads.head).eval()
        logits_NK = heads.logits_NK.copy()
        test = m.rows("test")
        if len(test):
            logits_NK[test] = head_logits(model.head, m.features.views_VND, test)
        scores = scores or {"heads": self.score(heads.logits_NK, "train", "val")}
        embeddings_ND = m.features.mean_ND()
        feature_source_N = np.zeros(len(logits_NK), np.int8)
        threshold_rows_N = m.split_N != "test"
        history = heads.history
        dynamics = heads.dynamics
        return TrainingResult(
            model, logits_NK, threshold_rows_N, embeddings_ND, feature_source_N, history, dynamics, scores
        )

    def cross_fit_networks(self) -> TrainingResult:
        """Networks without one part each, their weights averaged."""
        m = self.training_data
        members = min(self.settings.train.fold_models, int(m.fold_N.max()) + 1)
        fold_N = np.where(m.fold_N >= 0, m.fold_N % members, -1)
        heads = self.heads(fold_N)
        logits_NK = np.full_like(heads.logits_NK, np.nan)
        history = list(heads.history)
        weights = []
        tuned_heads: list[Head | HeadEnsemble] = []
        for fold, head in enumerate(heads.heads):
            rows = np.flatnonzero((fold_N >= 0) & (fold_N != fold))
            held_out = np.flatnonzero(fold_N == fold)
            model, lines, logits_NK[held_out] = self.fit_network(
                FitKey.fold_model(fold, members), rows, held_out, head
            )
            history += lines
            weights.append(model.state_dict())
            tuned_heads.append(model.head)
        scores = {
            name: self.score(of_NK, "train", "val")
            for name, of_NK in (("heads", heads.logits_NK), ("networks", logits_NK))
        }
        tuned = (
            average_weights(model, weights, tuned_heads),
            logits_NK,
            m.split_N != "test",
            history,
            heads.dynamics,
            scores,
        )
        return self.keep_better(heads, tuned)

    def single_network(self) -> TrainingResult:
        """One network on train, from a head that does not know val either."""
        m = self.training_data
        assert m.features is not None
        heads = self.heads(m.fold_N)
        train = m.rows("train")
        val = m.rows("val")
        views_VND = m.features.views_VND
        targets = m.targets_without(val)
        start, _ = fit_head(
            views_VND,
            m.labels_NK,
            train,
            val,
            self.settings,
            name="start",
            targets=targets,
            vocabulary=m.vocabulary,
        )
        before = heads.logits_NK.copy()
        logits_NK = heads.logits_NK.copy()
        before[val] = head_logits(start, views_VND, val)
        model, lines, logits_NK[val] = self.fit_network(FitKey.single_network(), train, val, start)
        scores = {"heads": self.score(before, "val"), "network": self.score(logits_NK, "val")}
        history = heads.history + lines
        return self.keep_better(
            heads, (model, logits_NK, m.split_N == "val", history, heads.dynamics, scores)
        )

    def keep_better(self, heads: CrossFittedHeads, tuned: TunedResult) -> TrainingResult:
        """What fine-tuning gave, unless the heads on the frozen backbone were better on validation."""
        *_, history, _, scores = tuned
        if not next(score for name, score in scores.items() if name != "heads") < scores["heads"]:
            return self.to_result(*tuned)
        try:
            return _keep_frozen(self.frozen(heads, scores), scores, history)
        except TaggerError as error:  # in a retraining: the pretrained weights may be gone by now
            note = f"The heads on the frozen backbone were better on validation, but it cannot be had any more: {error}"
            return replace(self.to_result(*tuned), notes=[note])

    def from_scratch(self) -> TrainingResult:
        """One network from random weights; two halves give the out-of-fold probabilities, at the cost of one more."""
        m = self.training_data
        train = m.rows("train")
        val = m.rows("val")
        embedded = {}
        logits_NK = np.full(m.labels_NK.shape, np.nan, np.float32)
        history = []
        dynamics = TrainingDynamics(*m.labels_NK.shape)
        for fold in (0, 1):
            half = (m.fold_N >= 0) & (m.fold_N % 2 == fold)
            rows = np.flatnonzero((m.fold_N >= 0) & ~half)
            held_out = np.flatnonzero(half)
            model, lines, logits_NK[held_out] = self.fit_network(
                FitKey.half(fold), rows, held_out, None, dynamics=dynamics
            )
            embedded[fold] = held_out, self.predict_rows(model, held_out, TagModel.features)
            history += lines
        scores = {"halves": self.score(logits_NK, "val")}
        model, lines, logits_NK[val] = self.fit_network(FitKey.single_network(), train, val, None)
        scores["network"] = self.score(logits_NK, "val")
        trained = self.to_result(model, logits_NK, m.split_N != "test", history + lines, dynamics, scores)
        for fold, (held_out, features_RD) in embedded.items():
            trained.embeddings_ND[held_out], trained.feature_source_N[held_out] = features_RD, fold + 1
        return trained

    def to_result(
        self,
        model: TagModel,
        logits_NK: Floats,
        threshold_rows_N: NDArray[np.bool_],
        history: History,
        dynamics: TrainingDynamics,
        scores: ValidationScores,
    ) -> TrainingResult:
        """The result, with the test split's logits added: no network has seen it."""
        m = self.training_data
        test = self.training_data.rows("test")
        if len(test):
            logits_NK[test] = self.predict_rows(model, test)
        if m.features is not None:
            embeddings_ND = m.features.mean_ND()
        else:
            embeddings_ND = np.zeros((len(m.labels_NK), model.backbone.num_features), np.float16)
            if len(test):
                embeddings_ND[test] = self.predict_rows(model, test, TagModel.features)
        feature_source_N = np.zeros(len(m.labels_NK), np.int8)
        model = model.to("cpu").eval()
        return TrainingResult(
            model, logits_NK, threshold_rows_N, embeddings_ND, feature_source_N, history, dynamics, scores
        )

    def fit_network(
        self,
        key: FitKey,
        rows: Indices,
        held_out: Indices,
        head: Head | HeadEnsemble | None,
        *,
        dynamics: TrainingDynamics | None = None,
    ) -> tuple[TagModel, History, Floats]:
        """A network trained from ``head`` (or a new one), its history, logits of the rows held out; done only
        once.

        ``watch`` takes in what its epochs' validations say.
        """
        m = self.training_data
        files = self.checkpoint.fit_files(key.file_stem)
        weights = self.members / f"{key.file_stem}.safetensors"
        targets = None if files.finished else m.targets_without(held_out)
        task = FitTask(m.images, m.labels_NK, rows, held_out, key, targets, m.vocabulary)
        before = self.start.fold_model(key.file_stem) if self.start else None
        if before is None:
            settings = self.settings
            model = init_model(task, self.settings, head)
        else:
            settings = finetune_settings(self.settings)
            model = before
        set_task_groups(model.head, task)
        if not files.finished:
            shrinks_back = head is not None and before is None
            self._train(model, task, settings, files, weights, shrinks_back=shrinks_back)
        with wrap_read_errors(weights, files.again):
            model.to("cpu").load_state_dict(load_file(weights))
        if dynamics is not None:
            with wrap_read_errors(files.dynamics_path, files.again):
                dynamics.load_state_dict(load_file(files.dynamics_path))
        logits_RK, history = files.load()
        return model, history, logits_RK

    def _train(
        self,
        model: TagModel,
        task: FitTask,
        settings: Settings,
        files: FitFiles,
        weights: Path,
        *,
        shrinks_back: bool,
    ) -> None:
        """Train the model, and write its weights to ``weights`` and what it gives to ``files``."""
        start = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        own = TrainingDynamics(*task.labels_NK.shape)
        history = train_network(
            model, task, settings, self.accelerator, files.state_path, track=self.track, dynamics=own
        )
        if shrinks_back:
            wise_ft(model, start, settings.train.wise_ft_share)
        with atomic_write(weights) as temporary:
            save_model(model, temporary)
        logits_RK = self.predict_rows(model, task.held_out)
        with atomic_write(files.dynamics_path) as temporary:
            save_file(own.state_dict(), temporary)
        files.finish(logits_RK, history)

    def predict_rows(self, model: TagModel, rows: Indices, forward: ForwardFn = TagModel.__call__) -> Floats:
        """Logits (or ``what`` else the model gives) of some rows, the mean over test-time views."""
        s = self.settings
        images = self.training_data.images
        device = self.accelerator.device
        loader = make_loader(images, rows, batch_size=s.train.batch_size, workers=s.image.num_workers)
        return predict_in_order(
            partial(forward, fuse_batchnorm(model.to(device), example_images(s.image.size, device))),
            (check_readable(batch, images.files) for batch in loader),
            device=device,
            precision=pick_precision(s),
            tta_hflip=s.image.tta_hflip,
        )

    def score(self, logits_NK: Floats, *splits: str) -> float:
        """mAP on the images of some splits that have logits; NaN if undefined."""
        rows = self.training_data.rows(*splits)
        rows = rows[np.isfinite(logits_NK[rows]).all(1)]
        return mean_average_precision(self.training_data.labels_NK[rows], logits_NK[rows])


def _keep_frozen(frozen: TrainingResult, scores: ValidationScores, history: History) -> TrainingResult:
    """The frozen model, because fine-tuning did not help."""
    tuned = next(score for name, score in scores.items() if name != "heads")
    note = (
        "Fine-tuning did not beat the heads on the frozen backbone on validation"
        f" (mAP {tuned:.3f} against {scores['heads']:.3f}), so the frozen backbone was kept."
    )
    return replace(frozen, scores=scores, history=history, notes=[note])
