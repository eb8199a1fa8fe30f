"""The loss of numbers: squared error of a standardised number, its threshold at 0; nothing where there are none."""

import numpy as np
import pandas as pd
import torch

from tagger.data import label_stats
from tagger.losses import losses, number_loss
from tagger.training.number_targets import NumberTargets
from tagger.training.targets import TrainingTargets

NAMES = ("sea", "pain")


def made():
    """Six photos with a number, one of which says other than its cell, and one that has none."""
    images = pd.DataFrame({"number pain": [0.0, 1.0, 4.0, 2.0, 0.0, np.nan]})
    labels_NK = np.array([[1, 0], [0, 1], [1, 1], [0, 0], [1, 0], [0, -1]], np.int8)
    numbers = NumberTargets.of(images, NAMES, {"pain": 1.0}, np.arange(6) < 4)
    return labels_NK, numbers


def test_targets_are_standardised_numbers_about_the_threshold_as_in_equation_2_3():
    labels_NK, numbers = made()
    found = numbers.apply(TrainingTargets.from_labels(labels_NK), labels_NK).targets_NK
    y = np.array([0.0, 1.0, 4.0, 2.0])
    standardised = (y - y.mean()) / y.std()
    threshold = (1.0 - y.mean()) / y.std()
    expected = standardised - threshold - numbers.lows["pain"]
    np.testing.assert_allclose(found[[0, 1, 2], 1], expected[[0, 1, 2]], atol=1e-6)
    assert found[3, 1] == -0.5 - numbers.lows["pain"]  # a person said no to a 2
    assert found[5, 1] == -1
    assert found[:, 0].tolist() == [1, 0, 1, 0, 1, 0]
    assert (found[:5, 1] >= 0).all()


def test_a_score_becomes_the_number_again():
    _, numbers = made()
    scores_NK = np.zeros((6, 2))
    scores_NK[:, 1] = numbers.targets_NM[:, 0]
    np.testing.assert_allclose(numbers.predicted(scores_NK)[:5, 0], [0, 1, 4, 2, 0])
    assert numbers.predicted(np.zeros((1, 2)))[0, 0] == 1.0  # yes_from


def test_the_loss_is_the_mean_over_cells_of_cross_entropy_and_squared_error():
    labels_NK, numbers = made()
    targets = numbers.apply(TrainingTargets.from_labels(labels_NK), labels_NK).targets_NK
    loss = number_loss(losses.build("bce", label_stats(labels_NK)), NAMES, numbers.lows).train()
    logits = torch.randn(6, 2, generator=torch.Generator().manual_seed(0), requires_grad=True)
    bce = torch.nn.functional.binary_cross_entropy_with_logits(logits[:, 0], targets[:, 0], reduction="sum")
    wanted = torch.tensor(numbers.targets_NM[:5, 0], dtype=torch.float32)
    wanted[3] = -0.5
    expected = (bce + ((logits[:5, 1] - wanted) ** 2).sum()) / 11
    torch.testing.assert_close(loss(logits, targets), expected)
    loss(logits, targets).backward()
    assert logits.grad[5, 1] == 0


def test_without_numbers_the_loss_is_itself():
    loss = losses.build("bce", label_stats(np.array([[0], [1]], np.int8)))
    assert number_loss(loss, ["sea"], {}) is loss
    assert NumberTargets.of(pd.DataFrame({"file": ["a"]}), ("sea",), {}, np.array([True])) is None
