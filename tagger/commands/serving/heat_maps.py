"""Heat maps of a run over whole photos, whatever ``image.fit`` or an alignment made of them."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tagger.arrays import Floats
from tagger.batches import UnreadableImage
from tagger.commands.serving.predictor import Predictor
from tagger.data.images.alignment import photo_map
from tagger.data.images.decoding import load_preview, upright_size
from tagger.errors import TaggerError, did_you_mean
from tagger.explain import downsample_map, evidence_for, map_to_photo, normalise
from tagger.explain.photo_maps import FRAME_SIDE

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
    try:
        input_BCHW = to_input(predictor, network_pixels(predictor, path))
        evidence_BHW = evidence_for(predictor.model, input_BCHW, k, method=method)
        return heat_over_photo(evidence_BHW, predictor, path, shape, sharp=method == "glimpses")
    except UnreadableImage as error:
        raise TaggerError(f"{path.name}: {error.reason}") from None


def network_pixels(predictor: Predictor, path: Path) -> NDArray[np.uint8]:
    """The photo (H, W, 3) as the network of the run sees it; UnreadableImage if it cannot be read."""
    image_CHW, _, reason = predictor.images(path.parent, [path.name])[0]
    if reason is not None:
        raise UnreadableImage(reason)
    return image_CHW.permute(1, 2, 0).numpy()


def to_input(predictor: Predictor, pixels_HWC: NDArray[np.uint8]) -> Tensor:
    """One image as the input (1, 3, H, W) of the run's network, on its device."""
    return torch.from_numpy(pixels_HWC).permute(2, 0, 1)[None].to(predictor.device).float() / 255


def heat_over_photo(
    evidence_BHW: Tensor,
    predictor: Predictor,
    path: Path,
    shape: tuple[int, ...] | None = None,
    *,
    sharp: bool = False,
) -> Floats:
    """One image's evidence (1, h, w) as a map in 0..1 to be stretched over its whole photo.

    ``shape``: the photo's (height, width, ...), if it is known already; ``sharp`` keeps what is finer
    than heat is drawn: the frames round glimpses. UnreadableImage if it cannot be read.
    """
    map_HW = normalise(evidence_BHW)[0].cpu().numpy()
    map_HW = map_HW if sharp else downsample_map(map_HW)
    fit = predictor.settings.image.fit
    aligned = predictor.landmarks.aligned(path.parent, [path.name])
    points_P2 = aligned.points(0) if aligned else None
    if aligned is not None and points_P2 is not None:
        width, height = upright_size(path)  # landmarks are in its pixels
        return np.clip(photo_map(map_HW, (height, width), points_P2, aligned.alignment), 0, 1)
    if shape is None:
        shape = (1, 1) if fit == "squash" else load_preview(path, max_side=MAX_SIDE)[0].size[::-1]
    side = max(FRAME_SIDE, *map_HW.shape)
    return np.clip(map_to_photo(map_HW, shape[1], shape[0], fit, frame_side=side), 0, 1)


def label_column(predictor: Predictor, label: str) -> int:
    """The label's column; TaggerError with the nearest one if the run has none such."""
    if label not in predictor.labels:
        raise TaggerError(
            f"{predictor.run.path.name} has no label {label!r}.{did_you_mean(label, predictor.labels)}"
        )
    return predictor.labels.index(label)
