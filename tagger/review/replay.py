"""The cells after the decisions, computed anew from the original labels: the same log gives the same cells."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tagger.arrays import UNKNOWN, YES, Cells
from tagger.review.decision import Recorded
from tagger.review.operations import Tree, Vocabulary
from tagger.review.state import effective, judge

Bools = np.ndarray
NOTHING = -2  # of a label that somebody added: not even unknown, so that merging it changes nothing


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """Cells of the current labels: ``values_NK`` -1, 0, 1; which of them people verified, and which only blindly."""

    values_NK: Cells
    verified_NK: Bools
    blind_NK: Bools


def replay(hashes: Sequence[str], labels_NK: Cells, vocabulary: Vocabulary, rows: Iterable[Recorded]) -> Replayed:
    """The cells (images, current labels) after the rows; images of the same hash share their decisions.

    A merged label has what its parts had ("yes" if any part is yes), until somebody decides on the merged label.

    >>> from tagger.review.operations import vocabulary
    >>> replay(["a1"], np.array([[1]], np.int8), vocabulary(["sea"]), []).values_NK.tolist()
    [[1]]
    """
    rows = effective(rows)
    places = _places(hashes, {row.hash for row in rows})
    by_level = _by_level(rows, vocabulary, places)
    trees = [vocabulary.tree(name) for name in vocabulary.names]
    columns = [None if tree.parts else vocabulary.column(tree) for tree in trees]
    values_NK = np.full((len(hashes), len(trees)), UNKNOWN, np.int8)
    plain = [at for at, column in enumerate(columns) if column is not None]
    values_NK[:, plain] = labels_NK[:, [column for column in columns if column is not None]]
    verified_NK, blind_NK = np.zeros(values_NK.shape, bool), np.zeros(values_NK.shape, bool)
    for at, tree in enumerate(trees):
        if tree.parts:
            part = _merged(tree, labels_NK, vocabulary, by_level, places)
            values_NK[:, at], verified_NK[:, at], blind_NK[:, at] = part
        else:
            cells = values_NK[:, at], verified_NK[:, at], blind_NK[:, at]
            _overlay(*cells, by_level.get(tree, {}), places)
    return Replayed(values_NK=values_NK, verified_NK=verified_NK, blind_NK=blind_NK)


def level(tree: Tree, node: int, id: int) -> Tree:
    """The part of a label's tree that decision ``id`` on label ``node`` is about: the latest merge before it.

    >>> leaf = Tree(frozenset([0]))
    >>> level(leaf, 0, 5) is leaf
    True
    """
    while tree.parts and id <= tree.after:
        tree = next(part for part in tree.parts if node in part.nodes)
    return tree


def _places(hashes: Sequence[str], wanted: set[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for place, hash in enumerate(hashes):
        if hash in wanted:
            found.setdefault(hash, []).append(place)
    return found


def _by_level(
    rows: Sequence[Recorded], vocabulary: Vocabulary, places: dict[str, list[int]]
) -> dict[Tree, dict[str, list[Recorded]]]:
    found: dict[Tree, dict[str, list[Recorded]]] = {}
    for row in rows:
        name, node = vocabulary.resolve(row.label), vocabulary.node(row.label)
        if name is not None and node is not None and row.hash in places:
            about = level(vocabulary.tree(name), node, row.id)
            found.setdefault(about, {}).setdefault(row.hash, []).append(row)
    return found


def _overlay(
    values_N: Cells, verified_N: Bools, blind_N: Bools, rows: dict[str, list[Recorded]], places: dict[str, list[int]]
) -> None:
    """Write what people decided into the columns."""
    for hash, about in rows.items():
        state = judge(about)
        if state.value is not None:
            values_N[places[hash]], verified_N[places[hash]], blind_N[places[hash]] = state.value, True, state.blind


def _merged(
    tree: Tree,
    labels_NK: Cells,
    vocabulary: Vocabulary,
    by_level: dict[Tree, dict[str, list[Recorded]]],
    places: dict[str, list[int]],
) -> tuple[Cells, Bools, Bools]:
    first = tree
    while first.parts:
        first = first.parts[0]
    column = vocabulary.column(first)
    given_N = np.full(len(labels_NK), UNKNOWN, np.int8) if column is None else labels_NK[:, column]

    def cells(part: Tree) -> tuple[Cells, Bools, Bools]:
        if part.parts:
            result = _either(*cells(part.parts[0]), *cells(part.parts[1]))
        else:
            own = vocabulary.column(part)
            if own is None and vocabulary.added(part):
                values_N = np.full(len(labels_NK), NOTHING, np.int8)
            else:  # without a column it was merged before the run was made, whose labels have it in the whole
                values_N = (given_N if own is None else labels_NK[:, own]).copy()
            result = values_N, np.zeros(len(values_N), bool), np.zeros(len(values_N), bool)
        _overlay(*result, by_level.get(part, {}), places)
        return result

    values_N, verified_N, blind_N = cells(tree)
    return np.where(values_N == NOTHING, UNKNOWN, values_N).astype(np.int8), verified_N, blind_N


def _either(
    a_N: Cells, sure_a_N: Bools, blind_a_N: Bools, b_N: Cells, sure_b_N: Bools, blind_b_N: Bools
) -> tuple[Cells, Bools, Bools]:
    """Two labels as one: yes if any is; verified if a verified yes shows it, or both are verified no."""
    yes_N, unknown_N = (a_N == YES) | (b_N == YES), (a_N == UNKNOWN) | (b_N == UNKNOWN)
    other_N = np.where(unknown_N, UNKNOWN, np.maximum(a_N, b_N))  # no, or nothing
    values_N = np.where(yes_N, YES, other_N).astype(np.int8)

    def both(of_a_N: Bools, of_b_N: Bools) -> Bools:
        shown_N = ((a_N == YES) & of_a_N) | ((b_N == YES) & of_b_N)
        return np.where(yes_N, shown_N, of_a_N & of_b_N & ~unknown_N)

    return values_N, both(sure_a_N, sure_b_N), both(blind_a_N, blind_b_N)
