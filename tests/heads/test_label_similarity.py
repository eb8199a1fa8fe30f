"""How labels are compared, pair by pair: by loops over pairs, and what an exclusive group's pairs go by."""

import itertools

import numpy as np
import pytest
import torch

from tagger.errors import TaggerError
from tagger.heads import ECOCHead, heads, set_head_groups
from tagger.heads.label_similarity import (
    exclusive_pairs,
    feature_similarity,
    label_similarity,
    order_similarity,
    similarity_by_pair,
)
from tagger.presets import load_settings
from tagger.training.retraining.warm_start import remap_head_labels

NAMES = ("a", "b", "c", "d", "free")
LETTERS = {"letter": {"kind": "exclusive", "labels": list(NAMES[:4])}}
ORDERED = {"letter": {"kind": "ordinal", "labels": ["c", "a", "d", "b"]}}
GROUP_K = np.array([0, 0, 0, 0, -1])
NO_ORDER = np.full((5, 5), np.nan)


@pytest.fixture
def labels_NK() -> np.ndarray:
    """Each image has one letter; some also have the free label."""
    rng = np.random.default_rng(0)
    letters_NK = np.eye(4, dtype=np.int8)[np.arange(80) % 4]
    return np.column_stack([letters_NK, rng.random(80) < 0.3]).astype(np.int8)


@pytest.fixture
def features_ND() -> np.ndarray:
    """Letters a and d look alike, as do b and c."""
    rng = np.random.default_rng(1)
    centre = np.array([[4.0, 0, 0], [0, 4, 0], [0, 4, 1], [4, 0, 1]])
    return centre[np.arange(80) % 4] + 0.1 * rng.standard_normal((80, 3))


def head_of(code: str = "data", **options: object) -> ECOCHead:
    head = heads.build("ecoc", 3, 5, code=code, **options)
    assert isinstance(head, ECOCHead)
    return head.eval()


def test_pairs_of_a_group_go_by_features_and_others_by_occurring_together(
    labels_NK: np.ndarray, features_ND: np.ndarray
):
    found = similarity_by_pair(labels_NK, GROUP_K, order_KK=NO_ORDER, features=lambda: features_ND)
    together, look = label_similarity(labels_NK), feature_similarity(labels_NK, features_ND)
    inside = list(itertools.combinations(range(4), 2))
    scale = np.mean([together[k, 4] for k in range(4)]) / np.mean([look[pair] for pair in inside])
    for i, j in itertools.combinations(range(5), 2):
        expected = scale * look[i, j] if (i, j) in inside else together[i, j]
        assert found[i, j] == found[j, i] == pytest.approx(expected)


def test_one_free_label_beside_a_group_does_not_switch_its_features_off(
    labels_NK: np.ndarray, features_ND: np.ndarray
):
    head = head_of(bits=2)
    set_head_groups(head, NAMES, LETTERS, labels_NK)
    head.prepare(labels_NK, torch.from_numpy(features_ND))
    cosine = (head.code_words() @ head.code_words().T).numpy()
    for near, far in itertools.product([(0, 3), (1, 2)], [(0, 1), (0, 2), (3, 1), (3, 2)]):
        assert cosine[near] > cosine[far] + 0.3


@pytest.mark.parametrize("together", [False, True])
def test_labels_that_chance_would_have_brought_together_exclude_each_other(together: bool):
    labels_NK = np.zeros((60, 3), np.int8)
    labels_NK[:20, 0] = labels_NK[20:40, 1] = labels_NK[10:30, 2] = 1
    labels_NK[20, 0] = together
    apart = exclusive_pairs(labels_NK, np.full(3, -1))
    assert apart[0, 1] == (not together)
    assert not apart[:2, 2].any()
    assert not apart.diagonal().any()


def test_rare_labels_that_have_not_met_yet_are_free():
    labels_NK = np.zeros((60, 3), np.int8)
    labels_NK[:5, 0] = labels_NK[5:10, 1] = labels_NK[:20, 2] = 1
    assert not exclusive_pairs(labels_NK, np.full(3, -1)).any()


def test_an_ordinal_group_goes_by_its_order_where_features_say_nothing(labels_NK: np.ndarray):
    position_K = np.array([1.0, 3, 0, 2, np.nan])
    order_KK = order_similarity(position_K, GROUP_K)
    found = similarity_by_pair(labels_NK, GROUP_K, order_KK=order_KK, features=None)
    steps = {(i, j): abs(position_K[i] - position_K[j]) for i, j in itertools.combinations(range(4), 2)}
    ratio = {pair: found[pair] / np.exp(-n / np.mean(list(steps.values()))) for pair, n in steps.items()}
    assert np.ptp(list(ratio.values())) == pytest.approx(0, abs=1e-12)
    blind = similarity_by_pair(
        labels_NK, GROUP_K, order_KK=order_KK, features=lambda: 1 / 0, prefer_order=True
    )
    np.testing.assert_array_equal(blind, found)


