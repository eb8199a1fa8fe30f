"""The code's report: separation by brute force, what stands at the ends of a bit, and its place in the model card."""

import json

import numpy as np
import pytest

from tagger.heads import HeadEnsemble, head_code_report, heads
from tagger.heads.ecoc_codes import code_matrix
from tagger.heads.ecoc_report import code_report, pairwise_separation
from tagger.runs.report.code_plot import plot_code
from tagger.runs.report.model_card import _code

NAMES = ["baby", "bird", "car", "dog", "sea", "tree"]


@pytest.mark.parametrize("seed", range(3))
def test_separation_of_a_binary_code_is_the_share_of_bits_that_differ(seed: int):
    code_KJ = code_matrix("dense-random", 6, 7, seed=seed)
    rows, columns = pairwise_separation(code_KJ), pairwise_separation(code_KJ.T, opposite_too=True)
    for i in range(6):
        for j in range(6):
            differ = sum(code_KJ[i, bit] != code_KJ[j, bit] for bit in range(7)) / 7
            assert np.isnan(rows[i, j]) if i == j else rows[i, j] == pytest.approx(differ)
    for i in range(7):
        for j in range(7):
            differ = sum(word[i] != word[j] for word in code_KJ) / 6
            assert (
                np.isnan(columns[i, j]) if i == j else columns[i, j] == pytest.approx(min(differ, 1 - differ))
            )


def test_separation_of_real_numbers_is_half_of_one_minus_the_cosine():
    code_KJ = code_matrix("gaussian", 6, 4)
    found = pairwise_separation(code_KJ)
    for i in range(6):
        for j in range(i):
            a, b = code_KJ[i], code_KJ[j]
            cosine = sum(a * b) / (sum(a * a) * sum(b * b)) ** 0.5
            assert found[i, j] == pytest.approx((1 - cosine) / 2)


def test_the_summary_is_that_of_all_pairs_and_names_the_nearest():
    code_KJ = code_matrix("gaussian", 6, 4)
    code_KJ[4] = code_KJ[1] * 1.5 + 0.01
    report = code_report(code_KJ, NAMES)
    pairs = [pairwise_separation(code_KJ)[i, j] for i in range(6) for j in range(6) if i != j]
    assert report["rows"]["smallest"] == pytest.approx(min(pairs), abs=1e-3)
    assert report["rows"]["mean"] == pytest.approx(np.mean(pairs), abs=1e-3)
    assert report["rows"]["nearest"] == ["bird", "sea"]


def test_the_ends_of_a_bit_are_its_outermost_labels():
    column = np.array([[0.1], [-3], [2], [0], [-1], [-2]])
    (ends,) = code_report(column, NAMES)["ends"]
    assert ends == {"low": ["bird", "tree", "sea"], "high": ["car", "baby"], "num_low": 3, "num_high": 2}


def test_a_head_without_a_code_has_no_report():
    assert head_code_report(heads.build("linear", 4, 6), NAMES) is None


def test_a_report_is_plain_json_and_of_the_first_of_several_heads():
    head = heads.build("ecoc", 4, 6, code="dense-random", bits=5)
    report = head_code_report(
        HeadEnsemble([head, heads.build("ecoc", 4, 6, code="dense-random", bits=5, seed=1)]), NAMES
    )
    assert report is not None
    assert json.loads(json.dumps(report)) == report
    assert (report["kind"], report["num_heads"], len(report["ends"])) == ("dense-random", 2, 5)
    np.testing.assert_allclose(
        np.abs(report["code"]), 5**-0.5, atol=1e-3
    )  # without the bit in which all agree


def test_the_model_card_names_both_ends_of_the_bits_and_what_it_leaves_out():
    head = heads.build("ecoc", 4, 6, code="gaussian", bits=20)
    text = "\n".join(_code(head_code_report(head, NAMES)))
    assert "8 further bits are in `metrics.json`" in text
    assert "![Code words of the labels](plots/code.png)" in text
    assert text.count("\n| ") == 2 + 12  # the table's head, its rule, and so many bits
    assert all(name in text for name in NAMES)
    assert _code(None) == []


@pytest.mark.parametrize(("labels", "bits"), [(1, 1), (2, 1), (6, 5), (100, 120)])
def test_a_picture_is_drawn_of_any_code_and_says_what_it_leaves_out(labels: int, bits: int):
    names = [f"$label_{k}$" for k in range(labels)]
    assert plot_code(code_matrix("gaussian", labels, bits), names).startswith(b"\x89PNG")


def test_the_picture_of_no_code_is_a_sentence():
    assert plot_code(np.zeros((0, 0)), []).startswith(b"\x89PNG")
