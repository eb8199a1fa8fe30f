"""Train a whole network on images; resumable after every epoch, with the same result.

Nothing random outlives an epoch: order, augmentation and dropout of epoch e are drawn from the seed of
(run, network, e), so a checkpoint holds only weights, averaged weights and the optimiser's state.
"""

import copy
import math
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from timm.utils import ModelEmaV3

from tagger.batches import (
    Augment,
    check_readable,
    make_loader,
    samplers,
)
from tagger.config import Settings
from tagger.errors import TaggerError
from tagger.model import TagModel, example_images, fuse_batchnorm
from tagger.progress import Track
from tagger.training.device import pick_precision
from tagger.training.dynamics import TrainingDynamics, first_counted_epoch
from tagger.training.head.cross_fit import validation_metrics
from tagger.training.inference import predict_in_order
from tagger.training.network.diagnose_nonfinite import diagnose_nonfinite, per_image_losses
from tagger.training.network.fit_task import FitTask
from tagger.training.network.fused_training import FusedTraining
from tagger.training.network.network_state import EpochsDone, NetworkState
from tagger.training.network.optimiser import (
    batch_norms_to_freeze,
    make_optimiser,
    make_schedule,
    parameter_groups,
)
from tagger.training.network.prepare_batch import BatchPreparation, TrainingBatch, make_jitter
from tagger.training.network.train_step import TrainStep
from tagger.training.nonfinite_errors import check_finite_outputs, nonfinite_error
from tagger.training.objective import (
    Objective,
    make_loss,
    make_regularisers,
    regulariser_context,
)
from tagger.training.seeds import rng_of, seed_of
from tagger.training.targets import TrainingTargets
from tagger.training.training_data import History

MAX_VALIDATION_IMAGES = 1000  # images that an epoch's validation looks at, at most
MIN_LOSS_SCALE = 2.0**-14  # of fp16's loss: after 30 halvings from 2^16, each for a step that was left out


def train_network(
    model: TagModel,
    task: FitTask,
    settings: Settings,
    accelerator: Accelerator,
    state_file: Path,
    *,
    track: Track,
    dynamics: TrainingDynamics | None = None,
) -> History:
    """Train ``model`` in place to the averaged weights of its best epoch; gives one history row an epoch.

    ``state_file`` is written after every epoch; a call that finds one resumes from it. TaggerError, with
    epoch, batch, files and the settings that help, if a loss, a gradient or a validated logit is not
    finite. ``dynamics`` takes in the validated probabilities of each epoch.
    """
    dynamics = dynamics or TrainingDynamics(*task.labels_NK.shape)
    trainer = _NetworkTrainer(model, task, settings, accelerator, dynamics)
    try:
        done = trainer.run(state_file, track)
    finally:
        trainer.release()
    if done.best:
        model.load_state_dict(done.best["weights"])
    return done.history