def test_a_data_code_of_an_ordinal_group_from_random_weights_is_in_its_order(labels_NK: np.ndarray):
    head = head_of(bits=2)
    set_head_groups(head, NAMES, ORDERED, labels_NK)
    head.prepare(labels_NK, lambda: 1 / 0, pretrained=False)
    words = head.code_words().numpy()
    ends = words[2] @ words[1]  # c and b
    assert min(words[2] @ words[0], words[3] @ words[1]) > ends  # c beside a, d beside b


@pytest.mark.parametrize("similarity", ["labels", "features"])
def test_a_data_code_that_nothing_can_make_is_refused_and_never_random(
    similarity: str, labels_NK: np.ndarray
):
    head = head_of(similarity=similarity)
    set_head_groups(head, NAMES, LETTERS, labels_NK)
    with pytest.raises(TaggerError, match=r"head.code = 'data'.*features.*Give pretrained weights"):
        head.prepare(labels_NK, None)


@pytest.mark.parametrize("declared", [True, False])
def test_where_all_labels_exclude_each_other_the_default_is_data_without_level(
    declared: bool, labels_NK: np.ndarray, features_ND: np.ndarray
):
    head = heads.build("ecoc", 3, 4).eval()
    if declared:
        set_head_groups(head, NAMES[:4], LETTERS, labels_NK[:, :4])
    head.prepare(labels_NK[:, :4], torch.from_numpy(features_ND))
    assert (head.kind, head.level) == ("data", False)
    assert (head.decoder.weight.shape, head.fc.weight.shape) == ((4, 3), (3, 3))
    twin = heads.build("ecoc", 3, 4).eval()
    twin.load_state_dict(head.state_dict())
    assert (twin.kind, twin.level) == ("data", False)
    x_BD = torch.from_numpy(features_ND).float()
    assert torch.equal(twin(x_BD), head(x_BD))


@pytest.mark.parametrize("exclusive", [True, False])
def test_a_retraining_keeps_what_auto_decided_and_gives_a_new_label_a_word_of_that_kind(
    exclusive: bool, labels_NK: np.ndarray, features_ND: np.ndarray
):
    num = 4 if exclusive else 5
    old = heads.build("ecoc", 3, num).eval()
    old.prepare(labels_NK[:, :num], torch.from_numpy(features_ND))
    settings = load_settings("quick", ["head.name=ecoc"])
    new = remap_head_labels(old, [*range(num), None], np.full(num + 1, 0.2), settings).eval()
    assert isinstance(new, ECOCHead)
    assert (new.kind, new.level) == (old.kind, not exclusive)
    x_BD = torch.from_numpy(features_ND).float()
    torch.testing.assert_close(new(x_BD)[:, :num], old(x_BD))
    torch.testing.assert_close(new.decoder.weight.norm(dim=1), torch.ones(num + 1))
    if not exclusive:
        torch.testing.assert_close(new.decoder.weight[:, -1], torch.full((num + 1,), 0.5**0.5))


def test_images_of_a_group_that_have_none_of_it_keep_the_bit_that_says_so(
    labels_NK: np.ndarray, features_ND: np.ndarray
):
    head = heads.build("ecoc", 3, 4).eval()
    labels_NK[::2] = 0
    set_head_groups(head, NAMES[:4], LETTERS, labels_NK[:, :4])
    head.prepare(labels_NK[:, :4], torch.from_numpy(features_ND))
    assert (head.kind, head.level) == ("data", True)


def test_where_labels_may_come_together_the_default_is_a_random_code(
    labels_NK: np.ndarray, features_ND: np.ndarray
):
    head, explicit = head_of("auto"), head_of("dense-random")
    set_head_groups(head, NAMES, LETTERS, labels_NK)
    head.prepare(labels_NK, torch.from_numpy(features_ND))
    assert (head.kind, head.level) == ("dense-random", True)
    assert torch.equal(head.decoder.weight, explicit.decoder.weight)
    twin = head_of("auto")
    twin.load_state_dict(head.state_dict())
    assert (twin.kind, twin.level) == ("dense-random", True)


def test_heads_that_are_prepared_in_any_order_and_thread_begin_the_same_way(
    labels_NK: np.ndarray, features_ND: np.ndarray
):
    def weights(draws: int) -> torch.Tensor:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            head = heads.build("ecoc", 3, 4)
            torch.rand(draws)
            head.prepare(labels_NK[:, :4], torch.from_numpy(features_ND))
        return head.fc.weight

    assert torch.equal(weights(0), weights(5))


def test_one_bit_without_level_is_refused():
    with pytest.raises(TaggerError, match=r"head.level = false.*Set more bits"):
        heads.build("ecoc", 3, 2, code="data", level=False)
    with pytest.raises(TaggerError, match=r"head.level = 'atuo'.*Did you mean 'auto'"):
        heads.build("ecoc", 3, 5, level="atuo")
