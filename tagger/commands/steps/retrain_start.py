"""The start of a retraining: what it is made from, whether it is new or resumed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tagger.commands.console.screen import Screen
from tagger.commands.steps.current_table import CurrentTable, read_current_table
from tagger.commands.steps.grown_photos import check_grown, save_grown
from tagger.commands.steps.kept_backbone import kept_backbone
from tagger.commands.steps.label_renames import check_renames, record_renames
from tagger.commands.steps.located_photos import locate_photos
from tagger.commands.steps.reviewed_labels import (
    correct_labels,
    hide_password,
    read_decisions,
    store_url,
)
from tagger.commands.steps.run_checks import check_free, check_new, check_unfinished
from tagger.errors import TaggerError
from tagger.review import vocabulary_after
from tagger.review.disagreement import check_way
from tagger.review.store_address import check_store_folder
from tagger.runs import RunFolder, find_run, new_run_path, newest_unfinished, with_data
from tagger.runs.lineage import parent_of

AnyRun = str | Path | RunFolder | None


@dataclass(frozen=True, kw_only=True)
class RetrainOptions:
    """What a person said about a retraining; see ``commands/retrain.py``."""

    out: str | Path | None = None
    store: str | None = None
    data: str | Path | None = None
    on_disagreement: str | None = None
    grow: bool = False
    renamed: Sequence[str] = ()
    accept_edited: bool = False

    def __post_init__(self) -> None:
        check_way(self.on_disagreement or "skip")
        if self.renamed and not self.grow:
            raise TaggerError(
                "--renamed says what became of a label in the table, which only --grow reads. Add --grow."
            )


@dataclass(frozen=True)
class RetrainStart:
    """A retraining: its folder, the previous run, what it began with (kept for ``--resume``), the store's address.

    ``resumed``: an earlier process began it. ``moved``: ``--data`` was given. ``current``: the photos and labels as
    they are now, where a new retraining grows by them.
    """

    folder: RunFolder
    previous: RunFolder
    origin: dict[str, Any]
    url: str
    resumed: bool
    moved: bool
    current: CurrentTable | None = None

    def begin(self, screen: Screen) -> None:
        """Write what a resumed retraining needs, the settings last; to be called with the folder locked."""
        folder = self.folder
        if self.resumed:
            check_unfinished(folder)
            folder.claim()  # its settings are there; one of the last version has no mark yet
            if self.moved:
                folder.save_settings(self.previous.load_settings())
            return
        check_free(folder, "--out")
        folder.claim()
        if self.previous.has_suspects:
            folder.checkpoint.save_suspects(self.previous.load_suspects())
        if self.current is not None:
            save_grown(folder, self.current, screen)
        folder.checkpoint.save_origin(self.origin)
        folder.save_settings(self.previous.load_settings())


def new_retraining(run: AnyRun, options: RetrainOptions, screen: Screen) -> RetrainStart:
    """A retraining from the decisions so far. TaggerError if it cannot be made. The screen says which run is used."""
    previous = with_data(run if isinstance(run, RunFolder) else find_run(run, screen.say), options.data)
    out = options.out
    folder = RunFolder(out if out is not None else new_run_path(previous.load_settings().backbone.name))
    check_new(folder, "--out")
    url = store_url(previous, options.store)
    current = _current_table(previous, url, options, screen) if options.grow else None
    origin = _new_origin(previous, url, options)
    moved = options.data is not None
    return RetrainStart(folder, previous, origin, url, resumed=False, moved=moved, current=current)


def _current_table(previous: RunFolder, url: str, options: RetrainOptions, screen: Screen) -> CurrentTable:
    """The photos and labels as they are now, after the renames that a person named. TaggerError if one is open."""
    previous = locate_photos(previous, url, Screen(quiet=True), accept_edited=options.accept_edited)
    rows, operations = read_decisions(url, previous)
    way = options.on_disagreement or "skip"
    current = read_current_table(previous, correct_labels(previous, rows, operations, way), screen)
    resolve = vocabulary_after(previous.load_labels(), operations).resolve
    answers = check_renames(options.renamed, current.changes, resolve)
    if any(answers.values()):
        record_renames(url, previous, answers, screen)
        corrected = correct_labels(previous, *read_decisions(url, previous), way)
        current = read_current_table(previous, corrected, screen)
    settings = previous.load_settings()
    check_grown(previous, current, settings, kept_backbone(previous, settings).num_features)
    return current


def resumed_retraining(run: AnyRun, options: RetrainOptions) -> RetrainStart:
    """The unfinished retraining. TaggerError if there is none, or if it began with other options."""
    folder = RunFolder(options.out) if options.out is not None else newest_unfinished()
    origin = _interrupted(folder, run)
    _check_as_begun(origin, options)
    parent = parent_of(folder)
    previous = with_data(find_run(origin["from"] if parent is None else parent.path), options.data)
    url = _resumed_store(folder, origin, options.store, None if options.data is None else previous)
    return RetrainStart(folder, previous, origin, url, resumed=True, moved=options.data is not None)


def _new_origin(previous: RunFolder, url: str, options: RetrainOptions) -> dict[str, Any]:
    """What a resumed retraining must know: the previous run, the store and its last rows, and the options."""
    rows, operations = read_decisions(url)
    return {
        "from": str(previous.path.resolve()),
        "store": hide_password(url),
        "last_decision": max((row.id for row in rows), default=0),
        "last_operation": max((one.id for one in operations), default=0),
        "on_disagreement": options.on_disagreement or "skip",
        "accept_edited": options.accept_edited,
    } | ({"grow": True} if options.grow else {})


def _check_as_begun(origin: dict[str, Any], options: RetrainOptions) -> None:
    """TaggerError if a retraining is resumed with another option than it began with."""
    begun = origin.get("on_disagreement", "skip")
    if options.on_disagreement not in (None, begun):
        raise TaggerError(
            f"--on-disagreement {options.on_disagreement}: this retraining began with {begun}. Leave the option"
            " out, or start a new retraining without --resume."
        )
    if options.renamed or (options.grow and not origin.get("grow")):
        option = f"--renamed {options.renamed[0]}" if options.renamed else "--grow"
        raise TaggerError(
            f"{option}: --resume continues this retraining as it began. Leave the option out, or start a new"
            " retraining without --resume."
        )
    if options.accept_edited and not origin.get("accept_edited", False):
        raise TaggerError(
            "--accept-edited: this retraining began without it. Leave the option out, or start a new retraining"
            " without --resume."
        )


def _interrupted(folder: RunFolder, run: AnyRun) -> dict[str, Any]:
    """What the unfinished retraining began with; TaggerError if there is none, or if it is not one of ``run``."""
    origin = folder.checkpoint.load_origin()
    if origin is None:
        raise TaggerError(
            f"{folder.path}: no retraining was started there. Start it: tagger retrain without --resume."
        )
    given = run.path if isinstance(run, RunFolder) else run
    if given is not None and Path(given).resolve() != Path(origin["from"]).resolve():
        raise TaggerError(
            f"--run {given}: the retraining {folder.path} began from {origin['from']}, and --resume continues"
            " from there. Leave out --run, or start a new retraining without --resume."
        )
    return origin


def _resumed_store(
    folder: RunFolder, origin: dict[str, Any], store: str | None, moved: RunFolder | None
) -> str:
    """The address of the store that a resumed retraining reads. TaggerError if the store is not there."""
    if store is None and moved is not None:
        return store_url(moved, None)
    url = str(store or origin["store"])
    if "***" in url:
        raise TaggerError(
            f"{folder.path}: the address of its store is {url}. Give it with the password: --store URL."
        )
    check_store_folder(url)
    return url
