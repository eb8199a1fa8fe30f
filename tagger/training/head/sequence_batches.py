"""Batches of windows for the training of an LSTM: runs of consecutive frames, whose windows share most frames.

A frame's features are read, and multiplied with the weights, once for all windows of its run. Windows never cross
sequences; all windows of a run are of one view, so that a mirrored window is mirrored as a whole.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tagger.arrays import YES, Cells, Indices
from tagger.data.frame_windows import Frames
from tagger.training.head.head_batches import take_rows

RUN_FRAMES = 32  # consecutive frames whose windows are learnt in one step


@dataclass(frozen=True)
class SequenceFeatures:
    """Features (V, N, S) of all frames, their sequences, and the rows (N, T) of the window that ends with each."""

    views_VNS: NDArray[np.float16]
    frames: Frames
    windows_NT: Indices

    @classmethod
    def of(cls, views_VNS: NDArray[np.float16], frames: Frames, length: int) -> "SequenceFeatures":
        """With windows of ``length`` frames."""
        return cls(views_VNS, frames, frames.windows(length))


class WindowBatch(NamedTuple):
    """Features (U, S) of the frames that the windows (B, T) name by their rows, -1 being no frame; targets' rows."""

    features_US: Tensor
    windows_BT: Tensor
    rows_B: Indices
    view_B: Indices


def split_runs(frames: Frames, rows: Indices, rng: np.random.Generator) -> list[Indices]:
    """The rows in runs of up to ``RUN_FRAMES`` frames of one sequence, in order; the runs shuffled.

    Where in a sequence its first run ends is drawn, so that other frames are together in each epoch.
    """
    rows = rows[np.lexsort((frames.place_N[rows], frames.sequence_N[rows]))]
    _, start = np.unique(frames.sequence_N[rows], return_index=True)
    runs = []
    for part in np.split(rows, start[1:]):
        first = int(rng.integers(1, RUN_FRAMES + 1))
        runs += [run for run in np.split(part, range(first, len(part), RUN_FRAMES)) if len(run)]
    return [runs[n] for n in rng.permutation(len(runs))]


def window_batches(
    data: SequenceFeatures, runs: list[Indices], batch_size: int, rng: np.random.Generator
) -> Iterator[WindowBatch]:
    """The runs' windows, of at least ``batch_size`` frames a batch but the last; the view of each run is drawn."""
    waiting: list[Indices] = []
    for run in runs:
        waiting.append(run)
        if sum(map(len, waiting)) >= batch_size:
            yield make_batch(data, waiting, rng)
            waiting = []
    if waiting:
        yield make_batch(data, waiting, rng)


def make_batch(data: SequenceFeatures, runs: list[Indices], rng: np.random.Generator) -> WindowBatch:
    """The windows of some runs, with a view drawn for each run."""
    view_R = rng.integers(len(data.views_VNS), size=len(runs))
    parts = [gather(data, run, int(view)) for run, view in zip(runs, view_R, strict=True)]
    offsets = np.cumsum([0, *(len(features) for features, _ in parts[:-1])])
    windows = [
        torch.where(windows < 0, -1, windows + int(at))
        for (_, windows), at in zip(parts, offsets, strict=True)
    ]
    view_B = np.repeat(view_R, [len(run) for run in runs])
    features_US = torch.cat([features for features, _ in parts])
    return WindowBatch(features_US, torch.cat(windows), np.concatenate(runs), view_B)


def gather(data: SequenceFeatures, rows: Indices, view: int) -> tuple[Tensor, Tensor]:
    """(features (U, S) of the frames in the windows of these rows, the windows (B, T) by places among them)."""
    wanted = np.unique(data.windows_NT[rows])
    wanted = wanted[wanted >= 0]
    place = np.searchsorted(wanted, data.windows_NT[rows])
    windows_BT = torch.from_numpy(np.where(data.windows_NT[rows] < 0, -1, place))
    return take_rows(data.views_VNS[view], wanted), windows_BT


def undersample(
    labels_RK: Cells, sequence_R: Indices, label: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Which rows an epoch keeps: sequences without the label are left out, whole and at random, until no more frames
    are without it than with it. One sequence without the label stays at least.

    >>> cells = np.array([[1], [0], [0], [0], [0], [0]], np.int8)
    >>> undersample(cells, np.array([0, 0, 1, 1, 2, 2]), 0, np.random.default_rng(0)).tolist()
    [True, True, True, True, False, False]
    """
    shown_R = labels_RK[:, label] == YES
    with_it = np.unique(sequence_R[shown_R])
    keep_R = np.isin(sequence_R, with_it)
    missing = int(shown_R.sum() - (keep_R & ~shown_R).sum())
    without = rng.permutation(np.setdiff1d(sequence_R, with_it))
    sizes = np.array([(sequence_R == one).sum() for one in without])
    taken = without[: max(1, int(np.searchsorted(np.cumsum(sizes), missing, side="right")))]
    return keep_R | np.isin(sequence_R, taken)
