"""Loss for groups of exclusive labels: softmax cross-entropy for each group.

A free label is one question, answered by the chosen loss; a group is one question too. The loss is the mean
over questions, so that a group of 100 labels does not drown the rest. What an image's cells say of a group:

* a label is known *yes*: -log p of it; of several (a contradiction) one is right, so -log of their sum;
* none is: -log of the sum of p over what the image may still have, which is every label not known *no*, and
  "none";
* nothing is known, or nothing is left: no question.

Soft targets (mixup) share the question out: a label's target times its -log p, and what is left of 1 goes
to what the image may still have. For two images of known label that is the mixture of their losses.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tagger.arrays import Cells
from tagger.losses.base import Loss
from tagger.scoring.label_constraints import ExclusiveGroup, always_labelled_groups, exclusive_groups

YES_TARGET = 0.999  # from here on a soft target is a yes
MIN_REST_SHARE = 1e-4  # share of "not the likeliest label" below which float32 cannot resolve a group's rest


def grouped_loss(
    loss: Loss,
    names: Sequence[str],
    groups: Mapping[str, Mapping[str, Any]],
    labels_RK: Cells,
    *,
    smoothing: float = 0.0,
) -> nn.Module:
    """The loss for labels in groups: ``loss`` itself where there is none, else a ``GroupedLoss``.

    ``labels_RK`` as for ``heads.grouping.set_head_groups``; ``smoothing`` is what each cell's target was
    softened by.
    """
    found = exclusive_groups(names, groups, always_labelled_groups(labels_RK, names, groups))
    return GroupedLoss(loss, found, smoothing=smoothing) if found else loss


class GroupedLoss(nn.Module):
    """``loss`` on free labels, softmax cross-entropy on each group, of logits that ``Head.finish`` made.

    The logit of a group's label is that of its softmax probability, so log p is log-sigmoid of it. With
    ``smoothing`` s targets are first set back to what they were; then s of each group's question is shared
    out among all its answers (Szegedy et al. 2016), instead of s for each of them. In evaluation mode
    targets are taken as they are.
    """

    def __init__(self, loss: Loss, groups: Sequence[ExclusiveGroup], *, smoothing: float = 0.0):
        super().__init__()
        self.loss = loss
        self.groups = tuple(groups)
        self.smoothing = smoothing
        for g, one in enumerate(self.groups):
            self.register_buffer(f"columns_{g}", torch.tensor(one.columns), persistent=False)

    def forward(self, logits_BK: Tensor, targets_BK: Tensor, weights_BK: Tensor | None = None) -> Tensor:
        """The mean loss over questions, a float32 scalar; targets and weights as in ``Loss.forward``.

        A question weighs as much as the cells that answer it (their mean); a cell of weight 0 is unknown to
        its group.
        """
        if not self.groups:
            return self.loss(logits_BK, targets_BK, weights_BK)
        weights = (
            torch.ones_like(targets_BK) if weights_BK is None else weights_BK.expand_as(targets_BK).float()
        )
        free_BK = targets_BK.clone()
        totals = []
        counts = []
        for g, one in enumerate(self.groups):
            columns = self.get_buffer(f"columns_{g}")
            free_BK[:, columns] = -1.0
            part = (tensor.index_select(1, columns) for tensor in (logits_BK, targets_BK, weights))
            losses_B, weights_B = self._group_loss(*part, may_have_none=not one.always)
            totals.append((losses_B * weights_B).sum())
            counts.append(weights_B.sum())
        weights = weights * (free_BK >= 0).float()
        totals.append((self.loss.cell_losses(logits_BK, free_BK) * weights).sum())
        total = torch.stack([*counts, weights.sum()]).sum()
        return torch.stack(totals).sum() / torch.where(total > 0, total, 1.0)

    def _group_loss(
        self, logits_BM: Tensor, targets_BM: Tensor, weights_BM: Tensor, *, may_have_none: bool
    ) -> tuple[Tensor, Tensor]:
        """(loss, weight) of each image's question about one group."""
        with torch.autocast(logits_BM.device.type, enabled=False):
            known_BM = (targets_BM >= 0) & (weights_BM > 0)
            targets_BM = torch.where(known_BM, targets_BM.float(), 0.0)
            smoothing = self.smoothing if self.training else 0.0
            if smoothing:
                hard_BM = (targets_BM - smoothing) / (1 - 2 * smoothing)
                targets_BM = torch.where(known_BM, hard_BM, 0.0).clamp(0, 1)
            logp_BM = F.logsigmoid(logits_BM.float())
            yes_BM = targets_BM >= YES_TARGET
            open_BM = ~known_BM
            # A known yes alone is its own sum, of one term.
            of_yes_B1 = _masked_logsumexp(logp_BM, yes_BM)
            answers_BM = torch.where(yes_BM, of_yes_B1, logp_BM)
            sums_B1 = targets_BM.sum(1, keepdim=True)
            anything_left_B1 = open_BM.any(1, keepdim=True) | may_have_none
            shares_BM = targets_BM / torch.where(
                anything_left_B1, sums_B1.clamp(min=1.0), sums_B1.clamp(min=1e-6)
            )
            left_B1 = torch.where(anything_left_B1, (1.0 - sums_B1).clamp(min=0.0), 0.0)
            rest_B1 = log_rest_prob(logits_BM.float(), open_BM, may_have_none=may_have_none)
            losses_B = -(shares_BM * answers_BM).sum(1) - (left_B1 * rest_B1).squeeze(1)
            if smoothing:
                losses_B = (1 - smoothing) * losses_B + smoothing * _uniform_loss(logits_BM, may_have_none)
            asked_B = known_BM.any(1) & (anything_left_B1 | (sums_B1 > 0)).squeeze(1)
            mean_no_B = (weights_BM * known_BM).sum(1) / known_BM.sum(1).clamp(min=1)
            weights_B = (shares_BM * weights_BM).sum(1) + left_B1.squeeze(1) * mean_no_B
            return torch.where(asked_B, losses_B, 0.0), torch.where(asked_B, weights_B, 0.0)


