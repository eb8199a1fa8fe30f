"""Train one head on cached features: initial weights, training loop, logits.

Everything random is drawn from the head's own generators, so that heads can train in parallel threads.
"""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tagger.arrays import Cells, Floats, Indices
from tagger.batches import samplers
from tagger.batches.samplers import Sampler
from tagger.config import Settings
from tagger.data import Vocabulary, label_stats
from tagger.heads import Head, set_head_groups
from tagger.model import new_head
from tagger.regularisers import ModelOutputs, Regulariser
from tagger.scoring import mean_average_precision
from tagger.training.dynamics import TrainingDynamics, first_counted_epoch
from tagger.training.head.head_batches import HeadBatch, make_block, prefetch_batches, split_blocks, take_rows
from tagger.training.nonfinite_errors import check_finite_head_loss
from tagger.training.objective import (
    Objective,
    make_loss,
    make_regularisers,
    make_step_context,
    regulariser_context,
)
from tagger.training.seeds import rng_of, seed_of
from tagger.training.targets import TrainingTargets, split_targets
from tagger.training.thread_map import thread_map
from tagger.training.training_data import History

LOGITS_CHUNK = 512  # images whose logits are asked for: so many stay in a core's cache
LARGE_HEAD_PARAMS = 500_000  # parameters, from which on a step's products are worth sharing out among cores


@dataclass(frozen=True)
class HeadFitTask:
    """Input of a head's training: features (V, N, D), cells (N, K), targets, training rows and validation rows."""

    views_VND: NDArray[np.float16]
    labels_NK: Cells
    targets: TrainingTargets
    rows: Indices
    held_out: Indices
    vocabulary: Vocabulary


class PreparedHead(NamedTuple):
    """A head that has weights and generators, the regularisers that act on it, and what it is called."""

    head: Head
    regularisers: Sequence[Regulariser]
    name: str
    learnt: bool = False  # it goes on from what it learnt elsewhere


def prepare_head(
    num_features: int,
    num_labels: int,
    settings: Settings,
    vocabulary: Vocabulary,
    name: str,
    start: Head | None = None,
) -> PreparedHead:
    """A new head, or a copy of ``start``. To be called in one thread for all heads: first weights come from torch's
    own generator, which is then as it was before.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_of(settings.seed, "head", name))
        head = new_head(num_features, num_labels, settings) if start is None else copy.deepcopy(start).train()
        context = regulariser_context(num_features, vocabulary)
        regularisers = make_regularisers(settings, context, features_only=True)
    head.set_dropout_generator(torch.Generator().manual_seed(seed_of(settings.seed, "head", name, "dropout")))
    return PreparedHead(head, regularisers, name, learnt=start is not None)


def train_head(
    prepared: PreparedHead,
    task: HeadFitTask,
    settings: Settings,
    dynamics: TrainingDynamics,
    *,
    prefetch: bool,
    before_epoch: Callable[[], None] = lambda: None,
) -> tuple[Head, History]:
    """The trained head, and one history row an epoch.

    ``before_epoch`` is called before each epoch and may raise. ``prefetch``: a thread of its own makes the
    next batches.
    """
    head = prepared.head
    head_settings = settings.head_stage
    loss_of = make_loss(settings, task.labels_NK, task.rows, task.held_out, task.vocabulary)
    objective = Objective(loss_of, prepared.regularisers)
    _fit_head_statistics(head, task, learnt=prepared.learnt)
    sampler = samplers.build(settings.sampler.name, task.labels_NK[task.rows], **settings.sampler.options)
    stages = [sampler.at_progress(epoch / head_settings.epochs) for epoch in range(head_settings.epochs)]
    steps = _num_steps(stages, head_settings.batch_size)
    loop = _HeadTrainer(head, objective, task, settings, steps, prepared.name, prefetch=prefetch)
    history: History = []
    for epoch, stage in enumerate(stages):
        before_epoch()
        order = task.rows[stage.draw_epoch(loop.rng)]
        loss = loop.train_epoch(order, f"heads, {prepared.name}, epoch {epoch + 1}")
        logits_RK = head_logits(head, task.views_VND, task.held_out, workers=1 + prefetch)
        row = {"epoch": epoch + 1, "train_loss": loss, "lr": loop.schedule.get_last_lr()[0]}
        history.append(row | validation_metrics(logits_RK, task.labels_NK[task.held_out], loss_of))
        if epoch >= first_counted_epoch(head_settings.epochs):
            dynamics.add(task.held_out, logits_RK)
    head.set_dropout_generator(None)
    return head.eval(), history


def _fit_head_statistics(head: Head, task: HeadFitTask, *, learnt: bool) -> None:
    """Statistics of the training images that a head needs before it trains: mean, codes, groups, shares of labels.

    A head that has learnt goes by those that it learnt with; only the groups may be others.
    """
    views_VND = task.views_VND
    labels_NK = task.labels_NK
    rows = task.rows
    learnable = np.concatenate([rows, task.held_out])
    set_head_groups(head, task.vocabulary.labels, task.vocabulary.groups, labels_NK[learnable])
    if not learnt:
        head.fit_standardisation(views_VND[0], rows)
        head.prepare(labels_NK[rows], lambda: torch.from_numpy(views_VND[0][rows]))
        head.init_from_priors(label_stats(labels_NK[rows]).priors_K)


def _num_steps(stages: Sequence[Sampler], batch_size: int) -> int:
    return sum(max(1, math.ceil(len(stage.draw_epoch(rng_of(0))) / batch_size)) for stage in stages)


class _HeadTrainer:
    """The moving parts of one head's training."""

    def __init__(
        self,
        head: Head,
        objective: Objective,
        task: HeadFitTask,
        settings: Settings,
        steps: int,
        name: str,
        *,
        prefetch: bool,
    ):
        self.head = head
        self.objective = objective
        self.task = task
        self.settings = settings
        self.steps = steps
        self.step = 0
        self.prefetch = prefetch
        trainable_parameters = [*head.parameters(), *objective.trainable_parameters()]
        head_settings = settings.head_stage
        self.optimiser = torch.optim.AdamW(
            trainable_parameters, lr=head_settings.lr, weight_decay=head_settings.weight_decay, fused=True
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, head_settings.lr, total_steps=steps + 1, pct_start=0.1
        )
        self.rng = rng_of(settings.seed, "head", name)
        self.generator = torch.Generator().manual_seed(seed_of(settings.seed, "head", name, "steps"))

    def train_epoch(self, order: Indices, where: str) -> float:
        """One pass over the rows of ``order``; gives the mean loss. TaggerError, with ``where``, if it is no number."""
        self.head.train()
        size = self.settings.head_stage.batch_size
        losses = list[float]()
        left = self.steps - self.step  # a sampler's epochs may differ in length
        order = order[: left * size]
        blocks = split_blocks(order, size, self.task.views_VND.shape[2])
        for batches in prefetch_batches(self._make_block, blocks, self.prefetch):
            for batch in batches:
                losses.append(self._train_step(batch, f"{where}, batch {len(losses) + 1}"))
        return sum(losses) / max(len(losses), 1)

    def _make_block(self, rows: Indices) -> Iterator[HeadBatch]:
        stage = self.settings.head_stage
        features = self.task.views_VND, self.task.targets
        return make_block(self.head, *features, rows, stage.batch_size, stage.mixup, self.rng)

    def _train_step(self, batch: HeadBatch, where: str) -> float:
        targets_BK, weights_BK = split_targets(batch.targets, self.task.labels_NK.shape[1])
        logits_BK = self.head.to_logits(self.head.classify(batch.inputs_BD))
        now = make_step_context(targets_BK, self.step / self.steps, self.generator)
        targets_BK = smooth_targets(targets_BK, self.settings.loss.smoothing)
        loss = self.objective(ModelOutputs(logits_BK, batch.features_BD), targets_BK, weights_BK, now)
        value = float(loss.item())
        check_finite_head_loss(value, where, self.settings)
        self.optimiser.zero_grad()
        loss.backward()
        self.objective.change_gradients(self.head)
        self.optimiser.step()
        self.schedule.step()
        self.step += 1
        return value


