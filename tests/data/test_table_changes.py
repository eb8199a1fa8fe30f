"""What is different in a table: photos by content, labels by name, renames only proposed."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tagger.arrays import UNKNOWN
from tagger.data.table_changes import (
    LabelledPhotos,
    carry_cells,
    compare_tables,
    match_columns,
    match_photos,
    propose_renames,
)


def photos(names: str, *rows: str, given: tuple[str, ...] | None = None) -> LabelledPhotos:
    """Labels of one letter; a row has those of its photo, ``?`` before one that is unknown."""

    def cells(texts: tuple[str, ...]) -> np.ndarray:
        return np.array(
            [[UNKNOWN if f"?{name}" in row else int(name in row) for name in names] for row in texts], np.int8
        ).reshape(len(texts), len(names))

    return LabelledPhotos(tuple(names), cells(given or rows), cells(rows))


def test_the_same_table_has_no_changes():
    same = photos("ab", "a", "ab", "")
    changes = compare_tables(same, same, np.arange(3))
    assert (changes.parts, changes.as_decided, changes.renames) == ([], 0, ())


def test_each_kind_of_change_is_counted():
    old, new = photos("abg", "a", "b", "g", "a"), photos("nab", "ab", "", "n", "a")
    changes = compare_tables(old, new, np.array([0, 2, -1, 3]))
    assert (changes.num_new, changes.num_removed, changes.num_changed) == (1, 1, 1)
    assert (changes.new_labels, changes.labels_gone) == (("n",), ("g",))
    assert changes.parts == [
        "1 new photo", "1 removed photo", "1 label new ('n')", "1 label gone ('g')",
        "1 changed value of a label, not by a decision in the review",
    ]  # fmt: skip


def test_a_table_that_was_written_as_decided_has_no_changes():
    """The run learnt "a"; people decided "b"; the table says "b" now, as `tagger apply` writes it."""
    old = photos("ab", "b", "b", given=("a", "a"))
    untouched, written = photos("ab", "b", "b", given=("a", "a")), photos("ab", "b", "b", given=("b", "a"))
    assert compare_tables(old, untouched, np.arange(2)).as_decided == 0
    changes = compare_tables(old, written, np.arange(2))
    assert (changes.parts, changes.as_decided) == ([], 2)


def test_a_rename_is_proposed_by_the_photos_that_have_both():
    old, new = photos("kx", "k", "k", "k", "x", ""), photos("cx", "c", "c", "x", "x", "c")
    [one] = propose_renames(old, new, np.arange(5))
    assert (one.old, one.new, one.before, one.both) == ("k", "c", 3, 2)
    assert str(one) == "'k' may be called 'c' now: of 3 photos with 'k', 2 have 'c'."
    assert propose_renames(old, photos("cx", "", "", "c", "c", "c"), np.arange(5)) == ()


def test_of_two_likely_names_the_likelier_is_proposed():
    old, new = photos("k", "k", "k", "k", "k", ""), photos("cd", "cd", "cd", "cd", "c", "")
    assert [(one.old, one.new) for one in propose_renames(old, new, np.arange(5))] == [("k", "c")]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("12")), max_size=8), st.data())
def test_photos_are_matched_by_content_and_each_old_one_at_most_once(
    old: list[tuple[str, str]], data: st.DataObject
):
    old = list(dict(old).items())
    new = list(dict(data.draw(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("123"))))).items())
    files, hashes = [file for file, _ in new], [digest for _, digest in new]
    rows = match_photos(files, hashes, [file for file, _ in old], [digest for _, digest in old]).tolist()
    used = [row for row in rows if row >= 0]
    assert len(used) == len(set(used))
    for n, row in enumerate(rows):
        assert row < 0 or old[row][1] == hashes[n]
        if new[n] in old:
            assert old[row] == new[n]
    for digest in "123":  # none is new while one of the same content is left
        assert sum(hashes[n] == digest and row >= 0 for n, row in enumerate(rows)) == min(
            hashes.count(digest), sum(other == digest for _, other in old)
        )


@given(st.lists(st.integers(-1, 2), max_size=5), st.permutations("abcd"), st.integers(0, 4))
def test_cells_are_carried_by_photo_and_label(rows: list[int], letters: list[str], count: int):
    old_NK, names = np.arange(9).reshape(3, 3), letters[:count]
    found = carry_cells(old_NK, np.array(rows, np.int64), match_columns(names, "abc"), -7)
    expected = [
        [old_NK[row, "abc".index(name)] if row >= 0 and name in "abc" else -7 for name in names]
        for row in rows
    ]
    assert found.tolist() == expected if rows else found.shape == (0, count)
