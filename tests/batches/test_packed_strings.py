"""File names in one piece of memory: a sequence of texts like any other, for a third of the bytes."""

import pickle
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.batches.packed_strings import PackedStrings, pack_strings

SIGNS = st.one_of(
    st.characters(exclude_categories=["Cs"]), st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF)
)
texts = st.lists(
    st.text(SIGNS)
)  # what names of files can hold: a lone surrogate stands for a byte that is not UTF-8


@given(texts)
def test_it_is_the_list(names: list[str]):
    # Bytes that make a sign together come back as that sign, which names the same file.
    same = [n.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape") for n in names]
    packed = PackedStrings(names)
    assert list(packed) == same
    assert list(packed[1:]) == same[1:]
    assert list(packed.take(range(len(names))[::-1])) == same[::-1]
    assert list(pickle.loads(pickle.dumps(packed))) == same


def test_a_place_that_there_is_not():
    for place in (2, -3):
        with pytest.raises(IndexError):
            PackedStrings(["a", "b"])[place]


def test_packed_names_are_not_packed_again():
    names = PackedStrings(["a"])
    assert pack_strings(names) is names


def test_a_name_costs_its_letters_and_eight_bytes():
    names = [f"folder/{n:08d}.jpg" for n in range(1000)]
    as_list = sum(map(sys.getsizeof, names)) + sys.getsizeof(names)
    packed = len(pickle.dumps(PackedStrings(names), protocol=5))
    assert packed < 1000 * (19 + 8) + 1000 < as_list / 2
