"""Heat maps drawn over photos, in the app and in the pictures of ``tagger explain``."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tagger.arrays import Floats
from tagger.config import Settings

METHOD_TITLES = {"grad_cam": "Grad-CAM", "cam": "CAM", "saliency": "Saliency", "glimpses": "Glimpses"}
"""The explanations of a label (see ``tagger/explain``) as people call them, the usual one first."""

MAX_OPACITY = 0.72  # how much of the photo the warmest place hides
MIN_BRIGHTNESS = 0.55  # how bright the photo is where the model saw nothing: the eye goes to the rest
COLORMAP = np.array(
    [[0, 0, 0], [124, 29, 110], [229, 92, 48], [252, 200, 60]], dtype=np.float64
)  # as "inferno" goes


def offered_methods(settings: Settings) -> dict[str, str]:
    """The explanations, by name, that a run of these settings has: glimpses only where it takes some.

    >>> list(offered_methods(Settings()))
    ['grad_cam', 'cam', 'saliency']
    """
    return {
        name: title for name, title in METHOD_TITLES.items() if name != "glimpses" or settings.glimpses.count
    }


def blend(photo_HWC: NDArray[np.uint8], heat_HW: Floats) -> NDArray[np.uint8]:
    """The photo (uint8) with the map (0..1) over it: dark and untouched at 0, glowing at 1.

    >>> blend(np.full((1, 1, 3), 200, np.uint8), np.zeros((1, 1))).tolist()
    [[[110, 110, 110]]]
    """
    heat_HW1 = np.clip(heat_HW, 0, 1)[..., None]
    level = heat_HW1[..., 0] * (len(COLORMAP) - 1)
    colours_HWC = np.stack(
        [np.interp(level, np.arange(len(COLORMAP)), COLORMAP[:, c]) for c in range(3)], axis=-1
    )
    photo = photo_HWC.astype(np.float64) * (MIN_BRIGHTNESS + (1 - MIN_BRIGHTNESS) * heat_HW1)
    share = MAX_OPACITY * heat_HW1
    return np.clip((1 - share) * photo + share * colours_HWC, 0, 255).round().astype(np.uint8)


def blend_coarse(photo_HWC: NDArray[np.uint8], heat_hw: Floats) -> NDArray[np.uint8]:
    """The photo with a coarser map over it, stretched smoothly over the whole photo.

    >>> blend_coarse(np.full((4, 4, 3), 200, np.uint8), np.zeros((1, 1))).shape
    (4, 4, 3)
    """
    heat = Image.fromarray(np.asarray(heat_hw, dtype=np.float32))
    height, width = photo_HWC.shape[:2]
    return blend(
        photo_HWC, np.asarray(heat.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float64)
    )
