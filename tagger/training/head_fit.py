"""One head on cached features: its start, and the loop of its training.

Half of a step is moving features: reading, standardising, dropout. One thread does that for the next batches while
another learns, each with one core: threads that share such small products wait for each other longer than they compute.
It does it for several batches in one go, as each operation may have to wait for Python's lock.
Everything random is drawn from the head's own generators, so that heads can train beside each other.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import starmap
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tagger.arrays import Cells, Floats
from tagger.batches import mix_targets, samplers
from tagger.batches.samplers import Sampler
from tagger.config import Settings
from tagger.data import Vocabulary, label_stats
from tagger.heads import Head, group_head
from tagger.model import new_head
from tagger.regularisers import Outputs, Regulariser
from tagger.scoring import mean_average_precision
from tagger.training.dynamics import Dynamics, begins_to_count
from tagger.training.finite import check_head_loss
from tagger.training.lanes import in_lanes
from tagger.training.lessons import Lessons, parted
from tagger.training.objective import Objective, facts_of, make_loss, make_regularisers, make_step
from tagger.training.seeds import rng_of, seed_of

AT_ONCE = 512  # images whose logits are asked for: so many stay in a core's cache
AHEAD = 2  # blocks of batches that are read before they are learnt from
BLOCK = 2**21  # values of the features of a block: 8 MB, of which four are held
LARGE = 500_000  # parameters, from which on a step's products are worth sharing out among cores

Rows = NDArray[np.int64]
History = list[dict[str, Any]]


@dataclass(frozen=True)
class HeadTask:
    """What heads learn from: features (V, N, D), cells (N, K), what these teach, and which rows teach and validate."""

    views_VND: NDArray[np.float16]
    labels_NK: Cells
    lessons: Lessons
    rows: Rows
    held_out: Rows
    vocabulary: Vocabulary


class Begun(NamedTuple):
    """A head that has weights and generators, the regularisers that act on it, and what it is called."""

    head: Head
    parts: Sequence[Regulariser]
    name: str


class Batch(NamedTuple):
    """Features as they come and as the head's first layer reads them, and targets, their weights as further columns."""

    features_BD: Tensor
    inputs_BD: Tensor
    targets: Tensor


def begin(num_features: int, num_labels: int, settings: Settings, vocabulary: Vocabulary, name: str) -> Begun:
    """A new head. To be called in one thread for all heads: first weights come from torch's own generator, which is
    then as it was before."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_of(settings.seed, "head", name))
        head = new_head(num_features, num_labels, settings)
        parts = make_regularisers(settings, facts_of(num_features, vocabulary), features_only=True)
    head.draw_from(torch.Generator().manual_seed(seed_of(settings.seed, "head", name, "dropout")))
    return Begun(head, parts, name)


def learn(
    begun: Begun,
    task: HeadTask,
    settings: Settings,
    watch: Dynamics,
    *,
    ahead: bool,
    going_on: Callable[[], None] = lambda: None,
) -> tuple[Head, History]:
    """The head, trained, and one history row an epoch. ``going_on`` is called before each and may raise; ``ahead``: a
    thread of its own reads the next batches."""
    head, chosen = begun.head, settings.features
    loss_of = make_loss(settings, task.labels_NK, task.rows, task.held_out, task.vocabulary)
    objective = Objective(loss_of, begun.parts)
    _set_up(head, task)
    sampler = samplers.build(settings.sampler.name, task.labels_NK[task.rows], **settings.sampler.options)
    stages = [sampler.at(epoch / chosen.epochs) for epoch in range(chosen.epochs)]
    loop = _Loop(head, objective, task, settings, _num_steps(stages, chosen.batch_size), begun.name, ahead=ahead)
    history: History = []
    for epoch, stage in enumerate(stages):
        going_on()
        loss = loop.run_epoch(task.rows[stage.draw(loop.rng)], f"heads, {begun.name}, epoch {epoch + 1}")
        logits_RK = head_logits(head, task.views_VND, task.held_out, lanes=1 + ahead)
        row = {"epoch": epoch + 1, "train_loss": loss, "lr": loop.schedule.get_last_lr()[0]}
        history.append(row | validation_row(logits_RK, task.labels_NK[task.held_out], loss_of))
        if epoch >= begins_to_count(chosen.epochs):
            watch.add(task.held_out, logits_RK)
    head.draw_from(None)
    return head.eval(), history


def _set_up(head: Head, task: HeadTask) -> None:
    """What a head takes from the images that teach before it learns: their mean, codes, groups, the labels' shares."""
    views_VND, labels_NK, rows = task.views_VND, task.labels_NK, task.rows
    head.standardise(views_VND[0], rows)
    head.prepare(labels_NK[rows], lambda: torch.from_numpy(views_VND[0][rows]))
    learnable = np.concatenate([rows, task.held_out])
    group_head(head, task.vocabulary.labels, task.vocabulary.groups, labels_NK[learnable])
    head.start_at(label_stats(labels_NK[rows]).priors_K)


