"""Thresholds of many rare labels choose about as many labels a photo as there are, and say what was moved."""

import numpy as np
import pytest

from tagger.arrays import UNKNOWN, sigmoid
from tagger.scoring import (
    Thresholds,
    apply_thresholds,
    best_shared_threshold,
    choose_thresholds,
    parse_objective,
)


def long_tail(num_images, num_labels, *, ranked, seed=0):
    """(labels, calibrated probabilities) of two halves; shares fall as 1 / rank, ``ranked`` spreads the log-odds."""
    rng = np.random.default_rng(seed)
    share_K = 1 / (np.arange(num_labels) + 3.0)
    share_K = np.clip(share_K * 5 / share_K.sum(), 0, 0.5)
    halves = []
    for _ in range(2):
        logits = np.log(share_K / (1 - share_K)) + ranked * rng.normal(size=(num_images, num_labels))
        probs = sigmoid(logits)
        halves.append(((rng.random(probs.shape) < probs).astype(np.int8), probs))
    return halves


def micro_f1(labels, chosen):
    """F1 of all cells pooled, by counting."""
    true = int(((labels == 1) & (chosen == 1)).sum())
    return 2 * true / max(int((labels == 1).sum() + (chosen == 1).sum()), 1)


@pytest.mark.parametrize("num_labels", [20, 370, 1600])
@pytest.mark.parametrize("ranked", [0.05, 0.7, 2.0])
def test_labels_a_photo_are_about_as_many_as_there_are_and_micro_f1_is_kept(num_labels, ranked):
    (labels, probs), (other, other_probs) = long_tail(400, num_labels, ranked=ranked)
    chosen = choose_thresholds(labels, probs, draws=10)
    decidable = chosen.values_K <= 1
    truth, found = other[:, decidable], apply_thresholds(other_probs, chosen.values_K)[:, decidable]
    assert found.sum() <= 2 * truth.sum() * 1.1, chosen.note
    if ranked > 0.1:
        assert found.sum() >= 0.5 * truth.sum()
    single = best_shared_threshold(
        labels[:, decidable], probs[:, decidable], parse_objective("f1"), average="micro"
    )
    reference = micro_f1(truth, other_probs[:, decidable] >= single)
    assert micro_f1(truth, found) >= 0.97 * reference - 0.002


def test_what_was_moved_is_said_and_kept_in_the_file():
    (labels, probs), _ = long_tail(300, 200, ranked=0.05)
    own = choose_thresholds(labels, probs, draws=10, pooled_loss=1)
    moved = choose_thresholds(labels, probs, draws=10)
    assert own.note == ""
    assert "note" not in own.to_json()
    known = labels[:, [not label.never_chosen for label in moved.labels]].sum() / len(labels)
    assert f"labels a photo, where {known:.1f} are known" in moved.note
    assert "f1 of all cells" in moved.note
    assert Thresholds.from_json(moved.to_json()) == moved
    assert {label.how.partition(":")[0] for label in moved.labels} <= {
        "near the shared",
        "shared",
        "never chosen",
    }
    assert all(label.low <= label.value <= label.high for label in moved.labels if label.low is not None)
    own_never = [label.never_chosen for label in own.labels]
    assert [label.never_chosen for label in moved.labels] == own_never


def test_labels_that_can_be_ranked_keep_their_own_thresholds():
    rng = np.random.default_rng(3)
    logits = rng.normal(-1, 2.5, (2000, 6))
    labels = (rng.random(logits.shape) < sigmoid(logits)).astype(np.int8)
    assert choose_thresholds(labels, sigmoid(logits), draws=10) == choose_thresholds(
        labels, sigmoid(logits), draws=10, pooled_loss=1
    )


def test_unknown_cells_count_on_neither_side():
    (labels, probs), _ = long_tail(300, 120, ranked=0.05)
    hidden = labels.copy()
    hidden[::3] = UNKNOWN
    with_unknown = choose_thresholds(hidden, probs, draws=10)
    noise = probs.copy()
    noise[::3] = 0.999
    assert choose_thresholds(hidden, noise, draws=10) == with_unknown
