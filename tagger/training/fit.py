"""The whole network on images: one training, resumable after every epoch to the result it would have had.

Nothing random outlives an epoch: order, augmentation and dropout of epoch e are drawn from the seed of (run, network,
e), so weights, averaged weights and the optimiser's state are all that a checkpoint has to hold.
"""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from timm.utils import ModelEmaV3
from torch import Tensor, nn

from tagger.arrays import Cells
from tagger.batches import Augment, CachedImages, ImageFiles, check_readable, grown, make_loader, mix, samplers, size_at
from tagger.config import Settings
from tagger.data import NO_VOCABULARY, Vocabulary
from tagger.model import TagModel, example, folded
from tagger.runs import readable, replacing
from tagger.training.blame import blame, own_losses
from tagger.training.convolutions import Quicker
from tagger.training.device import pick_precision
from tagger.training.dynamics import Dynamics, begins_to_count
from tagger.training.finite import check_outputs, stopped
from tagger.training.fit_key import FitKey
from tagger.training.head_stage import soften, validation_row
from tagger.training.inference import predict_in_order, to_float
from tagger.training.learner import Learner
from tagger.training.lessons import Lessons, parted
from tagger.training.objective import Objective, facts_of, make_loss, make_regularisers, make_step
from tagger.training.optimiser import make_optimiser, make_schedule, norms_to_keep, parameter_groups
from tagger.training.seeds import rng_of, seed_of

Rows = NDArray[np.int64]
Track = Callable[[Any, str], Any]
VALIDATED = 1000  # images that an epoch's validation looks at, at most
SMALLEST_SCALE = 2.0**-14  # of fp16's loss: after 30 halvings from 2^16, each for a step that was left out


@dataclass(frozen=True)
class Task:
    """What a network is trained on: images, their cells (N, K), and which rows teach and which validate.

    ``lessons`` may hold other targets than the cells, and weights.
    """

    images: ImageFiles | CachedImages
    labels_NK: Cells
    rows: Rows
    held_out: Rows
    key: FitKey
    lessons: Lessons | None = None
    vocabulary: Vocabulary = NO_VOCABULARY


def fit(
    model: TagModel,
    task: Task,
    settings: Settings,
    accelerator: Accelerator,
    state_file: Path,
    *,
    track: Track,
    watch: Dynamics | None = None,
) -> list[dict[str, Any]]:
    """Train ``model`` in place and give one history row an epoch. It ends with the averaged weights of its best epoch.

    ``state_file`` is written after every epoch; a call that finds one resumes from it. TaggerError, with epoch,
    batch, files and the settings that help, if a loss, a gradient or a validated logit is not finite. ``watch`` takes
    in what each epoch's validation says of its images.
    """
    loop = _Loop(model, task, settings, accelerator, watch or Dynamics(*task.labels_NK.shape))
    try:
        best, history = loop.run(state_file, track)
    finally:
        loop.release()
    if best:
        model.load_state_dict(best["weights"])
    return history


