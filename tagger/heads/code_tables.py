"""Codes that a person gives: a table of code words, of attributes, or of a hierarchy, with a row for each label.

Thesis 6.1 (after Akata et al. 2015) names these beside codes drawn at random and codes learnt from data: "where there
exist high quality attributes, methods with prior information are preferred". The first column of a table
holds the labels. Rows of labels that the data do not have are allowed, so that one table serves many sets.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from tagger.arrays import Floats
from tagger.data.formats.tabular import TableStream, read_table
from tagger.errors import Problem, TaggerError, did_you_mean
from tagger.text import shortlist

MAX_SHOWN = 20  # reasons
TABLE_CODES = ("file", "attributes", "hierarchy")


@dataclass(frozen=True)
class LabelTable:
    """Numbers (K, A) of the labels, a column an attribute."""

    columns: tuple[str, ...]
    values_KA: Floats


def table_code(kind: str, path: str, names: Sequence[str], bits: int = 0) -> Floats:
    """The code (K, J) of the labels ``names`` that the table at ``path`` gives.

    ``file``: its numbers as they are. ``attributes``: its columns, each less its mean and over its deviation;
    a column that is the same for all labels is no bit. ``hierarchy``: a bit for each division (``hierarchy_code``).
    ``bits``: only the first so many; 0 is all. TaggerError: a label without a row, a cell that is no number, more
    bits than there are, or two labels with one code word.
    """
    if kind == "hierarchy":
        code_KJ = hierarchy_code(read_hierarchy(path, names))
    else:
        values_KA = read_label_table(path, names).values_KA
        code_KJ = standardised(values_KA) if kind == "attributes" else values_KA
    if bits > code_KJ.shape[1]:
        raise TaggerError(
            f"head.bits = {bits}: {path} gives {code_KJ.shape[1]}. Set fewer, or 0 for all of them."
        )
    code_KJ = code_KJ[:, : bits or None]
    _check_words(code_KJ, path, names)
    return code_KJ


def standardised(values_KA: Floats) -> Floats:
    """Each column with mean 0 and mean square 1; constant ones left out.

    >>> standardised(np.array([[1.0, 5.0], [3.0, 5.0]])).tolist()
    [[-1.0], [1.0]]
    """
    varied_KA = values_KA[:, np.ptp(values_KA, axis=0) > 0]
    return (varied_KA - varied_KA.mean(0)) / varied_KA.std(0)


def hierarchy_code(paths: Sequence[tuple[str, ...]]) -> Floats:
    """The code (K, J) of a tree, the coarsest divisions first; ``paths[k]`` leads from the top down to label k.

    A node with two children has one bit: 1 for what is below the first, -1 for what is below the second, 0 for
    labels elsewhere. A node with more has a bit for each child: 1 below it, -1 below the others.

    >>> hierarchy_code([("pet", "cat"), ("pet", "dog"), ("tree",)]).tolist()
    [[1.0, 1.0], [1.0, -1.0], [-1.0, 0.0]]
    """
    bits = [bit_K for node in _nodes(paths) for bit_K in _divisions(paths, node)]
    return np.array(bits, dtype=np.float64).reshape(len(bits), len(paths)).T


def _nodes(paths: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """All inner nodes as paths from the top, level by level."""
    inner = {path[:depth] for path in paths for depth in range(len(path))}
    return sorted(inner, key=lambda node: (len(node), node))


def _divisions(paths: Sequence[tuple[str, ...]], node: tuple[str, ...]) -> Iterator[list[int]]:
    depth = len(node)
    below = [path[depth] if path[:depth] == node and len(path) > depth else None for path in paths]
    children = list(dict.fromkeys(child for child in below if child is not None))
    if len(children) < 2:
        return
    for child in children[:1] if len(children) == 2 else children:
        yield [0 if other is None else 1 if other == child else -1 for other in below]


def read_hierarchy(path: str, names: Sequence[str]) -> list[tuple[str, ...]]:
    """The way from the top to each label. A row holds a label, its parent, the parent's parent and so on; parents
    may have rows of their own. Empty cells are left out.
    """
    parent: dict[str, str] = {}
    problems = []
    for row, cells in _rows(path):
        chain = [cell.strip() for cell in cells if cell.strip()]
        for child, above in pairwise(chain):
            if parent.setdefault(child, above) != above:
                problems.append(
                    Problem(path, row, f"{child!r} has two parents, {parent[child]!r} and {above!r}")
                )
        if len(chain) == 1:
            parent.setdefault(chain[0], "")
    problems += _missing(path, names, {*parent, *parent.values()})
    problems += [
        Problem(path, None, f"{name!r} is above itself") for name in names if _in_circle(name, parent)
    ]
    _raise(path, problems)
    return [_way(name, parent) for name in names]


def read_label_table(path: str, names: Sequence[str]) -> LabelTable:
    """The numbers of the labels ``names``. TaggerError lists all labels without a row and cells without a number."""
    rows: dict[str, list[float]] = {}
    problems = []
    columns = _table(path).columns[1:]
    for row, cells in _rows(path):
        name = cells[0].strip()
        if name in rows:
            problems.append(Problem(path, row, f"a second row of {name!r}"))
        rows[name] = [_number(cell) for cell in cells[1:]]
        bad = [column for column, value in zip(columns, rows[name], strict=True) if not np.isfinite(value)]
        if bad and name in names:
            problems.append(Problem(path, row, f"no number in {shortlist([repr(one) for one in bad], 3)}"))
    problems += _missing(path, names, rows)
    if not columns:
        problems.append(Problem(path, 1, "no column beside the labels"))
    _raise(path, problems)
    return LabelTable(columns, np.array([rows[name] for name in names], dtype=np.float64))


def _table(path: str) -> TableStream:
    if not path:
        raise TaggerError("head.code: name the table with its rows, e.g. --set head.file=codes.csv")
    if not Path(path).is_file():
        raise TaggerError(f"{path}: there is no such file here ({Path.cwd()}). Give the whole path.")
    return read_table(Path(path))


def _rows(path: str) -> Iterator[tuple[int, list[str]]]:
    return _table(path).rows


def _number(cell: str) -> float:
    try:
        return float({"true": "1", "false": "0"}.get(cell.strip().lower(), cell))
    except ValueError:
        return float("nan")


def _missing(path: str, names: Sequence[str], rows: Iterable[str]) -> list[Problem]:
    known = set(rows)
    return [
        Problem(path, None, f"No row for the label {name!r}.{did_you_mean(name, known)}")
        for name in names
        if name not in known
    ]


def _in_circle(name: str, parent: dict[str, str]) -> bool:
    seen = set()
    while name and name not in seen:
        seen.add(name)
        name = parent.get(name, "")
    return bool(name)


def _way(name: str, parent: dict[str, str]) -> tuple[str, ...]:
    way = [name]
    while above := parent.get(way[-1], ""):
        way.append(above)
    return tuple(reversed(way))


def _check_words(code_KJ: Floats, path: str, names: Sequence[str]) -> None:
    """TaggerError if a label has no code word, or two labels have the same one but for its length."""
    length_K = np.linalg.norm(code_KJ, axis=1)
    problems = [
        Problem(path, None, f"{names[k]!r} has 0 in all bits") for k in np.flatnonzero(length_K == 0).tolist()
    ]
    words = np.round(code_KJ / np.maximum(length_K, 1e-12)[:, None], 6)
    first: dict[bytes, int] = {}
    for k in np.flatnonzero(length_K).tolist():
        other = first.setdefault((words[k] + 0.0).tobytes(), k)
        if other != k:
            problems.append(Problem(path, None, f"{names[other]!r} and {names[k]!r} have the same code word"))
    _raise(path, problems)


def _raise(path: str, problems: Sequence[Problem]) -> None:
    if problems:
        shown = [("" if one.row is None else f"Row {one.row}: ") + one.reason.rstrip(".") for one in problems]
        more = f" And {len(shown) - MAX_SHOWN:,} more." if len(shown) > MAX_SHOWN else ""
        raise TaggerError(
            f"{path} does not fit the labels. {'. '.join(shown[:MAX_SHOWN])}.{more}".replace("?.", "?")
        )
