"""The exported network of a run with LSTMs: frames of one sequence in order, each judged with those before it."""

import torch
from torch import Tensor, nn

from tagger.model import FrameOutputs, TagModel


class SequenceModule(nn.Module):
    """Logits (B, K) of the frames (B, 3, H, W) of one sequence, the first of which has none before it.

    What a frame gets is what ``tagger predict`` gives it in a sequence of these frames. To go on with a sequence, give
    the last frames again, as many as the run's windows have besides the new one.
    """

    def __init__(self, model: TagModel):
        super().__init__()
        assert model.sequences is not None
        self.outputs = FrameOutputs(model)
        self.head = model.head
        self.sequences = model.sequences
        self.num_labels = model.sequences.members[0].out.out_features
        self.register_buffer("back_T", torch.arange(model.sequences.length - 1, -1, -1), persistent=False)

    back_T: Tensor

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """See the class; float32."""
        values_BX = self.outputs(images_BCHW)
        raw_BK, features_BS = values_BX[:, : self.num_labels], values_BX[:, self.num_labels :]
        windows_BT = torch.arange(images_BCHW.shape[0])[:, None] - self.back_T  # below 0: no frame
        return self.head.to_logits(raw_BK + self.sequences(features_BS.half().float(), windows_BT))


def network_of(model: TagModel) -> nn.Module:
    """What gives the logits of images: the model, or the one that goes by frames."""
    return model if model.sequences is None else SequenceModule(model)
