"""Train a whole network on images; resumable after every epoch, with the same result.

Nothing random outlives an epoch: order, augmentation and dropout of epoch e are drawn from the seed of
(run, network, e), so weights, averaged weights and the optimiser's state are all that a checkpoint has to
hold.
"""

import copy
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from timm.utils import ModelEmaV3
from torch import Tensor, nn

from tagger.arrays import Cells, Indices
from tagger.batches import (
    Augment,
    CachedImages,
    ImageFiles,
    check_readable,
    make_loader,
    mixup_cutmix,
    progressive_size,
    resize_images,
    samplers,
)
from tagger.config import Settings
from tagger.data import EMPTY_VOCABULARY, Vocabulary
from tagger.model import TagModel, example_images, fuse_batchnorm
from tagger.progress import Track
from tagger.runs import atomic_write, wrap_read_errors
from tagger.training.device import pick_precision
from tagger.training.dynamics import TrainingDynamics, first_counted_epoch
from tagger.training.fit_key import FitKey
from tagger.training.head.cross_fit import smooth_targets, validation_metrics
from tagger.training.inference import predict_in_order, to_float
from tagger.training.network.diagnose_nonfinite import diagnose_nonfinite, per_image_losses
from tagger.training.network.fused_training import FusedTraining
from tagger.training.network.optimiser import (
    batch_norms_to_freeze,
    make_optimiser,
    make_schedule,
    parameter_groups,
)
from tagger.training.network.train_step import TrainStep
from tagger.training.nonfinite_errors import check_finite_outputs, nonfinite_error
from tagger.training.objective import (
    Objective,
    make_loss,
    make_regularisers,
    make_step_context,
    regulariser_context,
)
from tagger.training.seeds import rng_of, seed_of
from tagger.training.targets import TrainingTargets, split_targets

MAX_VALIDATION_IMAGES = 1000  # images that an epoch's validation looks at, at most
MIN_LOSS_SCALE = 2.0**-14  # of fp16's loss: after 30 halvings from 2^16, each for a step that was left out


@dataclass(frozen=True)
class FitTask:
    """What a network is trained on: images, their cells (N, K), and which rows teach and which validate.

    ``lessons`` may hold other targets than the cells, and weights.
    """

    images: ImageFiles | CachedImages
    labels_NK: Cells
    rows: Indices
    held_out: Indices
    key: FitKey
    targets: TrainingTargets | None = None
    vocabulary: Vocabulary = EMPTY_VOCABULARY


def train_network(
    model: TagModel,
    task: FitTask,
    settings: Settings,
    accelerator: Accelerator,
    state_file: Path,
    *,
    track: Track,
    dynamics: TrainingDynamics | None = None,
) -> list[dict[str, Any]]:
    """Train ``model`` in place and give one history row an epoch. It ends with the averaged weights of its
    best epoch.

    ``state_file`` is written after every epoch; a call that finds one resumes from it. TaggerError, with
    epoch, batch, files and the settings that help, if a loss, a gradient or a validated logit is not
    finite. ``watch`` takes in what each epoch's validation says of its images.
    """
    loop = _NetworkTrainer(
        model, task, settings, accelerator, dynamics or TrainingDynamics(*task.labels_NK.shape)
    )
    try:
        best, history = loop.run(state_file, track)
    finally:
        loop.release()
    if best:
        model.load_state_dict(best["weights"])
    return history


