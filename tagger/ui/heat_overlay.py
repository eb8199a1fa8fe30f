"""A photo with what the model looked at laid over it, as an address that needs no file."""

import io
from base64 import b64encode

import numpy as np
from PIL import Image

from tagger.runs.overlay import blend_coarse


def overlay_uri(photo_jpeg: bytes, map_png: bytes) -> str:
    """``data:image/jpeg;base64,...`` of what ``overlay`` gives."""
    return photo_uri(overlay(photo_jpeg, map_png))


def overlay(photo_jpeg: bytes, map_png: bytes) -> bytes:
    """JPEG of the photo, dimmed, and warm where the map is high."""
    photo = Image.open(io.BytesIO(photo_jpeg)).convert("RGB")
    heat_HW = np.asarray(Image.open(io.BytesIO(map_png)).convert("L")) / 255
    file = io.BytesIO()
    Image.fromarray(blend_coarse(np.asarray(photo), heat_HW)).save(file, "JPEG", quality=86)
    return file.getvalue()


def photo_uri(jpeg: bytes) -> str:
    """``data:image/jpeg;base64,...`` of these bytes.

    >>> photo_uri(b"x")
    'data:image/jpeg;base64,eA=='
    """
    return "data:image/jpeg;base64," + b64encode(jpeg).decode()
