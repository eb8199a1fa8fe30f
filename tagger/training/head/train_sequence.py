"""Train one LSTM on cached features of frames, on top of a frame model whose scores stay as they are."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tagger.arrays import Cells, Floats, Indices
from tagger.config import Settings
from tagger.data import Vocabulary
from tagger.heads import Head, HeadEnsemble
from tagger.model import SequenceLstm
from tagger.training.head.head_batches import take_rows
from tagger.training.head.sequence_batches import (
    SequenceFeatures,
    WindowBatch,
    gather,
    split_runs,
    undersample,
    window_batches,
)
from tagger.training.head.train_head import smooth_targets, validation_metrics
from tagger.training.nonfinite_errors import check_finite_head_loss
from tagger.training.objective import make_loss
from tagger.training.seeds import rng_of, seed_of
from tagger.training.targets import TrainingTargets, split_targets
from tagger.training.training_data import History

FRAMES_AT_ONCE = 512


@dataclass(frozen=True)
class SequenceTask:
    """Input of an LSTM's training.

    ``raw_VNK`` are the frame model's scores: of the training ``rows`` from heads that have not learnt them, of
    the ``held_out`` ones from ``head``, which turns scores into logits.
    """

    data: SequenceFeatures
    labels_NK: Cells
    targets: TrainingTargets
    raw_VNK: Tensor
    rows: Indices
    held_out: Indices
    head: Head | HeadEnsemble
    vocabulary: Vocabulary

    def logits(self, lstm: SequenceLstm, rows: Indices) -> Floats:
        """Logits (rows, K) with the LSTM's share, the mean over the views."""
        scores_VRK = sequence_scores(lstm, self.data, rows)
        with torch.inference_mode():
            return (
                self.head.to_logits((self.raw_VNK[:, rows] + scores_VRK).flatten(0, 1))
                .view(scores_VRK.shape)
                .mean(0)
                .numpy()
            )


def new_lstm(num_features: int, num_labels: int, settings: Settings, name: str) -> SequenceLstm:
    """An untrained LSTM. To be called in one thread for all: first weights come from torch's own generator."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_of(settings.seed, "sequence", name))
        return SequenceLstm(num_features, num_labels, hidden=settings.sequence.hidden)


def train_lstm(
    lstm: SequenceLstm,
    task: SequenceTask,
    settings: Settings,
    name: str,
    before_epoch: Callable[[], None] = lambda: None,
) -> History:
    """Train ``lstm`` on the rows of ``task``; one history row an epoch."""
    loop = _SequenceTrainer(lstm, task, settings, name)
    history: History = []
    for epoch in range(settings.sequence.epochs):
        before_epoch()
        loss = loop.train_epoch(epoch, f"sequence, {name}, epoch {epoch + 1}")
        row = {"epoch": epoch + 1, "train_loss": loss, "lr": loop.optimiser.param_groups[0]["lr"]}
        scored = validation_metrics(
            task.logits(lstm, task.held_out), task.labels_NK[task.held_out], loop.loss_of
        )
        history.append(row | scored)
    return history


class _SequenceTrainer:
    """The moving parts of one LSTM's training."""

    def __init__(self, lstm: SequenceLstm, task: SequenceTask, settings: Settings, name: str):
        self.lstm = lstm
        self.task = task
        self.settings = settings
        self.loss_of = make_loss(settings, task.labels_NK, task.rows, task.held_out, task.vocabulary)
        self.rng = rng_of(settings.seed, "sequence", name)
        self.generator = torch.Generator().manual_seed(seed_of(settings.seed, "sequence", name, "dropout"))
        lstm.fit_standardisation(take_rows(task.data.views_VNS[0], task.rows))
        chosen = settings.sequence
        self.optimiser = torch.optim.AdamW(lstm.parameters(), lr=chosen.lr, weight_decay=chosen.weight_decay)

    def train_epoch(self, epoch: int, where: str) -> float:
        """One pass over the rows; gives the mean loss. TaggerError, with ``where``, if it is no number."""
        batches = list(self._runs())
        data = self.task.data
        losses = list[float]()
        size = self.settings.sequence.batch_size
        steps = -(-sum(map(len, batches)) // size)
        for batch in window_batches(data, batches, size, self.rng):
            progress = (epoch + min(len(losses) / steps, 1.0)) / self.settings.sequence.epochs
            self._set_rate(progress)
            losses.append(self._train_step(batch, f"{where}, batch {len(losses) + 1}"))
        return sum(losses) / len(losses)

    def _runs(self) -> list[Indices]:
        """The runs of an epoch, with whole sequences left out where the settings ask for it."""
        task = self.task
        rows = task.rows
        if name := self.settings.sequence.undersample:
            label = task.vocabulary.labels.index(name)
            sequence_R = task.data.frames.sequence_N[rows]
            rows = rows[undersample(task.labels_NK[rows], sequence_R, label, self.rng)]
        return split_runs(task.data.frames, rows, self.rng)

    def _set_rate(self, progress: float) -> None:
        """One cycle: the rate rises over a tenth of the training, then falls as a cosine."""
        share = progress / 0.1 if progress < 0.1 else (1 + np.cos(np.pi * (progress - 0.1) / 0.9)) / 2
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.sequence.lr * max(float(share), 0.04)

    def _train_step(self, batch: WindowBatch, where: str) -> float:
        task = self.task
        targets_BK, weights_BK = split_targets(task.targets.batch(batch.rows_B), task.labels_NK.shape[1])
        scores_BK = self.lstm(batch.features_US, batch.windows_BT, self._dropout())
        logits_BK = task.head.to_logits(task.raw_VNK[batch.view_B, batch.rows_B] + scores_BK)
        targets_BK = smooth_targets(targets_BK, self.settings.loss.smoothing)
        loss = self.loss_of(logits_BK, targets_BK, weights_BK)
        value = float(loss.item())
        check_finite_head_loss(value, where, self.settings)
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.lstm.parameters(), 1.0)
        self.optimiser.step()
        return value

    def _dropout(self) -> Tensor | None:
        """What multiplies the features of this step: 0 for those that are dropped."""
        share = self.settings.sequence.dropout
        if not share:
            return None
        kept = torch.rand(len(self.lstm.mean), generator=self.generator) >= share
        return kept.float() / (1 - share)


def sequence_scores(
    lstm: Callable[[Tensor, Tensor], Tensor], data: SequenceFeatures, rows: Indices
) -> Tensor:
    """Scores (V, rows, K) that an LSTM, or several, give to the windows that end with these rows."""
    order = np.lexsort((data.frames.place_N[rows], data.frames.sequence_N[rows]))
    parts = [order[at : at + FRAMES_AT_ONCE] for at in range(0, len(order), FRAMES_AT_ONCE)]
    with torch.inference_mode():
        views = [
            torch.cat([lstm(*gather(data, rows[part], view)) for part in parts])
            for view in range(len(data.views_VNS))
        ]
    back = torch.from_numpy(np.argsort(order))
    return torch.stack(views)[:, back]