@contextmanager
def single_thread(head: Head) -> Iterator[bool]:
    """Torch computes with one core here, unless the head is large; yields whether another is free to read ahead."""
    before = torch.get_num_threads()
    small = sum(parameter.numel() for parameter in head.parameters()) < LARGE_HEAD_PARAMS
    torch.set_num_threads(1 if small else before)
    try:
        yield before > 1
    finally:
        torch.set_num_threads(before)


def head_logits(
    head: nn.Module,
    views_VND: NDArray[np.float16],
    rows: Indices,
    *,
    chunk: int = LOGITS_CHUNK,
    workers: int = 1,
) -> Floats:
    """Logits (rows, K), the mean over the views; ``workers`` threads share the rows."""
    head.eval()

    def logits_of(at: int) -> Floats:
        with torch.inference_mode():
            parts = [head(take_rows(view_ND, rows[at : at + chunk])) for view_ND in views_VND]
            return torch.stack(parts).mean(0).numpy()

    return np.concatenate(list(thread_map(logits_of, range(0, len(rows), chunk), workers=workers)))


def validation_metrics(logits_NK: Floats, labels_NK: Cells, loss_of: nn.Module) -> dict[str, float]:
    """``val_loss`` and ``val_map`` of held-out images, for the history."""
    with torch.inference_mode():
        loss_of.eval()
        loss = loss_of(torch.from_numpy(logits_NK), torch.from_numpy(labels_NK.astype(np.float32))).item()
        loss_of.train()
    score = mean_average_precision(labels_NK, logits_NK)
    return {"val_loss": loss, "val_map": float("nan") if score is None else float(score)}


def smooth_targets(targets_BK: Tensor, smoothing: float) -> Tensor:
    """Targets moved to ``smoothing`` and 1 - ``smoothing``; unknown cells (negative) stay unknown.

    >>> smooth_targets(torch.tensor([0.0, 1.0, -1.0]), 0.125).tolist()
    [0.125, 0.875, -1.0]
    """
    if not smoothing:
        return targets_BK
    return torch.where(targets_BK < 0, targets_BK, targets_BK * (1 - 2 * smoothing) + smoothing)
