"""What does a run hand over to the one that is made of it? Its labels after the decisions, and its networks."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tagger.arrays import Cells, Floats
from tagger.commands.decisions import Decided, decide, doubt_left, judged_cells, read_decisions, summarise
from tagger.commands.screen import Screen
from tagger.config import Settings
from tagger.data import Group, Rule
from tagger.data.wording import counted
from tagger.model import Backbone, TagModel, load_model, new_backbone
from tagger.review import vocabulary
from tagger.runs import RunFolder
from tagger.training.warm_start import WarmStart, match_columns


@dataclass(frozen=True)
class Handover:
    """What the run before leaves to the next: labels after the decisions, and what is still doubted."""

    old: RunFolder
    settings: Settings
    decided: Decided
    images: pd.DataFrame
    judged_NK: np.ndarray
    doubt_NK: Floats

    @property
    def names(self) -> tuple[str, ...]:
        """The labels after all operations."""
        return self.decided.applied.names

    @property
    def labels_NK(self) -> Cells:
        """The cells after all decisions."""
        return self.decided.applied.labels_NK


def hand_over(folder: RunFolder, old: RunFolder, origin: dict[str, Any], url: str, screen: Screen) -> Handover:
    """The labels after the decisions that this retraining began with; the log only grows, so they are all there."""
    settings, images = old.load_settings(), old.load_images()
    rows, operations = read_decisions(url)
    rows = [row for row in rows if row.id <= origin["last_decision"]]
    decided = decide(old, rows, [one for one in operations if one.id <= origin["last_operation"]])
    screen.say(f"{counted(len(images), 'image')} of {old.path} -> {folder.path}")
    summarise(decided, url, screen)
    if not rows:
        screen.say("Nothing is decided yet, so this trains on the same labels again. Decide: tagger review")
    checkpoint = folder.checkpoint
    if checkpoint.has_suspects:
        doubt_NK = doubt_left(old, checkpoint.load_suspects(), decided)
    else:
        doubt_NK = np.zeros(decided.applied.labels_NK.shape, dtype=np.float32)
    judged_NK = judged_cells(old, decided, (images["split"] == "test").to_numpy())
    return Handover(old, settings, decided, images, judged_NK, doubt_NK)


def structure(work: Handover) -> tuple[dict[str, Group], tuple[Rule, ...]]:
    """Groups and rules under the labels' names of now; what lost a label that it needs is gone."""
    now = vocabulary(work.old.load_labels(), work.decided.operations)
    groups: dict[str, Group] = {}
    for name, group in work.old.load_groups().items():
        members = dict.fromkeys(to for label in group["labels"] if (to := now.resolve(label)) is not None)
        if len(members) > 1 or len(members) == len(group["labels"]):
            groups[name] = Group(kind=group["kind"], labels=list(members))
    pairs = [(now.resolve(rule.premise), now.resolve(rule.implied)) for rule in work.old.load_rules()]
    return groups, tuple(dict.fromkeys(Rule(a, b) for a, b in pairs if a is not None and b is not None and a != b))


def warm_start(
    old: RunFolder, settings: Settings, names: tuple[str, ...], priors_K: Floats, screen: Screen
) -> WarmStart:
    """The networks of the last run, with a column for each label of now."""
    before = old.load_labels()

    def member(stem: str) -> TagModel | None:
        path = old.members_path / f"{stem}.safetensors"
        if not path.is_file():
            return None
        model = load_model(path, settings, len(before))
        attention = model.attention.relabelled(before, names, priors_K) if model.attention else None
        return TagModel(model.backbone, match_columns(model.head, before, names, priors_K, settings), attention)

    def backbone() -> Backbone:
        frozen = settings.train.epochs == 0
        return load_model(old.model_path, settings, len(before)).backbone if frozen else new_backbone(settings)

    if settings.train.epochs and not any(old.members_path.glob("*.safetensors")):
        screen.say(f"{old.path} kept no networks to go on from: training begins with the weights it began with.")
        new_backbone(settings)  # a file that is gone shows at once
    return WarmStart(member, backbone)
