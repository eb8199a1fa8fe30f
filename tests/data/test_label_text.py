"""Text of labels: whatever a person wrote stays byte for byte when labels are added, or one is cut out."""

import csv

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tagger.data.formats.label_text import add_labels, parse_label_text, remove_labels

# Signs that mean something in such a text are drawn more often.
SIGNS = st.one_of(
    st.sampled_from(list(',,  \n"\\()\r\t\u2028\x85a5')), st.characters(exclude_categories=("Cs",))
)
TEXTS = st.lists(SIGNS, max_size=25).map("".join)
WORDS = st.sampled_from(
    ["cat", "red, white", "cat (animal)", 'a "b"', "猫", "a\\b", "two\nlines", "sea", "(x:1.2)"]
)


def is_inserted(before: str, after: str) -> bool:
    """Whether the second text is the first with one piece inserted."""
    same = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), len(before))
    return len(after) >= len(before) and after.endswith(before[same:])


def is_left_over(after: str, before: str) -> bool:
    """Whether the first text is the second with some signs cut out."""
    signs = iter(before)
    return all(sign in signs for sign in after)


@given(TEXTS, st.lists(WORDS, max_size=3, unique=True))
@example('cat, "dog', ["sea"])
@example("cat,\tdog", ["red, white"])
@example("cat \\(animal\\), (dog:1.2)\r\n", ["cat (animal)", "sea"])
def test_labels_are_inserted_and_every_sign_stays(text: str, labels: list[str]):
    there = parse_label_text(text)
    after = add_labels(text, labels)
    if after is None:  # only where quotation marks are odd
        assert '"' in text
        return
    assert parse_label_text(after) == list(dict.fromkeys([*there, *labels]))
    assert is_inserted(text, after) or text == ""
    assert add_labels(after, labels) == after


@given(
    st.lists(WORDS, min_size=1, max_size=6), st.sampled_from([",", ", ", "\n", "\r\n", ",\n"]), st.booleans()
)
def test_labels_are_cut_out_and_the_others_stay_as_they_were_written(
    words: list[str], separator: str, end: bool
):
    quoted = ['"' + word.replace('"', '""') + '"' if set(word) & set(',"\\\n') else word for word in words]
    text = separator.join(quoted) + "\n" * end
    left = [word for word, written in zip(quoted, words, strict=True) if written != words[0]]
    assert remove_labels(text, [words[0]]) == separator.join(left) + "\n" * end


@given(TEXTS, WORDS)
def test_a_cut_takes_no_other_label(text: str, label: str):
    whole = add_labels(text, [label])
    if whole is None:
        return
    after = remove_labels(whole, [label])
    assert after is None or parse_label_text(after) == [
        word for word in parse_label_text(text) if word != label
    ]
    assert after is None or is_left_over(after, whole)
    assert remove_labels(text, []) == text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("cat, dog", "cat, dog, sea"),
        ("cat,dog\n", "cat,dog,sea\n"),
        ("cat\r\ndog\r\n", "cat\r\ndog\r\nsea\r\n"),
        ("cat,\ndog,\n", "cat,\ndog,\nsea,\n"),
        ('"cat", 5" pipe', '"cat", 5" pipe, sea'),
        ("", "sea\n"),
        ("\r\n", "sea\r\n"),
        ("cat", "cat, sea"),
    ],
)
def test_the_style_of_the_file_is_followed(before: str, after: str):
    assert add_labels(before, ["sea"]) == after


def test_brackets_are_escaped_where_the_file_does_so():
    assert add_labels("a \\(b\\), c", ["d (e)"]) == "a \\(b\\), c, d \\(e\\)"
    assert add_labels("a (b), c", ["d (e)"]) == "a (b), c, d (e)"


def test_lines_stay_when_one_label_of_a_line_goes():
    assert remove_labels("a, b\nc, d\n", ["c"]) == "a, b\nd\n"
    assert remove_labels("a, b\nc, d\n", ["b"]) == "a\nc, d\n"
    assert remove_labels("a\nb\nc", ["a", "c"]) == "b"


def test_a_field_that_is_too_long_is_an_error_of_csv():
    with pytest.raises(csv.Error):
        add_labels("x" * 200_000, ["sea"])
