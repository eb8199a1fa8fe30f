"""Windows in batches: every frame once an epoch, whole views, the right features; and whole-sequence undersampling."""

import numpy as np
import pytest
import torch

from tagger.data.frame_windows import Frames
from tagger.training.head.sequence_batches import (
    RUN_FRAMES,
    SequenceFeatures,
    split_runs,
    undersample,
    window_batches,
)

N, S, T = 150, 3, 4


@pytest.fixture
def data() -> SequenceFeatures:
    """Three sequences of 70, 50 and 30 frames in a shuffled table; a feature is the row's own number."""
    rng = np.random.default_rng(0)
    sequence_N = rng.permutation(np.repeat([0, 1, 2], [70, 50, 30]))
    place_N = np.zeros(N, np.int64)
    for one in range(3):
        place_N[sequence_N == one] = rng.permutation(int((sequence_N == one).sum()))
    rows = np.arange(N)[:, None] + 200 * np.arange(2)[:, None, None]
    return SequenceFeatures.of(np.repeat(rows, S, axis=2).astype(np.float16), Frames(sequence_N, place_N), T)


def test_every_frame_is_learnt_once_an_epoch_with_its_own_window_of_one_view(data):
    rng = np.random.default_rng(1)
    runs = split_runs(data.frames, np.arange(N), rng)
    assert max(map(len, runs)) <= RUN_FRAMES
    seen = []
    for batch in window_batches(data, runs, 40, rng):
        values = torch.where(
            batch.windows_BT < 0, -1.0, batch.features_US[batch.windows_BT.clamp(min=0), 0].float()
        )
        expected = data.windows_NT[batch.rows_B] + 200 * batch.view_B[:, None]
        assert torch.equal(
            values, torch.from_numpy(np.where(data.windows_NT[batch.rows_B] < 0, -1.0, expected)).float()
        )
        seen += batch.rows_B.tolist()
    assert sorted(seen) == list(range(N))
    assert [len(set(data.frames.sequence_N[run])) for run in runs] == [1] * len(runs)


def test_the_same_seed_gives_the_same_batches(data):
    def rows(seed):
        rng = np.random.default_rng(seed)
        return [
            b.rows_B.tolist()
            for b in window_batches(data, split_runs(data.frames, np.arange(N), rng), 40, rng)
        ]

    assert rows(3) == rows(3) != rows(4)


def test_undersampling_leaves_out_whole_sequences_only_of_those_without_the_label():
    sequence_R = np.repeat(np.arange(20), 10)
    cells = np.zeros((200, 2), np.int8)
    cells[[3, 4, 14], 0] = 1  # in sequences 0 and 1
    cells[:, 1] = 1
    draws = [undersample(cells, sequence_R, 0, np.random.default_rng(seed)) for seed in range(5)]
    for keep_R in draws:
        kept = {one: int(keep_R[sequence_R == one].sum()) for one in range(20)}
        assert set(kept.values()) <= {0, 10}
        assert kept[0] == kept[1] == 10
        assert (
            sum(kept.values()) == 30
        )  # those with it outnumber it already, so one without is all that stays
    assert len({keep_R.tobytes() for keep_R in draws}) > 1


def test_undersampling_takes_sequences_until_numbers_match():
    sequence_R = np.repeat(np.arange(20), 10)
    cells = np.zeros((200, 1), np.int8)
    cells[:40] = 1  # all frames of four sequences
    keep_R = undersample(cells, sequence_R, 0, np.random.default_rng(0))
    assert keep_R[:40].all()
    assert keep_R[40:].sum() == 40
