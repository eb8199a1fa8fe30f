"""The bench of suspects plants what its rows say: so many errors, in the right direction, and swaps stay swaps."""

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
KINDS: dict[str, Any] = runpy.run_path(str(BENCHMARKS / "suspect_noise.py"))["KINDS"]


def planted(kind: str, rate: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(right cells, given cells, a model's probabilities) of 3,000 photos with one of ten labels each."""
    rng = np.random.default_rng(0)
    truth_NK = np.eye(10, dtype=np.int8)[rng.integers(10, size=3000)]
    probs_NK = np.clip(0.7 * truth_NK + 0.3 * rng.random(truth_NK.shape), 0.001, 0.999)
    return truth_NK, KINDS[kind](truth_NK, probs_NK, rate, np.random.default_rng(1)), probs_NK


@pytest.mark.parametrize("kind", ["random", "look_alike"])
@pytest.mark.parametrize("rate", [0.01, 0.4])
def test_both_directions_have_their_rate(kind: str, rate: float) -> None:
    truth_NK, labels_NK, _ = planted(kind, rate)
    assert ((truth_NK == 1) & (labels_NK == 0)).sum() == pytest.approx(3000 * rate, rel=0.1)
    assert ((truth_NK == 0) & (labels_NK == 1)).sum() == pytest.approx(0.75 * 3000 * rate, rel=0.15)


@pytest.mark.parametrize("kind", ["swaps", "confusion", "neighbours"])
def test_swaps_leave_one_label_on_every_photo(kind: str) -> None:
    truth_NK, labels_NK, _ = planted(kind, 0.2)
    assert (labels_NK.sum(axis=1) == 1).all()
    assert 0.1 < (labels_NK != truth_NK).any(axis=1).mean() <= 0.2


@pytest.mark.parametrize(("kind", "value"), [("missing", 0), ("habit", 0), ("spurious", 1), ("half", 1)])
def test_one_sided_kinds_are_wrong_on_one_side(kind: str, value: int) -> None:
    truth_NK, labels_NK, _ = planted(kind, 0.3)
    wrong_NK = labels_NK != truth_NK
    assert wrong_NK.any()
    assert (labels_NK[wrong_NK] == value).all()


def test_half_makes_the_share_of_one_label_wrong_and_no_other() -> None:
    truth_NK, labels_NK, _ = planted("half", 0.45)
    wrong_K = (labels_NK != truth_NK).sum(axis=0)
    worst = int(wrong_K.argmax())
    assert wrong_K[worst] / labels_NK[:, worst].sum() == pytest.approx(0.45, abs=0.01)
    assert wrong_K.sum() == wrong_K[worst]


def test_look_alikes_are_where_a_model_is_unsure_and_none_changes_nothing() -> None:
    truth_NK, labels_NK, probs_NK = planted("look_alike", 0.1)
    added_NK = (truth_NK == 0) & (labels_NK == 1)
    assert probs_NK[added_NK].mean() > 1.2 * probs_NK[truth_NK == 0].mean()
    truth_NK, labels_NK, _ = planted("none", 0)
    assert (truth_NK == labels_NK).all()
