"""Prediction in order: the frames of each sequence one after the other, each with the frames before it.

What a file gets depends on the order of all files, not on which of them are asked for together: the frames of its
window that are not asked for are read as well. So a prediction that was interrupted goes on to the same bytes. A
frame that cannot be read is missing from the windows of those after it.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tagger.arrays import Indices
from tagger.data.frame_windows import Frames, read_frames
from tagger.model import TagModel
from tagger.setting_sections import DataSettings
from tagger.training.inference import BatchOutputs

FRAMES_AT_ONCE = 512  # whose features are held


class FollowedFrames:
    """The files of a prediction, sequence by sequence, and the window of each."""

    def __init__(self, files: Sequence[str], frames: Frames, length: int):
        order = frames.order()
        self.files = [files[row] for row in order]
        self.place = {file: n for n, file in enumerate(self.files)}
        self.windows_NT = frames.select(order).windows(length)

    @classmethod
    def read(cls, root: Path, files: Sequence[str], data: DataSettings, length: int) -> "FollowedFrames":
        """The order by the settings that say what is a sequence; TaggerError if a column is in no table of ``root``."""
        frames = read_frames(root, files, data)
        assert frames is not None, "a run with LSTMs says what a sequence is"
        return cls(files, frames, length)

    @classmethod
    def alone(cls, files: Sequence[str], length: int) -> "FollowedFrames":
        """Files of which each is a sequence of its own."""
        return cls(files, Frames(np.arange(len(files)), np.zeros(len(files), np.int64)), length)

    def read_for(self, files: Sequence[str]) -> list[str]:
        """The files whose pixels decide what these get, in order: themselves and the frames before them."""
        return [self.files[at] for at in self._wanted(self._places(files))]

    def windows(self, files: Sequence[str]) -> Indices:
        """The window of each of these files, as places in what ``read_for`` gives; -1 is no frame."""
        places = self._places(files)
        windows_BT = self.windows_NT[places]
        return np.where(windows_BT < 0, -1, np.searchsorted(self._wanted(places), windows_BT))

    def pieces(self, files: Sequence[str]) -> Iterator[Indices]:
        """The rows of ``files`` sequence by sequence, in pieces whose features fit in memory."""
        rows = np.argsort(self._places(files))
        yield from (rows[at : at + FRAMES_AT_ONCE] for at in range(0, len(rows), FRAMES_AT_ONCE))

    def _places(self, files: Sequence[str]) -> Indices:
        return np.array([self.place[file] for file in files], np.int64)

    def _wanted(self, places: Indices) -> Indices:
        wanted = np.unique(self.windows_NT[places])
        return wanted[wanted >= 0]


def window_outputs(
    model: TagModel,
    order: FollowedFrames,
    files: Sequence[str],
    run: Callable[[list[str]], Iterator[BatchOutputs]],
) -> Iterator[BatchOutputs]:
    """Logits (V, B, K) of ``files`` in pieces; ``run`` gives ``FrameOutputs`` of some files, in order."""
    for rows_B in order.pieces(files):
        asked = [files[row] for row in rows_B]
        outputs = list(run(order.read_for(asked)))
        reasons = [reason for one in outputs for reason in one.reasons]
        windows_BT = order.windows(asked)
        own_B = windows_BT[:, -1]
        readable_U = np.array([reason is None for reason in reasons])
        values_VUX = np.concatenate([one.outputs_VBX for one in outputs], axis=1)
        seen_BT = np.where(readable_U[windows_BT], windows_BT, -1)
        logits_VBK = _window_logits(model, torch.from_numpy(values_VUX), own_B, torch.from_numpy(seen_BT))
        yield BatchOutputs(logits_VBK, rows_B, [reasons[at] for at in own_B])


def _window_logits(
    model: TagModel, values_VUX: torch.Tensor, own_B: Indices, windows_BT: torch.Tensor
) -> NDArray[np.float32]:
    """Logits (V, B, K) of raw scores and features of the frames; features in float16, as a training keeps them."""
    assert model.sequences is not None
    num_labels = model.sequences.members[0].out.out_features
    device = model.sequences.members[0].mean.device
    values_VUX, windows_BT = values_VUX.to(device), windows_BT.to(device)
    with torch.inference_mode():
        raw_VBK = values_VUX[:, torch.from_numpy(own_B).to(device), :num_labels]
        added = [model.sequences(features, windows_BT) for features in values_VUX[..., num_labels:].half()]
        raw_VBK = raw_VBK + torch.stack(added)
        return model.head.to_logits(raw_VBK.flatten(0, 1)).view(raw_VBK.shape).cpu().numpy()