class _NetworkTrainer:
    """The moving parts of one training."""

    def __init__(
        self,
        model: TagModel,
        task: FitTask,
        settings: Settings,
        accelerator: Accelerator,
        dynamics: TrainingDynamics,
    ):
        self.task = task
        self.settings = settings
        self.accelerator = accelerator
        self.dynamics = dynamics
        self.loss_of = make_loss(settings, task.labels_NK, task.rows, task.held_out, task.vocabulary)
        self.loss_of.to(accelerator.device)
        context = regulariser_context(model.head.num_features, task.vocabulary)
        with torch.random.fork_rng(devices=[]):  # auxiliary heads begin the same way whatever came before
            torch.default_generator.manual_seed(seed_of(settings.seed, "regularisers"))
            self.objective = Objective(self.loss_of, make_regularisers(settings, context)).to(
                accelerator.device
            )
        self.sampler = samplers.build(
            settings.sampler.name, task.labels_NK[task.rows], **settings.sampler.options
        )
        self.augment = Augment(settings.augment)
        self.targets = task.targets or TrainingTargets.from_labels(task.labels_NK)
        model.to(accelerator.device)
        model.to(memory_format=torch.channels_last)
        groups = parameter_groups(
            model, settings.train, settings.attention.lr_factor, self.objective.trainable_parameters()
        )
        optimiser = make_optimiser(groups, settings.train)
        batch = settings.train.batch_size * accelerator.num_processes
        epochs = range(settings.train.epochs)
        rng = rng_of(settings.seed, "length")
        draws = [len(self.sampler.at_progress(epoch / len(epochs)).draw_epoch(rng)) for epoch in epochs]
        self.first_step_of_epoch = np.cumsum([0, *(max(1, num // batch) for num in draws)]).tolist()
        self.frozen_norms = batch_norms_to_freeze(
            model, settings, single_image_batches=min([*draws, settings.train.batch_size]) == 1
        )
        self.schedule = make_schedule(optimiser, self.first_step_of_epoch[-1], settings.train)
        self.unwrapped = model
        # Decay min(ema, step / (step + 10)): an average over the last steps from the first step on.
        self.ema = ModelEmaV3(
            model, settings.train.ema_decay, use_warmup=True, warmup_gamma=10.0, warmup_power=1.0
        )
        self.train_step = TrainStep(model, self.objective, compiled=settings.train.compile)
        self.model, self.optimiser = accelerator.prepare(self.train_step, optimiser)
        on_processor = (
            accelerator.device.type == "cpu" and not settings.train.compile
        )  # elsewhere nothing was measured
        seen = example_images(settings.image.size, accelerator.device)
        self.fused = FusedTraining(model, self.frozen_norms, seen) if on_processor else None

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
            # Without patience the last epoch is kept: the cosine ends there, and choosing costs a biased
            # score.
            if not best or not settings.patience or not row["val_map"] <= best["val_map"]:
                best = {"epoch": epoch, "val_map": row["val_map"], "weights": self.weights()}
            self.save(state_file, epoch + 1, best, history)
        return best, history

    def release(self) -> None:
        """Leave the model as it was: without autocast round its forward pass and without hooks."""
        self.accelerator.unwrap_model(self.model, keep_fp32_wrapper=False)
        self.train_step.release()
        if self.fused:
            self.fused.release()

    @property
    def lr(self) -> float:
        """The backbone's learning rate now."""
        return float(self.optimiser.param_groups[0]["lr"] / self.optimiser.param_groups[0]["lr_scale"])

    def train_epoch(self, epoch: int, track: Track) -> float:
        """One pass; gives the mean loss."""
        train = self.settings.train
        task = self.task
        seed = seed_of(self.settings.seed, task.key.seed_name, "epoch", epoch)
        order = task.rows[
            self.sampler.at_progress(epoch / train.epochs).draw_epoch(np.random.default_rng(seed))
        ]
        mine = order[self.accelerator.process_index :: self.accelerator.num_processes]
        batches = make_loader(
            task.images,
            mine,
            batch_size=train.batch_size,
            workers=self.settings.image.num_workers,
            drop_last=len(mine) >= train.batch_size,
        )
        generator = torch.Generator().manual_seed(seed)
        self._set_modes(head_only=epoch < train.freeze_epochs)
        total = 0.0
        first_step = self.first_step_of_epoch[epoch]
        done = first_step
        device = self.accelerator.device
        with torch.random.fork_rng(
            devices=[device] if device.type == "cuda" else []
        ):  # dropout draws from it
            torch.manual_seed(seed)
            for batch in track(batches, f"{task.key.title}, epoch {epoch + 1}/{train.epochs}"):
                images = to_float(check_readable(batch, task.images.files).images_BCHW, device)
                images = self.augment(images, generator)
                targets = self.targets.batch(batch.indices_B).to(device)
                images = resize_images(images, progressive_size(epoch, train.epochs, self.settings.image))
                where = f"{task.key.title}, epoch {epoch + 1}, batch {done - first_step + 1}"
                total += self._step(
                    images, targets, generator, batch.indices_B, done / self.first_step_of_epoch[-1], where
                )
                done += 1
                self.schedule.step_update(done)
                self.ema.update(self.unwrapped, step=done)
        return total / max(1, done - first_step)

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
        images, targets = mixup_cutmix(
            images, targets, generator, mixup_alpha=s.mix.mixup, cutmix_alpha=s.mix.cutmix, prob=s.mix.prob
        )
        targets_BK, weights_BK = split_targets(targets, self.task.labels_NK.shape[1])
        step = make_step_context(targets_BK, progress, generator)
        softened_BK = smooth_targets(targets_BK, s.loss.smoothing)
        loss = self.model(images, softened_BK, weights_BK, step)
        value = float(loss.item())
        if not math.isfinite(value):
            raise nonfinite_error(
                f"The loss became {value}",
                where,
                self._diagnosis(images, softened_BK, weights_BK, indices_B),
                s,
            )
        self.optimiser.zero_grad()
        self.accelerator.backward(loss)
        self.accelerator.unscale_gradients()
        self.train_step.change_gradients()
        # Without a limit nothing is scaled, and the norm is asked for all the same.
        norm = float(
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), s.train.clip_grad_norm or math.inf)
        )
        if not math.isfinite(norm) and not self._is_skipped_step():
            raise nonfinite_error(
                f"The gradient became {norm}",
                where,
                self._diagnosis(images, softened_BK, weights_BK, indices_B),
                s,
            )
        self.optimiser.step()
        return value

    def _is_skipped_step(self) -> bool:
        """Whether a step without a finite gradient is merely left out: in fp16, until its scale has become tiny."""
        scaler = self.accelerator.scaler
        return scaler is not None and scaler.get_scale() > MIN_LOSS_SCALE

    def _diagnosis(
        self, images: Tensor, targets_BK: Tensor, weights_BK: Tensor | None, indices_B: Tensor
    ) -> str:
        def losses() -> NDArray[np.float64]:
            with self.accelerator.autocast():
                return per_image_losses(
                    self.ema.module, self.unwrapped, self.loss_of, images, targets_BK, weights_BK
                )

        return diagnose_nonfinite(
            self.unwrapped, [self.task.images.files[row] for row in indices_B.tolist()], losses
        )

    def validate(self, epoch: int) -> dict[str, float]:
        """Loss and mAP of the averaged weights on (a fixed sample of) the held-out images."""
        rows = self.task.held_out
        if len(rows) > MAX_VALIDATION_IMAGES:
            rows = np.sort(
                rng_of(self.settings.seed, "validated").choice(rows, MAX_VALIDATION_IMAGES, replace=False)
            )
        loader = make_loader(
            self.task.images,
            rows,
            batch_size=self.settings.train.batch_size,
            workers=self.settings.image.num_workers,
        )
        logits_RK = predict_in_order(
            fuse_batchnorm(
                self._evaluated_model(), example_images(self.settings.image.size, self.accelerator.device)
            ),
            (check_readable(batch, self.task.images.files) for batch in loader),
            device=self.accelerator.device,
            precision=pick_precision(self.settings),
        )
        files = [self.task.images.files[row] for row in rows.tolist()]
        check_finite_outputs(
            logits_RK, files, f"After epoch {epoch + 1} of {self.task.key.title} the logits", self.settings
        )
        if epoch >= first_counted_epoch(self.settings.train.epochs):
            self.dynamics.add(rows, logits_RK)
        return validation_metrics(logits_RK, self.task.labels_NK[rows], copy.deepcopy(self.loss_of).cpu())

    def weights(self) -> dict[str, Tensor]:
        """A copy of the averaged weights."""
        return {
            name: tensor.detach().clone() for name, tensor in self._evaluated_model().state_dict().items()
        }

    def save(self, path: Path, epoch: int, best: dict[str, Any], history: list[dict[str, Any]]) -> None:
        """Everything that the next epoch needs, whole or not at all."""
        state = {
            "epoch": epoch,
            "best": best,
            "history": history,
            "dynamics": self.dynamics.state_dict(),
            "model": self.unwrapped.state_dict(),
            "ema": self.ema.module.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "regularisers": self.objective.state_dict(),
            "scaler": self.accelerator.scaler.state_dict() if self.accelerator.scaler else {},
        }
        if self.accelerator.is_main_process:
            with atomic_write(path) as temporary:
                torch.save(state, temporary)

    def load(self, path: Path) -> tuple[int, dict[str, Any], list[dict[str, Any]]]:
        """(epochs done, best epoch so far, history); (0, {}, []) if there is no checkpoint."""
        if not path.is_file():
            return 0, {}, []
        with wrap_read_errors(path, "Remove it, and go on with --resume: this network begins anew"):
            state = torch.load(path, map_location="cpu", weights_only=True)
            self.unwrapped.load_state_dict(state["model"])
            self.ema.module.load_state_dict(state["ema"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.objective.load_state_dict(state["regularisers"])
            if self.accelerator.scaler:
                self.accelerator.scaler.load_state_dict(state["scaler"])
            self.dynamics.load_state_dict(state["dynamics"])
            return state["epoch"], state["best"], state["history"]

    def _evaluated_model(self) -> nn.Module:
        return self.ema.module if self.settings.train.ema_decay else self.unwrapped

    def _set_modes(self, *, head_only: bool) -> None:
        self.model.train()
        for norm in self.frozen_norms:
            norm.eval()
        backbone = self.unwrapped.backbone
        if head_only:
            backbone.eval()
        grouped = {id(p) for group in self.optimiser.param_groups for p in group["params"]}
        for parameter in backbone.parameters():
            parameter.requires_grad_(id(parameter) in grouped and not head_only)