class _Loop:
    """The moving parts of one training."""

    def __init__(self, model: TagModel, task: Task, settings: Settings, accelerator: Accelerator, watch: Dynamics):
        self.task, self.settings, self.accelerator, self.watch = task, settings, accelerator, watch
        self.loss_of = make_loss(settings, task.labels_NK, task.rows, task.held_out, task.vocabulary)
        self.loss_of.to(accelerator.device)
        facts = facts_of(model.head.num_features, task.vocabulary)
        with torch.random.fork_rng(devices=[]):  # auxiliary heads begin the same way whatever came before
            torch.default_generator.manual_seed(seed_of(settings.seed, "regularisers"))
            self.objective = Objective(self.loss_of, make_regularisers(settings, facts)).to(accelerator.device)
        self.sampler = samplers.build(settings.sampler.name, task.labels_NK[task.rows], **settings.sampler.options)
        self.augment = Augment(settings.augment)
        self.lessons = task.lessons or Lessons.of(task.labels_NK)
        model.to(accelerator.device)
        model.to(memory_format=torch.channels_last)
        groups = parameter_groups(model, settings.train, settings.attention.lr_factor, self.objective.learnt())
        optimiser = make_optimiser(groups, settings.train)
        batch = settings.train.batch_size * accelerator.num_processes
        epochs, rng = range(settings.train.epochs), rng_of(settings.seed, "length")
        draws = [len(self.sampler.at(epoch / len(epochs)).draw(rng)) for epoch in epochs]
        self.first_steps = np.cumsum([0, *(max(1, num // batch) for num in draws)]).tolist()
        self.norms = norms_to_keep(model, settings, alone=min([*draws, settings.train.batch_size]) == 1)
        self.schedule = make_schedule(optimiser, self.first_steps[-1], settings.train)
        self.raw = model
        # Decay min(ema, step / (step + 10)): an average over the last steps from the first step on.
        self.ema = ModelEmaV3(model, settings.train.ema, use_warmup=True, warmup_gamma=10.0, warmup_power=1.0)
        self.learner = Learner(model, self.objective, compiled=settings.train.compile)
        self.model, self.optimiser = accelerator.prepare(self.learner, optimiser)
        on_processor = accelerator.device.type == "cpu" and not settings.train.compile  # elsewhere nothing was measured
        seen = example(settings.image.size, accelerator.device)
        self.quicker = Quicker(model, self.norms, seen) if on_processor else None

    def run(self, state_file: Path, track: Track) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """All epochs from the checkpoint on: the best one with its weights, and one history row each."""
        settings, (start, best, history) = self.settings.train, self.load(state_file)
        for epoch in range(start, settings.epochs):
            if best and settings.patience and epoch - best["epoch"] > settings.patience:
                break
            loss = self.train_epoch(epoch, track)
            row = {"stage": self.task.key.title, "epoch": epoch + 1, "train_loss": loss, "lr": self.lr}
            row |= self.validate(epoch)
            history.append(row)
            # Without patience the last epoch is kept: the cosine ends there, and choosing costs a biased score.
            if not best or not settings.patience or not row["val_map"] <= best["val_map"]:
                best = {"epoch": epoch, "val_map": row["val_map"], "weights": self.weights()}
            self.save(state_file, epoch + 1, best, history)
        return best, history

    def release(self) -> None:
        """Leave the model as it was: without autocast round its forward pass and without hooks."""
        self.accelerator.unwrap_model(self.model, keep_fp32_wrapper=False)
        self.learner.release()
        if self.quicker:
            self.quicker.release()

    @property
    def lr(self) -> float:
        """The backbone's learning rate now."""
        return float(self.optimiser.param_groups[0]["lr"] / self.optimiser.param_groups[0]["lr_scale"])

    def train_epoch(self, epoch: int, track: Track) -> float:
        """One pass; gives the mean loss."""
        train, task = self.settings.train, self.task
        seed = seed_of(self.settings.seed, task.key.seed_name, "epoch", epoch)
        order = task.rows[self.sampler.at(epoch / train.epochs).draw(np.random.default_rng(seed))]
        mine = order[self.accelerator.process_index :: self.accelerator.num_processes]
        batches = make_loader(
            task.images,
            mine,
            batch_size=train.batch_size,
            workers=self.settings.image.num_workers,
            drop_last=len(mine) >= train.batch_size,
        )
        generator = torch.Generator().manual_seed(seed)
        self._set_modes(only_head=epoch < train.freeze_epochs)
        total, begun = 0.0, self.first_steps[epoch]
        done = begun
        device = self.accelerator.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):  # dropout draws from it
            torch.manual_seed(seed)
            for batch in track(batches, f"{task.key.title}, epoch {epoch + 1}/{train.epochs}"):
                images = to_float(check_readable(batch, task.images.files).images_BCHW, device)
                images = self.augment(images, generator)
                targets = self.lessons.batch(batch.indices_B).to(device)
                images = grown(images, size_at(epoch, train.epochs, self.settings.image))
                where = f"{task.key.title}, epoch {epoch + 1}, batch {done - begun + 1}"
                total += self._step(images, targets, generator, batch.indices_B, done / self.first_steps[-1], where)
                done += 1
                self.schedule.step_update(done)
                self.ema.update(self.raw, step=done)
        return total / max(1, done - begun)

    def _step(
        self,
        images: Tensor,
        targets: Tensor,
        generator: torch.Generator,
        indices_B: Tensor,
        progress: float,
        where: str,
    ) -> float:
        s = self.settings
        images, targets = mix(
            images, targets, generator, mixup_alpha=s.mix.mixup, cutmix_alpha=s.mix.cutmix, prob=s.mix.prob
        )
        targets_BK, weights_BK = parted(targets, self.task.labels_NK.shape[1])
        step = make_step(targets_BK, progress, generator)
        softened_BK = soften(targets_BK, s.loss.smoothing)
        loss = self.model(images, softened_BK, weights_BK, step)
        value = float(loss.item())
        if not math.isfinite(value):
            raise stopped(
                f"The loss became {value}", where, self._blamed(images, softened_BK, weights_BK, indices_B), s
            )
        self.optimiser.zero_grad()
        self.accelerator.backward(loss)
        self.accelerator.unscale_gradients()
        self.learner.change_gradients()
        # Without a limit nothing is scaled, and the norm is asked for all the same.
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), s.train.clip or math.inf))
        if not math.isfinite(norm) and not self._is_left_out():
            raise stopped(
                f"The gradient became {norm}", where, self._blamed(images, softened_BK, weights_BK, indices_B), s
            )
        self.optimiser.step()
        return value

    def _is_left_out(self) -> bool:
        """Whether a step without a finite gradient is merely left out: in fp16, until its scale has become tiny."""
        scaler = self.accelerator.scaler
        return scaler is not None and scaler.get_scale() > SMALLEST_SCALE

    def _blamed(self, images: Tensor, targets_BK: Tensor, weights_BK: Tensor | None, indices_B: Tensor) -> str:
        def losses() -> NDArray[np.float64]:
            with self.accelerator.autocast():
                return own_losses(self.ema.module, self.raw, self.loss_of, images, targets_BK, weights_BK)

        return blame(self.raw, [self.task.images.files[row] for row in indices_B.tolist()], losses)

    def validate(self, epoch: int) -> dict[str, float]:
        """Loss and mAP of the averaged weights on (a fixed sample of) the held-out images."""
        rows = self.task.held_out
        if len(rows) > VALIDATED:
            rows = np.sort(rng_of(self.settings.seed, "validated").choice(rows, VALIDATED, replace=False))
        loader = make_loader(
            self.task.images, rows, batch_size=self.settings.train.batch_size, workers=self.settings.image.num_workers
        )
        logits_RK = predict_in_order(
            folded(self._averaged(), example(self.settings.image.size, self.accelerator.device)),
            (check_readable(batch, self.task.images.files) for batch in loader),
            device=self.accelerator.device,
            precision=pick_precision(self.settings),
        )
        files = [self.task.images.files[row] for row in rows.tolist()]
        check_outputs(logits_RK, files, f"After epoch {epoch + 1} of {self.task.key.title} the logits", self.settings)
        if epoch >= begins_to_count(self.settings.train.epochs):
            self.watch.add(rows, logits_RK)
        return validation_row(logits_RK, self.task.labels_NK[rows], copy.deepcopy(self.loss_of).cpu())

    def weights(self) -> dict[str, Tensor]:
        """A copy of the averaged weights."""
        return {name: tensor.detach().clone() for name, tensor in self._averaged().state_dict().items()}

    def save(self, path: Path, epoch: int, best: dict[str, Any], history: list[dict[str, Any]]) -> None:
        """Everything that the next epoch needs, whole or not at all."""
        state = {
            "epoch": epoch,
            "best": best,
            "history": history,
            "dynamics": self.watch.state(),
            "model": self.raw.state_dict(),
            "ema": self.ema.module.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "regularisers": self.objective.state_dict(),
            "scaler": self.accelerator.scaler.state_dict() if self.accelerator.scaler else {},
        }
        if self.accelerator.is_main_process:
            with replacing(path) as temporary:
                torch.save(state, temporary)

    def load(self, path: Path) -> tuple[int, dict[str, Any], list[dict[str, Any]]]:
        """(epochs done, best epoch so far, history); (0, {}, []) if there is no checkpoint."""
        if not path.is_file():
            return 0, {}, []
        with readable(path, "Remove it, and go on with --resume: this network begins anew"):
            state = torch.load(path, map_location="cpu", weights_only=True)
            self.raw.load_state_dict(state["model"])
            self.ema.module.load_state_dict(state["ema"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.objective.load_state_dict(state["regularisers"])
            if self.accelerator.scaler:
                self.accelerator.scaler.load_state_dict(state["scaler"])
            self.watch.load(state["dynamics"])
            return state["epoch"], state["best"], state["history"]

    def _averaged(self) -> nn.Module:
        return self.ema.module if self.settings.train.ema else self.raw

    def _set_modes(self, *, only_head: bool) -> None:
        self.model.train()
        for norm in self.norms:
            norm.eval()
        backbone = self.raw.backbone
        if only_head:
            backbone.eval()
        grouped = {id(p) for group in self.optimiser.param_groups for p in group["params"]}
        for parameter in backbone.parameters():
            parameter.requires_grad_(id(parameter) in grouped and not only_head)
