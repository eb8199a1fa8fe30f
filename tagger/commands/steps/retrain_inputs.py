"""Inputs of a retraining: photos, corrected labels and remaining doubt.

Labels that were renamed, merged or added since follow ``review/label_operations.py``.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from tagger.arrays import Cells, Floats
from tagger.commands.console.screen import Screen
from tagger.commands.steps.current_table import tell_changes, tell_what_is_not_learnt
from tagger.commands.steps.grown_photos import GrownPhotos, load_grown
from tagger.commands.steps.located_photos import locate_photos
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
from tagger.commands.steps.taken_off import offer_taken_off
from tagger.config import Settings
from tagger.errors import TaggerError
from tagger.runs import LocatedRun, RunFolder, data_folder
from tagger.text import counted


@dataclass(frozen=True)
class RetrainInputs:
    """Inputs from the previous run: its images, its labels after the decisions, and the doubt that remains.

    With ``growth`` all of them are of the images as they are now.
    """

    previous: LocatedRun
    settings: Settings
    corrected: ReviewedLabels
    images: pd.DataFrame
    eval_mask_NK: np.ndarray
    doubt_NK: Floats
    growth: GrownPhotos | None = None

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
    origin = start.origin
    url = start.url
    previous = locate_photos(start.previous, url, screen, accept_edited=origin.get("accept_edited", False))
    settings = folder.load_settings()  # those of the previous run, with the present data folder
    rows, operations = read_decisions(url, previous)
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
    growth = load_grown(folder, previous, corrected) if origin.get("grow") else None
    inputs = _of_run(folder, previous, settings, corrected)
    if growth is not None:
        inputs = _of_grown(inputs, growth)
    screen.say(f"{counted(len(inputs.images), 'photo')} of {previous.path} -> {folder.path}")
    show_decisions(previous, inputs.corrected, url, screen, inputs.images)
    offer_taken_off(previous, data_folder(folder), inputs.corrected, screen)
    if not rows and growth is None:
        screen.say(
            "There are no decisions yet: this trains on the same labels again. Review first: tagger review."
        )
    if growth is not None:
        tell_changes(previous, growth.changes, screen)
        if not growth.changes.parts:
            screen.say(f"Photos and labels are as they were when {previous.path} was trained.")
    elif not start.resumed:
        tell_what_is_not_learnt(previous, corrected, screen)
    return inputs


def _of_run(
    folder: RunFolder, previous: LocatedRun, settings: Settings, corrected: ReviewedLabels
) -> RetrainInputs:
    """The images of the previous run."""
    images = previous.load_images()
    checkpoint = folder.checkpoint
    if checkpoint.has_suspects:
        doubt_NK = remaining_doubt(previous, checkpoint.load_suspects(), corrected)
    else:
        doubt_NK = np.zeros(corrected.applied.labels_NK.shape, dtype=np.float32)
    eval_mask_NK = eval_mask(previous, corrected, (images["split"] == "test").to_numpy())
    return RetrainInputs(previous, settings, corrected, images, eval_mask_NK, doubt_NK)


def _of_grown(inputs: RetrainInputs, growth: GrownPhotos) -> RetrainInputs:
    """The images as they are now, with what is known of them from the previous run."""
    return replace(
        inputs,
        corrected=growth.reviewed,
        images=growth.images,
        eval_mask_NK=growth.carry_eval_mask(inputs.previous, inputs.corrected),
        doubt_NK=growth.carry_doubt(inputs.doubt_NK, inputs.corrected),
        growth=growth,
    )
