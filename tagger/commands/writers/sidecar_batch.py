"""Sidecars of many images: those that exist, and those that several images share."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tagger.arrays import NO, UNKNOWN, YES, Bools, Cells
from tagger.commands.console.screen import Screen
from tagger.commands.writers.sidecars import MergeRules, SidecarWriter, sidecar_formats
from tagger.errors import Problem, TaggerError

ON_EXISTING = ("skip", "overwrite", "merge")


@dataclass(frozen=True)
class RemovedKeyword:
    """A keyword that goes from a sidecar: that of ``files[row]``, and of others that share it."""

    row: int
    keyword: str
    sidecar: Path


@dataclass(frozen=True)
class _SidecarEdit:
    """What is to be written to one sidecar, of the images in ``rows``."""

    path: Path
    rows: list[int]
    labels: list[str]
    merge: MergeRules | None
    complete: bool


def write_sidecars(
    files: Sequence[str],
    labels_NK: Cells,
    names: tuple[str, ...],
    out: Path,
    writer: SidecarWriter,
    *,
    on_existing: str,
    decided_NK: Bools,
    screen: Screen,
) -> tuple[int, int, tuple[Problem, ...]]:
    """(images written, images skipped, problems). A sidecar that several images share gets the labels of all.

    A merge removes labels that are *no* where a person ``decided`` so, or where tagger itself wrote them. One
    that is unknown stays as it is.
    """
    problems = []
    skipped = 0
    edits = list(_edits(files, labels_NK, names, out, writer, on_existing, decided_NK))
    for edit in screen.track(edits, "writing"):
        if on_existing == "skip" and edit.path.exists():
            skipped += len(edit.rows)
            continue
        try:
            writer.write(edit.path, edit.labels, edit.merge, complete=edit.complete)
        except TaggerError as error:
            problems.append(Problem(files[edit.rows[0]], None, f"its sidecar was not changed: {error}"))
            skipped += len(edit.rows)
    return len(files) - skipped, skipped, tuple(problems)


def removed_keywords(
    files: Sequence[str],
    labels_NK: Cells,
    names: Sequence[str],
    out: Path,
    format: str,
    *,
    on_existing: str,
    decided_NK: Bools | None = None,
) -> list[RemovedKeyword]:
    """The keywords that ``write_labels`` would take away from existing sidecars; nothing is written.

    A sidecar that cannot be read has none: ``write_labels`` reports it.
    """
    if on_existing not in ("overwrite", "merge"):
        return []
    writer = sidecar_formats.build(format, tuple(names))
    decided_NK = np.zeros(labels_NK.shape, dtype=bool) if decided_NK is None else decided_NK
    found = []
    for edit in _edits(files, labels_NK, tuple(names), out, writer, on_existing, decided_NK):
        try:
            removed = writer.removed(edit.path, edit.labels, edit.merge)
        except TaggerError:
            continue
        found += [RemovedKeyword(edit.rows[0], keyword, edit.path) for keyword in removed]
    return found


def _edits(
    files: Sequence[str],
    labels_NK: Cells,
    names: tuple[str, ...],
    out: Path,
    writer: SidecarWriter,
    on_existing: str,
    decided_NK: Bools,
) -> Iterator[_SidecarEdit]:
    """An edit for each sidecar of an image with a known cell."""
    rows_of: dict[Path, list[int]] = {}
    for row in np.flatnonzero((labels_NK != UNKNOWN).any(axis=1)).tolist():
        rows_of.setdefault(out / writer.sidecar_path(files[row]), []).append(row)
    for path, rows in rows_of.items():
        no_K = np.all(labels_NK[rows] == NO, axis=0)
        yes = _names_where(np.max(labels_NK[rows], axis=0) == YES, names)
        refused = _names_where(no_K & decided_NK[rows].all(axis=0), names)
        merge = MergeRules(refused, _names_where(no_K, names)) if on_existing == "merge" else None
        complete = merge is None or not (labels_NK[rows] == UNKNOWN).any()
        yield _SidecarEdit(path, rows, yes, merge, complete)


def _names_where(is_K: Bools, names: tuple[str, ...]) -> list[str]:
    return [names[k] for k in np.flatnonzero(is_K)]
