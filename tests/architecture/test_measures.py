"""Bounds on how the code reads; ``python tests/architecture/measures.py`` prints the figures."""

import ast
from pathlib import Path

import pytest
from measures import Measures, function_lengths, measure, packed_tuples, riddles, source_files


@pytest.fixture(scope="module")
def found() -> Measures:
    """The measures of this checkout."""
    return measure(source_files())


@pytest.mark.parametrize(
    ("name", "most"),
    [("packed_tuples", 2), ("long_lines", 30), ("function_p90", 24), ("file_median", 110), ("file_max", 300)],
)
def test_the_code_keeps_its_bounds(found: Measures, name: str, most: int):
    assert getattr(found, name) <= most


def test_first_lines_name_the_thing():
    assert list(riddles()) == []


def test_packed_tuples_are_seen():
    tree = ast.parse("a, b = 1, 2\na, b = f()\nc = 1, 2\ndef g():\n    a[0], b.c = b, a")
    assert list(packed_tuples(tree)) == [1, 5]


def test_lengths_go_from_def_to_end_without_decorators():
    tree = ast.parse('@cached\ndef f():\n    """Doc."""\n\n    def g():\n        return 1\n\n    return g')
    assert sorted(function_lengths(tree)) == [2, 7]


def test_measures_of_a_small_tree(tmp_path: Path):
    (tmp_path / "a.py").write_text("a, b = 1, 2\n" + "#" * 111 + "\ndef f():\n    return 1\n")
    found = measure([tmp_path / "a.py"])
    assert (found.packed_tuples, found.long_lines, found.function_p90, found.file_max) == (250, 250, 2, 4)


@pytest.mark.parametrize(
    "text",
    [
        '"""How does it work?"""',
        '"""Which images are copies."""',
        "x = 1",
        '"""A thing."""\ndef f():\n    """Is it?"""',
    ],
)
def test_a_riddle_is_seen(tmp_path: Path, text: str):
    (tmp_path / "tagger").mkdir()
    (tmp_path / "data_tools").mkdir()
    (tmp_path / "app.py").write_text("")
    (tmp_path / "tagger" / "a.py").write_text(text)
    assert len(list(riddles(tmp_path))) == 1
