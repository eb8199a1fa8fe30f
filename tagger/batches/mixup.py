"""Mixup (Zhang et al. 2018, arXiv 1710.09412) and cutmix (Yun et al. 2019, arXiv 1905.04899) of a batch."""

import numpy as np
import torch
from torch import Tensor

from tagger.arrays import UNKNOWN


def mixup_cutmix(
    images_BCHW: Tensor,
    targets_BK: Tensor,
    generator: torch.Generator,
    *,
    mixup_alpha: float = 0.0,
    cutmix_alpha: float = 0.0,
    prob: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """New images and targets: each image, with ``prob``, mixed with another of the batch, as copies.

    An alpha is the Beta distribution's and 0 switches that method off; with both on, each image gets one or
    the other. The share of each partner is its weight in the target; a cell unknown in either partner is
    unknown.

    >>> images, targets = torch.rand(2, 3, 4, 4), torch.tensor([[1.0], [0.0]])
    >>> mixup_cutmix(images, targets, torch.Generator(), mixup_alpha=0.0)[0] is images
    True
    """
    num = len(images_BCHW)
    if prob <= 0 or num < 2 or (mixup_alpha <= 0 and cutmix_alpha <= 0):
        return images_BCHW, targets_BK
    height, width = images_BCHW.shape[-2:]
    # torch's Beta takes no generator, numpy's does: seed the one from the other.
    seed = int(torch.randint(2**62, (1,), generator=generator, device=generator.device).item())
    rng = np.random.default_rng(seed)
    partners_B = random_partners(num, rng)
    cut_B = rng.random(num) < (0.0 if cutmix_alpha <= 0 else 1.0 if mixup_alpha <= 0 else 0.5)
    share_B = np.where(cut_B, _sample_beta(cutmix_alpha, num, rng), _sample_beta(mixup_alpha, num, rng))
    own_BHW = np.where(
        cut_B[:, None, None], ~cutmix_boxes(share_B, height, width, rng), share_B[:, None, None]
    )
    own_BHW = np.where(rng.random(num)[:, None, None] < prob, own_BHW, 1.0)
    own_B1HW = torch.from_numpy(own_BHW.astype(np.float32)).to(images_BCHW)[:, None]
    own_B1 = torch.from_numpy(own_BHW.mean(axis=(1, 2))).to(targets_BK)[:, None]
    partners = torch.from_numpy(partners_B).to(images_BCHW.device)
    images = torch.lerp(images_BCHW[partners], images_BCHW, own_B1HW)
    return images, mix_targets(targets_BK, targets_BK[partners], own_B1)


def mix_targets(targets_BK: Tensor, partners_BK: Tensor, own_B1: Tensor) -> Tensor:
    """targets_BK: own share times the own target plus the rest of the partner's; unknown (-1) if either is.

    At a share of 1 the image has no partner and keeps its targets.

    >>> mix_targets(torch.tensor([[1.0, 1.0]]), torch.tensor([[0.0, -1.0]]), torch.tensor([[0.75]])).tolist()
    [[0.75, -1.0]]
    """
    mixed_BK = own_B1 * targets_BK + (1.0 - own_B1) * partners_BK
    unknown_BK = (targets_BK < 0) | (partners_BK < 0)
    return torch.where(own_B1 == 1.0, targets_BK, torch.where(unknown_BK, float(UNKNOWN), mixed_BK))


def random_partners(num: int, rng: np.random.Generator) -> np.ndarray:
    """A partner for each of ``num`` (2 or more) images, never itself: all in one random ring.

    >>> random_partners(2, np.random.default_rng(0)).tolist()
    [1, 0]
    """
    ring = rng.permutation(num)
    partners = np.empty(num, dtype=np.int64)
    partners[ring] = np.roll(ring, 1)
    return partners


def cutmix_boxes(share_B: np.ndarray, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """inside_BHW (bool): a box of ``1 - share`` of the area round a random centre, cut off at the borders
    (cutmix).

    >>> cutmix_boxes(np.array([1.0, 0.0]), 2, 2, np.random.default_rng(0)).sum(axis=(1, 2)).tolist()[0]
    0
    """
    side_B = np.sqrt(1.0 - share_B)
    y_B, x_B = rng.random((2, len(share_B)))
    rows_BH = np.abs((np.arange(height) + 0.5) / height - y_B[:, None]) < side_B[:, None] / 2
    columns_BW = np.abs((np.arange(width) + 0.5) / width - x_B[:, None]) < side_B[:, None] / 2
    return rows_BH[:, :, None] & columns_BW[:, None, :]


def _sample_beta(alpha: float, num: int, rng: np.random.Generator) -> np.ndarray:
    return rng.beta(alpha, alpha, num) if alpha > 0 else np.ones(num)