def _num_steps(stages: Sequence[Sampler], batch_size: int) -> int:
    return sum(max(1, math.ceil(len(stage.draw(rng_of(0))) / batch_size)) for stage in stages)


class _Loop:
    """The moving parts of one head's training."""

    def __init__(
        self,
        head: Head,
        objective: Objective,
        task: HeadTask,
        settings: Settings,
        steps: int,
        name: str,
        *,
        ahead: bool,
    ):
        self.head, self.objective, self.task, self.settings = head, objective, task, settings
        self.steps, self.step = steps, 0
        self.ahead = ahead
        learnt, chosen = [*head.parameters(), *objective.learnt()], settings.features
        self.optimiser = torch.optim.AdamW(learnt, lr=chosen.lr, weight_decay=chosen.weight_decay, fused=True)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, chosen.lr, total_steps=steps + 1, pct_start=0.1
        )
        self.rng = rng_of(settings.seed, "head", name)
        self.generator = torch.Generator().manual_seed(seed_of(settings.seed, "head", name, "steps"))

    def run_epoch(self, order: Rows, where: str) -> float:
        """One pass over the rows of ``order``; gives the mean loss. TaggerError, with ``where``, if it is no number."""
        self.head.train()
        size, losses = self.settings.features.batch_size, list[float]()
        left = self.steps - self.step  # a sampler's epochs may differ in length
        order = order[: left * size]
        several = size * max(1, BLOCK // (size * self.task.views_VND.shape[2]))
        blocks = [order[at : at + several] for at in range(0, len(order), several)]
        for batches in _ahead(self._block, blocks, self.ahead):
            for batch in batches:
                losses.append(self._learn(batch, f"{where}, batch {len(losses) + 1}"))
        return sum(losses) / max(len(losses), 1)

    def _block(self, rows: Rows) -> Iterator[Batch]:
        """The batches of these rows, made in one go."""
        size, alpha = self.settings.features.batch_size, self.settings.features.mixup
        features_RD, targets_R = draw_views(self.task.views_VND, rows, self.rng), self.task.lessons.batch(rows)
        if alpha:  # a vector is mixed with one of its batch
            pairs = zip(features_RD.split(size), targets_R.split(size), strict=True)
            mixed = [mix_features(*pair, alpha, self.rng) for pair in pairs]
            features_RD, targets_R = (torch.cat(parts) for parts in zip(*mixed, strict=True))
        with torch.no_grad():
            inputs_RD = self.head.inputs(features_RD)
        parts = (features_RD.split(size), inputs_RD.split(size), targets_R.split(size))
        return starmap(Batch, zip(*parts, strict=True))

    def _learn(self, batch: Batch, where: str) -> float:
        targets_BK, weights_BK = parted(batch.targets, self.task.labels_NK.shape[1])
        logits_BK = self.head.finish(self.head.classify(batch.inputs_BD))
        now = make_step(targets_BK, self.step / self.steps, self.generator)
        targets_BK = soften(targets_BK, self.settings.loss.smoothing)
        loss = self.objective(Outputs(logits_BK, batch.features_BD), targets_BK, weights_BK, now)
        value = float(loss.item())
        check_head_loss(value, where, self.settings)
        self.optimiser.zero_grad()
        loss.backward()
        self.objective.change_gradients(self.head)
        self.optimiser.step()
        self.schedule.step()
        self.step += 1
        return value


@contextmanager
def one_core(head: Head) -> Iterator[bool]:
    """Torch computes with one core here, unless the head is large; yields whether another is free to read ahead."""
    before = torch.get_num_threads()
    small = sum(parameter.numel() for parameter in head.parameters()) < LARGE
    torch.set_num_threads(1 if small else before)
    try:
        yield before > 1
    finally:
        torch.set_num_threads(before)


def _ahead(make: Callable[[Rows], Iterator[Batch]], parts: Sequence[Rows], ahead: bool) -> Iterator[Iterator[Batch]]:
    """``make(rows)`` of each part, in order: in a thread of its own, if it may go ``ahead``."""
    if not ahead:
        yield from map(make, parts)
        return
    pending: deque[Future[Iterator[Batch]]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as pool:
        try:
            for rows in parts:
                pending.append(pool.submit(make, rows))
                if len(pending) > AHEAD:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def head_logits(
    head: nn.Module, views_VND: NDArray[np.float16], rows: Rows, *, chunk: int = AT_ONCE, lanes: int = 1
) -> Floats:
    """Logits (rows, K), the mean over the views; ``lanes`` threads share the rows."""
    head.eval()

    def logits_of(at: int) -> Floats:
        with torch.inference_mode():
            parts = [head(torch.from_numpy(view_ND.take(rows[at : at + chunk], axis=0))) for view_ND in views_VND]
            return torch.stack(parts).mean(0).numpy()

    return np.concatenate(list(in_lanes(logits_of, range(0, len(rows), chunk), lanes=lanes)))


def validation_row(logits_NK: Floats, labels_NK: Cells, loss_of: nn.Module) -> dict[str, float]:
    """``val_loss`` and ``val_map`` of held-out images, for the history."""
    with torch.inference_mode():
        loss_of.eval()
        loss = loss_of(torch.from_numpy(logits_NK), torch.from_numpy(labels_NK.astype(np.float32))).item()
        loss_of.train()
    score = mean_average_precision(labels_NK, logits_NK)
    return {"val_loss": loss, "val_map": float("nan") if score is None else float(score)}


def soften(targets_BK: Tensor, smoothing: float) -> Tensor:
    """Targets moved to ``smoothing`` and 1 - ``smoothing``; unknown cells (negative) stay unknown.

    >>> soften(torch.tensor([0.0, 1.0, -1.0]), 0.125).tolist()
    [0.125, 0.875, -1.0]
    """
    if not smoothing:
        return targets_BK
    return torch.where(targets_BK < 0, targets_BK, targets_BK * (1 - 2 * smoothing) + smoothing)


def draw_views(views_VND: NDArray[np.float16], rows: Rows, rng: np.random.Generator) -> Tensor:
    """Features (B, D) of some rows, float16, each of a view drawn for it."""
    num_views, num_images, num_features = views_VND.shape
    if num_views > 1:
        rows = rows + num_images * rng.integers(num_views, size=len(rows))
    return torch.from_numpy(np.asarray(views_VND).reshape(-1, num_features).take(rows, axis=0))


def mix_features(features_BD: Tensor, targets: Tensor, alpha: float, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Mixup (Zhang et al. 2018) of feature vectors; a cell unknown in either partner is unknown."""
    if not alpha:
        return features_BD, targets
    own_B1 = torch.from_numpy(rng.beta(alpha, alpha, (len(features_BD), 1)).astype(np.float32))
    partner = torch.from_numpy(rng.permutation(len(features_BD)))
    features_BD = features_BD.float()
    return torch.lerp(features_BD[partner], features_BD, own_B1), mix_targets(targets, targets[partner], own_B1)
