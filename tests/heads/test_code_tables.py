"""Codes from tables: file, attributes, hierarchy; bits against attributes by scipy; the card."""

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr

from tagger.errors import TaggerError
from tagger.heads import ECOCHead, head_code_report, heads
from tagger.heads.code_tables import hierarchy_code, standardised, table_code
from tagger.heads.ecoc_report import attribute_correlations
from tagger.runs.report.model_card import _code

NAMES = ("bass", "cat", "dog", "oak", "trout")
Write = Callable[[str], str]
ATTRIBUTES = """label,furry,wet,height,alive
trout,0,1,30,1
bass,0,1,40,1
cat,1,0,30,1
dog,0.8,0.1,60,1
oak,0,0,2000,1
wolf,1,0,80,1
"""
TREE = """label,parent,grandparent
cat,pet,animal
dog,pet,animal
bass,fish,animal
trout,fish,animal
oak,plant,
"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A table on disk; its path."""

    def call(text: str) -> str:
        path = tmp_path / "table.csv"
        path.write_text(text)
        return str(path)

    return call


def head_of(code: str, **options: Any) -> ECOCHead:
    head = heads.build("ecoc", 6, len(NAMES), code=code, **options)
    assert isinstance(head, ECOCHead)
    head.set_definitions(NAMES, {})
    return head.eval()


def test_a_code_from_a_file_is_its_rows_by_name(write: Write):
    path = write("name;b1;b2;b3\ncat;1;1;0\nbass;-1;0.5;1\ndog;1;-1;0\noak;-1;-1;-1\ntrout;-1;0.5;-1\n")
    head = head_of("file", file=path, level=False)
    head.prepare(np.ones((4, 5), np.int8), None)
    rows = {
        "bass": [-1, 0.5, 1],
        "cat": [1, 1, 0],
        "dog": [1, -1, 0],
        "oak": [-1] * 3,
        "trout": [-1, 0.5, -1],
    }
    for name, word in zip(NAMES, head.decoder.weight.numpy(), strict=True):
        np.testing.assert_allclose(word, np.array(rows[name]) / np.linalg.norm(rows[name]), atol=1e-6)
    assert head(torch.randn(3, 6)).shape == (3, 5)


def test_a_code_of_attributes_is_the_standardised_table_without_what_all_share(write: Write):
    code_KJ = table_code("attributes", write(ATTRIBUTES), NAMES)
    table = {"furry": [0, 1, 0.8, 0, 0], "wet": [1, 0, 0.1, 0, 1], "height": [40, 30, 60, 2000, 30]}
    for bit, column in enumerate(table.values()):
        mean = sum(column) / 5
        deviation = (sum((value - mean) ** 2 for value in column) / 5) ** 0.5
        for k in range(5):
            assert code_KJ[k, bit] == pytest.approx((column[k] - mean) / deviation)
    assert code_KJ.shape == (5, 3)
    assert table_code("attributes", write(ATTRIBUTES.replace("bass,0,", "bass,0.1,")), NAMES, 2).shape == (
        5,
        2,
    )


def test_a_hierarchy_divides_from_the_top_down(write: Write):
    code_KJ = table_code("hierarchy", write(TREE), NAMES)
    # bass cat dog oak trout: animal or plant, pet or fish, cat or dog, bass or trout
    expected = [[1, 1, 1, -1, 1], [1, -1, -1, 0, 1], [1, 0, 0, 0, -1], [0, 1, -1, 0, 0]]
    assert code_KJ.T.tolist() == expected


def test_a_hierarchy_may_be_a_table_of_parents(write: Write):
    edges = "label,parent\ncat,pet\ndog,pet\npet,animal\nfish,animal\nbass,fish\ntrout,fish\noak,plant\n"
    np.testing.assert_array_equal(
        table_code("hierarchy", write(edges), NAMES), table_code("hierarchy", write(TREE), NAMES)
    )


def test_the_nearer_two_labels_are_in_a_tree_the_more_alike_are_their_code_words():
    rng = np.random.default_rng(0)
    for _ in range(20):
        paths = sorted({tuple(rng.integers(0, 2, 4).astype(str)) for _ in range(12)})
        code_KJ = hierarchy_code([(*path, f"leaf {k}") for k, path in enumerate(paths)])
        assert len({tuple(word) for word in code_KJ}) == len(paths)
        for i, one in enumerate(paths):
            for j, other in enumerate(paths):
                agreed = sum(a == b != 0 for a, b in zip(code_KJ[i], code_KJ[j], strict=True))
                apart = sum(a == -b != 0 for a, b in zip(code_KJ[i], code_KJ[j], strict=True))
                assert apart == (i != j), (one, other)  # two ways part once, and share the divisions before
                shared = next((n for n in range(4) if one[n] != other[n]), 4)
                divided = sum(len({p[n] for p in paths if p[:n] == one[:n]}) > 1 for n in range(shared))
                assert agreed == divided + 0 * (i == j)