def log_rest_prob(logits_BM: Tensor, open_BM: Tensor, *, may_have_none: bool) -> Tensor:
    """log p (B, 1) of having one of the open labels, or none.

    The probability of none is 1 minus all others, taken as (1 - that of the likeliest), which its logit
    gives exactly, minus those left. Where that is below ``MIN_REST_SHARE`` of the former, rounding has
    eaten it: there ``MIN_REST_SHARE`` of the former stands for it, and the gradient pulls at the likeliest
    label.

    >>> p = torch.tensor([[0.5, 0.25, 0.125]])
    >>> log_rest_prob(p.logit(), torch.tensor([[False, True, False]]), may_have_none=True).exp()
    tensor([[0.3750]])
    """
    if not may_have_none:
        return _masked_logsumexp(F.logsigmoid(logits_BM), open_BM)
    best_B1 = logits_BM.argmax(1, keepdim=True)
    not_best_B1 = torch.sigmoid(-logits_BM.gather(1, best_B1))
    others_B1 = torch.sigmoid(logits_BM).scatter(1, best_B1, 0.0).sum(1, keepdim=True)
    none_B1 = torch.log(torch.maximum(not_best_B1 - others_B1, MIN_REST_SHARE * not_best_B1).clamp(min=1e-30))
    open_logp_BM = F.logsigmoid(logits_BM).masked_fill(~open_BM, -torch.inf)
    return torch.logsumexp(torch.cat([open_logp_BM, none_B1], 1), 1, keepdim=True)


def _masked_logsumexp(logp_BM: Tensor, mask_BM: Tensor) -> Tensor:
    """log of the sum of p over the mask (B, 1); over everything where the mask is empty, which nobody reads."""
    mask_BM = mask_BM | ~mask_BM.any(1, keepdim=True)
    return torch.logsumexp(logp_BM.masked_fill(~mask_BM, -torch.inf), 1, keepdim=True)


def _uniform_loss(logits_BM: Tensor, may_have_none: bool) -> Tensor:
    """The mean of -log p (B) over all answers to a group's question."""
    answers = [F.logsigmoid(logits_BM.float())]
    if may_have_none:
        answers.append(
            log_rest_prob(
                logits_BM.float(), torch.zeros_like(logits_BM, dtype=torch.bool), may_have_none=True
            )
        )
    return -torch.cat(answers, 1).mean(1)
