"""Settled labels beside the images: which sidecar gets which, and what happens to those that are there."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tagger.arrays import NO, UNKNOWN, YES, Cells
from tagger.commands.screen import Screen
from tagger.commands.writers.sidecars import SidecarWriter
from tagger.errors import Problem, TaggerError

EXISTING = ("skip", "overwrite", "merge")


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
    """(images written, images skipped, problems). Images that share a sidecar have the labels of both in it.

    In a merge a label that is *no* is taken away, and one that is unknown stays as it is.
    """
    rows_of: dict[Path, list[int]] = {}
    for row, file in enumerate(files):
        rows_of.setdefault(out / writer.place(file), []).append(row)
    problems, skipped = [], 0
    for place, rows in screen.track(list(rows_of.items()), "writing"):
        if on_existing == "skip" and place.exists():
            skipped += len(rows)
            continue
        best_K, no_K = np.max(labels_NK[rows], axis=0), np.all(labels_NK[rows] == NO, axis=0)
        yes, no = ([names[k] for k in np.flatnonzero(is_K)] for is_K in (best_K == YES, no_K))
        settled = on_existing != "merge" or not (labels_NK[rows] == UNKNOWN).any()
        try:
            writer.write(place, yes, existing=on_existing, withdrawn=no, settled=settled)
        except TaggerError as error:
            problems.append(Problem(files[rows[0]], None, f"its sidecar is left as it is: {error}"))
            skipped += len(rows)
    return len(files) - skipped, skipped, tuple(problems)
