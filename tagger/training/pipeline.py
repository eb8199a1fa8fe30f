"""From images and cells to one trained model and honest probabilities of every image.

Three ways, by what there is to start from:

* frozen: heads on cached features; the model's head is their mean (preset ``quick``).
* cross-fitted: a network from each part's head, trained without that part; the model is the mean of their weights.
  They start from the same pretrained weights and stay close, so that the mean is as good as their ensemble.
* single: one network on ``train``, stopped on ``val``; out-of-fold probabilities come from heads on pretrained
  features, or, from random weights, from two networks that each saw one half.

Fine-tuning that does not beat the heads out of fold is thrown away: the heads are kept and a note says so.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from tagger.arrays import Floats
from tagger.batches import check_readable, make_loader
from tagger.config import Settings
from tagger.errors import TaggerError
from tagger.heads import Head, HeadEnsemble
from tagger.model import TagModel, example, folded, new_backbone, save_model
from tagger.runs import Checkpoint, readable, replacing
from tagger.runs.checkpoint import FitFiles
from tagger.scoring import mean_average_precision
from tagger.training.beginning import set_groups, untrained
from tagger.training.device import pick_precision
from tagger.training.dynamics import Dynamics
from tagger.training.fit import Task, fit
from tagger.training.fit_key import FitKey
from tagger.training.head_stage import HeadStage, fit_head, fit_heads, head_logits
from tagger.training.inference import predict_in_order
from tagger.training.material import History, Material, Rows, Scores, Trained
from tagger.training.warm_start import WarmStart, gentler
from tagger.training.weights import average, pull_back

Track = Callable[[Any, str], Any]
What = Callable[[TagModel, torch.Tensor], torch.Tensor]
Tuned = tuple[TagModel, Floats, NDArray[np.bool_], History, Dynamics, Scores]


def train_model(
    material: Material,
    settings: Settings,
    accelerator: Accelerator,
    checkpoint: Checkpoint,
    *,
    track: Track,
    members: Path | None = None,
    start: WarmStart | None = None,
) -> Trained:
    """The model and probabilities that the settings ask for; an interrupted call resumes from ``checkpoint``.

    Networks that are trained without a part stay in the folder ``members`` (default: the checkpoint's). With a
    ``start`` each goes on from its predecessor there, with a lower rate and fewer epochs.
    """
    job = _Job(material, settings, accelerator, checkpoint, track, members or checkpoint.path, start)
    if material.features is None:
        return job.from_nothing()
    if settings.train.epochs == 0:
        return job.frozen(job.heads(material.fold_N))
    return job.single() if settings.train.members == 1 else job.cross_fitted()


@dataclass(frozen=True)
class _Job:
    """The three ways, over the same material."""

    material: Material
    settings: Settings
    accelerator: Accelerator
    checkpoint: Checkpoint
    track: Track
    members: Path
    start: WarmStart | None

    def heads(self, part_N: Rows) -> HeadStage:
        """Heads on the cached features, one without each part."""
        m = self.material
        assert m.features is not None
        views_VND = m.features.views_VND
        return fit_heads(
            views_VND, m.labels_NK, part_N, self.settings,
            track=self.track, lessons=m.lessons_without, vocabulary=m.vocabulary,
        )  # fmt: skip

    def frozen(self, heads: HeadStage, scores: Scores | None = None) -> Trained:
        """The pretrained backbone with the mean of the heads."""
        m = self.material
        assert m.features is not None
        backbone = self.start.backbone() if self.start else new_backbone(self.settings)
        model = TagModel(backbone, heads.head).eval()
        logits_NK, test = heads.logits_NK.copy(), m.rows("test")
        if len(test):
            logits_NK[test] = head_logits(model.head, m.features.views_VND, test)
        scores = scores or {"heads": self.score(heads.logits_NK, "train", "val")}
        embeddings_ND, embedder_N = m.features.mean_ND(), np.zeros(len(logits_NK), np.int8)
        choosing_N, history, dynamics = m.split_N != "test", heads.history, heads.dynamics
        return Trained(model, logits_NK, choosing_N, embeddings_ND, embedder_N, history, dynamics, scores)

    def cross_fitted(self) -> Trained:
        """Networks without one part each, their weights averaged."""
        m = self.material
        members = min(self.settings.train.members, int(m.fold_N.max()) + 1)
        part_N = np.where(m.fold_N >= 0, m.fold_N % members, -1)
        heads = self.heads(part_N)
        logits_NK, history, weights = np.full_like(heads.logits_NK, np.nan), list(heads.history), []
        tuned_heads: list[Head | HeadEnsemble] = []
        for part, head in enumerate(heads.heads):
            rows, held_out = np.flatnonzero((part_N >= 0) & (part_N != part)), np.flatnonzero(part_N == part)
            model, lines, logits_NK[held_out] = self.network(FitKey.member(part, members), rows, held_out, head)
            history += lines
            weights.append(model.state_dict())
            tuned_heads.append(model.head)
        scores = {
            name: self.score(of_NK, "train", "val")
            for name, of_NK in (("heads", heads.logits_NK), ("networks", logits_NK))
        }
        tuned = average(model, weights, tuned_heads), logits_NK, m.split_N != "test", history, heads.dynamics, scores
        return self.better(heads, tuned)

    def single(self) -> Trained:
        """One network on train, from a head that does not know val either."""
        m = self.material
        assert m.features is not None
        heads, train, val = self.heads(m.fold_N), m.rows("train"), m.rows("val")
        views_VND = m.features.views_VND
        lessons = m.lessons_without(val)
        start, _ = fit_head(
            views_VND, m.labels_NK, train, val, self.settings, name="start", lessons=lessons, vocabulary=m.vocabulary
        )
        before, logits_NK = heads.logits_NK.copy(), heads.logits_NK.copy()
        before[val] = head_logits(start, views_VND, val)
        model, lines, logits_NK[val] = self.network(FitKey.single(), train, val, start)
        scores = {"heads": self.score(before, "val"), "network": self.score(logits_NK, "val")}
        history = heads.history + lines
        return self.better(heads, (model, logits_NK, m.split_N == "val", history, heads.dynamics, scores))

    def better(self, heads: HeadStage, tuned: Tuned) -> Trained:
        """What fine-tuning gave, unless the heads on the frozen backbone were better on validation."""
        *_, history, _, scores = tuned
        if not next(score for name, score in scores.items() if name != "heads") < scores["heads"]:
            return self.finished(*tuned)
        try:
            return _kept(self.frozen(heads, scores), scores, history)
        except TaggerError as error:  # in a retraining: the pretrained weights may be gone by now
            note = f"The heads on the frozen backbone were better on validation, but it cannot be had any more: {error}"
            return replace(self.finished(*tuned), notes=[note])

    def from_nothing(self) -> Trained:
        """One network from random weights; two halves give the out-of-fold probabilities, at the cost of one more."""
        m = self.material
        train, val, embedded = m.rows("train"), m.rows("val"), {}
        logits_NK, history, dynamics = np.full(m.labels_NK.shape, np.nan, np.float32), [], Dynamics(*m.labels_NK.shape)
        for part in (0, 1):
            half = (m.fold_N >= 0) & (m.fold_N % 2 == part)
            rows, held_out = np.flatnonzero((m.fold_N >= 0) & ~half), np.flatnonzero(half)
            model, lines, logits_NK[held_out] = self.network(FitKey.half(part), rows, held_out, None, watch=dynamics)
            embedded[part] = held_out, self.run(model, held_out, TagModel.features)
            history += lines
        scores = {"halves": self.score(logits_NK, "val")}
        model, lines, logits_NK[val] = self.network(FitKey.single(), train, val, None)
        scores["network"] = self.score(logits_NK, "val")
        trained = self.finished(model, logits_NK, m.split_N != "test", history + lines, dynamics, scores)
        for part, (held_out, features_RD) in embedded.items():
            trained.embeddings_ND[held_out], trained.embedder_N[held_out] = features_RD, part + 1
        return trained

    def finished(
        self,
        model: TagModel,
        logits_NK: Floats,
        choosing_N: NDArray[np.bool_],
        history: History,
        dynamics: Dynamics,
        scores: Scores,
    ) -> Trained:
        """The result, with the test split's logits added: no network has seen it."""
        m, test = self.material, self.material.rows("test")
        if len(test):
            logits_NK[test] = self.run(model, test)
        if m.features is not None:
            embeddings_ND = m.features.mean_ND()
        else:
            embeddings_ND = np.zeros((len(m.labels_NK), model.backbone.num_features), np.float16)
            if len(test):
                embeddings_ND[test] = self.run(model, test, TagModel.features)
        embedder_N = np.zeros(len(m.labels_NK), np.int8)
        model = model.to("cpu").eval()
        return Trained(model, logits_NK, choosing_N, embeddings_ND, embedder_N, history, dynamics, scores)

    def network(
        self,
        key: FitKey,
        rows: Rows,
        held_out: Rows,
        head: Head | HeadEnsemble | None,
        *,
        watch: Dynamics | None = None,
    ) -> tuple[TagModel, History, Floats]:
        """A network trained from ``head`` (or a new one), its history, logits of the rows held out; done only once.

        ``watch`` takes in what its epochs' validations say.
        """
        m = self.material
        files = self.checkpoint.fit_files(key.file_stem)
        weights = self.members / f"{key.file_stem}.safetensors"
        lessons = None if files.finished else m.lessons_without(held_out)
        task = Task(m.images, m.labels_NK, rows, held_out, key, lessons, m.vocabulary)
        before = self.start.member(key.file_stem) if self.start else None
        if before is None:
            settings = self.settings
            model = untrained(task, self.settings, head)
        else:
            settings = gentler(self.settings)
            model = before
        set_groups(model.head, task)
        if not files.finished:
            shrinks_back = head is not None and before is None
            self._train(model, task, settings, files, weights, shrinks_back=shrinks_back)
        with readable(weights, files.again):
            model.to("cpu").load_state_dict(load_file(weights))
        if watch is not None:
            with readable(files.dynamics_path, files.again):
                watch.load(load_file(files.dynamics_path))
        logits_RK, history = files.load()
        return model, history, logits_RK

    def _train(
        self, model: TagModel, task: Task, settings: Settings, files: FitFiles, weights: Path, *, shrinks_back: bool
    ) -> None:
        """Train the model, and write its weights to ``weights`` and what it gives to ``files``."""
        start = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        own = Dynamics(*task.labels_NK.shape)
        history = fit(model, task, settings, self.accelerator, files.state_path, track=self.track, watch=own)
        if shrinks_back:
            pull_back(model, start, settings.train.keep)
        with replacing(weights) as temporary:
            save_model(model, temporary)
        logits_RK = self.run(model, task.held_out)
        with replacing(files.dynamics_path) as temporary:
            save_file(own.state(), temporary)
        files.finish(logits_RK, history)

    def run(self, model: TagModel, rows: Rows, what: What = TagModel.__call__) -> Floats:
        """Logits (or ``what`` else the model gives) of some rows, the mean over test-time views."""
        s, images, device = self.settings, self.material.images, self.accelerator.device
        loader = make_loader(images, rows, batch_size=s.train.batch_size, workers=s.image.num_workers)
        return predict_in_order(
            partial(what, folded(model.to(device), example(s.image.size, device))),
            (check_readable(batch, images.files) for batch in loader),
            device=device,
            precision=pick_precision(s),
            flip_views=s.image.flip_views,
        )

    def score(self, logits_NK: Floats, *splits: str) -> float:
        """mAP on the images of some splits that have logits; NaN if undefined."""
        rows = self.material.rows(*splits)
        rows = rows[np.isfinite(logits_NK[rows]).all(1)]
        return mean_average_precision(self.material.labels_NK[rows], logits_NK[rows])


def _kept(frozen: Trained, scores: Scores, history: History) -> Trained:
    """The frozen model, because fine-tuning did not help."""
    tuned = next(score for name, score in scores.items() if name != "heads")
    note = (
        "Fine-tuning did not beat the heads on the frozen backbone on validation"
        f" (mAP {tuned:.3f} against {scores['heads']:.3f}), so the frozen backbone was kept."
    )
    return replace(frozen, scores=scores, history=history, notes=[note])
