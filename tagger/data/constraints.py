"""Label groups and implication rules, and the images whose labels violate them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import NO, YES, Cells
from tagger.text import counted

GROUP_KINDS = ("multi", "exclusive", "ordinal")


class LabelGroup(TypedDict):
    """Labels that belong together. ``exclusive``: one at most; ``ordinal``: one at most, ``labels`` in their order."""

    kind: str
    labels: list[str]


@dataclass(frozen=True)
class Rule:
    """Every image with the label ``premise`` also has ``implied``: baby implies people."""

    premise: str
    implied: str


@dataclass(frozen=True)
class MinedRule:
    """A rule found in the labels: ``support`` images have both labels, a share ``confidence`` of the premise's."""

    premise: str
    implied: str
    support: int
    confidence: float


def violates_rule_N(labels_NK: Cells, names: Sequence[str], rule: Rule) -> NDArray[np.bool_]:
    """True for images (N) that break the rule: premise *yes*, implied *no*. An unknown cell breaks nothing.

    >>> labels_NK = np.array([[1, 0], [1, 1], [1, -1]], np.int8)
    >>> violates_rule_N(labels_NK, ["baby", "people"], Rule("baby", "people")).tolist()
    [True, False, False]
    """
    premise_N, implied_N = (labels_NK[:, names.index(name)] for name in (rule.premise, rule.implied))
    return (premise_N == YES) & (implied_N == NO)


def violates_group_N(labels_NK: Cells, names: Sequence[str], group: LabelGroup) -> NDArray[np.bool_]:
    """True for images (N) with two labels or more of an exclusive or ordinal group.

    >>> group = LabelGroup(kind="exclusive", labels=["a", "b"])
    >>> violates_group_N(np.array([[1, 1], [1, 0]], np.int8), ["a", "b"], group).tolist()
    [True, False]
    """
    columns = [names.index(name) for name in group["labels"]]
    return ((labels_NK[:, columns] == YES).sum(axis=1) > 1) & (group["kind"] != "multi")


def describe_violations(
    labels_NK: Cells,
    names: Sequence[str],
    files: Sequence[str],
    groups: Mapping[str, LabelGroup],
    rules: Sequence[Rule],
) -> list[str]:
    """One sentence for each rule or group that is violated: the number of images, and the first of them."""
    found = []
    for rule in rules:
        text = f"rule {rule.premise!r} implies {rule.implied!r}: {{}} with the first label but not the second"
        found.append((text, violates_rule_N(labels_NK, names, rule)))
    for name, group in groups.items():
        text = f"group {name!r} allows one label per image: {{}} with several"
        found.append((text, violates_group_N(labels_NK, names, group)))
    return [
        text.format(counted(int(broken_N.sum()), "image"))
        + f" (the first is {files[int(broken_N.argmax())]!r}); the labels stay as they are"
        for text, broken_N in found
        if broken_N.any()
    ]
