"""Inputs of a retraining: corrected labels, remaining doubt, constraints and the previous networks.

Labels that were renamed, merged or added since follow ``review/label_operations.py``; their columns of the
previous networks are matched in ``training/retraining/warm_start.py``.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tagger.arrays import Cells, Floats
from tagger.commands.console.screen import Screen
from tagger.commands.steps.retrain_start import RetrainStart
from tagger.commands.steps.reviewed_labels import (
    ReviewedLabels,
    correct_labels,
    eval_mask,
    hide_password,
    read_decisions,
    remaining_doubt,
    show_decisions,
)
from tagger.config import Settings
from tagger.data import LabelGroup, Rule
from tagger.errors import TaggerError
from tagger.model import Backbone, TagModel, load_model, new_backbone
from tagger.review import vocabulary_after
from tagger.runs import RunFolder
from tagger.text import counted
from tagger.training.retraining.warm_start import WarmStart, remap_head_labels


@dataclass(frozen=True)
class RetrainInputs:
    """Inputs from the previous run: its images, its labels after the decisions, and the doubt that remains."""

    previous: RunFolder
    settings: Settings
    corrected: ReviewedLabels
    images: pd.DataFrame
    eval_mask_NK: np.ndarray
    doubt_NK: Floats

    @property
    def names(self) -> tuple[str, ...]:
        """The labels after all operations."""
        return self.corrected.applied.names

    @property
    def labels_NK(self) -> Cells:
        """The cells after all decisions."""
        return self.corrected.applied.labels_NK


def load_retrain_inputs(start: RetrainStart, screen: Screen) -> RetrainInputs:
    """Inputs of this retraining, by the decisions that it began with: the log only grows, so all are still there."""
    folder = start.folder
    previous = start.previous
    origin = start.origin
    url = start.url
    settings = folder.load_settings()  # those of the previous run, with the present data folder
    images = previous.load_images()
    rows, operations = read_decisions(url)
    if max((row.id for row in rows), default=0) < origin["last_decision"]:
        raise TaggerError(
            f"{hide_password(url)} does not have the decisions that {folder.path} began with."
            " Name their database: --store URL."
        )
    rows = [row for row in rows if row.id <= origin["last_decision"]]
    corrected = correct_labels(
        previous, rows, [one for one in operations if one.id <= origin["last_operation"]],
        origin.get("on_disagreement", "skip"),
    )  # fmt: skip
    screen.say(f"{counted(len(images), 'photo')} of {previous.path} -> {folder.path}")
    show_decisions(previous, corrected, url, screen)
    if not rows:
        screen.say(
            "There are no decisions yet: this trains on the same labels again. Review first: tagger review."
        )
    checkpoint = folder.checkpoint
    if checkpoint.has_suspects:
        doubt_NK = remaining_doubt(previous, checkpoint.load_suspects(), corrected)
    else:
        doubt_NK = np.zeros(corrected.applied.labels_NK.shape, dtype=np.float32)
    eval_mask_NK = eval_mask(previous, corrected, (images["split"] == "test").to_numpy())
    return RetrainInputs(previous, settings, corrected, images, eval_mask_NK, doubt_NK)


def remap_constraints(inputs: RetrainInputs) -> tuple[dict[str, LabelGroup], tuple[Rule, ...]]:
    """Groups and rules under the current label names, without those that lost a label they need."""
    current_vocabulary = vocabulary_after(inputs.previous.load_labels(), inputs.corrected.operations)
    groups: dict[str, LabelGroup] = {}
    for name, group in inputs.previous.load_groups().items():
        members = dict.fromkeys(
            to for label in group["labels"] if (to := current_vocabulary.resolve(label)) is not None
        )
        if len(members) > 1 or len(members) == len(group["labels"]):
            groups[name] = LabelGroup(kind=group["kind"], labels=list(members))
    resolve = current_vocabulary.resolve
    pairs = [(resolve(rule.premise), resolve(rule.implied)) for rule in inputs.previous.load_rules()]
    return groups, tuple(
        dict.fromkeys(Rule(a, b) for a, b in pairs if a is not None and b is not None and a != b)
    )


def load_warm_start(inputs: RetrainInputs, settings: Settings, priors_K: Floats, screen: Screen) -> WarmStart:
    """The networks of the previous run, with a column for each current label."""
    previous = inputs.previous
    num_labels = len(previous.load_labels())
    now = vocabulary_after(previous.load_labels(), inputs.corrected.operations)
    columns = [now.run_column(name) for name in inputs.names]

    def fold_model(stem: str) -> TagModel | None:
        path = previous.fold_models_path / f"{stem}.safetensors"
        if not path.is_file():
            return None
        model = load_model(path, settings, num_labels)
        attention = model.attention.remap_labels(columns, priors_K) if model.attention else None
        return TagModel(model.backbone, remap_head_labels(model.head, columns, priors_K, settings), attention)

    def backbone() -> Backbone:
        frozen = settings.train.epochs == 0
        return (
            load_model(previous.model_path, settings, num_labels).backbone
            if frozen
            else new_backbone(settings)
        )

    if settings.train.epochs and not any(previous.fold_models_path.glob("*.safetensors")):
        screen.say(
            f"{previous.path} has no networks in {previous.fold_models_path.name}: this training starts from the"
            " same initial weights as that run."
        )
        new_backbone(settings)  # a file that is gone shows at once
    return WarmStart(fold_model, backbone)
