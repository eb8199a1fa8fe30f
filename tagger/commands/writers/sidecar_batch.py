"""Sidecars of many images: those that exist, and those that several images share."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tagger.arrays import NO, UNKNOWN, YES, Cells
from tagger.commands.console.screen import Screen
from tagger.commands.writers.sidecars import SidecarWriter
from tagger.errors import Problem, TaggerError

ON_EXISTING = ("skip", "overwrite", "merge")


def write_sidecars(
    files: Sequence[str],
    labels_NK: Cells,
    names: tuple[str, ...],
    out: Path,
    writer: SidecarWriter,
    *,
    on_existing: str,
    screen: Screen,
) -> tuple[int, int, tuple[Problem, ...]]:
    """(images written, images skipped, problems). A sidecar that several images share gets the labels of all.

    In a merge a label that is *no* is removed, and one that is unknown stays as it is.
    """
    rows_of: dict[Path, list[int]] = {}
    for row, file in enumerate(files):
        rows_of.setdefault(out / writer.sidecar_path(file), []).append(row)
    problems = []
    skipped = 0
    for sidecar_path, rows in screen.track(list(rows_of.items()), "writing"):
        if on_existing == "skip" and sidecar_path.exists():
            skipped += len(rows)
            continue
        best_K = np.max(labels_NK[rows], axis=0)
        no_K = np.all(labels_NK[rows] == NO, axis=0)
        yes, no = ([names[k] for k in np.flatnonzero(is_K)] for is_K in (best_K == YES, no_K))
        complete = on_existing != "merge" or not (labels_NK[rows] == UNKNOWN).any()
        try:
            writer.write(sidecar_path, yes, existing=on_existing, withdrawn=no, complete=complete)
        except TaggerError as error:
            problems.append(Problem(files[rows[0]], None, f"its sidecar was not changed: {error}"))
            skipped += len(rows)
    return len(files) - skipped, skipped, tuple(problems)
