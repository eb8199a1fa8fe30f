"""May an image be decoded, and how much memory does it take? Bounds on pixels, bytes and passes, by its kind.

Measured on flat images of 119 megapixels with Pillow 13 (the peak of the process, less what it had before): a WebP took
15 bytes a pixel, JPEG 2000 18, AVIF 9, a progressive JPEG 6, a PNG as much as Pillow stores. Deep and Lab pixels are
slow to convert: 0.1 and 0.2 seconds a megapixel.
"""

from PIL import Image

from tagger.data.jpeg_marks import JpegMarks
from tagger.data.room import ROOM

MAX_PIXELS = 120_000_000  # decoded at once; a 102-megapixel camera still fits
MAX_JPEG_PIXELS = 1_000_000_000  # of a baseline JPEG, decoded at 1/2 to 1/8 of its sides in bounded memory
MAX_DEEP_PIXELS, MAX_LAB_PIXELS, MAX_ARITHMETIC_PIXELS = 60_000_000, 20_000_000, 40_000_000
MAX_SCANNED = 4_000_000_000  # pixels times scans: 30 scans of the largest, 300 of a photo of 12 megapixels
SMALL_PIXELS = 1_000_000  # a JPEG's coefficients fit ROOM, however many components it has
MAX_BYTES = 1 << 30
MAX_BYTES_HELD = 1 << 28  # of formats whose files, or what they hold beside the pixels, are read as a whole

_STORED = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16L": 2, "I;16B": 2, "I;16N": 2}  # bytes a pixel; of all others 4
_DECODER = {"WEBP": 12, "AVIF": 6}  # beside what is stored
_JPEG_2000 = 5  # the same, for each band
_ROWS_PER_STRIP, _SAMPLES, _BITS, _TILE_WIDTH, _TILE_LENGTH = 278, 277, 258, 322, 323  # TIFF tags


class TooLarge(Exception):
    """An image that would take too much memory or time; its text says of what and how much is read."""


def check_size(size: tuple[int, int], limit: int = MAX_PIXELS, kind: str = "") -> None:
    """Pass if an image has pixels, and no more than ``limit``; TooLarge otherwise."""
    width, height = size
    if width * height > limit:
        of_kind = f" of {kind}" if kind else ""
        most = f"{limit / 1e6:,.0f} megapixels"
        raise TooLarge(f"{width:,} x {height:,} pixels; at most {most} are read{of_kind}")
    if width < 1 or height < 1:
        raise TooLarge(f"{width} x {height} pixels")


def check_jpeg(size: tuple[int, int], marks: JpegMarks, *, shrinks: bool) -> int:
    """Bytes that the decoder of a JPEG keeps beside its output; TooLarge if those or its passes are too many.

    ``size`` is that in the file; ``shrinks``: it is to be decoded at 1/2 to 1/8 of its sides.

    >>> check_jpeg((1000, 1000), JpegMarks(buffered=True, scans=10), shrinks=True)
    6000000
    """
    kept = 2 * marks.components * marks.buffered
    check_size(size, MAX_JPEG_PIXELS if shrinks and not kept else MAX_PIXELS)
    if kept:
        check_size(size, ROOM // kept, "a JPEG in several scans")
    if marks.arithmetic:
        check_size(size, MAX_ARITHMETIC_PIXELS, "a JPEG with arithmetic coding")
    if size[0] * size[1] * marks.scans > MAX_SCANNED:
        raise TooLarge(f"{marks.scans:,} scans of {size[0]:,} x {size[1]:,} pixels: too many to be decoded")
    return size[0] * size[1] * kept


def is_harmless(size: tuple[int, int], num_bytes: int) -> bool:
    """Whether ``check_jpeg`` passes a JPEG of this size and of so many bytes whatever its marks are: no need to look.

    >>> is_harmless((128, 128), 10_000), is_harmless((128, 128), 1_000_000)
    (True, False)
    """
    pixels = size[0] * size[1]
    return 0 < pixels <= SMALL_PIXELS and pixels * (num_bytes // 2) <= MAX_SCANNED  # a scan's mark has two bytes


def check_image(image: Image.Image, *, whole: bool) -> int:
    """Bytes that decoding an opened image takes; TooLarge if they are too many. ``whole``: all pixels are wanted."""
    check_size(image.size)
    decoder = _DECODER.get(image.format or "", 0)
    if image.format == "JPEG2000":
        decoder = _JPEG_2000 * len(image.getbands())
    pixel = _STORED.get(image.mode, 4) + decoder + 3 * whole + 4 * (whole and image.mode != "RGB")
    kind = f"{image.format} in {image.mode}"
    if whole or pixel > 4:
        check_size(image.size, ROOM // pixel, kind + (" as a whole" if whole else ""))
    if image.mode == "LAB":
        check_size(image.size, MAX_LAB_PIXELS, kind)
    if image.mode.startswith("I") or image.mode == "F":
        check_size(image.size, MAX_DEEP_PIXELS, kind)
    room, strip = image.width * image.height * pixel, _strip_bytes(image)
    if strip and room + strip > ROOM:
        raise TooLarge(f"its pixels and one strip or tile take {room + strip:,} bytes; at most {ROOM:,} are read")
    return room + strip


def _strip_bytes(image: Image.Image) -> int:
    """Bytes of one strip or tile of a TIFF when it is unpacked; 0 for others, and where it is not compressed."""
    tags, tiles = getattr(image, "tag_v2", None), getattr(image, "tile", None)
    if tags is None or not tiles or tiles[0][0] != "libtiff":
        return 0
    width = _number(tags.get(_TILE_WIDTH), image.width)
    rows = _number(tags.get(_TILE_LENGTH), min(_number(tags.get(_ROWS_PER_STRIP), image.height), image.height))
    bits = max(_number(tags.get(_BITS), 1), 1) * max(_number(tags.get(_SAMPLES), 1), 1)
    return width * rows * max(bits, 8) // 8


def _number(value: object, default: int) -> int:
    """A tag as a number: the first of several; ``default`` for none that is one."""
    first = value[0] if isinstance(value, tuple) and value else value
    return first if isinstance(first, int) and first > 0 else default
