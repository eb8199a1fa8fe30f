"""``tagger train``: a folder of images and labels becomes a run."""

import json
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray

from tagger.arrays import NO, YES
from tagger.batches import ImageFiles, cached, fill, fits, keep_fingerprints, make_loader, samplers
from tagger.commands.changed import changed_at_the_end, changed_while_read, load_facts, look, rows_of, save_facts
from tagger.commands.conclude import conclude
from tagger.commands.copies import groups_of_copies
from tagger.commands.reading import read_with_progress
from tagger.commands.screen import Screen
from tagger.config import Settings
from tagger.data import Dataset, list_images, split_images
from tagger.data.images import check_folder
from tagger.data.wording import counted, shortlist
from tagger.errors import Problem, TaggerError
from tagger.heads import heads
from tagger.losses import losses
from tagger.model import Backbone, example, folded, needs_fixed_size, new_backbone, new_head
from tagger.presets import load_settings
from tagger.runs import RunFolder, new_run_path, newest_unfinished
from tagger.scoring import parse_aim
from tagger.training.device import make_accelerator, pick_precision
from tagger.training.features import Features, extract_features, find_unreadable
from tagger.training.material import Material
from tagger.training.objective import check_regularisers, facts_of, make_regularisers
from tagger.training.optimiser import make_optimiser
from tagger.training.pipeline import train_model

PIXELS = "pixels.npy"  # in the checkpoint: decoded images
FINGERPRINTS = "fingerprints.npy"  # in the checkpoint: what copies of images are known by


def train(
    data: str | Path | None = None,
    *,
    run: str | Path | None = None,
    preset: str = "standard",
    backbone: str | None = None,
    weights: str | None = None,
    labels: str | Path | None = None,
    resume: bool = False,
    overrides: Sequence[str] = (),
    screen: Screen | None = None,
) -> RunFolder:
    """A finished run: the model trained on the labelled images in ``data``, with thresholds, metrics and a model card.

    ``preset`` is ``quick``, ``standard`` or ``best``; ``overrides`` are ``section.key=value`` texts. ``resume`` goes on
    with an unfinished run (the newest, or ``run``), whose settings then count. TaggerError says what to mend.
    """
    screen = screen or Screen(quiet=True)
    if resume:
        folder = _begun(run)
        settings = folder.load_settings()
    else:
        if data is None:
            raise TaggerError("Which images? Give --data DIR (or --resume to go on with an unfinished training).")
        settings = _settings(check_folder(data), preset, backbone, weights, labels, overrides)
        folder = RunFolder(run if run is not None else new_run_path(settings.backbone.name))
        check_new(folder, "--run")
    with folder.locked("train", screen.say):
        if resume:
            check_unfinished(folder)
            folder.claim()  # its settings are there; one of the last version has no mark yet
        else:
            check_free(folder, "--run")
        return _train(folder, settings, screen)


def _begun(run: str | Path | None) -> RunFolder:
    """The training to go on with; TaggerError if there is none."""
    folder = RunFolder(run) if run is not None else newest_unfinished()
    check_unfinished(folder)
    if not folder.exists:
        raise TaggerError(f"{folder.path}: no training was begun there. Begin it: the same command without --resume.")
    if RunFolder(folder.checkpoint_path).load_origin() is not None:
        raise TaggerError(f"{folder.path}: a retraining. Go on with it: tagger retrain --resume --out {folder.path}")
    return folder


def check_unfinished(folder: RunFolder) -> None:
    """TaggerError if there is nothing to go on with."""
    if folder.finished:
        raise TaggerError(f"{folder.path} is finished already; there is nothing to resume.")


def check_new(folder: RunFolder, option: str) -> None:
    """TaggerError if no run can be begun in the folder that ``option`` named, whoever is at work there."""
    if folder.path.exists() and not folder.path.is_dir():
        raise TaggerError(f"{option} {folder.path}: this is a file. Name a new folder.")
    if folder.finished:
        raise TaggerError(f"{folder.path}: there is a run already. Choose another {option}.")


def check_free(folder: RunFolder, option: str) -> None:
    """TaggerError if a run was begun there, now that nobody else is at work there."""
    check_new(folder, option)
    if folder.exists:
        raise TaggerError(
            f"{folder.path}: there is a run already. Go on with it: --resume. Or choose another {option}."
        )
    folder.check_claim(option)


