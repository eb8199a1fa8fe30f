"""A photo with what the model looked at laid over it, as an address that needs no file."""

import io
from base64 import b64encode

import numpy as np
from PIL import Image

STRONGEST = 0.72  # how much of the photo the warmest place hides
DIM = 0.55  # how bright the photo is where the model saw nothing: the eye goes to the rest
RAMP = np.array([[0, 0, 0], [124, 29, 110], [229, 92, 48], [252, 200, 60]], dtype=np.float64)  # as "inferno" goes


def overlay_uri(photo_jpeg: bytes, map_png: bytes) -> str:
    """``data:image/jpeg;base64,...`` of the photo, dimmed, and warm where the map is high."""
    photo = Image.open(io.BytesIO(photo_jpeg)).convert("RGB")
    heat = Image.open(io.BytesIO(map_png)).convert("L").resize(photo.size, Image.Resampling.BICUBIC)
    file = io.BytesIO()
    Image.fromarray(blend(np.asarray(photo), np.asarray(heat) / 255)).save(file, "JPEG", quality=86)
    return photo_uri(file.getvalue())


def photo_uri(jpeg: bytes) -> str:
    """``data:image/jpeg;base64,...`` of these bytes.

    >>> photo_uri(b"x")
    'data:image/jpeg;base64,eA=='
    """
    return "data:image/jpeg;base64," + b64encode(jpeg).decode()


def blend(photo_HWC: np.ndarray, heat_HW: np.ndarray) -> np.ndarray:
    """The photo (uint8) with the map (0..1) over it: dark and untouched at 0, glowing at 1.

    >>> blend(np.full((1, 1, 3), 200, np.uint8), np.zeros((1, 1))).tolist()
    [[[110, 110, 110]]]
    """
    heat_HW1 = np.clip(heat_HW, 0, 1)[..., None]
    place = heat_HW1[..., 0] * (len(RAMP) - 1)
    colours_HWC = np.stack([np.interp(place, np.arange(len(RAMP)), RAMP[:, c]) for c in range(3)], axis=-1)
    photo = photo_HWC.astype(np.float64) * (DIM + (1 - DIM) * heat_HW1)
    share = STRONGEST * heat_HW1
    return np.clip((1 - share) * photo + share * colours_HWC, 0, 255).round().astype(np.uint8)
