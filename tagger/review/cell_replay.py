"""Current cells, replayed from the original labels and the decisions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from tagger.arrays import UNKNOWN, YES, Bools, Cells
from tagger.review.cell_state import CellState, effective_decisions, resolve_verdicts
from tagger.review.decision import Cell, RecordedDecision
from tagger.review.disagreement import Decide, leave_open
from tagger.review.label_operations import EditedVocabulary, LabelOrigin

ABSENT = -2  # of a label that somebody added: not even unknown, so that merging it changes nothing


@dataclass(frozen=True, kw_only=True)
class ReplayedCells:
    """Cells of the current labels: ``values_NK`` -1, 0, 1; which of them people verified, and which only blindly."""

    values_NK: Cells
    verified_NK: Bools
    blind_NK: Bools
    disputed: dict[Cell, CellState] = field(
        default_factory=dict
    )  # people differ, nobody settled; by current name


def replay_decisions(
    hashes: Sequence[str],
    labels_NK: Cells,
    vocabulary: EditedVocabulary,
    decisions: Iterable[RecordedDecision],
    *,
    decide: Decide = leave_open,
) -> ReplayedCells:
    """The cells (images, current labels) after the decisions; images of the same hash share their decisions.

    A merged label has what its parts had ("yes" if any part is yes), until somebody decides on the merged
    label. ``decide`` may give a value to cells on which people differ.

    >>> from tagger.review.label_operations import vocabulary_after
    >>> replay_decisions(["a1"], np.array([[1]], np.int8), vocabulary_after(["sea"]), []).values_NK.tolist()
    [[1]]
    """
    decisions = effective_decisions(decisions)
    image_rows_by_hash = _image_rows_by_hash(hashes, {decision.hash for decision in decisions})
    states_by_origin = _states_by_origin(decisions, vocabulary, image_rows_by_hash, decide)
    trees = [vocabulary.origin(name) for name in vocabulary.names]
    columns = [None if origin.parts else vocabulary.column(origin) for origin in trees]
    values_NK = np.full((len(hashes), len(trees)), UNKNOWN, np.int8)
    plain = [at for at, column in enumerate(columns) if column is not None]
    values_NK[:, plain] = labels_NK[:, [column for column in columns if column is not None]]
    verified_NK = np.zeros(values_NK.shape, bool)
    blind_NK = np.zeros(values_NK.shape, bool)
    for at, origin in enumerate(trees):
        if origin.parts:
            part = _merged_cells(origin, labels_NK, vocabulary, states_by_origin, image_rows_by_hash)
            values_NK[:, at], verified_NK[:, at], blind_NK[:, at] = part
        else:
            cells = values_NK[:, at], verified_NK[:, at], blind_NK[:, at]
            _write_verdicts(*cells, states_by_origin.get(origin, {}), image_rows_by_hash)
    disputed = _disputed(states_by_origin, vocabulary, verified_NK, image_rows_by_hash)
    return ReplayedCells(values_NK=values_NK, verified_NK=verified_NK, blind_NK=blind_NK, disputed=disputed)


def origin_at(origin: LabelOrigin, node: int, id: int) -> LabelOrigin:
    """The part of a label's tree that decision ``id`` on label ``node`` is about: the latest merge before it.

    >>> leaf = LabelOrigin(frozenset([0]))
    >>> origin_at(leaf, 0, 5) is leaf
    True
    """
    while origin.parts and id <= origin.after:
        origin = next(part for part in origin.parts if node in part.nodes)
    return origin


def _image_rows_by_hash(hashes: Sequence[str], wanted: set[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for place, hash in enumerate(hashes):
        if hash in wanted:
            found.setdefault(hash, []).append(place)
    return found


StatesByOrigin = dict[
    LabelOrigin, dict[str, CellState]
]  # what people said about a label, or a part of one, by hash


def _states_by_origin(
    decisions: Sequence[RecordedDecision],
    vocabulary: EditedVocabulary,
    image_rows_by_hash: dict[str, list[int]],
    decide: Decide,
) -> StatesByOrigin:
    found: dict[LabelOrigin, dict[str, list[RecordedDecision]]] = {}
    for decision in decisions:
        name = vocabulary.resolve(decision.label)
        node = vocabulary.node(decision.label)
        if name is not None and node is not None and decision.hash in image_rows_by_hash:
            about = origin_at(vocabulary.origin(name), node, decision.id)
            found.setdefault(about, {}).setdefault(decision.hash, []).append(decision)
    return {
        origin: {hash: resolve_verdicts(rows, decide=decide) for hash, rows in by_hash.items()}
        for origin, by_hash in found.items()
    }


def _disputed(
    states_by_origin: StatesByOrigin,
    vocabulary: EditedVocabulary,
    verified_NK: Bools,
    image_rows_by_hash: dict[str, list[int]],
) -> dict[Cell, CellState]:
    """The states in dispute, by (hash, current name); without parts of a label that is verified as a whole."""
    found: dict[Cell, CellState] = {}
    for at, name in enumerate(vocabulary.names):
        for origin in reversed(
            _with_parts(vocabulary.origin(name))
        ):  # what is said about the whole comes last
            for hash, state in states_by_origin.get(origin, {}).items():
                row = image_rows_by_hash[hash][0]
                if state.disputed and (state.decided or not verified_NK[row, at]):
                    found[hash, name] = state
    return found


def _with_parts(origin: LabelOrigin) -> list[LabelOrigin]:
    """The tree's nodes, the whole first."""
    return [origin, *(node for part in origin.parts for node in _with_parts(part))]


