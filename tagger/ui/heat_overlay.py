"""Heat maps laid over photos, as JPEG data URIs."""

import io
from base64 import b64encode

import numpy as np
from PIL import Image

from tagger.runs.report.overlay import blend_coarse


def overlay_uri(photo_jpeg: bytes, map_png: bytes) -> str:
    """``data:image/jpeg;base64,...`` of what ``overlay_heat_map`` gives."""
    return jpeg_data_uri(overlay_heat_map(photo_jpeg, map_png))


def overlay_heat_map(photo_jpeg: bytes, map_png: bytes) -> bytes:
    """JPEG of the photo, dimmed, and warm where the map is high."""
    photo = Image.open(io.BytesIO(photo_jpeg)).convert("RGB")
    heat_HW = np.asarray(Image.open(io.BytesIO(map_png)).convert("L")) / 255
    file = io.BytesIO()
    Image.fromarray(blend_coarse(np.asarray(photo), heat_HW)).save(file, "JPEG", quality=86)
    return file.getvalue()


def jpeg_data_uri(jpeg: bytes) -> str:
    """``data:image/jpeg;base64,...`` of these bytes.

    >>> jpeg_data_uri(b"x")
    'data:image/jpeg;base64,eA=='
    """
    return "data:image/jpeg;base64," + b64encode(jpeg).decode()
