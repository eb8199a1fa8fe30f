"""``tagger retrain``: the decisions so far become a better run, compared with the one before on a fixed test split.

Images, split and folds are those of the last run. Networks go on from the last ones, each without the part that it has
never seen; heads on a frozen backbone are trained anew on the run's cached features, without reading an image.

Verified cells are taken at their word, whereas others may be softened by their doubt. They do not weigh more by default
(train.verified_weight = 1): people are asked what a model finds odd, and twice the weight on that bends it. On photos
with planted errors and 5 % of cells reviewed, -10 % and 36 % of the gap closed (two seeds) instead of 86 % and 64 %.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tagger.batches import fill, fits, make_loader
from tagger.commands.changed import replaced_since, stats_when_hashed
from tagger.commands.compare import compare, show
from tagger.commands.decisions import read_decisions, store_url, without_password
from tagger.commands.handover import Handover, hand_over, structure, warm_start
from tagger.commands.screen import Screen
from tagger.commands.steps.finalize import finalize, tell_done
from tagger.commands.steps.run_checks import check_free, check_new, check_unfinished
from tagger.commands.steps.training_steps import (
    FittedModel,
    ReadImages,
    ScannedImages,
    SplitImages,
    TrainingJob,
    fit,
    usable_images,
)
from tagger.commands.suspects import suspects
from tagger.data import label_stats
from tagger.data.wording import counted
from tagger.errors import TaggerError
from tagger.runs import RunFolder, find_run, new_run_path, newest_unfinished
from tagger.training.check_settings import begins_with_features
from tagger.training.doubted import DOUBTED, Doubter
from tagger.training.features import Features, find_unreadable
from tagger.training.lessons import Lessons
from tagger.training.material import Material


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
        origin = folder.checkpoint.load_origin()
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
        check_new(folder, "--out")
        url = store_url(old, store)
        rows, operations = read_decisions(url)
        origin = {"from": str(old.path.resolve()), "store": without_password(url)}
        origin |= {"last_decision": max((row.id for row in rows), default=0)}
        origin |= {"last_operation": max((one.id for one in operations), default=0)}
    with folder.locked("retrain", screen.say):
        if resume:
            check_unfinished(folder)
            folder.claim()  # its settings are there; one of the last version has no mark yet
        else:
            check_free(folder, "--out")
            _start(folder, old, origin)
        return _retrain(folder, old, origin, url, screen)


def _start(folder: RunFolder, old: RunFolder, origin: dict[str, Any]) -> None:
    """The run folder with what a resumed retraining needs; its settings are written last."""
    checkpoint = folder.checkpoint
    folder.claim()
    if old.has_suspects:
        checkpoint.save_suspects(old.load_suspects())
    checkpoint.save_origin(origin)
    folder.save_settings(old.load_settings())


def _retrain(folder: RunFolder, old: RunFolder, origin: dict[str, Any], url: str, screen: Screen) -> RunFolder:
    """Everything from the decisions to the finished run."""
    screen.log_path = folder.log_path
    work = hand_over(folder, old, origin, url, screen)
    job = TrainingJob.start(folder, work.settings, screen)
    scanned = scan_pixels(read(job, work), work)
    lessons = _lessons(scanned, work)
    fitted = fit(split(scanned, work, lessons))
    likely: list[int] = []

    def more() -> dict[str, Any]:
        likely.append(int((suspects(folder, store=url)["doubt"] >= 0.5).sum()))  # first: a finished run has suspects
        return _story(work, lessons.treatment) | {"comparison": _comparison(old, fitted)}

    finalize(fitted, more)
    if compared := folder.load_metrics()["comparison"]:
        show(compared, screen, first="before", second="after")
    screen.say(f"{counted(likely[0], 'cell')} more likely wrong than right now: tagger review --run {folder.path}")
    tell_done(fitted)
    return folder


def read(job: TrainingJob, work: Handover) -> ReadImages:
    """The images of the run before, with their labels after the decisions."""
    job.run.save_labels(work.names, *structure(work))
    problems = tuple(work.old.load_unreadable())
    return ReadImages(job, work.images, work.labels_NK, job.run.load_vocabulary(), problems)


def scan_pixels(read: ReadImages, work: Handover) -> ScannedImages:
    """The images that can still be read; where only heads are trained, no image is read.

    TaggerError if none is left.
    """
    job, old = read.job, work.old
    settings, checkpoint = job.settings, job.run.checkpoint
    unreadable: dict[int, str] = {}
    if settings.train.epochs:
        unreadable = find_unreadable(_batches(read), checkpoint)
        unreadable |= replaced_since(settings.data.path, read.images, checkpoint, job.screen.track)
    features = Features(old.load_views(), {}) if begins_with_features(settings) else None
    scanned = usable_images(read, unreadable, features, "can no longer be used and left out")
    if not (scanned.images["split"] == "train").any():
        job.run.take_back()
        raise TaggerError(f"{settings.data.path}: none of the images that {old.path} learnt from can be read.")
    return scanned


def _batches(read: ReadImages) -> Any:
    """All images in batches, with progress; kept in the checkpoint as pixels where they fit the cache."""
    settings, files = read.job.settings, read.files
    everything = np.arange(len(files))
    batches = make_loader(files, everything, batch_size=settings.train.batch_size, workers=settings.image.num_workers)
    tracked = read.job.screen.track(batches, "reading images")
    if fits(files, settings.image.cache):
        return fill(tracked, files, read.job.run.checkpoint.pixels_path)
    return tracked


@dataclass(frozen=True)
class RetrainTargets:
    """What the cells teach while some rows are held out (``of``), and how doubted cells are treated, as JSON."""

    of: Callable[[np.ndarray], Lessons]
    treatment: dict[str, Any]


def split(scanned: ScannedImages, work: Handover, lessons: RetrainTargets) -> SplitImages:
    """The split and folds of the run before, and the networks that it goes on from."""
    job, labels_NK, images = scanned.job, scanned.labels_NK, scanned.images
    split_N, fold_N = _split_and_fold(images)
    data = Material(scanned.pixels, labels_NK, split_N, fold_N, scanned.features, lessons.of, scanned.vocabulary)
    priors_K = label_stats(labels_NK[split_N != "test"]).priors_K
    number = counted(len(work.decided.rows), "decision")
    return SplitImages(
        job,
        images,
        data,
        stats_when_hashed(job.run.checkpoint, scanned.rows) if job.settings.train.epochs else None,
        warm_start=warm_start(work.old, job.settings, work.names, priors_K, job.screen),
        judged_NK=work.judged_NK[scanned.rows],
        notes=(f"Retrained from {work.old.path} with {number}.",),
    )


def _lessons(scanned: ScannedImages, work: Handover) -> RetrainTargets:
    """What the cells teach: those that a person verified at their word, doubted ones as validates best."""
    labels_NK, screen = scanned.labels_NK, scanned.job.screen
    doubt_NK = work.doubt_NK[scanned.rows]
    _, fold_N = _split_and_fold(scanned.images)
    weights_NK = np.where(work.decided.applied.verified_NK[scanned.rows], work.settings.train.verified_weight, 1.0)
    num_doubted = int((doubt_NK[fold_N >= 0] >= DOUBTED).sum())
    if scanned.features is None:  # features of a network that has learnt these labels by heart tell nothing of them
        treatment = {"way": "trust", "cells": num_doubted}
        return RetrainTargets(lambda held_out: Lessons.of(labels_NK, None, weights_NK), treatment)
    views_VND = scanned.features.views_VND
    doubter = Doubter(views_VND, labels_NK, doubt_NK, weights_NK, fold_N, work.settings, scanned.vocabulary)
    way, scores = doubter.choose(track=screen.track)
    if scores:
        listed = ", ".join(f"{name} {score:.3f}" for name, score in scores.items())
        screen.say(
            f"{counted(num_doubted, 'cell')} still doubted; treated by the way {way!r} (validation mAP: {listed})."
        )
    treatment = {"way": way, "cells": num_doubted, "validation_map": scores}
    return RetrainTargets(lambda held_out: doubter.lessons(way, held_out), treatment)


def _split_and_fold(images: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """(split_N, fold_N) as the run before had them."""
    return images["split"].to_numpy(dtype=str), images["fold"].to_numpy(np.int64)


def _comparison(old: RunFolder, fitted: FittedModel) -> dict[str, Any] | None:
    """The run before and this one on the test split; None without one."""
    return compare(old, fitted.split.job.run) if (fitted.split.data.split_N == "test").any() else None


def _story(work: Handover, doubted: dict[str, Any]) -> dict[str, Any]:
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
