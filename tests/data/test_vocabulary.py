"""labels.toml: what it may say, and that everything wrong comes at once."""

import pytest

from tagger.data import Rule, parse_labels_toml
from tagger.errors import TaggerError


def test_an_empty_file_changes_nothing():
    vocabulary = parse_labels_toml("", ["b", "a"])
    assert (vocabulary.labels, vocabulary.groups, vocabulary.rules) == (("b", "a"), {}, ())


def test_labels_that_it_does_not_name_are_listed_with_their_places():
    locations = {"catt": ["row 12"], "x": ["row 40", "row 41"], "cat": ["row 2"]}
    with pytest.raises(TaggerError) as caught:
        parse_labels_toml(
            'labels = ["cat", "dog"]', ["cat", "catt", "x"], locations=locations, where="labels.csv"
        )
    assert str(caught.value) == (
        "labels.csv: 2 labels are not in labels.toml: 'catt' (row 12; did you mean 'cat'?), 'x' (row 40), 'x' (row 41)"
    )


def test_everything_wrong_comes_at_once():
    text = """
    label = ["a"]
    [groups.one]
    kind = "exclusiv"
    labels = ["aaa", "bbb"]
    [groups.two]
    kind = "multi"
    labels = ["bbb", "ccd", "bbb"]
    sort = true
    [[rules]]
    if = "aab"
    then = "ccc"
    [[rules]]
    if = "aaa"
    """
    with pytest.raises(TaggerError) as caught:
        parse_labels_toml(text, ["aaa", "bbb", "ccc"])
    for part in (
        "unknown key 'label'. Did you mean 'labels'?",
        "kind 'exclusiv' is none of multi, exclusive, ordinal. Did you mean 'exclusive'?",
        "label 'bbb' is in two groups, 'one' and 'two'",
        "groups.two: there is no label 'ccd'. Did you mean 'ccc'?",
        "'groups.two.labels' holds 'bbb' more than once",
        "unknown key 'sort' in groups.two",
        "rule 1: there is no label 'aab'. Did you mean 'aaa'?",
        "rule 2 needs one label each",
    ):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "labels = 3",
        "labels = []",
        "labels = ['']",
        "groups = 1",
        "groups.a = 1",
        "rules = 1",
        "rules = ['a']",
    ],
)
def test_values_of_the_wrong_kind_are_errors_too(text):
    with pytest.raises(TaggerError, match=r"^labels\.toml: "):
        parse_labels_toml(text, ["a"])


def test_broken_toml_names_the_line():
    with pytest.raises(TaggerError, match=r"not valid TOML: .*line 2"):
        parse_labels_toml("labels = ['a']\nlabels +\n", ["a"])


def test_cycles_of_rules_are_harmless():
    text = "[[rules]]\nif = 'a'\nthen = 'b'\n[[rules]]\nif = 'b'\nthen = 'a'"
    assert parse_labels_toml(text, ["a", "b"]).rules == (Rule("a", "b"), Rule("b", "a"))


def test_a_rule_within_an_exclusive_group_contradicts_it():
    text = '[groups.age]\nkind = "ordinal"\nlabels = ["young", "old"]\n[[rules]]\nif = "old"\nthen = "young"'
    with pytest.raises(TaggerError, match=r"'old' implies 'young', but group 'age'"):
        parse_labels_toml(text, ["young", "old"])
    assert parse_labels_toml(text.replace("ordinal", "multi"), ["young", "old"]).rules