def _settings(
    data: Path,
    preset: str,
    backbone: str | None,
    weights: str | None,
    labels: str | Path | None,
    overrides: Sequence[str],
) -> Settings:
    named = [f"backbone.name={json.dumps(backbone)}"] * bool(backbone)
    if weights is not None:
        weights = str(Path(weights).resolve()) if weights not in ("hub", "none") else weights
        named.append(f"backbone.weights={json.dumps(weights, ensure_ascii=False)}")
    paths = {"path": str(data.resolve()), "labels": "" if labels is None else str(Path(labels).resolve())}
    settings = load_settings(preset, [*named, *overrides], data=paths)
    parse_aim(settings.threshold.aim)
    return settings


def _train(folder: RunFolder, settings: Settings, screen: Screen) -> RunFolder:
    """Everything from the data folder to the finished run."""
    began = monotonic()
    accelerator = make_accelerator(settings)
    check_parts(settings)
    backbone = new_backbone(settings)  # before the images are read: a wrong name or file shows at once
    begun = RunFolder(folder.checkpoint_path)  # what was read at the start, which a resumed training goes by
    if not folder.exists:
        listed = list_images(settings.data.path).files
        facts_MF = look(settings.data.path, listed)
        dataset = read_with_progress(
            settings.data.path, settings.data.labels or None, reading=settings.data, track=screen.track
        )
        check_learnable(dataset)
        new_head(backbone.num_features, len(dataset.labels), settings)  # whether its options suit so many labels
        make_regularisers(settings, facts_of(backbone.num_features, dataset))  # and theirs such groups and rules
        facts_NF = rows_of(dataset.images["file"].tolist(), listed, facts_MF)
        _begin(folder, begun, settings, dataset, facts_NF, screen)
    screen.log_path = folder.log_path
    names, images, labels_NK = folder.load_labels(), begun.load_images(), begun.load_cells()
    screen.say(
        f"{counted(len(images), 'image')}, {counted(len(names), 'label')} -> {folder.path}"
        f" ({settings.preset}, {settings.backbone.name}, {settings.image.size} px, {pick_precision(settings)})"
    )
    files = ImageFiles(settings.data.path, images["file"].tolist(), size=settings.image.size, fit=settings.image.fit)
    features, unreadable = _read_images(files, backbone, settings, accelerator, folder.checkpoint_path, screen)
    del backbone
    unreadable |= changed_while_read(settings.data.path, images, folder.checkpoint_path)
    problems = [Problem(images["file"][row], None, reason) for row, reason in sorted(unreadable.items())]
    folder.save_unreadable([*begun.load_unreadable(), *problems])
    if problems:
        screen.say(f"{counted(len(problems), 'image')} could not be read and left out:")
        screen.few(problems)
    readable = np.setdiff1d(np.arange(len(images)), list(unreadable)).astype(np.int64)
    images, labels_NK = images.iloc[readable].reset_index(drop=True), labels_NK[readable]
    group_N = groups_of_copies(images, readable, folder.checkpoint_path / FINGERPRINTS, screen)
    try:
        split = split_images(
            labels_NK,
            images["hash"].tolist(),
            groups=group_N,
            val=settings.data.val,
            test=settings.data.test,
            folds=settings.data.folds,
            seed=settings.seed,
            names=names,
        )
    except TaggerError as error:
        folder.take_back()
        raise TaggerError(f"{settings.data.path}: {error}{_such_as(problems)}") from None
    screen.few(split.notes, indent="")
    images = images.assign(split=split.split, fold=split.fold, group=group_N)
    features = features.only(readable) if features else None
    pixels = cached(files, readable, folder.checkpoint_path / PIXELS)
    vocabulary = folder.load_vocabulary()
    material = Material(pixels, labels_NK, split.split, split.fold, features, vocabulary=vocabulary)
    trained = train_model(
        material, settings, accelerator, folder.checkpoint_path, track=screen.track, members=folder.members_path
    )
    facts_NF = load_facts(folder.checkpoint_path, len(files))[readable]
    trained.notes.extend(changed_at_the_end(settings.data.path, images, facts_NF, screen))
    conclude(folder, material, trained, images, names, settings, screen)
    screen.say(f"Done in {minutes(monotonic() - began)}. Model card: {folder.card_path}")
    return folder


