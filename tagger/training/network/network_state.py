"""State of a network's training between two epochs: model, averaged weights, optimiser; saved and loaded as one file.

Nothing random outlives an epoch, so this is all that the next one needs.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from timm.utils import ModelEmaV3
from torch import Tensor

from tagger.model import TagModel
from tagger.runs import atomic_write, wrap_read_errors
from tagger.training.dynamics import TrainingDynamics
from tagger.training.objective import Objective
from tagger.training.training_data import History


class EpochsDone(NamedTuple):
    """How many epochs are done, the best one with its weights (empty: none yet), and one history row each."""

    epoch: int
    best: dict[str, Any]
    history: History


@dataclass(frozen=True)
class NetworkState:
    """What training changes. ``ema`` averages the weights; ``evaluates_ema``: its weights are the result."""

    model: TagModel
    ema: ModelEmaV3
    evaluates_ema: bool
    optimiser: AcceleratedOptimizer
    objective: Objective
    dynamics: TrainingDynamics
    accelerator: Accelerator

    @property
    def evaluated_model(self) -> TagModel:
        """The model that is validated and kept."""
        model: TagModel = self.ema.module if self.evaluates_ema else self.model
        return model

    def evaluated_weights(self) -> dict[str, Tensor]:
        """A copy of the weights that are validated and kept."""
        return {name: tensor.detach().clone() for name, tensor in self.evaluated_model.state_dict().items()}

    def save(self, path: Path, done: EpochsDone) -> None:
        """Write the state and the epochs done, whole or not at all."""
        scaler = self.accelerator.scaler
        state = {
            "epoch": done.epoch,
            "best": done.best,
            "history": done.history,
            "dynamics": self.dynamics.state_dict(),
            "model": self.model.state_dict(),
            "ema": self.ema.module.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "regularisers": self.objective.state_dict(),
            "scaler": scaler.state_dict() if scaler else {},
        }
        if self.accelerator.is_main_process:
            with atomic_write(path) as temporary:
                torch.save(state, temporary)

    def load(self, path: Path) -> EpochsDone:
        """Restore the state from ``path``; without a file nothing changes and no epoch is done."""
        if not path.is_file():
            return EpochsDone(0, {}, [])
        with wrap_read_errors(path, "Remove it, and go on with --resume: this network is trained anew"):
            state = torch.load(path, map_location="cpu", weights_only=True)
            self.model.load_state_dict(state["model"])
            self.ema.module.load_state_dict(state["ema"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.objective.load_state_dict(state["regularisers"])
            if self.accelerator.scaler:
                self.accelerator.scaler.load_state_dict(state["scaler"])
            self.dynamics.load_state_dict(state["dynamics"])
            return EpochsDone(state["epoch"], state["best"], state["history"])
