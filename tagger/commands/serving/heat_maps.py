"""Heat maps of a run over whole photos, whatever ``image.fit`` made of them."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tagger.arrays import Floats
from tagger.batches import UnreadableImage, load_image
from tagger.commands.serving.predictor import Predictor
from tagger.data.images.decoding import load_preview
from tagger.errors import TaggerError, did_you_mean
from tagger.explain import downsample_map, evidence_for, map_to_photo, normalise

MAX_SIDE = 1024  # pixels of a photo as it is drawn, at most


def photo_heat_map(
    predictor: Predictor,
    path: Path,
    label: str,
    *,
    method: str = "grad_cam",
    shape: tuple[int, ...] | None = None,
) -> Floats:
    """A map (h, w) in 0..1, much coarser than the photo: 1 where the model saw most of the label; to be
    stretched over the photo.

    ``shape``: the photo's (height, width, ...), if it is known already. TaggerError: no such label or
    method, an unreadable photo, a network that the method does not work for.
    """
    k = label_column(predictor, label)
    fit = predictor.settings.image.fit
    try:
        pixels_HWC = network_pixels(predictor, path)
        if shape is None:
            shape = (1, 1) if fit == "squash" else load_preview(path, max_side=MAX_SIDE)[0].size[::-1]
    except UnreadableImage as error:
        raise TaggerError(f"{path.name}: {error.reason}") from None
    evidence_BHW = evidence_for(predictor.model, to_input(predictor, pixels_HWC), k, method=method)
    return heat_over_photo(evidence_BHW, predictor, shape)


def network_pixels(predictor: Predictor, path: Path) -> NDArray[np.uint8]:
    """The photo (H, W, 3) as the network of the run sees it; UnreadableImage if it cannot be read."""
    image = predictor.settings.image
    return load_image(path, size=image.size, fit=image.fit)


def to_input(predictor: Predictor, pixels_HWC: NDArray[np.uint8]) -> Tensor:
    """One image as the input (1, 3, H, W) of the run's network, on its device."""
    return torch.from_numpy(pixels_HWC).permute(2, 0, 1)[None].to(predictor.device).float() / 255


def heat_over_photo(evidence_BHW: Tensor, predictor: Predictor, shape: tuple[int, ...]) -> Floats:
    """One image's evidence (1, h, w) as a map in 0..1 to be stretched over its whole photo of this shape."""
    map_HW = downsample_map(normalise(evidence_BHW)[0].cpu().numpy())
    return np.clip(map_to_photo(map_HW, shape[1], shape[0], predictor.settings.image.fit), 0, 1)


def label_column(predictor: Predictor, label: str) -> int:
    """The label's column; TaggerError with the nearest one if the run has none such."""
    if label not in predictor.labels:
        raise TaggerError(
            f"{predictor.run.path.name} has no label {label!r}.{did_you_mean(label, predictor.labels)}"
        )
    return predictor.labels.index(label)
