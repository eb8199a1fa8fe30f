"""``tagger retrain``: the decisions so far become a better run, compared with the one before on a fixed test split.

Images, split and folds are those of the last run. Networks go on from the last ones, each without the part that it has
never seen; heads on a frozen backbone are trained anew on the run's cached features, without reading an image.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pandas as pd

from tagger.arrays import Cells, Floats
from tagger.batches import ImageFiles, cached, fill, fits, make_loader
from tagger.commands.compare import compare, show
from tagger.commands.conclude import conclude
from tagger.commands.decisions import (
    Decided,
    decide,
    doubt_left,
    judged_cells,
    read_decisions,
    store_url,
    summarise,
    without_password,
)
from tagger.commands.screen import Screen
from tagger.commands.train import begins_with_features, minutes
from tagger.config import Settings
from tagger.data import Group, Rule, label_stats
from tagger.data.wording import counted
from tagger.errors import Problem, TaggerError
from tagger.model import Backbone, TagModel, load_model, new_backbone
from tagger.review import vocabulary
from tagger.runs import RunFolder, find_run, new_run_path, newest_unfinished
from tagger.training.device import make_accelerator
from tagger.training.doubted import DOUBTED, Doubter
from tagger.training.features import Features, find_unreadable
from tagger.training.lessons import Lessons
from tagger.training.pipeline import Material, train_model
from tagger.training.warm_start import WarmStart, match_columns

PIXELS = "pixels.npy"  # in the checkpoint: decoded images


@dataclass(frozen=True)
class Work:
    """All that a retraining stands on: the run before, the labels after the decisions, and what is doubted still."""

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

    def only(self, rows: np.ndarray) -> tuple[pd.DataFrame, Cells, np.ndarray]:
        """(images, labels, judged cells) of some rows."""
        return self.images.iloc[rows].reset_index(drop=True), self.labels_NK[rows], self.judged_NK[rows]


def retrain(
    run: str | Path | RunFolder | None = None,
    *,
    out: str | Path | None = None,
    store: str | None = None,
    resume: bool = False,
    screen: Screen | None = None,
) -> RunFolder:
    """A new finished run in ``out``: that of ``run`` after the decisions in ``store``, with a comparison of the two.

    ``metrics.json`` also has ``retrained_from``, ``decisions``, ``doubted`` (how cells that are doubted still were
    treated) and ``comparison``. ``resume`` goes on with an interrupted one (``out``, or the newest) on the decisions
    that it began with.
    """
    screen = screen or Screen(quiet=True)
    if resume:
        folder = RunFolder(out) if out is not None else newest_unfinished()
        origin = RunFolder(folder.checkpoint_path).load_origin()
        if origin is None:
            raise TaggerError(
                f"{folder.path}: no retraining was begun there. Begin it: tagger retrain without --resume."
            )
        old = find_run(origin["from"])
        url = store or origin["store"]
        if "***" in url:
            raise TaggerError(f"{folder.path}: its store is {url}. Give the address with the password: --store URL")
    else:
        old = run if isinstance(run, RunFolder) else find_run(run)
        folder = RunFolder(out if out is not None else new_run_path(old.load_settings().backbone.name))
        _check_free(folder)
        url = store_url(old, store)
        rows, operations = read_decisions(url)
        origin = {"from": str(old.path.resolve()), "store": without_password(url)}
        origin |= {"last_decision": max((row.id for row in rows), default=0)}
        origin |= {"last_operation": max((one.id for one in operations), default=0)}
        _begin(folder, old, origin)
    return _retrain(folder, old, origin, url, screen)


def _check_free(folder: RunFolder) -> None:
    if folder.path.exists() and not folder.path.is_dir():
        raise TaggerError(f"--out {folder.path}: this is a file. Name a new folder.")
    if folder.exists:
        hint = "Choose another --out." if folder.finished else "Go on with it: --resume. Or choose another --out."
        raise TaggerError(f"{folder.path}: there is a run already. {hint}")


def _begin(folder: RunFolder, old: RunFolder, origin: dict[str, Any]) -> None:
    """The run folder with what a resumed retraining needs; its settings are written last."""
    begun = RunFolder(folder.checkpoint_path)
    begun.path.mkdir(parents=True, exist_ok=True)
    if old.has_suspects:
        begun.save_suspects(old.load_suspects())
    begun.save_origin(origin)
    folder.save_settings(old.load_settings())


def _retrain(folder: RunFolder, old: RunFolder, origin: dict[str, Any], url: str, screen: Screen) -> RunFolder:
    """Everything from the decisions to the finished run."""
    began, screen.log_path = monotonic(), folder.log_path
    work = _read(folder, old, origin, url, screen)
    settings, accelerator = work.settings, make_accelerator(work.settings)
    folder.save_labels(work.names, *_structure(work))
    readable, files = _readable(folder, work, screen)
    images, labels_NK, judged_NK = work.only(readable)
    split_N, fold_N = images["split"].to_numpy(dtype=str), images["fold"].to_numpy(np.int64)
    features = Features(old.load_embeddings()[None], {}).only(readable) if begins_with_features(settings) else None
    lessons, doubted = _lessons(work, readable, features, fold_N, screen)
    pixels = cached(files, readable, folder.checkpoint_path / PIXELS)
    material = Material(pixels, labels_NK, split_N, fold_N, features, lessons)
    priors_K = label_stats(labels_NK[split_N != "test"]).priors_K
    start = _warm_start(old, settings, work.names, priors_K, screen)
    trained = train_model(
        material,
        settings,
        accelerator,
        folder.checkpoint_path,
        track=screen.track,
        members=folder.members_path,
        start=start,
    )
    number = counted(len(work.decided.rows), "decision")
    trained.notes.append(f"Retrained from {old.path} with {number}.")
    story = _story(work, doubted)

    def more() -> dict[str, Any]:
        return story | {"comparison": compare(old, folder) if (split_N == "test").any() else None}

    conclude(folder, material, trained, images, work.names, settings, screen, judged_NK=judged_NK, more=more)
    if compared := folder.load_metrics()["comparison"]:
        show(compared, screen, first="before", second="after")
    screen.say(f"Done in {minutes(monotonic() - began)}. Model card: {folder.card_path}")
    return folder


def _read(folder: RunFolder, old: RunFolder, origin: dict[str, Any], url: str, screen: Screen) -> Work:
    """The labels after the decisions that this retraining began with; the log only grows, so they are all there."""
    settings, images = old.load_settings(), old.load_images()
    rows, operations = read_decisions(url)
    rows = [row for row in rows if row.id <= origin["last_decision"]]
    decided = decide(old, rows, [one for one in operations if one.id <= origin["last_operation"]])
    screen.say(f"{counted(len(images), 'image')} of {old.path} -> {folder.path}")
    summarise(decided, url, screen)
    if not rows:
        screen.say("Nothing is decided yet, so this trains on the same labels again. Decide: tagger review")
    begun = RunFolder(folder.checkpoint_path)
    if begun.has_suspects:
        doubt_NK = doubt_left(old, begun.load_suspects(), decided)
    else:
        doubt_NK = np.zeros(decided.applied.labels_NK.shape, dtype=np.float32)
    judged_NK = judged_cells(old, decided, (images["split"] == "test").to_numpy())
    return Work(old, settings, decided, images, judged_NK, doubt_NK)


def _structure(work: Work) -> tuple[dict[str, Group], tuple[Rule, ...]]:
    """Groups and rules under the labels' names of now; what lost a label that it needs is gone."""
    now = vocabulary(work.old.load_labels(), work.decided.operations)
    groups: dict[str, Group] = {}
    for name, group in work.old.load_groups().items():
        members = dict.fromkeys(to for label in group["labels"] if (to := now.resolve(label)) is not None)
        if len(members) > 1 or len(members) == len(group["labels"]):
            groups[name] = Group(kind=group["kind"], labels=list(members))
    pairs = [(now.resolve(rule.premise), now.resolve(rule.implied)) for rule in work.old.load_rules()]
    return groups, tuple(dict.fromkeys(Rule(a, b) for a, b in pairs if a is not None and b is not None and a != b))


