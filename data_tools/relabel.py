"""Merging of label tables by several annotators, and renaming of labels."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from tagger.arrays import NO, UNKNOWN, YES, Cells
from tagger.errors import TaggerError, did_you_mean

AnnotatorLabels = tuple[Sequence[str], Sequence[str], Cells]  # files, labels, labels_NK


def stack_annotators(parts: Sequence[AnnotatorLabels]) -> tuple[list[str], list[str], Cells]:
    """(files, labels, said_PNK): what each annotator says about each cell; unknown what he or she does not list.

    >>> stack_annotators([(["a"], ["cat"], np.array([[1]], np.int8))])[2].tolist()
    [[[1]]]
    """
    files = sorted({file for part in parts for file in part[0]})
    labels = list(dict.fromkeys(label for part in parts for label in part[1]))
    row, column = ({name: at for at, name in enumerate(names)} for names in (files, labels))
    said_PNK = np.full((len(parts), len(files), len(labels)), UNKNOWN, dtype=np.int8)
    for cells_NK, (own_files, own_labels, own_NK) in zip(said_PNK, parts, strict=True):
        cells_NK[np.ix_([row[file] for file in own_files], [column[label] for label in own_labels])] = own_NK
    return files, labels, said_PNK


def merge_labels(
    parts: Sequence[AnnotatorLabels], *, annotators: Sequence[str]
) -> tuple[list[str], list[str], Cells, pd.DataFrame]:
    """(files, labels, labels_NK, disagreements) of several people's labels of one folder.

    Each part is (files, labels, labels_NK). A cell has the value of those who know it; where they disagree
    it is unknown, and ``disagreements`` has a row with ``file``, ``label`` and each annotator's value (1, 0 or
    empty). A label or an image that an annotator does not list is unknown to them.

    >>> one, other = (["a"], ["cat"], np.array([[1]], np.int8)), (["a"], ["cat"], np.array([[0]], np.int8))
    >>> files, labels, cells, table = merge_labels([one, other], annotators=["Ann", "Bo"])
    >>> cells.tolist(), table.values.tolist()
    ([[-1]], [['a', 'cat', '1', '0']])
    """
    files, labels, said_PNK = stack_annotators(parts)
    yes_NK = (said_PNK == YES).any(axis=0)
    no_NK = (said_PNK == NO).any(axis=0)
    merged_NK = np.where(yes_NK == no_NK, UNKNOWN, np.where(yes_NK, YES, NO)).astype(np.int8)
    words = {UNKNOWN: "", NO: "0", YES: "1"}
    rows = [
        [files[n], labels[k], *(words[int(said)] for said in said_PNK[:, n, k])]
        for n, k in np.argwhere(yes_NK & no_NK).tolist()
    ]
    return files, labels, merged_NK, pd.DataFrame(rows, columns=["file", "label", *annotators])


def rename_labels(
    names: Sequence[str], labels_NK: Cells, renames: Mapping[str, str]
) -> tuple[list[str], Cells]:
    """(labels, labels_NK) after renaming; labels that get the same name are merged.

    A merged cell is *yes* if one of them is, else unknown if one of them is, else *no*. An empty new name
    drops the label. TaggerError for old names that are no labels, or if no label is left.

    >>> names, cells = rename_labels(["cat", "kitty", "dog"], np.array([[0, 1, 0]], np.int8), {"kitty": "cat"})
    >>> names, cells.tolist()
    (['cat', 'dog'], [[1, 0]])
    """
    missing = [f"{old!r}{did_you_mean(old, names)}" for old in renames if old not in names]
    if missing:
        raise TaggerError(f"There are no such labels to rename: {'; '.join(missing)}")
    new_K = [renames.get(name, name) for name in names]
    kept = [name for name in dict.fromkeys(new_K) if name]
    if not kept:
        raise TaggerError("No label would be left. Keep at least one")
    joined_NK = np.empty((len(labels_NK), len(kept)), dtype=np.int8)
    for k, name in enumerate(kept):
        cells = labels_NK[:, [at for at, new in enumerate(new_K) if new == name]]
        yes_N = (cells == YES).any(axis=1)
        unknown_N = (cells == UNKNOWN).any(axis=1)
        joined_NK[:, k] = np.where(yes_N, YES, np.where(unknown_N, UNKNOWN, NO))
    return kept, joined_NK


def parse_renames(texts: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """{old: new} of ``OLD=NEW`` texts; of several ``=`` the last one counts whose left side is a label.

    >>> parse_renames(["a=b=c", "x=y"], ["a=b", "x"])
    {'a=b': 'c', 'x': 'y'}
    """
    renames = {}
    for text in texts:
        if "=" not in text:
            raise TaggerError(f"{text!r}: write OLD=NEW, or OLD= to drop a label")
        cuts = [at for at, mark in enumerate(text) if mark == "="]
        known = [at for at in cuts if text[:at] in names]
        at = known[-1] if known else cuts[0]
        renames[text[:at]] = text[at + 1 :].strip()
    return renames
