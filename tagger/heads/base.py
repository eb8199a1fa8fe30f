"""Base class and registry of heads: standardised features, bias initialised from the label priors."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from tagger.arrays import Cells, Floats
from tagger.heads.dropout import FastDropout
from tagger.heads.grouping import GroupLayout, group_logits, make_group_layout, prior_scores
from tagger.registry import Registry

heads = Registry("head")
ROWS_AT_ONCE = (
    256  # of the features of all images, which may be gigabytes: in float32 so many fit a core's cache
)


class Head(nn.Module):
    """Logits (B, K) of pooled features (B, D): ``classify(inputs(features))``, where inputs are standardised.

    The features' mean and deviation are buffers: 0 and 1 until ``fit_standardisation`` sets them from training
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
        self.num_features = num_features
        self.num_labels = num_labels
        self.register_buffer("mean", torch.zeros(num_features))
        self.register_buffer("std", torch.ones(num_features))
        self.register_buffer("group_K", torch.full((num_labels,), -1))
        self.register_buffer("none_K", torch.zeros(num_labels, dtype=torch.bool))
        for name in GroupLayout._fields:  # made of the two above; None without groups
            self.register_buffer(name, None, persistent=False)
        self.register_load_state_dict_post_hook(_update_group_layout)

    def forward(self, features_BD: Tensor) -> Tensor:
        """Logits (B, K), float32: a label's sigmoid is its probability, in a group of labels too."""
        return self.to_logits(self.raw_scores(features_BD))

    def raw_scores(self, features_BD: Tensor) -> Tensor:
        """Scores (B, K) before ``to_logits``, float32, also under autocast: a head costs nothing and thresholds
        are close to ties. Scores of several heads, or of a head and something else, are averaged as these.
        """
        with torch.autocast(features_BD.device.type, enabled=False):
            return self.classify(self.prepare_inputs(features_BD))

    def prepare_inputs(self, features_BD: Tensor) -> Tensor:
        """What ``classify`` is given: standardised features, of which a head may drop some while it learns."""
        return self.standardised(features_BD)

    def standardised(self, features_BD: Tensor) -> Tensor:
        """Features less their mean, over their deviation: float32, a tensor of their own."""
        if features_BD.dtype == torch.float32:
            return (features_BD - self.mean).div_(self.std)
        return features_BD.float().sub_(self.mean).div_(self.std)

    def to_logits(self, raw_BK: Tensor) -> Tensor:
        """Scores to logits: as they are, but labels of a group (``group_K`` >= 0) share one softmax."""
        if self.members_GM is None or self.none_G1 is None or self.pick_K is None:
            return raw_BK
        return group_logits(raw_BK, GroupLayout(self.members_GM, self.none_G1, self.pick_K))

    def set_groups(self, group_K: ArrayLike | Tensor, none_K: ArrayLike | Tensor) -> None:
        """Set groups (see ``grouping.set_head_groups``): each label's number (-1: in no group); which may have none."""
        self.group_K.copy_(torch.as_tensor(group_K))
        self.none_K.copy_(torch.as_tensor(none_K))
        _update_group_layout(self)

    def check_labels(self, names: Sequence[str]) -> None:
        """TaggerError if the head cannot have labels of these names. Most heads can have any."""

    def set_definitions(self, names: Sequence[str], groups: Mapping[str, Mapping[str, Any]]) -> None:
        """Called with ``set_groups``: what the labels are called, and their groups. Most heads need neither."""

    def classify(self, features_BD: Tensor) -> Tensor:
        """Raw scores of what ``prepare_inputs`` gives; each head's own."""
        raise NotImplementedError

    def output_layer(self) -> nn.Linear:
        """The layer whose bias is the logits' bias."""
        raise NotImplementedError

    def classifier_weights(self) -> Tensor:
        """Weights (K, D) of the features as they come, before standardisation: scores are these times the
        features, plus a constant. TaggerError where a head has no such weights.
        """
        raise NotImplementedError

    def prepare(
        self,
        labels_RK: Cells,
        features_RD: Tensor | Callable[[], Tensor] | None,
        *,
        pretrained: bool = True,
    ) -> None:
        """Called once before training with the cells of the training images and, where known, their
        features, or what gives them: they may be gigabytes. ``pretrained``: whether these tell images apart.

        What is learnt here has to be a buffer, so that a saved head has it. Most heads learn nothing.
        """

    def per_label_tensors(self) -> set[str]:
        """Names of the parameters and buffers that have one row for each label; a retraining moves them by label."""
        output_layer = {id(parameter) for parameter in self.output_layer().parameters()}
        return {name for name, tensor in self.named_parameters() if id(tensor) in output_layer}

    def match_size(self, other: "Head") -> None:
        """Take from another head of this kind the sizes that neither labels nor features decide. Most have none."""

    def fit_standardisation(
        self, features_ND: Tensor | NDArray[np.float16], rows: NDArray[np.int64] | None = None
    ) -> None:
        """Take the mean and deviation of these features, of some rows of them or of all, for the standardisation."""
        num = len(features_ND) if rows is None else len(rows)

        def parts() -> Iterator[Tensor]:
            for start in range(0, num, ROWS_AT_ONCE):
                at = slice(start, start + ROWS_AT_ONCE)
                yield torch.as_tensor(features_ND[at if rows is None else rows[at]]).float()

        # Sums of few rows in float32, sums of those in float64: exact enough, and five times as fast as all
        # in float64.
        sums_D, squares_D = torch.zeros(2, self.num_features, dtype=torch.float64)
        for part in parts():
            sums_D += part.sum(0)
        self.mean.copy_(sums_D / num)
        for part in parts():
            squares_D += (part - self.mean).square_().sum(0)
        self.std.copy_((squares_D / num).sqrt().clamp(min=1e-3))

    def set_dropout_generator(self, generator: torch.Generator | None) -> None:
        """Let dropout draw from ``generator``; from torch's own if that is None."""
        for part in self.modules():
            if isinstance(part, FastDropout):
                part.generator = generator

    def init_from_priors(self, priors_K: Floats) -> None:
        """Start near the labels' shares, so that the first epoch is not spent on learning the imbalance.

        The weights shrink to a tenth, the bias becomes the log-odds of ``priors_K`` (in a group, its
        softmax's scores).
        """
        layer = self.output_layer()
        with torch.no_grad():
            layer.weight.mul_(0.1)
            layer.bias.copy_(self.scores_from_priors(priors_K))

    def scores_from_priors(self, priors_K: Floats) -> Tensor:
        """The scores (K, float32) at which ``to_logits`` gives these probabilities."""
        scores_K = prior_scores(priors_K, self.group_K.cpu().numpy(), self.none_K.cpu().numpy())
        return torch.from_numpy(scores_K.astype(np.float32))


def _update_group_layout(head: Head, _keys: object = None) -> None:
    """Make the layout of the head's groups anew, as they may have changed."""
    layout = make_group_layout(head.group_K, head.none_K)
    for name in GroupLayout._fields:
        setattr(head, name, None if layout is None else getattr(layout, name))