def test_a_node_with_several_children_has_a_bit_for_each():
    code_KJ = hierarchy_code([("a",), ("b",), ("c",)])
    assert code_KJ.tolist() == [[1, -1, -1], [-1, 1, -1], [-1, -1, 1]]


def test_attributes_of_bits_are_scipys_strongest_correlations():
    rng = np.random.default_rng(0)
    code_KJ, values_KA = rng.standard_normal((20, 4)), rng.standard_normal((20, 7))
    values_KA[:, 3] = 1.0  # says nothing of any label
    names = [f"attribute {a}" for a in range(7)]
    for bit, found in enumerate(attribute_correlations(code_KJ, values_KA, names)):
        every = {
            name: pearsonr(code_KJ[:, bit], values_KA[:, a])[0] for a, name in enumerate(names) if a != 3
        }
        for side, choose in (("high", max), ("low", min)):
            name = choose(every, key=every.__getitem__)
            assert found[side] == [name, pytest.approx(every[name], abs=1e-3)]


def test_the_report_and_the_card_name_the_attribute_of_each_bit(write: Write):
    path = write(ATTRIBUTES)
    head = head_of("attributes", attributes=path)
    head.prepare(np.ones((4, 5), np.int8), None)
    report = head_code_report(head, NAMES)
    assert report is not None
    first = report["attributes"]["bits"][0]["high"]
    assert first[0] == "furry"
    assert first[1] > 0.9
    card = "\n".join(_code(json.loads(json.dumps(report))))
    assert "| attribute of the one end (correlation) |" in card
    assert "furry (+" in card
    Path(path).unlink()
    gone = head_code_report(head, NAMES)
    assert gone is not None
    assert "could not be read" in "\n".join(_code(gone))


@pytest.mark.parametrize(
    ("code", "text", "complaint"),
    [
        ("file", "label,b1\ncat,1\ncat,1\ndgo,1\nbass,x\n",
         r"Row 3: a second row of 'cat'. Row 5: no number in 'b1'. .*the label 'dog'. Did you mean 'dgo'\? .*'trout'"),
        ("file", "label,b1\ncat,1\nbass,1\ndog,-1\noak,0\ntrout,-1\n",
         r"'oak' has 0 in all bits. 'bass' and 'cat' have the same code word. 'dog' and 'trout'"),
        ("file", "label\ncat\nbass\ndog\noak\ntrout\n", "no column beside the labels"),
        ("hierarchy", TREE + "cat,wild,animal\n", r"Row 7: 'cat' has two parents, 'pet' and 'wild'"),
        ("hierarchy", TREE + "animal,cat,\n", r"'cat' is above itself"),
        ("hierarchy", "label,parent\ncat,pet\ndog,pet\n", r"No row for the label 'bass'"),
    ],
)  # fmt: skip
def test_a_table_that_does_not_fit_is_refused_with_all_reasons(
    code: str, text: str, complaint: str, write: Write
):
    with pytest.raises(TaggerError, match=complaint):
        head_of(code, file=write(text)).check_labels(NAMES)


def test_more_bits_than_the_table_has_are_refused(write: Write):
    with pytest.raises(TaggerError, match=r"head.bits = 9: .*table.csv gives 4"):
        head_of("hierarchy", file=write(TREE), bits=9).check_labels(NAMES)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"code": "file"}, "needs a table: --set head.file=FILE.csv"),
        ({"code": "attributes"}, "needs a table: --set head.attributes=FILE.csv"),
        ({"code": "data", "file": "x.csv"}, "reads no file"),
        ({"code": "hierarchy", "file": "x.csv", "binarise": "zero"}, "head.binarise"),
        ({"code": "hierarchie", "file": "x.csv"}, "Did you mean 'hierarchy'"),
    ],
)
def test_options_that_nothing_would_use_are_refused(options: dict[str, Any], complaint: str):
    with pytest.raises(TaggerError, match=complaint):
        heads.build("ecoc", 6, 5, **options)


def test_a_missing_file_is_named_with_where_it_was_looked_for(tmp_path: Path):
    with pytest.raises(TaggerError, match=r"codes.csv: there is no such file here"):
        head_of("file", file="codes.csv").check_labels(NAMES)


def test_a_head_with_a_code_from_a_table_is_read_without_the_table(write: Write):
    path = write(TREE)
    head = head_of("hierarchy", file=path)
    head.prepare(np.array([[1, 0, 0, 0, 0], [0, 0, 0, 0, 0]], np.int8), None)
    Path(path).unlink()
    twin = head_of("hierarchy", file=path)
    twin.load_state_dict(head.state_dict())
    x_BD = torch.randn(3, 6)
    assert torch.equal(twin(x_BD), head(x_BD))
    assert twin.level == head.level


def test_standardised_columns_have_mean_square_one():
    values_KA = np.random.default_rng(0).normal(3, 2, (9, 4))
    assert all(a == pytest.approx(b) for a, b in pairwise((standardised(values_KA) ** 2).mean(0)))
