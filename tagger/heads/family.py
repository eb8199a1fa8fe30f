"""The registry of heads, and what all share: standardised features and a bias that starts at the log-odds."""

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from tagger.arrays import Cells, Floats
from tagger.heads.grouping import Layout, group_logits, lay_out, start_scores
from tagger.registry import Registry

heads = Registry("head")
ROWS_AT_ONCE = 4096  # of the features of all images, which may be gigabytes, there is never a whole copy in float32


class Head(nn.Module):
    """Logits (B, K) of pooled features (B, D): ``classify(standardised features)``.

    The features' mean and deviation are buffers: 0 and 1 until ``standardise`` sets them from training
    features, which lets one learning rate suit every level of every backbone.
    """

    mean: Tensor
    std: Tensor
    group_K: Tensor
    none_K: Tensor
    members_GM: Tensor | None
    none_G1: Tensor | None
    pick_K: Tensor | None

    def __init__(self, num_features: int, num_labels: int):
        super().__init__()
        self.num_features, self.num_labels = num_features, num_labels
        self.register_buffer("mean", torch.zeros(num_features))
        self.register_buffer("std", torch.ones(num_features))
        self.register_buffer("group_K", torch.full((num_labels,), -1))
        self.register_buffer("none_K", torch.zeros(num_labels, dtype=torch.bool))
        for name in Layout._fields:  # made of the two above; None without groups
            self.register_buffer(name, None, persistent=False)
        self.register_load_state_dict_post_hook(_lay_out)

    def forward(self, features_BD: Tensor) -> Tensor:
        """Logits (B, K), float32: a label's sigmoid is its probability, in a group of labels too."""
        return self.finish(self.raw(features_BD))

    def raw(self, features_BD: Tensor) -> Tensor:
        """Scores (B, K) before ``finish``, float32, also under autocast: a head costs nothing and thresholds are close
        to ties. Scores of several heads, or of a head and something else, are averaged as these."""
        with torch.autocast(features_BD.device.type, enabled=False):
            return self.classify((features_BD.float() - self.mean) / self.std)

    def finish(self, raw_BK: Tensor) -> Tensor:
        """Scores to logits: as they are, but labels of a group (``group_K`` >= 0) share one softmax."""
        if self.members_GM is None or self.none_G1 is None or self.pick_K is None:
            return raw_BK
        return group_logits(raw_BK, Layout(self.members_GM, self.none_G1, self.pick_K))

    def set_groups(self, group_K: ArrayLike | Tensor, none_K: ArrayLike | Tensor) -> None:
        """Take these groups (see ``grouping.group_head``): each label's number, -1 for free ones; where none may be."""
        self.group_K.copy_(torch.as_tensor(group_K))
        self.none_K.copy_(torch.as_tensor(none_K))
        _lay_out(self)

    def classify(self, features_BD: Tensor) -> Tensor:
        """Logits of standardised features; each head's own."""
        raise NotImplementedError

    def output(self) -> nn.Linear:
        """The layer whose bias is the logits' bias."""
        raise NotImplementedError

    def class_weights(self) -> Tensor:
        """Weights (K, D) of the features as they come, before standardisation: scores are these times the features,
        plus a constant. TaggerError where a head has no such weights."""
        raise NotImplementedError

    def prepare(self, labels_RK: Cells, features_RD: Tensor | None) -> None:
        """Called once before training with the cells of the images that teach and, where known, their features.

        What is learnt here has to be a buffer, so that a saved head has it. Most heads learn nothing.
        """

    def by_label(self) -> set[str]:
        """Names of the parameters and buffers that have one row for each label; a retraining moves them by label."""
        output = {id(parameter) for parameter in self.output().parameters()}
        return {name for name, tensor in self.named_parameters() if id(tensor) in output}

    def size_as(self, other: "Head") -> None:
        """Take from another head of this kind the sizes that neither labels nor features decide. Most have none."""

    def standardise(self, features_ND: Tensor) -> None:
        """Take the mean and deviation of these features for the standardisation."""
        parts, num = features_ND.split(ROWS_AT_ONCE), len(features_ND)
        mean_D = torch.stack([part.sum(0, dtype=torch.float64) for part in parts]).sum(0) / num
        squares_D = torch.stack(
            [(part.float() - mean_D.float()).square().sum(0, dtype=torch.float64) for part in parts]
        )
        self.mean.copy_(mean_D)
        self.std.copy_((squares_D.sum(0) / num).sqrt().clamp(min=1e-3))

    def start_at(self, priors_K: Floats) -> None:
        """Start near the labels' shares, so that the first epoch is not spent on learning the imbalance.

        The weights shrink to a tenth, the bias becomes the log-odds of ``priors_K`` (in a group, its softmax's scores).
        """
        layer = self.output()
        with torch.no_grad():
            layer.weight.mul_(0.1)
            layer.bias.copy_(self.scores_of(priors_K))

    def scores_of(self, priors_K: Floats) -> Tensor:
        """The scores (K, float32) at which ``finish`` gives these probabilities."""
        scores_K = start_scores(priors_K, self.group_K.cpu().numpy(), self.none_K.cpu().numpy())
        return torch.from_numpy(scores_K.astype(np.float32))


def _lay_out(head: Head, _keys: object = None) -> None:
    """Make the layout of the head's groups anew, as they may have changed."""
    layout = lay_out(head.group_K, head.none_K)
    for name in Layout._fields:
        setattr(head, name, None if layout is None else getattr(layout, name))
