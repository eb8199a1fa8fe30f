"""The quick way to train a head against the plain one, and what must not depend on threads and cores."""

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from time import sleep
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tagger.config import check_settings
from tagger.heads import LinearHead
from tagger.heads.dropout import half_dropout_factors
from tagger.training.head import cross_fit
from tagger.training.head.cross_fit import cross_fit_heads, fit_head
from tagger.training.head.train_head import head_logits
from tagger.training.seeds import rng_of, seed_of

N, D, K = 150, 40, 3


@pytest.fixture(scope="module")
def training_data() -> tuple[np.ndarray, np.ndarray]:
    """Two views of features, and labels that show in them."""
    rng = np.random.default_rng(0)
    labels_NK = (rng.random((N, K)) < 0.4).astype(np.int8)
    labels_NK[:7, 1] = -1
    shown_ND = labels_NK @ rng.normal(size=(K, D)) + rng.normal(size=(N, D)) + 3
    return (shown_ND + rng.normal(scale=0.1, size=(2, N, D))).astype(np.float16), labels_NK


def settings(dropout: float, name: str = "linear", **features: Any) -> Any:
    """A short head stage."""
    chosen = {"epochs": 3, "batch_size": 16, "lr": 0.02, **features}
    return check_settings({"head": {"name": name, "dropout": dropout}, "head_stage": chosen})


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Torch computes with so many."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def plain(
    views_VND: np.ndarray, labels_NK: np.ndarray, rows: np.ndarray, chosen: Any, name: str
) -> LinearHead:
    """A linear head trained with what PyTorch has, one step after the other, from the same seeds."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_of(0, "head", name))
        head = LinearHead(D, K, dropout=chosen.head.options["dropout"])
    features_RD = torch.from_numpy(views_VND[0, rows]).float()
    head.mean.copy_(features_RD.mean(0))
    head.std.copy_(features_RD.std(0, correction=0))
    yes_K, no_K = ((labels_NK[rows] == value).sum(0) for value in (1, 0))
    with torch.no_grad():
        head.fc.weight.mul_(0.1)
        head.fc.bias.copy_(torch.from_numpy(np.log((yes_K + 0.5) / (no_K + 0.5))))
    epochs, size, p = chosen.head_stage.epochs, chosen.head_stage.batch_size, chosen.head.options["dropout"]
    optimiser = torch.optim.AdamW(
        head.parameters(), lr=chosen.head_stage.lr, weight_decay=chosen.head_stage.weight_decay
    )
    steps = epochs * -(-len(rows) // size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, chosen.head_stage.lr, total_steps=steps + 1, pct_start=0.1
    )
    rng, dice = rng_of(0, "head", name), torch.Generator().manual_seed(seed_of(0, "head", name, "dropout"))
    for _ in range(epochs):
        order = rows[rng.permutation(len(rows))]
        for batch in np.split(order, range(size, len(order), size)):
            view_B = rng.integers(2, size=len(batch))
            standard_BD = (torch.from_numpy(views_VND[view_B, batch]).float() - head.mean) / head.std
            factors_BD = half_dropout_factors(standard_BD.shape, dice) if p else 1.0
            logits_BK = F.linear(standard_BD * factors_BD, head.fc.weight, head.fc.bias)
            targets_BK = torch.from_numpy(labels_NK[batch]).float()
            known_BK = targets_BK >= 0
            optimiser.zero_grad()
            F.binary_cross_entropy_with_logits(logits_BK[known_BK], targets_BK[known_BK]).backward()
            optimiser.step()
            schedule.step()
    return head.eval()


@pytest.mark.parametrize("cores", [1, 2])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_a_head_is_what_the_plain_loop_gives(training_data: Any, dropout: float, cores: int):
    views_VND, labels_NK = training_data
    rows, held_out = np.flatnonzero(np.arange(N) % 5), np.arange(0, N, 5)
    chosen = settings(dropout)
    with threads(cores):
        head, _ = fit_head(views_VND, labels_NK, rows, held_out, chosen, name="x")
    wanted = plain(views_VND, labels_NK, rows, chosen, "x repeat 0")
    for name, tensor in wanted.state_dict().items():
        torch.testing.assert_close(head.state_dict()[name], tensor, atol=2e-5, rtol=1e-4, msg=name)
    np.testing.assert_allclose(
        head_logits(head, views_VND, held_out), head_logits(wanted, views_VND, held_out), atol=1e-4
    )


def test_a_head_does_not_depend_on_how_many_batches_are_made_in_one_go(
    training_data: Any, monkeypatch: pytest.MonkeyPatch
):
    views_VND, labels_NK = training_data
    rows, held_out, heads = np.flatnonzero(np.arange(N) % 5), np.arange(0, N, 5), []
    for block in (1, 3 * 16 * D, 2**21):
        monkeypatch.setattr("tagger.training.head.head_batches.BLOCK_VALUES", block)
        heads.append(fit_head(views_VND, labels_NK, rows, held_out, settings(0.5), name="x")[0])
    for head in heads[1:]:
        for name, tensor in heads[0].state_dict().items():
            torch.testing.assert_close(head.state_dict()[name], tensor, atol=2e-5, rtol=1e-4, msg=name)


@pytest.mark.parametrize("name", ["linear", "mlp", "ecoc"])
def test_heads_of_parts_do_not_depend_on_the_number_of_cores(training_data: Any, name: str):
    views_VND, labels_NK = training_data
    chosen, part_N = settings(0.3, name, num_seeds=2, mixup=0.2), np.arange(N) % 4 - 1
    stages = []
    for cores in (1, 3):
        with threads(cores):
            stages.append(cross_fit_heads(views_VND, labels_NK, part_N, chosen, track=lambda items, _: items))
    np.testing.assert_allclose(stages[0].logits_NK, stages[1].logits_NK, atol=1e-4)
    np.testing.assert_allclose(stages[0].dynamics.mean_NK, stages[1].dynamics.mean_NK, atol=1e-5)
    assert [row["epoch"] for row in stages[1].history] == [1, 2, 3]


def test_threads_are_as_many_afterwards_as_before(training_data: Any):
    views_VND, labels_NK = training_data
    rows, part_N = np.arange(N), np.arange(N) % 3
    with threads(3):
        fit_head(views_VND, labels_NK, rows, rows, settings(0.5, epochs=1), name="x")
        cross_fit_heads(views_VND, labels_NK, part_N, settings(0.5, epochs=1), track=lambda items, _: items)
        assert torch.get_num_threads() == 3


def test_ctrl_c_ends_the_heads_that_still_train(training_data: Any, monkeypatch: pytest.MonkeyPatch):
    views_VND, labels_NK = training_data
    ended, learn = Event(), cross_fit.train_head

    def learn_long(begun: Any, *args: Any, before_epoch: Any, **kwargs: Any) -> Any:
        if begun.name.startswith("part 0"):
            return learn(begun, *args, before_epoch=before_epoch, **kwargs)
        for _ in range(60_000):
            try:
                before_epoch()
            except InterruptedError:
                ended.set()
                raise
            sleep(0.001)
        raise AssertionError("nobody told this head to end")

    def track(items: Any, description: str) -> Any:
        yield next(iter(items))
        raise KeyboardInterrupt

    monkeypatch.setattr(cross_fit, "train_head", learn_long)
    with threads(2), pytest.raises(KeyboardInterrupt):
        cross_fit_heads(views_VND, labels_NK, np.arange(N) % 2, settings(0.5), track=track)
    assert ended.is_set()


def test_a_trained_head_draws_from_torchs_generator_again(training_data: Any):
    views_VND, labels_NK = training_data
    head, _ = fit_head(views_VND, labels_NK, np.arange(N), np.arange(N), settings(0.5, epochs=1), name="x")
    assert head.dropout.generator is None


def test_no_copy_of_the_features_is_made(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tagger.training.head.head_batches.BLOCK_VALUES", 2**18)
    rng = np.random.default_rng(0)
    views_VND = rng.standard_normal((1, 40_000, 256), np.float32).astype(np.float16)
    labels_NK = (rng.random((40_000, 2)) < 0.5).astype(np.int8)
    rows, held_out = np.flatnonzero(np.arange(40_000) % 5), np.arange(0, 40_000, 5)
    tracemalloc.start()  # knows of NumPy's arrays
    try:
        fit_head(views_VND, labels_NK, rows, held_out, settings(0.5, epochs=1, batch_size=256), name="x")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < views_VND[0, rows].nbytes / 2