def _readable(folder: RunFolder, work: Work, screen: Screen) -> tuple[np.ndarray, ImageFiles]:
    """(rows of the images that can still be read, all images); where only heads are trained, nothing is read."""
    settings, images = work.settings, work.images
    files = ImageFiles(settings.data.path, images["file"].tolist(), size=settings.image.size, fit=settings.image.fit)
    unreadable: dict[int, str] = {}
    if settings.train.epochs:
        everything, batch = np.arange(len(files)), settings.train.batch_size
        batches = make_loader(files, everything, batch_size=batch, workers=settings.image.num_workers)
        tracked = screen.track(batches, "reading images")
        if fits(files, settings.image.cache):
            tracked = fill(tracked, files, folder.checkpoint_path / PIXELS)
        unreadable = find_unreadable(tracked, folder.checkpoint_path)
    problems = [Problem(images["file"][row], None, reason) for row, reason in sorted(unreadable.items())]
    folder.save_unreadable([*work.old.load_unreadable(), *problems])
    if problems:
        screen.say(f"{counted(len(problems), 'image')} can no longer be read and left out:")
        screen.few(problems)
    readable = np.setdiff1d(np.arange(len(images)), list(unreadable)).astype(np.int64)
    if not (images["split"][readable] == "train").any():
        folder.take_back()
        raise TaggerError(f"{settings.data.path}: none of the images that {work.old.path} learnt from can be read.")
    return readable, files


