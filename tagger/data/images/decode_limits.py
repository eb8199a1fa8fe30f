"""Limits on decoding an image: pixels, file bytes, memory and JPEG scans, by format.

Measured on flat images of 119 megapixels with Pillow 13 (growth of the process's peak memory): WebP 15 bytes
a pixel, JPEG 2000 18, AVIF 9, progressive JPEG 6, PNG as much as Pillow stores. Deep and Lab pixels are slow
to convert: 0.1 and 0.2 seconds a megapixel.
"""

from PIL import Image

from tagger.data.images.jpeg_header import JpegHeader
from tagger.data.images.memory_budget import BUDGET_BYTES

MAX_PIXELS = 120_000_000  # a photo of a 102-megapixel camera fits
MAX_JPEG_PIXELS = 1_000_000_000  # of a baseline JPEG, which is decoded at 1/2 to 1/8 of its sides
MAX_DEEP_PIXELS = 60_000_000
MAX_LAB_PIXELS = 20_000_000
MAX_ARITHMETIC_PIXELS = 40_000_000
MAX_SCANNED_PIXELS = 4_000_000_000  # pixels times scans: 30 scans of the largest image, 300 of 12 megapixels
SMALL_PIXELS = 1_000_000  # the coefficients of such a JPEG fit BUDGET_BYTES, with any number of components
MAX_FILE_BYTES = 1 << 30
MAX_FILE_BYTES_IN_MEMORY = 1 << 28  # of formats that are read as a whole, or with large metadata

# Bytes a pixel that Pillow stores, by mode; 4 in all other modes.
_STORED_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16L": 2, "I;16B": 2, "I;16N": 2}
_DECODER_BYTES = {"WEBP": 12, "AVIF": 6, "HEIF": 6}  # bytes a pixel that the decoder takes beside those
_JPEG_2000_BYTES = 5  # the same, for each band
# TIFF tags.
_ROWS_PER_STRIP = 278
_SAMPLES = 277
_BITS = 258
_TILE_WIDTH = 322
_TILE_LENGTH = 323


class ImageTooLarge(Exception):
    """An image that would take too much memory or time; its text names the limit."""


def check_size(size: tuple[int, int], limit: int = MAX_PIXELS, kind: str = "") -> None:
    """Pass if an image has pixels, and no more than ``limit``; ImageTooLarge otherwise."""
    width, height = size
    if width * height > limit:
        of_kind = f" of {kind}" if kind else ""
        most = f"{limit / 1e6:,.0f} megapixels"
        raise ImageTooLarge(f"{width:,} x {height:,} pixels; at most {most} are read{of_kind}")
    if width < 1 or height < 1:
        raise ImageTooLarge(f"{width} x {height} pixels")


def check_jpeg(size: tuple[int, int], header: JpegHeader, *, shrinks: bool) -> int:
    """Bytes that a JPEG's decoder keeps beside its output; ImageTooLarge if these or its scans are too many.

    ``size`` is the stored one; ``shrinks`` means that it is decoded at 1/2 to 1/8 of its sides.

    >>> check_jpeg((1000, 1000), JpegHeader(buffered=True, scans=10), shrinks=True)
    6000000
    """
    kept = 2 * header.components * header.buffered
    check_size(size, MAX_JPEG_PIXELS if shrinks and not kept else MAX_PIXELS)
    if kept:
        check_size(size, BUDGET_BYTES // kept, "a JPEG in several scans")
    if header.arithmetic:
        check_size(size, MAX_ARITHMETIC_PIXELS, "a JPEG with arithmetic coding")
    if size[0] * size[1] * header.scans > MAX_SCANNED_PIXELS:
        raise ImageTooLarge(f"{header.scans:,} scans of {size[0]:,} x {size[1]:,} pixels: too many to decode")
    return size[0] * size[1] * kept


def is_safe_jpeg(size: tuple[int, int], num_bytes: int) -> bool:
    """True if ``check_jpeg`` passes any JPEG of this size and of so many bytes: its header need not be read.

    >>> is_safe_jpeg((128, 128), 10_000), is_safe_jpeg((128, 128), 1_000_000)
    (True, False)
    """
    pixels = size[0] * size[1]
    max_scans = num_bytes // 2  # a scan has a marker of two bytes
    return 0 < pixels <= SMALL_PIXELS and pixels * max_scans <= MAX_SCANNED_PIXELS


def check_image(image: Image.Image, *, whole: bool) -> int:
    """Bytes that decoding an opened image takes (``whole``: in full size); ImageTooLarge if they are too many."""
    check_size(image.size)
    decoder = _DECODER_BYTES.get(image.format or "", 0)
    if image.format == "JPEG2000":
        decoder = _JPEG_2000_BYTES * len(image.getbands())
    pixel = _STORED_BYTES.get(image.mode, 4) + decoder + 3 * whole + 4 * (whole and image.mode != "RGB")
    kind = f"{image.format} in {image.mode}"
    if whole or pixel > 4:
        check_size(image.size, BUDGET_BYTES // pixel, kind + (" as a whole" if whole else ""))
    if image.mode == "LAB":
        check_size(image.size, MAX_LAB_PIXELS, kind)
    if image.mode.startswith("I") or image.mode == "F":
        check_size(image.size, MAX_DEEP_PIXELS, kind)
    num_bytes = image.width * image.height * pixel
    strip = _strip_bytes(image)
    if strip and num_bytes + strip > BUDGET_BYTES:
        raise ImageTooLarge(
            f"its pixels and one strip or tile take {num_bytes + strip:,} bytes; at most {BUDGET_BYTES:,} are read"
        )
    return num_bytes + strip


def _strip_bytes(image: Image.Image) -> int:
    """Bytes of one unpacked strip or tile of a compressed TIFF; 0 for all others."""
    tags = getattr(image, "tag_v2", None)
    tiles = getattr(image, "tile", None)
    if tags is None or not tiles or tiles[0][0] != "libtiff":
        return 0
    width = _number(tags.get(_TILE_WIDTH), image.width)
    rows = _number(
        tags.get(_TILE_LENGTH), min(_number(tags.get(_ROWS_PER_STRIP), image.height), image.height)
    )
    bits = max(_number(tags.get(_BITS), 1), 1) * max(_number(tags.get(_SAMPLES), 1), 1)
    return width * rows * max(bits, 8) // 8


def _number(value: object, default: int) -> int:
    """The (first) number of a tag; ``default`` if it is not a positive number."""
    first = value[0] if isinstance(value, tuple) and value else value
    return first if isinstance(first, int) and first > 0 else default
