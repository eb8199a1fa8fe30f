"""Every Pillow mode to 8-bit RGB: what black, white and transparent mean in each.

Pillow's own ``convert`` clips 16-bit and float pixels and drops transparency onto black; both are mended here.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_BITS_PER_SAMPLE, _PHOTOMETRIC = 258, 262  # TIFF tags


def to_rgb(image: Image.Image) -> Image.Image:
    """The loaded image in mode RGB: deep pixels scaled to 8 bits, transparent ones over white, CMYK and palettes mixed.

    >>> to_rgb(Image.new("LA", (1, 1), (0, 0))).getpixel((0, 0))
    (255, 255, 255)
    >>> to_rgb(Image.new("I;16", (1, 1), 65535)).getpixel((0, 0))
    (255, 255, 255)
    """
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_to_8_bits(np.asarray(image), image)).convert("RGB")
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        # Premultiplied "La" converts only to "LA", "RGBa" only to "RGBA".
        rgba = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _to_8_bits(pixels_HW: NDArray[np.generic], image: Image.Image) -> NDArray[np.uint8]:
    """Grey pixels of more than 8 bits as 0..255, rounded.

    16-bit files say what white is. 32-bit integers and floats do not: white is then the smallest of 1 (floats), 255
    (floats) and 65,535 that holds all pixels; beyond these, or with negative pixels, the image's own range is used.
    """
    values_HW = np.nan_to_num(pixels_HW.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(values_HW.min()), float(values_HW.max())
    tags = getattr(image, "tag_v2", {})
    if image.mode.startswith("I;16"):
        bits = tags.get(_BITS_PER_SAMPLE, (16,))[0]
        low, high = 0.0, float(2 ** int(bits) - 1)
    else:
        whites = (1.0, 255.0, 65535.0) if image.mode == "F" else (65535.0,)
        fitting = [white for white in whites if low >= 0 and high <= white]
        low, high = (0.0, fitting[0]) if fitting else (low, high)
    scaled_HW = np.clip((values_HW - low) / max(high - low, 1e-12), 0.0, 1.0)
    if image.mode.startswith("I;16") and tags.get(_PHOTOMETRIC) == 0:
        scaled_HW = 1.0 - scaled_HW  # white is 0, which Pillow inverts in 8-bit files only
    return np.round(scaled_HW * 255.0).astype(np.uint8)
