"""Heat maps of a run over whole photos, whatever ``image.fit`` made of them."""

from pathlib import Path

import numpy as np
import torch

from tagger.arrays import Floats
from tagger.batches import UnreadableImage, load_image
from tagger.commands.serving.predictor import Predictor
from tagger.data.images.decoding import load_preview
from tagger.errors import TaggerError, did_you_mean
from tagger.explain import downsample_map, explain, map_to_photo

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
    image = predictor.settings.image
    try:
        pixels_HWC = load_image(path, size=image.size, fit=image.fit)
        if shape is None:
            shape = (1, 1) if image.fit == "squash" else load_preview(path, max_side=MAX_SIDE)[0].size[::-1]
    except UnreadableImage as error:
        raise TaggerError(f"{path.name}: {error.reason}") from None
    images_BCHW = torch.from_numpy(pixels_HWC).permute(2, 0, 1)[None].to(predictor.device).float() / 255
    map_HW = explain(predictor.model, images_BCHW, k, method=method)
    return np.clip(map_to_photo(downsample_map(map_HW), shape[1], shape[0], image.fit), 0, 1)


def label_column(predictor: Predictor, label: str) -> int:
    """The label's column; TaggerError with the nearest one if the run has none such."""
    if label not in predictor.labels:
        raise TaggerError(
            f"{predictor.run.path.name} has no label {label!r}.{did_you_mean(label, predictor.labels)}"
        )
    return predictor.labels.index(label)
