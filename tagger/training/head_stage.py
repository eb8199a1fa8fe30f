"""Heads on cached features: one a fold for out-of-fold probabilities, and their mean as the model's head.

Seconds instead of hours, because the backbone is not run again. Each fold's heads never see the fold's images, so
the probabilities they give are honest; the mean of all is the head that a run keeps or that fine-tuning starts from.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tagger.arrays import Cells, Floats
from tagger.batches import mix_targets, samplers
from tagger.config import Settings
from tagger.data import NO_VOCABULARY, Vocabulary, label_stats
from tagger.heads import Head, HeadEnsemble, LinearHead, group_head, merge
from tagger.model import new_head
from tagger.regularisers import Outputs
from tagger.scoring import mean_average_precision
from tagger.training.dynamics import Dynamics, begins_to_count
from tagger.training.lessons import Lessons, parted
from tagger.training.objective import Objective, facts_of, make_loss, make_regularisers, make_step
from tagger.training.seeds import rng_of, seed_of

Track = Callable[[Any, str], Any]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class HeadStage:
    """The heads of each part (trained without it), out-of-part logits (N, K; NaN outside all parts), and history.

    ``dynamics``: how the out-of-part probabilities moved over the epochs (and repeats), of the same cells.
    """

    heads: tuple[Head | HeadEnsemble, ...]
    logits_NK: Floats
    history: list[dict[str, Any]]
    dynamics: Dynamics

    @property
    def head(self) -> Head | HeadEnsemble:
        """One head that gives the mean logits of all of them."""
        return combine(self.heads)


def fit_heads(
    views_VND: NDArray[np.float16],
    labels_NK: Cells,
    part_N: Rows,
    settings: Settings,
    *,
    track: Track,
    lessons: Callable[[Rows], Lessons] | None = None,
    vocabulary: Vocabulary = NO_VOCABULARY,
) -> HeadStage:
    """Train heads on all parts but one, for each part of ``part_N`` (-1: in none, such as the test split).

    ``lessons`` may give other targets than the labels, and weights, for each part that is held out.
    """
    logits_NK, dynamics = np.full(labels_NK.shape, np.nan, dtype=np.float32), Dynamics(*labels_NK.shape)
    members, histories = [], []
    for part in track(np.unique(part_N[part_N >= 0]).tolist(), "heads"):
        rows, held_out = np.flatnonzero((part_N >= 0) & (part_N != part)), np.flatnonzero(part_N == part)
        taught = lessons(held_out) if lessons else None
        head, history = fit_head(
            views_VND, labels_NK, rows, held_out, settings,
            name=f"part {part}", watch=dynamics, lessons=taught, vocabulary=vocabulary,
        )  # fmt: skip
        logits_NK[held_out] = head_logits(head, views_VND, held_out)
        members.append(head)
        histories.append(history)
    mean = [
        {key: float(np.mean([h[i][key] for h in histories])) for key in histories[0][i]}
        for i in range(len(histories[0]))
    ]
    history = [{"stage": "head", **row, "epoch": int(row["epoch"])} for row in mean]
    return HeadStage(tuple(members), logits_NK, history, dynamics)


def fit_head(
    views_VND: NDArray[np.float16],
    labels_NK: Cells,
    rows: Rows,
    held_out: Rows,
    settings: Settings,
    *,
    name: str,
    watch: Dynamics | None = None,
    lessons: Lessons | None = None,
    vocabulary: Vocabulary = NO_VOCABULARY,
) -> tuple[Head | HeadEnsemble, list[dict[str, Any]]]:
    """A head (``features.repeats`` of them, averaged) trained on some rows, and its history on the held-out ones.

    ``watch`` takes in what it says of them after each epoch.
    """
    watch, lessons = watch or Dynamics(*labels_NK.shape), lessons or Lessons.of(labels_NK)
    repeats, histories = [], []
    for repeat in range(settings.features.repeats):
        seeded = f"{name} repeat {repeat}"
        head, history = _fit_one(views_VND, labels_NK, lessons, rows, held_out, settings, seeded, watch, vocabulary)
        repeats.append(head)
        histories.append(history)
    return combine(repeats), histories[0]


def combine(members: Sequence[Head | HeadEnsemble]) -> Head | HeadEnsemble:
    """One head with the mean scores of the members; linear ones become a single linear head."""
    if len(members) == 1:
        return members[0]
    single = [head for member in members for head in (member.members if isinstance(member, HeadEnsemble) else [member])]
    linear = [head for head in single if isinstance(head, LinearHead)]
    return merge(linear) if len(linear) == len(single) else HeadEnsemble(single)


@torch.inference_mode()
def head_logits(head: nn.Module, views_VND: NDArray[np.float16], rows: Rows, *, chunk: int = 4096) -> Floats:
    """Logits (rows, K), the mean over the views."""
    head.eval()
    parts = [
        torch.stack([head(torch.from_numpy(view_ND[rows[at : at + chunk]])) for view_ND in views_VND]).mean(0).numpy()
        for at in range(0, len(rows), chunk)
    ]
    return np.concatenate(parts)


def _fit_one(
    views_VND: NDArray[np.float16],
    labels_NK: Cells,
    lessons: Lessons,
    rows: Rows,
    held_out: Rows,
    settings: Settings,
    name: str,
    watch: Dynamics,
    vocabulary: Vocabulary,
) -> tuple[Head, list[dict[str, Any]]]:
    chosen, (num_views, _, num_features) = settings.features, views_VND.shape
    learnable = np.concatenate([rows, held_out])
    loss_of = make_loss(settings, labels_NK, rows, held_out, vocabulary)
    sampler = samplers.build(settings.sampler.name, labels_NK[rows], **settings.sampler.options)
    rng = rng_of(settings.seed, "head", name)
    history = []
    with torch.random.fork_rng(devices=[]):  # the weights' start and dropout draw from torch's global generator
        torch.default_generator.manual_seed(seed_of(settings.seed, "head", name))
        head = new_head(num_features, labels_NK.shape[1], settings)
        features_RD = torch.from_numpy(views_VND[0][rows])
        head.standardise(features_RD)
        head.prepare(labels_NK[rows], features_RD)
        group_head(head, vocabulary.labels, vocabulary.groups, labels_NK[learnable])
        head.start_at(label_stats(labels_NK[rows]).priors_K)
        facts = facts_of(num_features, vocabulary)
        objective = Objective(loss_of, make_regularisers(settings, facts, features_only=True))
        stages = [sampler.at(epoch / chosen.epochs) for epoch in range(chosen.epochs)]
        steps = sum(max(1, math.ceil(len(stage.draw(rng_of(0))) / chosen.batch_size)) for stage in stages)
        learnt = [*head.parameters(), *objective.learnt()]
        optimiser = torch.optim.AdamW(learnt, lr=chosen.lr, weight_decay=chosen.weight_decay)
        generator = torch.Generator().manual_seed(seed_of(settings.seed, "head", name, "steps"))
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, chosen.lr, total_steps=steps + 1, pct_start=0.1)
        step = 0
        for epoch, stage in enumerate(stages):
            order, total, batches = rows[stage.draw(rng)], 0.0, 0
            head.train()
            for at in range(0, len(order), chosen.batch_size):
                if step >= steps:  # a sampler whose epochs differ in length
                    break
                batch = order[at : at + chosen.batch_size]
                features_BD = _draw_views(views_VND, batch, num_views, rng)
                features_BD, mixed = _mix(features_BD, lessons.batch(batch), chosen.mixup, rng)
                targets_BK, weights_BK = parted(mixed, labels_NK.shape[1])
                outputs = Outputs(head(features_BD), features_BD)
                now = make_step(targets_BK, step / steps, generator)
                loss = objective(outputs, soften(targets_BK, settings.loss.smoothing), weights_BK, now)
                optimiser.zero_grad()
                loss.backward()
                objective.change_gradients(head)
                optimiser.step()
                schedule.step()
                step, batches, total = step + 1, batches + 1, total + loss.item()
            row: dict[str, Any] = {
                "epoch": epoch + 1,
                "train_loss": total / max(batches, 1),
                "lr": schedule.get_last_lr()[0],
            }
            logits_RK = head_logits(head, views_VND, held_out)
            history.append(row | validation_row(logits_RK, labels_NK[held_out], loss_of))
            if epoch >= begins_to_count(chosen.epochs):
                watch.add(held_out, logits_RK)
    return head.eval(), history


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


def _draw_views(views_VND: NDArray[np.float16], batch: Rows, num_views: int, rng: np.random.Generator) -> Tensor:
    if num_views == 1:
        return torch.from_numpy(views_VND[0][batch])
    return torch.from_numpy(views_VND[rng.integers(num_views, size=len(batch)), batch])


def _mix(features_BD: Tensor, targets_BK: Tensor, alpha: float, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Mixup (Zhang et al. 2018) of feature vectors; a cell unknown in either partner is unknown."""
    if not alpha:
        return features_BD, targets_BK
    own_B1 = torch.from_numpy(rng.beta(alpha, alpha, (len(features_BD), 1)).astype(np.float32))
    partner = torch.from_numpy(rng.permutation(len(features_BD)))
    features_BD = features_BD.float()
    return torch.lerp(features_BD[partner], features_BD, own_B1), mix_targets(targets_BK, targets_BK[partner], own_B1)