def _lessons(
    work: Work, readable: np.ndarray, features: Features | None, fold_N: np.ndarray, screen: Screen
) -> tuple[Callable[[np.ndarray], Lessons], dict[str, Any]]:
    """(what the cells teach while some rows are held out; how doubted cells were treated, for ``metrics.json``)."""
    _, labels_NK, _ = work.only(readable)
    weight, doubt_NK = work.settings.train.verified_weight, work.doubt_NK[readable]
    weights_NK = np.where(work.decided.applied.verified_NK[readable], weight, 1.0)
    num_doubted = int((doubt_NK[fold_N >= 0] >= DOUBTED).sum())
    if features is None:  # features of a network that has learnt these labels by heart tell nothing of them
        return (lambda held_out: Lessons.of(labels_NK, None, weights_NK)), {"way": "trust", "cells": num_doubted}
    doubter = Doubter(features.views_VND, labels_NK, doubt_NK, weights_NK, fold_N, work.settings)
    way, scores = doubter.choose(track=screen.track)
    if scores:
        listed = ", ".join(f"{name} {score:.3f}" for name, score in scores.items())
        screen.say(
            f"{counted(num_doubted, 'cell')} still doubted; treated by the way {way!r} (validation mAP: {listed})."
        )
    return (lambda held_out: doubter.lessons(way, held_out)), {
        "way": way,
        "cells": num_doubted,
        "validation_map": scores,
    }


def _warm_start(
    old: RunFolder, settings: Settings, names: tuple[str, ...], priors_K: Floats, screen: Screen
) -> WarmStart:
    """The networks of the last run, with a column for each label of now."""
    before = old.load_labels()

    def member(stem: str) -> TagModel | None:
        path = old.members_path / f"{stem}.safetensors"
        if not path.is_file():
            return None
        model = load_model(path, settings, len(before))
        return TagModel(model.backbone, match_columns(model.head, before, names, priors_K, settings))

    def backbone() -> Backbone:
        frozen = settings.train.epochs == 0
        return load_model(old.model_path, settings, len(before)).backbone if frozen else new_backbone(settings)

    if settings.train.epochs and not any(old.members_path.glob("*.safetensors")):
        screen.say(f"{old.path} kept no networks to go on from: training begins with the weights it began with.")
        new_backbone(settings)  # a file that is gone shows at once
    return WarmStart(member, backbone)


def _story(work: Work, doubted: dict[str, Any]) -> dict[str, Any]:
    """Where the run comes from, for ``metrics.json``."""
    decided = work.decided
    number = {
        "number": len(decided.rows),
        "last_id": decided.last_decision,
        "last_operation": decided.last_operation,
        "verified": int(decided.applied.verified_NK.sum()),
        "changed": len(decided.applied.changes),
    }
    return {"retrained_from": str(work.old.path.resolve()), "decisions": number, "doubted": doubted}