def _begin(
    folder: RunFolder,
    begun: RunFolder,
    settings: Settings,
    dataset: Dataset,
    facts_NF: NDArray[np.int64],
    screen: Screen,
) -> None:
    """The run folder with everything that a resumed training needs; its settings are written last."""
    screen.say(dataset.source)
    folder.claim()
    screen.log_path = folder.log_path
    if dataset.problems:
        screen.say(f"{counted(len(dataset.problems), 'thing')} to know about the data:")
        screen.few(dataset.problems)
    if dataset.unlisted:
        left_out = counted(len(dataset.unlisted), "image")
        screen.say(f"{left_out} without a row in the labels: left out, `tagger predict` can tag them.")
    begun.save_images(dataset.images)
    begun.save_cells(dataset.labels_NK, dataset.labels)
    begun.save_unreadable(list(dataset.unreadable))
    save_facts(begun.path, facts_NF)
    folder.save_labels(dataset.labels, dataset.groups, dataset.rules)
    folder.save_settings(settings)


def _read_images(
    files: ImageFiles,
    backbone: Backbone,
    settings: Settings,
    accelerator: Accelerator,
    checkpoint: Path,
    screen: Screen,
) -> tuple[Features | None, dict[int, str]]:
    """Features of every image where the training begins with them, and which images cannot be read."""
    first = begins_with_features(settings)
    everything = np.arange(len(files))
    batches = make_loader(files, everything, batch_size=settings.train.batch_size, workers=settings.image.num_workers)
    tracked = screen.track(batches, "features" if first else "reading images")
    tracked = keep_fingerprints(tracked, files, checkpoint / FINGERPRINTS)
    if settings.train.epochs and fits(files, settings.image.cache):
        tracked = fill(tracked, files, checkpoint / PIXELS)
    if not first:
        return None, find_unreadable(tracked, checkpoint)
    backbone.to(accelerator.device).to(memory_format=torch.channels_last)
    features = extract_features(
        folded(backbone, example(files.size, accelerator.device)),
        tracked,
        len(files),
        device=accelerator.device,
        precision=pick_precision(settings),
        flip_views=settings.image.flip_views,
        folder=checkpoint,
        files=files.files,
    )
    return features, features.unreadable


def check_parts(settings: Settings) -> None:
    """TaggerError if a head, loss, sampler or optimiser, or an option of theirs, does not exist: before hours pass."""
    for family, part in ((heads, settings.head), (losses, settings.loss), (samplers, settings.sampler)):
        family.check(part.name, part.options)
    check_regularisers(settings)
    make_optimiser([{"params": [torch.nn.Parameter(torch.zeros(1))]}], settings.train)
    if settings.image.grow_from and settings.train.epochs and needs_fixed_size(settings.backbone.name):
        raise TaggerError(
            f"image.grow_from = {settings.image.grow_from}, but {settings.backbone.name} takes images of one size only."
            " Leave it at 0, or take a convolutional backbone."
        )
    networks_have_parts = begins_with_features(settings) and settings.train.members > 1
    if not settings.data.val and settings.train.epochs and not networks_have_parts:
        raise TaggerError(
            "data.val = 0: one network is compared with others on validation images. Give e.g. data.val=0.1."
        )


def begins_with_features(settings: Settings) -> bool:
    """Whether heads are trained on the backbone's features first."""
    if settings.features.enabled == "auto":
        return settings.backbone.weights != "none" or settings.train.epochs == 0
    return settings.features.enabled


def check_learnable(dataset: Dataset) -> None:
    """TaggerError if no label has both an image that shows it and one that does not."""
    cells_NK = dataset.labels_NK
    if not ((cells_NK == YES).any(axis=0) & (cells_NK == NO).any(axis=0)).any():
        raise TaggerError(
            f"{dataset.root}: there is nothing to learn, as no label has both an image with it and one without"
            f" ({shortlist([repr(name) for name in dataset.labels], 3)}). Add images of the other kind."
        )


def _such_as(problems: list[Problem]) -> str:
    """`` (5 cannot be read, such as x.jpg: not an image)``, or nothing."""
    return f" ({len(problems)} cannot be read, such as {problems[0]})" if problems else ""


def minutes(seconds: float) -> str:
    """A time for people.

    >>> minutes(20), minutes(600)
    ('20 s', '10.0 min')
    """
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.1f} min"
