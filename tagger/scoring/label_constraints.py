"""Exclusive groups of labels and rules between labels: what ``predicted_labels.predict_labels`` keeps to."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from tagger.arrays import NO, Bools, Cells


class RuleLike(Protocol):
    """A rule between two labels, by name (``tagger.data.Rule``)."""

    @property
    def premise(self) -> str: ...
    @property
    def implied(self) -> str: ...


@dataclass(frozen=True)
class ExclusiveGroup:
    """Labels (columns of K, in the group's order) of which an image has one at most; ``always``: has exactly one."""

    name: str
    columns: tuple[int, ...]
    always: bool = False
    ordinal: bool = False


@dataclass(frozen=True)
class LabelConstraints:
    """What decisions keep to: groups of labels, and rules as (premise, implied) columns. Empty, it changes nothing."""

    groups: tuple[ExclusiveGroup, ...] = ()
    rules: tuple[tuple[int, int], ...] = ()


NO_CONSTRAINTS = LabelConstraints()


def exclusive_groups(
    names: Sequence[str], groups: Mapping[str, Mapping[str, Any]], always: Container[str] = ()
) -> tuple[ExclusiveGroup, ...]:
    """The exclusive and ordinal groups as columns; those with fewer than two labels among ``names`` are free
    labels.

    ``always`` names the groups of which every image has a label; where a label is not among ``names``, it
    may be that.

    >>> group = {"age": {"kind": "ordinal", "labels": ["young", "old"]}}
    >>> exclusive_groups(["old", "cat", "young"], group, always={"age"})
    (ExclusiveGroup(name='age', columns=(2, 0), always=True, ordinal=True),)
    """
    place = {name: k for k, name in enumerate(names)}
    found = []
    for name, group in groups.items():
        columns = tuple(place[label] for label in group["labels"] if label in place)
        if group["kind"] != "multi" and len(columns) > 1:
            whole = len(columns) == len(group["labels"])
            found.append(ExclusiveGroup(name, columns, whole and name in always, group["kind"] == "ordinal"))
    return tuple(found)


def always_labelled_groups(
    labels_NK: Cells, names: Sequence[str], groups: Mapping[str, Mapping[str, Any]]
) -> frozenset[str]:
    """The groups of which no image is known to have none: of these, each image has exactly one label.

    >>> labels_NK = np.array([[1, 0, 0, 0], [0, -1, 0, 1]], np.int8)
    >>> pairs = {"one": {"kind": "exclusive", "labels": ["a", "b"]}, "two": {"kind": "exclusive", "labels": ["c", "d"]}}
    >>> always_labelled_groups(labels_NK, ["a", "b", "c", "d"], pairs)
    frozenset({'one'})
    """
    found = exclusive_groups(names, groups)
    return frozenset(one.name for one in found if not (labels_NK[:, one.columns] == NO).all(axis=1).any())


def build_constraints(
    names: Sequence[str],
    groups: Mapping[str, Mapping[str, Any]],
    rules: Iterable[RuleLike],
    *,
    always: Container[str] = (),
    enforce: bool = True,
) -> LabelConstraints:
    """The groups and rules that predictions of the labels ``names`` follow; no rules unless ``enforce``.

    A rule is left out if one of its labels is not in ``names``, or if both are in one group.
    """
    place = {name: k for k, name in enumerate(names)}
    found = exclusive_groups(names, groups, always)
    pairs = ((place.get(rule.premise), place.get(rule.implied)) for rule in (rules if enforce else ()))
    together = [set(one.columns) for one in found]
    kept = [
        (a, b)
        for a, b in pairs
        if a is not None and b is not None and not any({a, b} <= set_ for set_ in together)
    ]
    return LabelConstraints(found, tuple(dict.fromkeys(kept)))


def transitive_closure(rules: Iterable[tuple[int, int]], num_labels: int) -> Bools:
    """implies_KK: whether label i brings label j, directly or through others (never itself).

    >>> transitive_closure([(0, 1), (1, 2)], 3)[0].tolist()
    [False, True, True]
    """
    implies_KK = np.zeros((num_labels, num_labels), dtype=bool)
    for premise, implied in rules:
        implies_KK[premise, implied] = True
    for middle in np.flatnonzero(implies_KK.any(axis=1)):  # Warshall 1962
        implies_KK |= implies_KK[:, [middle]] & implies_KK[[middle]]
    np.fill_diagonal(implies_KK, False)
    return implies_KK
