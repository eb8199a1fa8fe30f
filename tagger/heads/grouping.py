"""Softmax over groups of exclusive labels, given as logits whose sigmoid is the softmax probability.

With scores z of a group's labels (and 0 for "none", where an image may have none of them) the probability
of label k is p_k = exp(z_k) / sum_j exp(z_j). The logit of that, log(p_k / (1 - p_k)) = z_k - log(sum_{j !=
k} exp(z_j)), goes on as the label's logit, so that thresholds, suspects, heat maps and ensembles of groups
work as those of free labels do.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tagger.arrays import Cells, Floats, logit
from tagger.scoring.label_constraints import always_labelled_groups, exclusive_groups


class GroupLayout(NamedTuple):
    """Where G groups of up to M labels lie: column K of ``members_GM`` is no label; ``none_G1`` is 0 where an
    image may have none of a group, else -inf; ``pick_K`` finds each label in (K free labels, then groups
    one after the other).
    """

    members_GM: Tensor
    none_G1: Tensor
    pick_K: Tensor


def set_head_groups(
    head: nn.Module, names: Sequence[str], groups: Mapping[str, Mapping[str, Any]], labels_RK: Cells
) -> None:
    """Set the groups of a head (or of every head in ``head``) before it learns, and before its ``prepare``
    and ``init_from_priors``.

    ``labels_RK``: the cells of all training images of the run, so that all its heads agree. A group
    has a "none" only if some image is known to have none of its labels. Without exclusive or ordinal groups
    nothing changes.
    """
    if not names:
        return
    group_K, none_K = group_columns(names, groups, labels_RK)
    for part in head.modules():
        if hasattr(part, "set_groups"):
            part.set_groups(group_K, none_K)  # type: ignore[operator]
            part.set_definitions(names, groups)  # type: ignore[operator]


def group_columns(
    names: Sequence[str], groups: Mapping[str, Mapping[str, Any]], labels_RK: Cells
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(group_K, none_K): each label's group, -1 for free labels, and whether an image may have none of that
    group.

    >>> ages = {"age": {"kind": "ordinal", "labels": ["young", "old"]}}
    >>> group_K, none_K = group_columns(["young", "cat", "old"], ages, np.array([[1, 0, 0]], np.int8))
    >>> group_K.tolist(), none_K.tolist()
    ([0, -1, 0], [False, False, False])
    """
    group_K = np.full(len(names), -1, dtype=np.int64)
    none_K = np.zeros(len(names), dtype=bool)
    for g, one in enumerate(
        exclusive_groups(names, groups, always_labelled_groups(labels_RK, names, groups))
    ):
        group_K[list(one.columns)], none_K[list(one.columns)] = g, not one.always
    return group_K, none_K


def make_group_layout(group_K: Tensor, none_K: Tensor) -> GroupLayout | None:
    """The layout of ``group_logits``; None without groups.

    >>> make_group_layout(torch.tensor([0, -1, 0]), torch.tensor([True, False, True])).pick_K.tolist()
    [3, 1, 4]
    """
    columns = (
        [torch.nonzero(group_K == g)[:, 0] for g in range(int(group_K.max()) + 1)] if len(group_K) else []
    )
    columns = [members for members in columns if len(members)]
    if not columns:
        return None
    num_labels = len(group_K)
    widest = max(map(len, columns))
    members_GM = torch.full((len(columns), widest), num_labels, device=group_K.device)
    pick_K = torch.arange(num_labels, device=group_K.device)
    for g, members in enumerate(columns):
        members_GM[g, : len(members)] = members
        pick_K[members] = num_labels + g * (widest + 1) + torch.arange(len(members), device=group_K.device)
    none_G = torch.stack([none_K[members].any() for members in columns])
    return GroupLayout(members_GM, torch.where(none_G, 0.0, -torch.inf)[:, None], pick_K)


def group_logits(raw_BK: Tensor, layout: GroupLayout) -> Tensor:
    """Logits (B, K), float32: of a group's labels those of its softmax, of free labels the scores as they are.

    The sum over the others is taken without the likeliest where that is the label itself, and else as the
    whole sum (at least 1 + its own term) minus its own term: nothing cancels, however sure the scores are.

    >>> layout = make_group_layout(torch.tensor([0, 0, -1]), torch.tensor([False, False, False]))
    >>> group_logits(torch.tensor([[100.0, 3.0, 5.0]]), layout)
    tensor([[ 97., -97.,   5.]])
    """
    with torch.autocast(raw_BK.device.type, enabled=False):
        raw_BK = raw_BK.float()
        num, (groups, widest) = raw_BK.shape[0], layout.members_GM.shape  # len would fix it in a trace
        padded = torch.cat([raw_BK, raw_BK.new_full((num, 1), -torch.inf)], dim=1)
        labels_BGM = padded.index_select(1, layout.members_GM.flatten()).view(num, groups, widest)
        scores = torch.cat([labels_BGM, layout.none_G1.expand(num, groups, 1)], dim=2)
        best, best_index = scores.detach().max(dim=2, keepdim=True)
        terms = torch.exp(scores - best)
        is_best = torch.arange(widest + 1, device=raw_BK.device) == best_index
        others = best + torch.log(torch.where(is_best, 1.0, terms.sum(2, keepdim=True) - terms))
        without_best = torch.logsumexp(scores.masked_fill(is_best, -torch.inf), dim=2, keepdim=True)
        logits = scores - torch.where(is_best, without_best, others)
        return torch.cat([raw_BK, logits.flatten(1)], dim=1).index_select(1, layout.pick_K)


def prior_scores(priors_K: Floats, group_K: NDArray[np.int64], none_K: NDArray[np.bool_]) -> Floats:
    """Scores (K) at which the probabilities are ``priors_K``; in a group, after its softmax.

    >>> scores_K = prior_scores(np.array([0.2, 0.6, 0.5]), np.array([0, 0, -1]), np.array([True, True, False]))
    >>> np.exp(scores_K).round(3).tolist()  # "none" is 0.2
    [1.0, 3.0, 1.0]
    """
    scores_K = logit(np.clip(priors_K, 1e-4, 1 - 1e-4))
    for g in range(int(group_K.max(initial=-1)) + 1):
        members = group_K == g
        shares = np.clip(priors_K[members], 1e-4, None)
        if none_K[members].any():
            scores_K[members] = np.log(shares / max(1 - shares.sum(), 1e-4))
        else:
            scores_K[members] = np.log(shares / shares.sum())
    return scores_K