class _NetworkTrainer:
    """Trains one network epoch by epoch."""

    def __init__(
        self,
        model: TagModel,
        task: FitTask,
        settings: Settings,
        accelerator: Accelerator,
        dynamics: TrainingDynamics,
    ):
        device = accelerator.device
        self.task = task
        self.settings = settings
        self.accelerator = accelerator
        self.loss_of = make_loss(settings, task.labels_NK, task.rows, task.held_out, task.vocabulary)
        self.loss_of.to(device)
        objective = self._make_objective(model)
        self.sampler = samplers.build(
            settings.sampler.name, task.labels_NK[task.rows], **settings.sampler.options
        )
        targets = task.targets or TrainingTargets.from_labels(task.labels_NK)
        jitter = make_jitter(task.images, settings)
        self.preparation = BatchPreparation(
            task, targets, Augment(settings.augment), settings, device, jitter
        )
        model.to(device)
        model.to(memory_format=torch.channels_last)
        extra = objective.trainable_parameters()
        groups = parameter_groups(model, settings.train, settings.attention.lr_factor, extra)
        optimiser = make_optimiser(groups, settings.train)
        draws = self._draws_per_epoch()
        batch = settings.train.batch_size * accelerator.num_processes
        self.first_step_of_epoch = np.cumsum([0, *(max(1, num // batch) for num in draws)]).tolist()
        smallest_batch = min([*draws, settings.train.batch_size])
        self.frozen_norms = batch_norms_to_freeze(model, settings, single_image_batches=smallest_batch == 1)
        self.schedule = make_schedule(optimiser, self.first_step_of_epoch[-1], settings.train)
        # Decay min(ema, step / (step + 10)): an average over the last steps from the first step on.
        ema = ModelEmaV3(
            model, settings.train.ema_decay, use_warmup=True, warmup_gamma=10.0, warmup_power=1.0
        )
        self.train_step = TrainStep(model, objective, compiled=settings.train.compile)
        # ``self.model`` is the TrainStep (network and loss) as accelerate wrapped it; ``unwrapped`` is the network.
        self.model, self.optimiser = accelerator.prepare(self.train_step, optimiser)
        self.state = NetworkState(
            model, ema, settings.train.ema_decay > 0, self.optimiser, objective, dynamics, accelerator
        )
        self.example_BCHW = example_images(settings.input_size, device)
        is_measured = device.type == "cpu" and not settings.train.compile  # elsewhere it may be slower
        self.fused = FusedTraining(model, self.frozen_norms, self.example_BCHW) if is_measured else None

    def _make_objective(self, model: TagModel) -> Objective:
        settings = self.settings
        context = regulariser_context(model.head.num_features, self.task.vocabulary)
        with torch.random.fork_rng(devices=[]):  # auxiliary heads begin the same way whatever came before
            torch.default_generator.manual_seed(seed_of(settings.seed, "regularisers"))
            objective = Objective(self.loss_of, make_regularisers(settings, context))
        return objective.to(self.accelerator.device)

    def _draws_per_epoch(self) -> list[int]:
        """How many images the sampler draws in each epoch."""
        rng = rng_of(self.settings.seed, "length")
        epochs = self.settings.train.epochs
        return [len(self.sampler.at_progress(epoch / epochs).draw_epoch(rng)) for epoch in range(epochs)]

    @property
    def unwrapped(self) -> TagModel:
        """The model that learns, as it was given."""
        return self.state.model

    def run(self, state_file: Path, track: Track) -> EpochsDone:
        """Train all epochs that the checkpoint does not have."""
        settings = self.settings.train
        start, best, history = self.state.load(state_file)
        for epoch in range(start, settings.epochs):
            if best and settings.patience and epoch - best["epoch"] > settings.patience:
                break
            loss = self.train_epoch(epoch, track)
            row = {"stage": self.task.key.title, "epoch": epoch + 1, "train_loss": loss, "lr": self.lr}
            row |= self.validate(epoch)
            history.append(row)
            # Without patience the last epoch is kept: the cosine ends there, and choosing the best of many
            # makes its score optimistic.
            if not best or not settings.patience or not row["val_map"] <= best["val_map"]:
                weights = self.state.evaluated_weights()
                best = {"epoch": epoch, "val_map": row["val_map"], "weights": weights}
            self.state.save(state_file, EpochsDone(epoch + 1, best, history))
        return EpochsDone(len(history), best, history)

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
        gpus = [device] if device.type == "cuda" else []
        with torch.random.fork_rng(devices=gpus):  # dropout draws from it
            torch.manual_seed(seed)
            for batch in track(batches, f"{task.key.title}, epoch {epoch + 1}/{train.epochs}"):
                progress = done / self.first_step_of_epoch[-1]
                where = f"{task.key.title}, epoch {epoch + 1}, batch {done - first_step + 1}"
                total += self._step(
                    self.preparation.prepare(batch, generator, epoch=epoch, progress=progress, where=where)
                )
                done += 1
                self.schedule.step_update(done)
                self.state.ema.update(self.unwrapped, step=done)
        return total / max(1, done - first_step)

    def _step(self, batch: TrainingBatch) -> float:
        """One step of the optimiser; gives the loss."""
        loss = self.model(batch.images_BCHW, batch.targets_BK, batch.weights_BK, batch.step)
        value = float(loss.item())
        if not math.isfinite(value):
            raise self._nonfinite_error(f"The loss became {value}", batch)
        self.optimiser.zero_grad()
        self.accelerator.backward(loss)
        self.accelerator.unscale_gradients()
        self.train_step.change_gradients()
        # Without a limit nothing is scaled, but the norm still shows whether it is finite.
        limit = self.settings.train.clip_grad_norm or math.inf
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), limit))
        if not math.isfinite(norm) and not self._is_skipped_step():
            raise self._nonfinite_error(f"The gradient became {norm}", batch)
        with self.train_step.around_update():
            self.optimiser.step()
        return value

    def _is_skipped_step(self) -> bool:
        """Whether a step without a finite gradient is skipped: in fp16, until the loss scale is tiny."""
        scaler = self.accelerator.scaler
        return scaler is not None and scaler.get_scale() > MIN_LOSS_SCALE

    def _nonfinite_error(self, problem: str, batch: TrainingBatch) -> TaggerError:
        """The error of a step whose loss or gradient is not finite, with the images that caused it."""

        def losses() -> NDArray[np.float64]:
            with self.accelerator.autocast():
                return per_image_losses(
                    self.state.ema.module,
                    self.unwrapped,
                    self.loss_of,
                    batch.images_BCHW,
                    batch.targets_BK,
                    batch.weights_BK,
                )

        cause = diagnose_nonfinite(self.unwrapped, batch.files, losses)
        return nonfinite_error(problem, batch.where, cause, self.settings)

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
            fuse_batchnorm(self.state.evaluated_model, self.example_BCHW),
            (check_readable(batch, self.task.images.files) for batch in loader),
            device=self.accelerator.device,
            precision=pick_precision(self.settings),
        )
        files = self.task.files(rows)
        check_finite_outputs(
            logits_RK, files, f"After epoch {epoch + 1} of {self.task.key.title} the logits", self.settings
        )
        if epoch >= first_counted_epoch(self.settings.train.epochs):
            self.state.dynamics.add(rows, logits_RK)
        return validation_metrics(logits_RK, self.task.labels_NK[rows], copy.deepcopy(self.loss_of).cpu())

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
