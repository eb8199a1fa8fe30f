"""An LSTM over the features of the last frames, whose output adds to the frame model's scores (thesis, chapter 2).

Equations 2.4 to 2.9 are those of ``torch.nn.LSTM``: gates i, f, o and candidate g of the frame's features and the last
state, c = f * c + i * g, h = o * tanh(c). Only the state of the last frame is read, by a linear layer whose weights are
0 at the start, so that training begins with the frame model, bit for bit.

Ours: a window that is shorter than the others begins with the state 0 at its first frame. The source repeats the first
frame, which would tell the network of a rest that nobody saw.
"""

import torch
from torch import Tensor, nn

from tagger.heads.base import ROWS_AT_ONCE


class SequenceLstm(nn.Module):
    """Scores (B, K) of windows (B, T) of rows of features (U, D); row -1 is no frame and leaves the state as it is.

    Windows overlap, so that the product of a frame's features with the weights is computed once for all of them.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, num_features: int, num_labels: int, *, hidden: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(num_features))
        self.register_buffer("std", torch.ones(num_features))
        self.lstm = nn.LSTM(num_features, hidden)
        self.out = nn.Linear(hidden, num_labels)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, features_UD: Tensor, windows_BT: Tensor, keep_D: Tensor | None = None) -> Tensor:
        """Scores (B, K), float32. ``keep_D`` multiplies the standardised features: dropout while it learns."""
        inputs_UD = (features_UD.float() - self.mean) / self.std
        if keep_D is not None:
            inputs_UD = inputs_UD * keep_D
        return self.out(self.last_state(inputs_UD, windows_BT))

    def last_state(self, inputs_UD: Tensor, windows_BT: Tensor) -> Tensor:
        """The state (B, hidden) after the last frame of each window; it is 0 before the first."""
        from_input, from_state, *biases = self.lstm.all_weights[0]
        gates_UG = torch.addmm(biases[0] + biases[1], inputs_UD, from_input.T)
        h = c = inputs_UD.new_zeros(windows_BT.shape[0], self.lstm.hidden_size)  # len would fix it in a trace
        for rows_B in windows_BT.T:
            gates_BG = torch.addmm(gates_UG[rows_B.clamp(min=0)], h, from_state.T)
            i, f, g, o = gates_BG.chunk(4, dim=1)
            seen_B1 = (rows_B >= 0)[:, None]
            c = torch.where(seen_B1, f.sigmoid() * c + i.sigmoid() * g.tanh(), c)
            h = torch.where(seen_B1, o.sigmoid() * c.tanh(), h)
        return h

    def fit_standardisation(self, features_RD: Tensor) -> None:
        """Take the mean and deviation of these features."""
        parts = [part.double() for part in features_RD.split(ROWS_AT_ONCE)]
        self.mean.copy_(torch.stack([part.sum(0) for part in parts]).sum(0) / len(features_RD))
        squares = [(part - self.mean).square().sum(0) for part in parts]
        self.std.copy_((torch.stack(squares).sum(0) / len(features_RD)).sqrt().clamp(min=1e-3))
