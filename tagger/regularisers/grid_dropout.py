"""Grid dropout: black out cells of each training image, and let the network predict which.

Zhang et al., "Image ordinal classification and understanding: grid dropout with masking label", section 3
and eq. 1: the image is cut into s x s cells, floor(s*s*p) of them are blacked out, chosen anew at each
step, and a linear head on the pooled features learns which are still there (the masking label: row-major, 1
= kept). The whole object has to be looked at, not its one most telling part. The head is no part of the
model that is kept.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from tagger.errors import TaggerError
from tagger.regularisers.base import ModelOutputs, Regulariser, RegulariserContext, StepContext, regularisers

KEPT_CELLS_KEY = "grid-dropout"


@regularisers.register("grid-dropout")
class GridDropout(Regulariser):
    """Black out a share ``p`` of ``cells`` x ``cells`` cells; ``beta`` weighs the loss of telling which, 0
    leaves that out. ``fill`` is ``black``, as published, or ``mean``, the image's own mean colour.
    """

    def __init__(
        self, context: RegulariserContext, *, cells: int = 5, p: float = 0.25, beta: float = 0.5, fill: str = "black"
    ):  # fmt: skip
        super().__init__(context)
        if fill not in ("black", "mean"):
            raise TaggerError(f"regularisers.grid-dropout.fill = {fill!r}: it is black or mean.")
        if cells < 1 or not 0 <= p < 1 or beta < 0:
            raise TaggerError(
                "regularisers.grid-dropout: cells is 1 or more, p is at least 0 and less than 1, beta is not negative;"
                f" it has cells = {cells}, p = {p}, beta = {beta}."
            )
        self.cells = cells
        self.p = p
        self.beta = beta
        self.fill = fill
        self.head = (
            nn.Linear(context.num_features, cells * cells) if beta and num_dropped_cells(cells, p) else None
        )

    def on_images(self, images_BCHW: Tensor, step: StepContext) -> Tensor:
        """The images with their cells blacked out; which are kept stays in the step, for ``loss``."""
        if not num_dropped_cells(self.cells, self.p):
            return images_BCHW
        kept_BS = sample_kept_cells(len(images_BCHW), self.cells, self.p, step.generator).to(
            images_BCHW.device
        )
        step.shared[KEPT_CELLS_KEY] = kept_BS
        return mask_images(images_BCHW, grid_mask(kept_BS, *images_BCHW.shape[-2:]), fill=self.fill)

    def loss(self, outputs: ModelOutputs, step: StepContext) -> Tensor | None:
        """``beta`` times the sigmoid cross-entropy of telling kept cells from blacked-out ones, the mean over cells."""
        if self.head is None or KEPT_CELLS_KEY not in step.shared:
            return None
        target_BS = step.shared[KEPT_CELLS_KEY].to(torch.float32)
        return self.beta * functional.binary_cross_entropy_with_logits(
            self.head(outputs.features_BD).float(), target_BS
        )


def num_dropped_cells(cells: int, p: float) -> int:
    """How many of cells x cells cells are blacked out: floor(s*s*p), whatever the float's last bit says.

    >>> num_dropped_cells(5, 0.25), num_dropped_cells(10, 0.29), num_dropped_cells(5, 0.0)
    (6, 29, 0)
    """
    return math.floor(cells * cells * p + 1e-9)


def sample_kept_cells(num_images: int, cells: int, p: float, generator: torch.Generator) -> Tensor:
    """kept_BS (bool, S = cells x cells, row-major): each image without exactly ``num_dropped_cells`` cells,
    all sets of cells being equally likely.

    >>> sample_kept_cells(3, 5, 0.25, torch.Generator().manual_seed(0)).sum(1).tolist()
    [19, 19, 19]
    """
    noise_BS = torch.rand(num_images, cells * cells, generator=generator, device=generator.device)
    kept_BS = torch.ones_like(noise_BS, dtype=torch.bool)
    return kept_BS.scatter_(1, noise_BS.argsort(1)[:, : num_dropped_cells(cells, p)], False)


def grid_mask(kept_BS: Tensor, height: int, width: int) -> Tensor:
    """mask_BHW (bool) of the pixels in kept cells; the edges of cells lie at ``round(i * H / s)``.

    TaggerError if the image has fewer pixels across than there are cells.

    >>> grid_mask(torch.tensor([[True, False, False, True]]), 2, 3).int().tolist()
    [[[1, 1, 0], [0, 0, 1]]]
    """
    cells = math.isqrt(kept_BS.shape[1])
    if min(height, width) < cells:
        raise TaggerError(
            f"regularisers.grid-dropout.cells = {cells}: an image of {height} x {width} pixels cannot be cut so finely."
        )
    row_H, column_W = (_cell_index(size, cells, kept_BS.device) for size in (height, width))
    return kept_BS[:, (row_H[:, None] * cells + column_W)]


def mask_images(images_BCHW: Tensor, mask_BHW: Tensor, *, fill: str = "black") -> Tensor:
    """The images (0..1) where the mask is true; elsewhere 0, or with ``fill="mean"`` the image's mean colour.

    >>> mask_images(torch.tensor([[[[1.0, 3.0]]]]), torch.tensor([[[True, False]]]), fill="mean").tolist()
    [[[[1.0, 2.0]]]]
    """
    if fill == "black":
        return images_BCHW * mask_BHW[:, None]
    return torch.where(mask_BHW[:, None], images_BCHW, images_BCHW.mean((2, 3), keepdim=True))


def _cell_index(size: int, cells: int, device: torch.device) -> Tensor:
    """The cell that each of ``size`` pixels in a row falls into."""
    edges = torch.tensor([round(i * size / cells) for i in range(1, cells)], dtype=torch.long)
    return torch.bucketize(torch.arange(size), edges, right=True).to(device)
