"""Suspects among labels of which an image has one: an error is an exchange, and both its cells are found."""

from dataclasses import replace

import numpy as np
import pytest

from tagger.data import LabelGroup
from tagger.suspects import Evidence, find_suspects
from tagger.suspects.exclusive_labels import ChanceMeetings, Exclusions, condition_on_verified, never_together
from tagger.suspects.signals import signals

NAMES = ("young", "middle", "old", "free")
AGE = {"age": LabelGroup(kind="ordinal", labels=["young", "middle", "old"])}


def swapped(*, free: bool, num: int = 900, seed: int = 0) -> tuple[Evidence, np.ndarray]:
    """(evidence, wrong_NK): one of three labels each, 10 % exchanged; with ``free`` a fourth label beside any."""
    rng = np.random.default_rng(seed)
    classes_N = rng.integers(3, size=num)
    scores_NC = 2.5 * np.eye(3)[classes_N] + rng.normal(size=(num, 3))
    probs_NK = np.zeros((num, 4))
    probs_NK[:, :3] = np.exp(scores_NC) / np.exp(scores_NC).sum(axis=1, keepdims=True)
    labels_NK = np.zeros((num, 4), np.int8)
    given_N = classes_N.copy()
    wrong = rng.permutation(num)[: num // 10]
    given_N[wrong] = (classes_N[wrong] + rng.integers(1, 3, size=len(wrong))) % 3
    labels_NK[np.arange(num), given_N] = 1
    labels_NK[:, 3] = free * (rng.random(num) < 0.4)
    probs_NK[:, 3] = np.where(labels_NK[:, 3], 0.9, 0.1) if free else 0.01
    wrong_NK = np.zeros((num, 4), bool)
    wrong_NK[wrong, classes_N[wrong]] = wrong_NK[wrong, given_N[wrong]] = True
    evidence = Evidence(
        labels_NK, probs_NK, NAMES, rng.integers(4, size=num), np.arange(num), groups=AGE if free else {}
    )
    return evidence, wrong_NK


@pytest.mark.parametrize("free", [True, False], ids=["declared", "no image has two"])
def test_exchanged_labels_come_first(free: bool) -> None:
    evidence, wrong_NK = swapped(free=free)
    files = np.array([str(n) for n in range(len(wrong_NK))])
    table = find_suspects(evidence, files, files).table
    ranked = table.sort_values("doubt", ascending=False).head(100)
    found = wrong_NK[ranked["row"], ranked["label"].map(NAMES.index)]
    by_probability = np.argsort(
        -np.where(evidence.labels_NK == 1, 1 - evidence.probs_NK, evidence.probs_NK), axis=None
    )
    assert found.mean() > 0.9 * wrong_NK.ravel()[by_probability[:100]].mean()
    assert found.mean() > 0.7


def test_labels_that_exclude_each_other_are_not_asked_about_each_other() -> None:
    evidence, _ = swapped(free=True)
    context = signals.build("label_context", evidence)
    assert not any(context.weight_K(k)[:3].any() for k in range(3))
    undeclared = signals.build("label_context", replace(evidence, groups={}))
    assert not any(undeclared.weight_K(k)[:3].any() for k in range(3))  # no image has two of them


def test_labels_that_some_images_have_together_are_asked_about_each_other() -> None:
    evidence, _ = swapped(free=True)
    labels_NK = evidence.labels_NK.copy()
    labels_NK[:90, :3] = 1, 1, 0
    context = signals.build("label_context", replace(evidence, labels_NK=labels_NK, groups={}))
    assert context.weight_K(0)[1]
    assert not context.weight_K(0)[2]


def test_corrections_do_not_make_labels_exclude_each_other() -> None:
    evidence, _ = swapped(free=True)
    labels_NK = evidence.labels_NK.copy()
    labels_NK[:30, :3] = 1, 1, 0  # wrongly, and then corrected
    corrected = replace(evidence, original_NK=labels_NK, groups={})
    context = signals.build("label_context", corrected)
    assert context.weight_K(0)[1]
    assert not context.weight_K(0)[2]


def test_a_verified_label_speaks_about_those_that_it_excludes() -> None:
    evidence, _ = swapped(free=True)
    labels_NK, verified_NK = evidence.labels_NK.copy(), np.zeros(evidence.labels_NK.shape, bool)
    row = int(np.flatnonzero(labels_NK[:, 0] == 1)[0])
    labels_NK[row, 1], verified_NK[row, 1] = 1, True  # it is `middle`, and still given `young`
    doubt_NK = np.full(labels_NK.shape, 0.2)
    told = replace(
        evidence, labels_NK=labels_NK, verified_NK=verified_NK, original_NK=evidence.labels_NK, groups={}
    )
    after_NK = condition_on_verified(doubt_NK, told)
    assert after_NK[row, 0] > 0.9
    assert after_NK[row, 2] < 0.01
    assert after_NK[row, 3] == pytest.approx(0.2)  # `free` goes with any
    np.testing.assert_allclose(np.delete(after_NK, row, axis=0), 0.2)


def test_where_every_image_has_one_label_one_that_lost_its_own_has_another() -> None:
    evidence, _ = swapped(free=False)
    labels_NK, verified_NK = evidence.labels_NK[:, :3].copy(), np.zeros((900, 3), bool)
    row = int(np.flatnonzero(labels_NK[:, 0] == 1)[0])
    labels_NK[row, 0], verified_NK[row, 0] = 0, True
    told = replace(
        evidence, labels_NK=labels_NK, verified_NK=verified_NK, original_NK=evidence.labels_NK[:, :3],
        probs_NK=evidence.probs_NK[:, :3], names=NAMES[:3],
    )  # fmt: skip
    doubt_NK = np.full((900, 3), 0.1)
    doubt_NK[row] = 0.0, 0.3, 0.1
    np.testing.assert_allclose(condition_on_verified(doubt_NK, told)[row, 1:], [0.75, 0.25])


def test_a_few_wrong_labels_do_not_hide_behind_pairs_that_happen_not_to_meet() -> None:
    rng = np.random.default_rng(0)
    labels_NK = np.eye(10, dtype=np.int8)[rng.integers(10, size=3000)]
    exact_KK = labels_NK.T.astype(float) @ labels_NK
    assert never_together(exact_KK, ChanceMeetings(labels_NK).of(slice(0, 10))).sum() == 90
    labels_NK[rng.choice(3000, 25, replace=False), rng.integers(10, size=25)] = 1
    both_KK = labels_NK.T.astype(float) @ labels_NK
    assert (both_KK == 0).sum() > 40
    assert never_together(both_KK, ChanceMeetings(labels_NK).of(slice(0, 10))).sum() < 10


def test_labels_that_are_known_on_different_images_do_not_exclude_each_other() -> None:
    evidence, _ = swapped(free=True)
    labels_NK = evidence.labels_NK.copy()
    labels_NK[:450, 3] = -1
    labels_NK[450:, 0] = -1
    partly = replace(evidence, labels_NK=labels_NK, groups={})
    assert Exclusions(partly).nats_K(3)[0] == 0
    assert Exclusions(evidence).nats_K(1)[0] < -3
