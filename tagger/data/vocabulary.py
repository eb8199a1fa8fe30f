"""The label vocabulary: names and order, groups and rules, parsed from ``labels.toml``."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tagger.data.constraints import GROUP_KINDS, LabelGroup, Rule
from tagger.errors import TaggerError, did_you_mean
from tagger.text import shortlist


@dataclass(frozen=True)
class Vocabulary:
    """The labels in column order, their groups and their rules.

    ``number_lows``, in a training: the lowest target of each label that is a number.
    """

    labels: tuple[str, ...]
    groups: dict[str, LabelGroup]
    rules: tuple[Rule, ...]
    number_lows: Mapping[str, float] = field(default_factory=dict)


EMPTY_VOCABULARY = Vocabulary((), {}, ())


def parse_labels_toml(
    text: str,
    used: Sequence[str],
    *,
    locations: Mapping[str, Sequence[str]] | None = None,
    where: str = "the labels",
) -> Vocabulary:
    """The vocabulary of ``labels.toml`` (its ``text``) and of the labels in use.

    Without a ``labels`` entry the labels are ``used``, in that order. For messages, ``where`` names the
    label file, and ``locations`` says where in it each label is used. TaggerError lists everything wrong.

    >>> parse_labels_toml('[[rules]]\\nif = "baby"\\nthen = "people"', ["baby", "people"]).rules
    (Rule(premise='baby', implied='people'),)
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TaggerError(f"labels.toml: this is not valid TOML: {error}") from None
    except (RecursionError, ValueError):  # brackets nested by the thousand, numbers of thousands of digits
        raise TaggerError(
            "labels.toml: it is nested too deep or holds huge numbers. Write it again"
        ) from None
    wrong = _unknown_keys(content, ("labels", "groups", "rules", "numbers"), "")
    labels = tuple(used)
    messages = []
    if "labels" in content:
        labels = tuple(_names(content["labels"], "labels", wrong))
        if labels:
            messages += _missing_labels(labels, used, locations or {}, where)
        else:
            wrong.append("'labels' is empty")
    groups = _groups(content.get("groups", {}), labels, wrong)
    rules = _rules(content.get("rules", []), labels, wrong)
    wrong += _contradictions(rules, groups)
    if wrong:
        messages.insert(0, f"labels.toml: {'; '.join(wrong)}")
    if messages:
        raise TaggerError(". ".join(messages))
    return Vocabulary(labels, groups, rules)


def _missing_labels(
    labels: Sequence[str], used: Sequence[str], locations: Mapping[str, Sequence[str]], where: str
) -> list[str]:
    """A sentence on labels in use that labels.toml lacks: where they are used, and the nearest names."""
    missing = [label for label in used if label not in set(labels)]
    listed = []
    for label in missing:
        hint = did_you_mean(label, labels).strip().replace("Did", "did")
        spots = list(locations.get(label, ())) or [""]
        for first, spot in zip([True] + [False] * len(spots), spots, strict=False):
            inside = "; ".join(filter(None, [spot, hint if first else ""]))
            listed.append(f"{label!r} ({inside})" if inside else repr(label))
    if not missing:
        return []
    noun = "1 label is" if len(missing) == 1 else f"{len(missing)} labels are"
    return [f"{where}: {noun} not in labels.toml: {shortlist(listed, 20)}"]


def _groups(content: Any, labels: Sequence[str], wrong: list[str]) -> dict[str, LabelGroup]:
    groups: dict[str, LabelGroup] = {}
    home: dict[str, str] = {}
    if not isinstance(content, dict):
        wrong.append("'groups' must be tables: [groups.NAME]")
        return groups
    for name, entry in content.items():
        at = f"groups.{name}"
        if not isinstance(entry, dict):
            wrong.append(f"{at} must be a table with 'kind' and 'labels'")
            continue
        wrong += _unknown_keys(entry, ("kind", "labels"), f" in {at}")
        kind = entry.get("kind")
        if kind not in GROUP_KINDS:
            wrong.append(
                f"{at}: kind {kind!r} is none of {', '.join(GROUP_KINDS)}.{did_you_mean(str(kind), GROUP_KINDS)}"
            )
        members = _names(entry.get("labels"), f"{at}.labels", wrong)
        wrong += _unknown_labels(members, labels, at)
        for label in members:
            if label in home:
                wrong.append(f"label {label!r} is in two groups, {home[label]!r} and {name!r}")
            home[label] = name
        groups[name] = {"kind": str(kind), "labels": members}
    return groups


def _rules(content: Any, labels: Sequence[str], wrong: list[str]) -> tuple[Rule, ...]:
    rules: dict[Rule, None] = {}
    if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
        wrong.append("'rules' must be tables: [[rules]] with 'if' and 'then'")
        return ()
    for number, entry in enumerate(content, start=1):
        at = f"rule {number}"
        wrong += _unknown_keys(entry, ("if", "then"), f" in {at}")
        ends = [entry.get("if"), entry.get("then")]
        if not all(isinstance(end, str) for end in ends):
            wrong.append(f"{at} needs one label each for 'if' and 'then'")
            continue
        wrong += _unknown_labels(ends, labels, at)
        rules[Rule(*ends)] = None
    return tuple(rules)


def _contradictions(rules: Sequence[Rule], groups: Mapping[str, LabelGroup]) -> list[str]:
    """A sentence for each rule between two labels of one exclusive group."""
    return [
        f"rule {rule.premise!r} implies {rule.implied!r}, but group {name!r} allows only one of the two"
        for rule in rules
        for name, group in groups.items()
        if group["kind"] != "multi"
        and {rule.premise, rule.implied} <= set(group["labels"])
        and rule.premise != rule.implied
    ]


def _names(content: Any, at: str, wrong: list[str]) -> list[str]:
    """The label names of a TOML list, stripped; whatever else it is goes to ``wrong``."""
    if not isinstance(content, list) or not all(isinstance(name, str) and name.strip() for name in content):
        wrong.append(f"'{at}' must be a list of names in quotation marks")
        return []
    names = [name.strip() for name in content]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        wrong.append(f"'{at}' holds {', '.join(map(repr, repeated))} more than once")
    return names


def _unknown_keys(table: Mapping[str, Any], known: Sequence[str], at: str) -> list[str]:
    hints = {key: did_you_mean(key, known) for key in table if key not in known}
    return [f"unknown key {key!r}{at}" + f".{hint}" * bool(hint) for key, hint in hints.items()]


def _unknown_labels(names: Sequence[Any], labels: Sequence[str], at: str) -> list[str]:
    return [
        f"{at}: there is no label {name!r}.{did_you_mean(name, labels)}"
        for name in names
        if name not in labels
    ]
