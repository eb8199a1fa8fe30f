"""Differences between the photos and labels of a run and those of the same folder now.

Photos are matched by content, labels by name. A label that was renamed in a table shows as one label that is gone and
one that is new; that they are one can only be proposed, by the photos that have both.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import UNKNOWN, YES, Cells, Indices
from tagger.text import counted, quoted

Value = TypeVar("Value", bound=np.generic)
MIN_OVERLAP = 0.5  # of the photos that have either label: so many must have both


@dataclass(frozen=True)
class LabelledPhotos:
    """Photos with their labels: the names, and the cells (N, K) before and after the decisions of people."""

    names: tuple[str, ...]
    given_NK: Cells
    labels_NK: Cells


@dataclass(frozen=True)
class ProposedRename:
    """A label that may be called otherwise now: of ``before`` photos with it, ``both`` have the new label."""

    old: str
    new: str
    before: int
    both: int

    def __str__(self) -> str:
        return (
            f"{self.old!r} may be called {self.new!r} now: of {counted(self.before, 'photo')} with {self.old!r},"
            f" {self.both:,} {'has' if self.both == 1 else 'have'} {self.new!r}."
        )


@dataclass(frozen=True)
class TableChanges:
    """What is different. ``as_decided``: cells that differ in the table only, as people decided in the review."""

    num_new: int
    num_removed: int
    new_labels: tuple[str, ...]
    labels_gone: tuple[str, ...]
    num_changed: int
    as_decided: int
    renames: tuple[ProposedRename, ...]

    @property
    def parts(self) -> list[str]:
        """Each difference in a few words; none if all is as it was, or as it was decided."""
        photos = [(self.num_new, "new photo"), (self.num_removed, "removed photo")]
        found = [counted(number, noun) for number, noun in photos if number]
        for names, what in ((self.new_labels, "new"), (self.labels_gone, "gone")):
            if names:
                found.append(f"{counted(len(names), 'label')} {what} ({quoted(names, 5)})")
        if self.num_changed:
            found.append(
                f"{counted(self.num_changed, 'changed value')} of a label, not by a decision in the review"
            )
        return found


def match_photos(
    files: Sequence[str], hashes: Sequence[str], old_files: Sequence[str], old_hashes: Sequence[str]
) -> Indices:
    """The old row of each photo, -1 for a new one. Of equal copies the file of the same name is the same photo.

    >>> match_photos(["a", "c", "d"], ["1", "1", "2"], ["b", "c"], ["1", "1"]).tolist()
    [0, 1, -1]
    """
    row_N = np.full(len(files), -1, dtype=np.int64)
    old_row = {pair: row for row, pair in enumerate(zip(old_files, old_hashes, strict=True))}
    for n, pair in enumerate(zip(files, hashes, strict=True)):
        row_N[n] = old_row.get(pair, -1)
    taken = set(row_N.tolist())
    free = defaultdict(list)
    for row in reversed(range(len(old_files))):
        if row not in taken:
            free[old_hashes[row]].append(row)
    for n in np.flatnonzero(row_N < 0).tolist():
        if free[hashes[n]]:
            row_N[n] = free[hashes[n]].pop()
    return row_N


def match_columns(names: Sequence[str], old_names: Sequence[str]) -> list[int | None]:
    """The old column of each label, None for a new one.

    >>> match_columns(["sea", "dog"], ["dog"])
    [None, 0]
    """
    column_of = {name: k for k, name in enumerate(old_names)}
    return [column_of.get(name) for name in names]


def carry_cells(
    old_NK: NDArray[Value], row_N: Indices, columns: Sequence[int | None], fill: float
) -> NDArray[Value]:
    """The old value of each cell of the matched photos and labels; ``fill`` elsewhere.

    >>> carry_cells(np.array([[1, 2]]), np.array([-1, 0]), [1, None], 0).tolist()
    [[0, 0], [2, 0]]
    """
    new_NK = np.full((len(row_N), len(columns)), fill, dtype=old_NK.dtype)
    known = np.flatnonzero(row_N >= 0)
    kept = np.array([k for k, column in enumerate(columns) if column is not None], dtype=np.int64)
    from_old = np.array([column for column in columns if column is not None], dtype=np.int64)
    new_NK[np.ix_(known, kept)] = old_NK[np.ix_(row_N[known], from_old)]
    return new_NK


def compare_tables(old: LabelledPhotos, new: LabelledPhotos, row_N: Indices) -> TableChanges:
    """What is different now. ``row_N``: the old row of each photo, -1 for a new one."""
    columns = match_columns(new.names, old.names)
    common = np.zeros(new.labels_NK.shape, bool)
    common[np.ix_(row_N >= 0, np.array([column is not None for column in columns], bool))] = True
    before_NK = carry_cells(old.labels_NK, row_N, columns, UNKNOWN)
    given_NK = carry_cells(old.given_NK, row_N, columns, UNKNOWN)
    differs_NK = before_NK != new.labels_NK
    edited_NK = (given_NK != new.given_NK) & ~differs_NK & (new.given_NK == new.labels_NK)
    return TableChanges(
        num_new=int((row_N < 0).sum()),
        num_removed=len(old.labels_NK) - int((row_N >= 0).sum()),
        new_labels=tuple(name for name in new.names if name not in set(old.names)),
        labels_gone=tuple(name for name in old.names if name not in set(new.names)),
        num_changed=int((differs_NK & common).sum()),
        as_decided=int((edited_NK & common).sum()),
        renames=propose_renames(old, new, row_N),
    )


def propose_renames(old: LabelledPhotos, new: LabelledPhotos, row_N: Indices) -> tuple[ProposedRename, ...]:
    """Pairs of a label that is gone and one that is new, which are mostly on the same photos; each label once."""
    known = row_N >= 0
    gone = [k for k, name in enumerate(old.names) if name not in set(new.names)]
    added = [k for k, name in enumerate(new.names) if name not in set(old.names)]
    had_NG = (old.labels_NK[row_N[known]][:, gone] == YES).astype(np.int64)
    has_NA = (new.labels_NK[known][:, added] == YES).astype(np.int64)
    both_GA = had_NG.T @ has_NA
    either_GA = had_NG.sum(0)[:, None] + has_NA.sum(0)[None] - both_GA
    overlap_GA = both_GA / np.maximum(either_GA, 1)
    found = []
    for g, a in np.argwhere(overlap_GA >= MIN_OVERLAP).tolist():
        if overlap_GA[g, a] == overlap_GA[g].max() and overlap_GA[g, a] == overlap_GA[:, a].max():
            names = old.names[gone[g]], new.names[added[a]]
            found.append(ProposedRename(*names, int(had_NG[:, g].sum()), int(both_GA[g, a])))
    return tuple(found)
