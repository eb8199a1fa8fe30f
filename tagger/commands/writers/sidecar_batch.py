"""Sidecars of many images: those that exist, and those that several images would share."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tagger.arrays import NO, UNKNOWN, YES, Bools, Cells
from tagger.commands.console.screen import Screen
from tagger.commands.writers.recorded_sidecars import (
    KeywordChange,
    RecordedSidecars,
    SidecarRequest,
    keyword_changes,
)
from tagger.commands.writers.sidecar_clashes import SidecarClashes
from tagger.commands.writers.sidecars import MergeRules, sidecar_formats
from tagger.errors import Problem, TaggerError
from tagger.text import counted

ON_EXISTING = ("skip", "overwrite", "merge")


@dataclass(frozen=True)
class SidecarOptions:
    """How sidecars are written: what happens to existing ones, where the photos are, and what people decided.

    ``decided_NK`` are cells that a person decided (None: none). ``root`` is the photos' folder: a new sidecar
    starts from what is in them (None: from nothing). ``run`` is the run to record (None: nothing is recorded), and
    ``former`` maps former names of labels to present ones. ``pairs`` says which files of one name are one photo.
    """

    on_existing: str = "skip"
    decided_NK: Bools | None = None
    root: Path | None = None
    run: str | None = None
    former: Mapping[str, str] = field(default_factory=dict)
    pairs: str = "raw"


def write_sidecars(
    files: Sequence[str],
    labels_NK: Cells,
    sidecars: RecordedSidecars,
    options: SidecarOptions,
    screen: Screen,
) -> tuple[int, int, tuple[Problem, ...]]:
    """(images written, images skipped, problems). An image whose sidecar would be another's, too, is a problem.

    A merge removes labels that are *no* where a person ``decided`` so, or where tagger itself wrote them. One
    that is unknown stays as it is.
    """
    clashes = _clashes(files, sidecars, options)
    problems = [Problem(files[row], None, reason) for row, reason in clashes.items()]
    skipped = 0
    requests = list(_requests(files, labels_NK, sidecars, options, clashes))
    for request in screen.track(requests, "writing"):
        if options.on_existing == "skip" and request.path.exists():
            skipped += len(request.rows)
            continue
        try:
            sidecars.write(request)
        except TaggerError as error:
            problems.append(Problem(files[request.rows[0]], None, f"its sidecar was not changed: {error}"))
            skipped += len(request.rows)
    say_names(sidecars, screen)
    return len(files) - len(clashes) - skipped, skipped, tuple(problems)


def changed_keywords(
    files: Sequence[str],
    labels_NK: Cells,
    names: Sequence[str],
    out: Path,
    format: str,
    options: SidecarOptions,
) -> list[KeywordChange]:
    """What ``write_labels`` would change in existing sidecars; nothing is written.

    A sidecar that cannot be read has no changes: ``write_labels`` reports it.
    """
    if options.on_existing not in ("overwrite", "merge"):
        return []
    sidecars = RecordedSidecars(sidecar_formats.build(format, tuple(names)), out)
    found = []
    clashes = _clashes(files, sidecars, options)
    for request in _requests(files, labels_NK, sidecars, options, clashes):
        try:
            if request.path.exists():
                found += keyword_changes(request, sidecars.plan(request))
        except TaggerError:
            continue
    return found


def removed_keywords(
    files: Sequence[str],
    labels_NK: Cells,
    names: Sequence[str],
    out: Path,
    format: str,
    *,
    on_existing: str,
    decided_NK: Bools | None = None,
) -> list[KeywordChange]:
    """The keywords that ``write_labels`` would take away from existing sidecars; nothing is written."""
    options = SidecarOptions(on_existing, decided_NK)
    changes = changed_keywords(files, labels_NK, names, out, format, options)
    return [change for change in changes if change.what == "removed"]


def say_names(sidecars: RecordedSidecars, screen: Screen) -> None:
    """Say which sidecars have another name than the format gives, and which were deleted and are written anew."""
    if sidecars.other_name:
        number = counted(len(sidecars.other_name), "photo")
        screen.say(
            f"{number} with a sidecar under the other name, such as {sidecars.other_name[0].name}:"
            " that one is used, and no second one is written beside it."
        )
    if sidecars.deleted:
        number = counted(len(sidecars.deleted), "sidecar")
        screen.say(
            f"{number} that tagger wrote before, deleted since, and written anew: {sidecars.deleted[0].name}"
            f"{' and others' if sidecars.deleted[1:] else ''}. To refuse tags, take them off and keep the file."
        )


def _clashes(files: Sequence[str], sidecars: RecordedSidecars, options: SidecarOptions) -> dict[int, str]:
    """Why an image gets no sidecar, by row: it would be another image's, too."""
    clashes = SidecarClashes(sidecars.writer, sidecars.folder, options.root, files, pairs=options.pairs)
    return {row: reason for row, file in enumerate(files) if (reason := clashes.reason(file))}


def _requests(
    files: Sequence[str],
    labels_NK: Cells,
    sidecars: RecordedSidecars,
    options: SidecarOptions,
    clashes: Mapping[int, str],
) -> Iterator[SidecarRequest]:
    """A request for each sidecar of an image with a known cell; a raw file and its photo share one."""
    rows_of: dict[Path, list[int]] = {}
    for row in np.flatnonzero((labels_NK != UNKNOWN).any(axis=1)).tolist():
        if row not in clashes:
            rows_of.setdefault(sidecars.path_of(files[row]), []).append(row)
    for path, rows in rows_of.items():
        merge = None
        if options.on_existing == "merge" or not path.exists():
            merge = _merge_rules(labels_NK, rows, sidecars.writer.names, options)
        photos = [] if options.root is None else [options.root / files[row] for row in rows]
        complete = options.on_existing != "merge" or not (labels_NK[rows] == UNKNOWN).any()
        yes = _names_where(np.max(labels_NK[rows], axis=0) == YES, sidecars.writer.names)
        yield SidecarRequest(path, rows, photos, yes, merge, complete)


def _merge_rules(
    labels_NK: Cells, rows: list[int], names: tuple[str, ...], options: SidecarOptions
) -> MergeRules:
    decided_NK = options.decided_NK
    decided_NK = np.zeros(labels_NK.shape, dtype=bool) if decided_NK is None else decided_NK
    no_K = np.all(labels_NK[rows] == NO, axis=0)
    refused = _names_where(no_K & decided_NK[rows].all(axis=0), names)
    again = _names_where(((labels_NK[rows] == YES) & decided_NK[rows]).any(axis=0), names)
    return MergeRules(refused, _names_where(no_K, names), options.former, again)


def _names_where(is_K: Bools, names: tuple[str, ...]) -> list[str]:
    return [names[k] for k in np.flatnonzero(is_K)]
