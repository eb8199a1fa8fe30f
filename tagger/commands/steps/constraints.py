"""Groups and rules of labels under their current names."""

from collections.abc import Iterable, Mapping

from tagger.data import LabelGroup, Rule
from tagger.review import EditedVocabulary


def remap_constraints(
    vocabulary: EditedVocabulary, groups_before: Mapping[str, LabelGroup], rules_before: Iterable[Rule]
) -> tuple[dict[str, LabelGroup], tuple[Rule, ...]]:
    """Groups and rules under the current label names, without those that lost a label they need."""
    groups: dict[str, LabelGroup] = {}
    for name, group in groups_before.items():
        members = dict.fromkeys(
            to for label in group["labels"] if (to := vocabulary.resolve(label)) is not None
        )
        if len(members) > 1 or len(members) == len(group["labels"]):
            groups[name] = LabelGroup(kind=group["kind"], labels=list(members))
    pairs = [(vocabulary.resolve(rule.premise), vocabulary.resolve(rule.implied)) for rule in rules_before]
    return groups, tuple(
        dict.fromkeys(Rule(a, b) for a, b in pairs if a is not None and b is not None and a != b)
    )
