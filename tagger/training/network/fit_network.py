"""Fit each network of a run once: initial or previous weights, training, files in the checkpoint, held-out logits."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from accelerate import Accelerator
from safetensors.torch import load_file, save_file

from tagger.arrays import Floats, Indices
from tagger.batches import check_readable, make_loader
from tagger.config import Settings
from tagger.heads import Head, HeadEnsemble
from tagger.model import TagModel, example_images, fuse_batchnorm, save_model
from tagger.progress import Track
from tagger.runs import Checkpoint, atomic_write, wrap_read_errors
from tagger.runs.checkpoint import FitFiles
from tagger.training.device import pick_precision
from tagger.training.dynamics import TrainingDynamics
from tagger.training.fit_key import FitKey
from tagger.training.inference import ForwardFn, predict_in_order
from tagger.training.network.fit_task import FitTask
from tagger.training.network.model_init import init_model, set_task_groups
from tagger.training.network.train_network import train_network
from tagger.training.network.weight_averaging import wise_ft
from tagger.training.retraining.warm_start import WarmStart, finetune_settings
from tagger.training.training_data import History, TrainingData


@dataclass(frozen=True)
class FittedNetwork:
    """A trained network, its history, and its logits of the held-out rows."""

    model: TagModel
    history: History
    logits_RK: Floats


@dataclass(frozen=True)
class NetworkFitter:
    """Fits networks on the rows of one training's data.

    Weights stay in the folder ``fold_models``, everything else in the checkpoint. With a ``warm_start`` a
    network starts from the previous run's network of the same key.
    """

    training_data: TrainingData
    settings: Settings
    accelerator: Accelerator
    checkpoint: Checkpoint
    track: Track
    fold_models: Path
    warm_start: WarmStart | None

    def fit(
        self,
        key: FitKey,
        rows: Indices,
        held_out: Indices,
        head: Head | HeadEnsemble | None,
        *,
        dynamics: TrainingDynamics | None = None,
    ) -> FittedNetwork:
        """The network trained on ``rows`` from ``head`` (None: a new one); a finished one is read from its files.

        ``dynamics`` takes in the held-out probabilities of its epochs.
        """
        data = self.training_data
        files = self.checkpoint.fit_files(key.file_stem)
        weights = self.fold_models / f"{key.file_stem}.safetensors"
        targets = None if files.finished else data.targets_without(held_out)
        task = FitTask(data.images, data.labels_NK, rows, held_out, key, targets, data.vocabulary)
        previous = self.warm_start.fold_model(key.file_stem) if self.warm_start else None
        model = previous if previous is not None else init_model(task, self.settings, head, data.start)
        settings = self.settings if previous is None else finetune_settings(self.settings)
        set_task_groups(model.head, task)
        if not files.finished:
            uses_wise_ft = head is not None and previous is None
            self._train(model, task, settings, files, weights, uses_wise_ft=uses_wise_ft)
        with wrap_read_errors(weights, files.again):
            model.to("cpu").load_state_dict(load_file(weights))
        if dynamics is not None:
            with wrap_read_errors(files.dynamics_path, files.again):
                dynamics.load_state_dict(load_file(files.dynamics_path))
        logits_RK, history = files.load()
        return FittedNetwork(model, history, logits_RK)

    def _train(
        self,
        model: TagModel,
        task: FitTask,
        settings: Settings,
        files: FitFiles,
        weights: Path,
        *,
        uses_wise_ft: bool,
    ) -> None:
        """Train the model; write its weights to ``weights``, and logits, history and dynamics to ``files``."""
        initial = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        own_dynamics = TrainingDynamics(*task.labels_NK.shape)
        history = train_network(
            model, task, settings, self.accelerator, files.state_path, track=self.track, dynamics=own_dynamics
        )
        if uses_wise_ft:
            wise_ft(model, initial, settings.train.wise_ft_share)
        with atomic_write(weights) as temporary:
            save_model(model, temporary)
        logits_RK = self.predict_rows(model, task.held_out)
        with atomic_write(files.dynamics_path) as temporary:
            save_file(own_dynamics.state_dict(), temporary)
        files.finish(logits_RK, history)

    def predict_rows(self, model: TagModel, rows: Indices, forward: ForwardFn = TagModel.__call__) -> Floats:
        """Logits of some rows, or what ``forward`` gives of the model, the mean over test-time views."""
        s = self.settings
        images = self.training_data.images
        device = self.accelerator.device
        loader = make_loader(images, rows, batch_size=s.train.batch_size, workers=s.image.num_workers)
        return predict_in_order(
            partial(forward, fuse_batchnorm(model.to(device), example_images(s.input_size, device))),
            (check_readable(batch, images.files) for batch in loader),
            device=device,
            precision=pick_precision(s),
            tta_hflip=s.image.tta_hflip,
        )