def _write_verdicts(
    values_N: Cells,
    verified_N: Bools,
    blind_N: Bools,
    states_by_hash: dict[str, CellState],
    image_rows_by_hash: dict[str, list[int]],
) -> None:
    """Write what people decided into the columns."""
    for hash, state in states_by_hash.items():
        if state.value is not None:
            rows = image_rows_by_hash[hash]
            values_N[rows] = state.value
            verified_N[rows] = True
            blind_N[rows] = state.blind


def _merged_cells(
    origin: LabelOrigin,
    labels_NK: Cells,
    vocabulary: EditedVocabulary,
    states_by_origin: StatesByOrigin,
    image_rows_by_hash: dict[str, list[int]],
) -> tuple[Cells, Bools, Bools]:
    first = origin
    while first.parts:
        first = first.parts[0]
    column = vocabulary.column(first)
    given_N = np.full(len(labels_NK), UNKNOWN, np.int8) if column is None else labels_NK[:, column]

    def cells(part: LabelOrigin) -> tuple[Cells, Bools, Bools]:
        if part.parts:
            result = _merge_two(*cells(part.parts[0]), *cells(part.parts[1]))
        else:
            own = vocabulary.column(part)
            if own is None and vocabulary.added(part):
                values_N = np.full(len(labels_NK), ABSENT, np.int8)
            else:  # without a column it was merged before the run was made, whose labels have it in the whole
                values_N = (given_N if own is None else labels_NK[:, own]).copy()
            result = values_N, np.zeros(len(values_N), bool), np.zeros(len(values_N), bool)
        _write_verdicts(*result, states_by_origin.get(part, {}), image_rows_by_hash)
        return result

    values_N, verified_N, blind_N = cells(origin)
    return np.where(values_N == ABSENT, UNKNOWN, values_N).astype(np.int8), verified_N, blind_N


def _merge_two(
    a_N: Cells, sure_a_N: Bools, blind_a_N: Bools, b_N: Cells, sure_b_N: Bools, blind_b_N: Bools
) -> tuple[Cells, Bools, Bools]:
    """Two labels as one: yes if any is; verified if a verified yes shows it, or both are verified no."""
    yes_N = (a_N == YES) | (b_N == YES)
    unknown_N = (a_N == UNKNOWN) | (b_N == UNKNOWN)
    other_N = np.where(unknown_N, UNKNOWN, np.maximum(a_N, b_N))  # no, or nothing
    values_N = np.where(yes_N, YES, other_N).astype(np.int8)

    def both(of_a_N: Bools, of_b_N: Bools) -> Bools:
        shown_N = ((a_N == YES) & of_a_N) | ((b_N == YES) & of_b_N)
        return np.where(yes_N, shown_N, of_a_N & of_b_N & ~unknown_N)

    return values_N, both(sure_a_N, sure_b_N), both(blind_a_N, blind_b_N)
