"""Gated attention beside a backbone, "attend and rectify": Rodriguez et al. 2018, thesis chapter 4.

Each module looks at one of the feature maps that are there anyway: J heads choose where (eq. 4.1), say what
they see there (4.2, 4.3), and are weighed by head gates (4.4, 4.5). Output gates, read off the pooled last
features, mix the modules' scores with those of the untouched base path (4.6 to 4.8). Scores are mixed, not
probabilities.

What it begins with matters, as it joins a head that is trained already. The gates are bounded by their
tanh, so that no start at the base path alone exists. Every module starts blind, at the labels' log-odds,
and the output gates start in favour of the base path, the same for every image: the first mix ranks the
images of each label exactly as the base model does, only nearer to the log-odds. Starting with the head's
own weights on each map, where the first mix *is* the base model, was worse: on a frozen mobilenetv2 and
2,500 photos mAP fell from .599 to .575 in one epoch, and stayed at .597 from the blind start (.568 when
only the head learnt on).

Ours too: channels are standardised by what the head knows of them, and divided by the root of their number,
so that one rate suits maps of 32 and of 2,048 channels. Without it the gates ran into their bounds within
an epoch, for all images alike; the authors' code has batch normalisation there. Constants (one a label and
module, one an output gate) are ours.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tagger.arrays import Floats, logit
from tagger.heads import Head, HeadEnsemble
from tagger.model.feature_maps import FeatureMapInfo

INITIAL_GATE = (
    1.0  # the start of the output gates before their tanh: for the base path; modules get its negative
)


class AttentionModule(nn.Module):
    """``num_heads`` heads on one map: scores (B, K labels) and where the heads looked (B, num_heads, h, w).

    One 1x1 convolution gives the heads' maps, their scores for each label, and their gates: num_heads * (K + 2)
    filters over the channels. ``mean`` and ``std`` of the channels are 0 and 1 until
    ``GatedAttention.init_from_priors``.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, channels: int, num_labels: int, *, num_heads: int):
        super().__init__()
        self.num_heads = num_heads
        self.num_labels = num_labels
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("std", torch.ones(channels))
        self.filters = nn.Parameter(torch.zeros(num_heads * (num_labels + 2), channels))
        self.offset = nn.Parameter(torch.zeros(num_labels))
        with torch.no_grad():  # only where to look starts at random: it is what tells the heads apart
            self.filters[:num_heads].normal_(0.0, 0.1)

    def scores(self) -> Tensor:
        """The filters (num_heads, K, C) that score labels, as a view."""
        return self.filters[self.num_heads : -self.num_heads].view(self.num_heads, self.num_labels, -1)

    def forward(self, map_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """(scores (B, K), the heads' maps (B, num_heads, h, w), each of sum 1), float32."""
        with torch.autocast(map_BCHW.device.type, enabled=False):
            return attention_scores(self._read(map_BCHW), self.offset, num_heads=self.num_heads)

    def looks(self, map_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """(the heads' maps (B, num_heads, h, w), each of sum 1, the heads' gates (B, num_heads)), for pictures."""
        with torch.autocast(map_BCHW.device.type, enabled=False):
            read_BFHW = self._read(map_BCHW)
            attention_BJP = read_BFHW[:, : self.num_heads].flatten(2).softmax(2)
            gates_BJ = head_gates(read_BFHW[:, -self.num_heads :].flatten(2), attention_BJP)
            return attention_BJP.unflatten(2, map_BCHW.shape[2:]), gates_BJ

    def _read(self, map_BCHW: Tensor) -> Tensor:
        """What the filters read at each place (B, num_heads * (K + 2), h, w)."""
        scaled_FC = self.filters / (self.std * len(self.std) ** 0.5)
        shift_F = -(scaled_FC @ self.mean)
        return functional.conv2d(map_BCHW.float(), scaled_FC[:, :, None, None], shift_F)


class GatedAttention(nn.Module):
    """Modules on several maps and the gates that mix them with the base path's scores.

    ``map_infos`` describe the maps from first to last, ``num_last_features`` the size of the network's pooled last
    features, whose ``mean`` and ``std`` are 0 and 1 until ``init_from_priors``.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        map_infos: Sequence[FeatureMapInfo],
        num_last_features: int,
        num_labels: int,
        *,
        num_heads: int = 4,
        diversity: float = 0.1,
    ):
        super().__init__()
        self.map_infos = list(map_infos)
        self.diversity = diversity
        self.reads: list[AttentionModule] = nn.ModuleList(  # type: ignore[assignment]
            AttentionModule(info.channels, num_labels, num_heads=num_heads) for info in map_infos
        )
        self.register_buffer("mean", torch.zeros(num_last_features))
        self.register_buffer("std", torch.ones(num_last_features))
        self.gate = nn.Linear(num_last_features, 1 + len(self.map_infos))
        with torch.no_grad():
            self.gate.weight.zero_()
            self.gate.bias.copy_(torch.tensor([INITIAL_GATE, *[-INITIAL_GATE] * len(self.map_infos)]))

    def forward(
        self, base_BK: Tensor, maps: Sequence[Tensor], last_BD: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """(mixed scores (B, K), the diversity penalty or None), float32, of the base path's scores, the maps
        (B, C, h, w) and the network's pooled last features.

        The penalty carries its weight already, and is there in training only.
        """
        with torch.autocast(base_BK.device.type, enabled=False):
            scores_MBK, attention_maps = zip(
                *(module(map_BCHW) for module, map_BCHW in zip(self.reads, maps, strict=True)), strict=True
            )
            gates_BG = self.gates(last_BD)
            mixed_BK = mix_scores([base_BK.float(), *scores_MBK], gates_BG)
            if not (self.training and self.diversity and self.reads[0].num_heads > 1):
                return mixed_BK, None
            return mixed_BK, self.diversity * torch.stack(
                [attention_overlap(attention_BJHW) for attention_BJHW in attention_maps]
            ).mean()

    def gates(self, last_BD: Tensor) -> Tensor:
        """Shares (B, 1 + modules) of the base path and the modules, eq. 4.6 and 4.7; each row sums to 1."""
        with torch.autocast(last_BD.device.type, enabled=False):
            known_BD = (last_BD.float() - self.mean) / (self.std * len(self.std) ** 0.5)
            return torch.tanh(self.gate(known_BD)).softmax(1)

    @torch.no_grad()
    def init_from_priors(self, head: Head | HeadEnsemble, priors_K: Floats) -> None:
        """Start at the labels' shares ``priors_K``, with channels standardised as the head has them."""
        known = head.members[0] if isinstance(head, HeadEnsemble) else head
        num_last_features = len(self.mean)
        self.mean.copy_(known.mean[-num_last_features:])
        self.std.copy_(known.std[-num_last_features:])
        for info, module in zip(self.map_infos, self.reads, strict=True):
            module.offset.copy_(known.scores_from_priors(priors_K))
            if info.columns is not None:
                module.mean.copy_(known.mean[info.columns])
                module.std.copy_(known.std[info.columns])

    @torch.no_grad()
    def remap_labels(self, old_columns: Sequence[int | None], priors_K: Floats) -> "GatedAttention":
        """The same modules with other columns: ``old_columns[k]`` of these, or a new one at its prior where None."""
        num_heads = self.reads[0].num_heads
        new = GatedAttention(
            self.map_infos,
            self.gate.in_features,
            len(old_columns),
            num_heads=num_heads,
            diversity=self.diversity,
        )
        new.gate.load_state_dict(self.gate.state_dict())
        new.mean.copy_(self.mean)
        new.std.copy_(self.std)
        known = [k for k, column in enumerate(old_columns) if column is not None]
        from_old = [column for column in old_columns if column is not None]
        for theirs, ours in zip(self.reads, new.reads, strict=True):
            ours.mean.copy_(theirs.mean)
            ours.std.copy_(theirs.std)
            ours.filters[:num_heads], ours.filters[-num_heads:] = (
                theirs.filters[:num_heads],
                theirs.filters[-num_heads:],
            )
            ours.scores()[:, known] = theirs.scores()[:, from_old]
            ours.offset.copy_(prior_log_odds(priors_K))
            ours.offset[known] = theirs.offset[from_old]
        return new


def prior_log_odds(priors_K: Floats) -> Tensor:
    """The labels' shares as scores (K,), float32, none of them beyond 1 in 10,000."""
    return torch.from_numpy(logit(np.clip(priors_K, 1e-4, 1 - 1e-4)).astype(np.float32))


def attention_scores(read_BFHW: Tensor, offset_K: Tensor, *, num_heads: int) -> tuple[Tensor, Tensor]:
    """Scores (B, K) and the heads' maps (B, num_heads, h, w), of what the convolution gave: eq. 4.1 to 4.5.

    The first ``num_heads`` channels say where each head looks (softmax over the places), then come ``num_heads``
    times K scores, then ``num_heads`` gates: o = sum_j g_j sum_xy H_j O_j + offset, g = softmax(tanh(sum_xy H_j
    G_j)).

    >>> attention_scores(torch.tensor([0.0, 3.0, 1.0]).view(1, 3, 1, 1), torch.tensor([0.5]), num_heads=1)[0]
    tensor([[3.5000]])
    """
    attention_BJP = read_BFHW[:, :num_heads].flatten(2).softmax(2)
    seen_BFP = read_BFHW[:, num_heads:].flatten(2)
    seen_BJKP = seen_BFP[:, :-num_heads].unflatten(1, (num_heads, len(offset_K)))
    scores_BJK = (seen_BJKP * attention_BJP[:, :, None]).sum(3)
    gates_BJ = head_gates(seen_BFP[:, -num_heads:], attention_BJP)
    return (scores_BJK * gates_BJ[:, :, None]).sum(1) + offset_K, attention_BJP.unflatten(
        2, read_BFHW.shape[2:]
    )


def head_gates(seen_BJP: Tensor, attention_BJP: Tensor) -> Tensor:
    """The heads' shares (B, num_heads) in their module, eq. 4.4 and 4.5; each row sums to 1.

    >>> head_gates(torch.zeros(1, 2, 3), torch.full((1, 2, 3), 1 / 3)).tolist()
    [[0.5, 0.5]]
    """
    return torch.tanh((seen_BJP * attention_BJP).sum(2)).softmax(1)


def mix_scores(scores: Sequence[Tensor], gates_BG: Tensor) -> Tensor:
    """The sum (B, K) of the scores (B, K each), weighed by the gates: eq. 4.8. Gates (1, 0, ..., 0) give the
    first, bit for bit.

    >>> mix_scores([torch.tensor([[1.0, 2.0]]), torch.tensor([[5.0, 6.0]])], torch.tensor([[0.5, 0.5]]))
    tensor([[3., 4.]])
    """
    return sum(score_BK * gates_BG[:, g : g + 1] for g, score_BK in enumerate(scores))  # type: ignore[return-value]


def attention_overlap(attention_BJHW: Tensor) -> Tensor:
    """How much the heads look at the same places: the mean squared inner product of different heads' maps.

    1 where all look at one and the same place, 0 where no two share any; a scalar.

    >>> attention_overlap(torch.tensor([[[[1.0, 0.0]], [[0.5, 0.5]]]]))
    tensor(0.2500)
    """
    attention_BJP = attention_BJHW.flatten(2)
    num_heads = attention_BJP.shape[1]
    products_BJJ = attention_BJP @ attention_BJP.mT
    between = products_BJJ.square().sum() - torch.diagonal(products_BJJ, dim1=1, dim2=2).square().sum()
    return between / (len(attention_BJP) * num_heads * (num_heads - 1))
