"""Conversion of every Pillow mode to 8-bit RGB: value ranges, transparency, CMYK and palettes.

Pillow's own ``convert`` clips 16-bit and float pixels and shows transparent ones as black; this module scales
the former and puts the latter over white. Large images are converted in bands of rows: whole copies took
2.7 GB for 120 megapixels of floats.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_BITS_PER_SAMPLE = 258
_PHOTOMETRIC = 262  # TIFF tags
_BAND_PIXELS = 4_000_000


def to_rgb(image: Image.Image, *, shrink: int = 1, own_range: bool = False) -> Image.Image:
    """The loaded image in mode RGB: deep pixels are scaled to 8 bits, transparent ones put over white.

    With ``shrink``, an image that must be converted is reduced by this factor, each pixel the mean of those
    it replaces; the full size is never in memory as RGB. With ``own_range``, deep pixels are scaled from
    the image's darkest to its brightest.

    >>> to_rgb(Image.new("LA", (1, 1), (0, 0))).getpixel((0, 0))
    (255, 255, 255)
    >>> to_rgb(Image.new("I;16", (1, 1), 65535)).getpixel((0, 0))
    (255, 255, 255)
    >>> to_rgb(Image.new("L", (9, 6), 7), shrink=3).size
    (3, 2)
    """
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    deep = image.mode.startswith("I") or image.mode == "F"
    black_white = _black_and_white(image, own_range) if deep else (0.0, 255.0)
    width, height = (-(-side // shrink) for side in image.size)
    rgb = Image.new("RGB", (width, height))
    for band, top in _bands(image, shrink):
        converted = _scaled(band, *black_white) if deep else _over_white(band)
        rgb.paste(converted.reduce(shrink) if shrink > 1 else converted, (0, top // shrink))
    return rgb


def _bands(image: Image.Image, multiple: int = 1) -> Iterator[tuple[Image.Image, int]]:
    """The image in bands from top to bottom, each with its first row, which is a multiple of ``multiple``."""
    rows = max(1, _BAND_PIXELS // (image.width * multiple)) * multiple
    for top in range(0, image.height, rows):
        yield image.crop((0, top, image.width, min(top + rows, image.height))), top


def _over_white(image: Image.Image) -> Image.Image:
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        # Premultiplied "La" converts only to "LA".
        rgba = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (255, 255, 255, 255)), rgba)
    return image.convert("RGB")


def _black_and_white(image: Image.Image, own_range: bool) -> tuple[float, float]:
    """The values of black and white in a grey image of more than 8 bits.

    16-bit files say what white is. 32-bit integers and floats do not: white is then the smallest of 1
    (floats), 255 (floats) and 65,535 that holds all pixels; beyond these, or with negative pixels, the
    image's own range is used.
    """
    if image.mode.startswith("I;16") and not own_range:
        tags = getattr(image, "tag_v2", {})
        white = float(2 ** int(tags.get(_BITS_PER_SAMPLE, (16,))[0]) - 1)
        # In some TIFF files 0 is white, which Pillow inverts in 8-bit ones only.
        return (white, 0.0) if tags.get(_PHOTOMETRIC) == 0 else (0.0, white)
    ranges = [(values.min(), values.max()) for values in (_finite(band) for band, _ in _bands(image))]
    low = float(min(low for low, _ in ranges))
    high = float(max(high for _, high in ranges))
    whites = (1.0, 255.0, 65535.0) if image.mode == "F" else (65535.0,)
    fitting = [white for white in whites if low >= 0 and high <= white and not own_range]
    return (0.0, fitting[0]) if fitting else (low, high)


def _scaled(image: Image.Image, black: float, white: float) -> Image.Image:
    """Grey values from black to white as 0..255, rounded."""
    span = white - black or 1.0
    shares_HW = np.clip((_finite(image) - black) / span, 0.0, 1.0)
    return Image.fromarray(np.round(shares_HW * 255.0).astype(np.uint8)).convert("RGB")


def _finite(image: Image.Image) -> NDArray[np.float64]:
    """values_HW in which NaN and infinity are 0."""
    return np.nan_to_num(np.asarray(image).astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
