"""A training that starts from a run: its weights, the learnt rows of labels that both have, and its split."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tagger.commands.steps.training_steps import ScannedImages
from tagger.config import Settings
from tagger.data import Split, label_stats, split_images
from tagger.data.joined_split import join_split
from tagger.data.known_hashes import known_hashes
from tagger.data.table_changes import match_columns, match_photos
from tagger.errors import TaggerError
from tagger.model import TagModel, load_model, needs_fixed_size
from tagger.runs import RunFolder, find_run
from tagger.text import counted, quoted
from tagger.training.retraining.warm_start import remap_head_labels
from tagger.training.seeds import seed_of


def check_compatible(run: RunFolder, settings: Settings) -> None:
    """TaggerError if the settings ask for another network than that of the run."""
    old = run.load_settings()
    parts = {
        "backbone": (
            old.backbone.model_dump(exclude={"weights"}),
            settings.backbone.model_dump(exclude={"weights"}),
        ),
        "head": (old.head.model_dump(), settings.head.model_dump()),
        "attention": (old.attention.model_dump(), settings.attention.model_dump()),
        "glimpses": (old.glimpses.model_dump(), settings.glimpses.model_dump()),
    }
    if needs_fixed_size(old.backbone.name):
        parts["image"] = ({"size": old.image.size}, {"size": settings.image.size})
    differing = [
        f"{section}.{key} = {new.get(key)!r} (the run has {before.get(key)!r})"
        for section, (before, new) in parts.items()
        for key in dict.fromkeys([*before, *new])
        if before.get(key) != new.get(key)
    ]
    if differing:
        raise TaggerError(
            f"--from {run.path}: its weights are of another network. Different: {'; '.join(differing)}. Leave these"
            " settings as the run has them, or train without --from."
        )


def load_start(run: RunFolder, scanned: ScannedImages) -> TagModel:
    """The model of the run with a column for each label of the new photos, learnt where the run knows the label."""
    names = run.load_labels()
    settings = run.load_settings()
    model = load_model(run.model_path, settings, len(names))
    columns = match_columns(scanned.vocabulary.labels, names)
    priors_K = label_stats(scanned.labels_NK).priors_K
    head = remap_head_labels(model.head, columns, priors_K, scanned.job.settings)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_of(scanned.job.settings.seed, "new labels", "attention"))
        attention = model.attention.remap_labels(columns, priors_K) if model.attention else None
        glimpses = model.glimpses.remap_labels(columns) if model.glimpses else None
    return TagModel(model.backbone, head, attention, glimpses=glimpses)


def tell_labels(run: RunFolder, scanned: ScannedImages) -> str:
    """Show which labels go on from what was learnt; a sentence on it for the model card."""
    old = run.load_labels()
    new = scanned.vocabulary.labels
    added = [name for name in new if name not in set(old)]
    gone = [name for name in old if name not in set(new)]
    parts = [f"{counted(len(new) - len(added), 'label')} known"]
    parts += [f"new: {quoted(added, 5)}"] if added else []
    parts += [f"not in these photos and left out: {quoted(gone, 5)}"] if gone else []
    sentence = f"Started from {run.path}: {'; '.join(parts)}."
    if (run.load_groups() or run.load_rules()) and not (
        scanned.vocabulary.groups or scanned.vocabulary.rules
    ):
        sentence += " Its groups and rules are not taken over: they come from labels.toml beside the photos."
    scanned.job.screen.say(sentence)
    return sentence


def split_beside(run: RunFolder, scanned: ScannedImages, groups: NDArray[np.int64]) -> Split | None:
    """The split where some photos are the run's, too; None if none is. What it has learnt is in no test part."""
    images = scanned.images
    old = run.load_images()
    row_N = match_photos(
        images["file"].tolist(),
        known_hashes(images, old).tolist(),
        old["file"].tolist(),
        old["hash"].tolist(),
    )
    known = row_N >= 0
    if not known.any():
        return None
    data = scanned.job.settings.data
    fold = old["fold"].to_numpy(np.int64)[row_N]
    former = np.where(known, old["split"].to_numpy(dtype=str)[row_N], "")
    parts = join_split(
        scanned.labels_NK, images["hash"].tolist(), groups, former,
        np.where(known & (fold >= 0), fold % data.folds, -1),
        val=data.val, test=data.test, num_folds=data.folds, seed=scanned.job.settings.seed,
    )  # fmt: skip
    note = (
        f"{counted(int(known.sum()), 'photo')} of {run.path} are among these photos: test photos stay test photos, and"
        " what that run has learnt is in no test part. As it knows the labels of those, fewer of their errors are"
        " found."
    )
    return _with_validation(Split(parts.split, parts.fold, (note,)), scanned, groups)


def _with_validation(found: Split, scanned: ScannedImages, groups: NDArray[np.int64]) -> Split:
    """The split with photos for validation, which the run's training photos alone may lack."""
    data = scanned.job.settings.data
    learnt = np.flatnonzero(found.split != "test")
    if not len(learnt):
        raise TaggerError(
            "all photos are test photos of the run that is started from, which no training may see"
        )
    if not data.val or (found.split == "val").any():
        return found
    parts = split_images(
        scanned.labels_NK[learnt], scanned.images["hash"].to_numpy(dtype=str)[learnt], groups=groups[learnt],
        val=data.val / (1 - data.test), test=0, folds=data.folds, seed=scanned.job.settings.seed,
    )  # fmt: skip
    split = found.split.copy()
    split[learnt] = parts.split
    return replace(found, split=split)


def run_started_from(settings: Settings) -> RunFolder | None:
    """The run that a training starts from; None if it starts anew."""
    return find_run(Path(settings.started_from)) if settings.started_from else None
