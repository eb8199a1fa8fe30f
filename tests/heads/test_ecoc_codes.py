"""Codes: the Laplacian's eigenvectors by a slow construction, what random codes promise, and what cannot be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import laplacian as scipy_laplacian

from tagger.arrays import UNKNOWN, YES
from tagger.errors import TaggerError
from tagger.heads import label_similarity as similarity_module
from tagger.heads.ecoc_codes import (
    BINARISE_MODES,
    CODE_KINDS,
    auto_bits,
    binarise_code,
    code_matrix,
    connect_labels,
    dense_random_code,
    laplacian,
    spectral_code,
)
from tagger.heads.label_similarity import feature_similarity
from tagger.heads.label_similarity import label_similarity as co_occurrence

LABELS = 8


@pytest.fixture
def similarity_KK() -> np.ndarray:
    """Two clear families of four labels, alike within and hardly between, with some noise."""
    rng = np.random.default_rng(0)
    noise = rng.uniform(0, 0.1, (LABELS, LABELS))
    family = np.arange(LABELS) // 4
    alike = np.where(family[:, None] == family, 0.8, 0.05) + (noise + noise.T) / 2
    np.fill_diagonal(alike, 1.0)
    return alike


@pytest.fixture
def labels_NK() -> np.ndarray:
    """Cells of which some are unknown."""
    rng = np.random.default_rng(1)
    labels = (rng.random((60, 5)) < 0.4).astype(np.int8)
    labels[rng.random(labels.shape) < 0.1] = UNKNOWN
    return labels


def test_the_laplacian_is_scipys_normalised_one(similarity_KK: np.ndarray):
    np.fill_diagonal(similarity_KK, 0)
    np.testing.assert_allclose(
        laplacian(similarity_KK), scipy_laplacian(similarity_KK, normed=True), atol=1e-12
    )


def test_data_codes_are_the_eigenvectors_after_the_trivial_one_by_cost_of_the_cut(similarity_KK: np.ndarray):
    graph = connect_labels(similarity_KK)
    degrees = [sum(graph[i, j] for j in range(LABELS)) for i in range(LABELS)]
    slow = np.zeros((LABELS, LABELS))
    for i in range(LABELS):
        for j in range(LABELS):
            slow[i, j] = ((degrees[i] if i == j else 0) - graph[i, j]) / (degrees[i] * degrees[j]) ** 0.5
    values, vectors = np.linalg.eig(slow)
    order = np.argsort(values.real)[1:6]
    code_KJ = spectral_code(similarity_KK, 5, rng=np.random.default_rng(0))
    for bit, place in enumerate(order):
        expected = vectors[:, place].real * LABELS**0.5
        sign = np.sign(code_KJ[:, bit] @ expected)
        np.testing.assert_allclose(code_KJ[:, bit], sign * expected, atol=1e-3)  # the noise that decides ties
    np.testing.assert_allclose(code_KJ.T @ code_KJ, LABELS * np.eye(5), atol=1e-9)
    np.testing.assert_allclose(np.sqrt(degrees) @ code_KJ, 0, atol=1e-4)  # orthogonal to the trivial one


def test_the_first_bit_of_data_divides_the_two_families(similarity_KK: np.ndarray):
    first = code_matrix("data", LABELS, 3, similarity_KK=similarity_KK)[:, 0]
    assert len(set(np.sign(first[:4]))) == len(set(np.sign(first[4:]))) == 1
    assert np.sign(first[0]) != np.sign(first[4])


def test_each_further_bit_of_data_cuts_more(similarity_KK: np.ndarray):
    code_KJ = code_matrix("data", LABELS, LABELS - 1, similarity_KK=similarity_KK)
    graph = laplacian(connect_labels(similarity_KK))
    costs = [bit @ graph @ bit / (bit @ bit) for bit in code_KJ.T]
    assert costs == sorted(costs)


def test_labels_that_are_alike_get_nearer_code_words_than_others(similarity_KK: np.ndarray):
    code_KJ = code_matrix("data", LABELS, 3, similarity_KK=similarity_KK)
    distances = np.linalg.norm(code_KJ[:, None] - code_KJ, axis=2)
    within = np.arange(LABELS)[:, None] // 4 == np.arange(LABELS) // 4
    assert distances[within].mean() < distances[~within].min()


@pytest.mark.parametrize("kind", CODE_KINDS)
@pytest.mark.parametrize("bits", [3, 7])
def test_a_code_has_its_shape_is_finite_and_comes_again(kind: str, bits: int, similarity_KK: np.ndarray):
    codes = [code_matrix(kind, LABELS, bits, similarity_KK=similarity_KK, seed=seed) for seed in (1, 1, 2)]
    assert codes[0].shape == (LABELS, bits)
    assert codes[0].dtype == np.float64
    assert np.isfinite(codes[0]).all()
    np.testing.assert_array_equal(codes[0], codes[1])
    if kind in ("gaussian", "dense-random"):
        assert (codes[0] != codes[2]).any()


def test_a_dense_random_code_is_the_least_correlated_of_its_draws():
    code_KJ = dense_random_code(6, 8, rng=np.random.default_rng(0))
    rng, worst = np.random.default_rng(0), []
    for _ in range(1001):  # one before, to begin with
        words = rng.choice(2**8, 6, replace=False)
        draw = np.array([[1 if word >> bit & 1 else -1 for bit in range(8)] for word in words])
        rows = max(abs(draw[i] @ draw[j]) for i in range(6) for j in range(i)) / 8
        columns = max(abs(draw[:, i] @ draw[:, j]) for i in range(8) for j in range(i)) / 6
        worst.append(rows + columns)
    rows = max(abs(code_KJ[i] @ code_KJ[j]) for i in range(6) for j in range(i)) / 8
    columns = max(abs(code_KJ[:, i] @ code_KJ[:, j]) for i in range(8) for j in range(i)) / 6
    assert rows + columns == pytest.approx(min(worst[1:]))


@settings(max_examples=30)
@given(labels=st.integers(2, 40), data=st.data())
def test_a_dense_random_code_never_repeats_a_word_where_bits_suffice(labels: int, data: st.DataObject):
    bits = data.draw(st.integers(int(np.ceil(np.log2(labels))), 12))
    code_KJ = dense_random_code(labels, bits, rng=np.random.default_rng(bits))
    assert set(np.unique(code_KJ)) <= {-1.0, 1.0}
    assert len(np.unique(code_KJ, axis=0)) == labels


def test_one_hot_beyond_its_bits_is_nothing():
    code_KJ = code_matrix("one-hot", 4, 2)
    np.testing.assert_array_equal(code_KJ, [[1, 0], [0, 1], [0, 0], [0, 0]])


@pytest.mark.parametrize("how", BINARISE_MODES)
def test_binarising_leaves_signs_about_its_cut(how: str):
    code_KJ = np.random.default_rng(0).standard_normal((9, 4))
    for k, row in enumerate(binarise_code(code_KJ, how)):
        for j, value in enumerate(row):
            cut = 0.0 if how == "zero" else sorted(code_KJ[:, j])[4]
            assert value == (code_KJ[k, j] if how == "none" else 1.0 if code_KJ[k, j] > cut else -1.0)


def test_a_median_bit_divides_the_labels_in_half(similarity_KK: np.ndarray):
    code_KJ = code_matrix("data", LABELS, 7, binarise="median", similarity_KK=similarity_KK)
    np.testing.assert_array_equal(code_KJ.sum(0), 0)


def test_label_similarity_is_what_two_loops_count(labels_NK: np.ndarray):
    found = co_occurrence(labels_NK)
    for i in range(5):
        for j in range(5):
            known = [row for row in labels_NK if row[i] != UNKNOWN and row[j] != UNKNOWN]
            both = sum(row[i] == YES and row[j] == YES for row in known)
            one, other = sum(row[i] == YES for row in known), sum(row[j] == YES for row in known)
            assert found[i, j] == pytest.approx(both / (one * other) ** 0.5)


def test_feature_similarity_compares_the_mean_images_of_labels(
    labels_NK: np.ndarray, monkeypatch: pytest.MonkeyPatch
):
    features_ND = np.random.default_rng(2).normal(3, [1, 10, 0.1], (60, 3))
    standard = (features_ND - features_ND.mean(0)) / features_ND.std(0)
    means = [standard[labels_NK[:, k] == YES].mean(0) for k in range(5)]
    distances = np.array([[((a - b) ** 2).sum() for b in means] for a in means])
    typical = np.median([distances[i, j] for i in range(5) for j in range(5) if i != j])
    np.testing.assert_allclose(
        feature_similarity(labels_NK, features_ND), np.exp(-distances / typical), atol=1e-9
    )
    monkeypatch.setattr(similarity_module, "ROWS_AT_ONCE", 7)
    np.testing.assert_allclose(
        feature_similarity(labels_NK, features_ND), np.exp(-distances / typical), atol=1e-9
    )


@pytest.mark.parametrize("by", ["labels", "features"])
def test_a_label_without_images_gets_a_code_word_and_spoils_no_other(by: str, labels_NK: np.ndarray):
    labels_NK[:, 3] = 0
    features_ND = np.random.default_rng(2).standard_normal((60, 3))
    alike = co_occurrence(labels_NK) if by == "labels" else feature_similarity(labels_NK, features_ND)
    code_KJ = code_matrix("data", 5, 4, similarity_KK=alike)
    assert np.isfinite(code_KJ).all()
    assert np.linalg.norm(code_KJ, axis=1).min() > 0.1


def test_labels_that_never_meet_are_all_alike_and_yet_told_apart():
    code_KJ = code_matrix("data", LABELS, 4, similarity_KK=np.eye(LABELS))
    distances = np.linalg.norm(code_KJ[:, None] - code_KJ, axis=2)[~np.eye(LABELS, dtype=bool)]
    assert distances.min() > 0.1
    np.testing.assert_array_equal(code_KJ, code_matrix("data", LABELS, 4))


@pytest.mark.parametrize("kind", CODE_KINDS)
@pytest.mark.parametrize("labels", [2, 3, 14, 100])
def test_the_bits_chosen_for_a_person_are_bits_that_a_code_can_have(kind: str, labels: int):
    assert code_matrix(kind, labels, auto_bits(kind, labels)).shape[0] == labels


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        (("date", 8, 3), "head.code = 'date'.*Did you mean 'data'"),
        (("data", 8, 8), "head.bits = 8: the code 'data' of 8 labels has at most 7 bits"),
        (("one-hot", 8, 9), "at most 8 bits"),
        (("dense-random", 9, 3), "9 labels need at least 4 bits"),
    ],
)
def test_what_cannot_be_says_what_to_set(asked: tuple[str, int, int], complaint: str):
    with pytest.raises(TaggerError, match=complaint):
        code_matrix(*asked)


def test_a_binarised_code_needs_bits_for_every_label():
    with pytest.raises(TaggerError, match="at least 3 bits"):
        code_matrix("gaussian", 8, 2, binarise="zero")
    with pytest.raises(TaggerError, match=r"head.binarise = 'medain'.*Did you mean 'median'"):
        code_matrix("gaussian", 8, 5, binarise="medain")
