"""SequenceModel: LSTMs that add to the scores of a frame for the frames before it, and the features that they read."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from tagger.config import Settings
from tagger.model.backbone import Backbone
from tagger.model.feature_maps import FeatureMapInfo
from tagger.model.grid_features import find_map, forward_grid
from tagger.model.sequence_lstm import SequenceLstm


class SequenceModel(nn.Module):
    """The mean of the scores (B, K) of several LSTMs on the same features.

    ``length`` is the number of frames of a window. ``read`` gives the features: the head's own, or the means
    of ``map_info`` in a grid.
    """

    def __init__(
        self, members: Iterable[SequenceLstm], *, length: int, grid: int = 1, map_info: FeatureMapInfo | None
    ):
        super().__init__()
        self.members: list[SequenceLstm] = nn.ModuleList(members)  # type: ignore[assignment]
        self.length = length
        self.grid = grid
        self.map_info = map_info

    def forward(self, features_US: Tensor, windows_BT: Tensor) -> Tensor:
        """Scores (B, K), float32, of windows of rows of the features; -1 is no frame."""
        return torch.stack([member(features_US, windows_BT) for member in self.members]).mean(0)

    def read(self, backbone: Backbone, images_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """(the head's features (B, D), the LSTMs' (B, S)), in one pass of the network."""
        if self.map_info is None:
            features_BD = backbone(images_BCHW)
            return features_BD, features_BD
        return forward_grid(backbone, images_BCHW, self.map_info, self.grid)


def new_sequences(members: Iterable[SequenceLstm], backbone: Backbone, settings: Settings) -> SequenceModel:
    """The LSTMs as one, with the windows and features that the settings ask for."""
    chosen = settings.sequence
    info = find_map(backbone, chosen.level) if chosen.own_features else None
    return SequenceModel(members, length=chosen.length, grid=chosen.grid, map_info=info)


def load_sequences(
    tensors: dict[str, Tensor], backbone: Backbone, num_labels: int, settings: Settings
) -> SequenceModel | None:
    """LSTMs, still untrained, that fit the tensors of a saved model; None if it has none."""
    names = {name.split(".")[2] for name in tensors if name.startswith("sequences.members.")}
    if not names:
        return None
    num_features = tensors["sequences.members.0.mean"].shape[0]
    hidden = settings.sequence.hidden
    return new_sequences(
        (SequenceLstm(num_features, num_labels, hidden=hidden) for _ in names), backbone, settings
    )
