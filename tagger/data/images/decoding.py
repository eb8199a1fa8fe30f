"""Decoding of image files to upright RGB pixels, or a short reason why one cannot be read.

All images of users are decoded here. Two choices:

* Size and memory are limited (``decode_limits``): no file takes a process past a gigabyte or more than seconds.
* The decoder of a JPEG first scales it down to no less than twice the wanted size. A photo of 12 megapixels
  is read 3 times as fast and, after the final antialiased resize, differs by 0.2 grey levels on average
  (``tests/data/test_decoding.py`` bounds it). A large image whose pixels must be converted is scaled down
  during the conversion.
"""

import math
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any, BinaryIO, Literal, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, JpegImagePlugin

from tagger.data.images.decode_limits import (
    MAX_FILE_BYTES,
    MAX_FILE_BYTES_IN_MEMORY,
    MAX_PIXELS,
    ImageTooLarge,
    check_image,
    check_jpeg,
    is_safe_jpeg,
)
from tagger.data.images.jpeg_header import read_jpeg_header
from tagger.data.images.memory_budget import MemoryBudget
from tagger.data.images.optional_decoders import DecoderMissing, is_heif, is_raw, open_heif, open_raw
from tagger.data.images.rgb_conversion import to_rgb
from tagger.data.images.suppress_warnings import SuppressWarnings

Fit = Literal["squash", "crop", "pad"]
ImageSource = str | os.PathLike[str] | bytes
IMAGE_FORMATS = ("JPEG", "MPO", "PNG", "GIF", "BMP", "DIB", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF")
KNOWN_MAGIC = (b"\xff\xd8", b"\x89PNG", b"GIF8", b"RIFF", b"II*\0", b"MM\0*", b"BM")
STREAMED_MAGIC_BYTES = (b"II*\0", b"MM\0*", b"BM")  # TIFF and BMP are read in pieces
MAX_BYTES_READ_AT_ONCE = 1 << 18  # a smaller file is read as a whole
SHRINK_ABOVE_PIXELS = 30_000_000  # a larger image is shrunk during conversion
PAD_COLOUR = (124, 116, 104)  # ImageNet's mean: about 0 once normalised
TURNED = (5, 6, 7, 8)  # EXIF orientations that change width and height
_HINTS = ((b"<svg", "SVG drawings are not supported"),)
_without_warnings = SuppressWarnings()
_memory = MemoryBudget()


class UnreadableImage(Exception):
    """An image that cannot be decoded. Its text, also ``reason``, is a short phrase for messages."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


def load_image(source: ImageSource, *, size: int | None = None, fit: Fit = "squash") -> NDArray[np.uint8]:
    """Upright RGB pixels (H, W, 3) of the first frame; (size, size, 3) when ``size`` is given.

    ``fit`` makes the square: ``squash`` resizes both sides, ``crop`` takes the centre, ``pad`` adds a grey
    frame. Grey, palette, 16-bit, float, CMYK, transparent (over white) and EXIF-rotated images are
    converted. Raises UnreadableImage for any file that is not a complete image of a supported format.
    """
    if fit not in ("squash", "crop", "pad"):
        raise ValueError(f"fit is {fit!r}; it must be squash, crop or pad")
    with _errors_as_unreadable(), _open_checked(source) as image, _memory.reserve(_check_limits(image, size)):
        rgb = _decode(image, size)
        return _array(rgb) if size is None else np.array(_fit_square(rgb, size, fit))


def load_scaled(source: ImageSource, scale: float) -> tuple[Image.Image, NDArray[np.float64]]:
    """(upright RGB image, its width and height as shares of the photo's own): at least twice ``scale``, or whole.

    Raises UnreadableImage as ``load_image`` does.
    """
    with _errors_as_unreadable(), _open_checked(source) as image:
        stored = image.size
        size = math.ceil(scale * max(stored)) if scale < 0.5 else None
        with _memory.reserve(_check_limits(image, size)):
            rgb = _decode(image, size)
        sides = stored[::-1] if _orientation(image) in TURNED else stored
        return rgb, np.array(rgb.size) / np.array(sides)


def load_stored(source: ImageSource) -> NDArray[np.uint8]:
    """RGB pixels (H, W, 3) as they are stored, not turned upright. Raises UnreadableImage."""
    with _errors_as_unreadable(), _open_checked(source) as image, _memory.reserve(_check_limits(image, None)):
        image.load()
        return _array(to_rgb(image))


def load_preview(source: ImageSource, *, max_side: int) -> tuple[Image.Image, bytes | None]:
    """(upright RGB image of at most ``max_side`` pixels a side, its RGB colour profile or None), for screens.

    It is never enlarged, and deep pixels are stretched over their own range. Raises UnreadableImage.
    """
    with (
        _errors_as_unreadable(),
        _open_checked(source) as image,
        _memory.reserve(_check_limits(image, max_side)),
    ):
        profile = image.info.get("icc_profile") if image.mode == "RGB" else None
        rgb = _decode(image, max_side, own_range=True)
        rgb.thumbnail((max_side, max_side), Image.Resampling.LANCZOS, reducing_gap=2.0)
        return rgb, profile


def image_size(source: ImageSource) -> tuple[int, int]:
    """(width, height) in pixels as stored, from the header; nothing is decoded. Raises UnreadableImage."""
    with _errors_as_unreadable(), _open_checked(source) as image:
        return image.size


def upright_size(source: ImageSource) -> tuple[int, int]:
    """(width, height) in pixels of the image turned upright, from the header. Raises UnreadableImage."""
    with _errors_as_unreadable(), _open_checked(source) as image:
        return image.size[::-1] if _orientation(image) in TURNED else image.size


@contextmanager
def _errors_as_unreadable() -> Iterator[None]:
    """Context manager: every error becomes an UnreadableImage with a short reason."""
    # Pillow warns of odd metadata, which does not concern the pixels, and of large images, which are limited here.
    with _without_warnings:
        try:
            yield
        except UnreadableImage:
            raise
        except Exception as error:  # decoders raise nearly every type on damaged input
            raise UnreadableImage(_error_reason(error)) from error


@contextmanager
def _open_checked(source: ImageSource) -> Iterator[Image.Image]:
    """Context manager: the image with only its header read, if its file is not too large."""
    with _open_file(source) as file:
        num_bytes = file.seek(0, os.SEEK_END)
        file.seek(0)
        if (
            num_bytes <= MAX_BYTES_READ_AT_ONCE
        ):  # decoders read a few bytes at a time: half as long from memory
            file = BytesIO(file.read())
        head = file.read(4096)
        most = MAX_FILE_BYTES if head.startswith(STREAMED_MAGIC_BYTES) else MAX_FILE_BYTES_IN_MEMORY
        if num_bytes == 0:
            raise UnreadableImage("0 bytes")
        if num_bytes > most:
            raise UnreadableImage(f"{num_bytes:,} bytes; at most {most:,} are read of its format")
        name = os.fspath(source) if isinstance(source, (str, os.PathLike)) else ""
        with _open_image(file, head, os.fsdecode(name)) as image:
            yield image


def _check_limits(image: Image.Image, size: int | None) -> int:
    """Bytes that decoding takes; a JPEG is set to be scaled down. ImageTooLarge if they are too many."""
    kept = 0
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        assert image.fp, "it has just been opened"
        file = image.fp
        at = image.fp.tell()
        if not is_safe_jpeg(image.size, _num_bytes(image)):
            kept = check_jpeg(image.size, read_jpeg_header(cast(BinaryIO, file)), shrinks=bool(size))
        file.seek(at)
        if size:
            image.draft(None, (2 * size, 2 * size))  # type: ignore[arg-type]  # None keeps the mode
    return kept + check_image(image, whole=size is None)


def _decode(image: Image.Image, size: int | None, *, own_range: bool = False) -> Image.Image:
    """Upright RGB pixels, those of a large image shrunk to no less than twice ``size``."""
    try:
        image.load()
    except (OSError, EOFError, SyntaxError, ValueError, IndexError) as error:
        if "truncated" in str(error).lower() or isinstance(error, EOFError):
            raise UnreadableImage(f"cut off after {_num_bytes(image):,} bytes") from error
        raise
    shrink = 1
    if size and image.width * image.height > SHRINK_ABOVE_PIXELS:
        shrink = max(1, min(image.size) // (2 * size))
    return _upright(to_rgb(image, shrink=shrink, own_range=own_range), image)


def _open_file(source: ImageSource) -> BinaryIO:
    """The file opened for reading, without waiting on a pipe or a device."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return BytesIO(source)
    flags = (
        os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    )
    number = os.open(source, flags)
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise UnreadableImage("not a regular file")
    return os.fdopen(number, "rb")


def _open_image(file: BinaryIO, head: bytes, name: str) -> Image.Image:
    """The image with only its header read. A JPEG bypasses Image.open, which refuses large ones too early."""
    file.seek(0)
    try:
        if is_raw(head, name):
            return open_raw(file)
        if is_heif(head):
            return open_heif(file)
        if head.startswith(b"\xff\xd8\xff"):
            return JpegImagePlugin.JpegImageFile(file)
        Image.init()
        return Image.open(file, formats=[name for name in IMAGE_FORMATS if name in Image.OPEN])
    except (
        SyntaxError,
        IndexError,
        TypeError,
        struct.error,
        OSError,
    ) as error:  # those that Image.open catches
        if isinstance(error, OSError) and error.strerror:  # the disk failed; the file may be whole
            raise
        hints = [hint for mark, hint in _HINTS if mark in head]
        if hints:
            raise UnreadableImage(hints[0]) from error
        known = head.startswith(KNOWN_MAGIC) or head[4:8] == b"ftyp"
        raise UnreadableImage("damaged: its header cannot be read" if known else "not an image") from error


def _num_bytes(image: Image.Image) -> int:
    """The size of an image's file."""
    file: Any = getattr(image, "fp", None)
    return int(file.seek(0, os.SEEK_END)) if file else 0


def _array(rgb: Image.Image) -> NDArray[np.uint8]:
    """The pixels (H, W, 3), copied in bands of rows, so that they are not in memory twice."""
    pixels_HW3 = np.empty((rgb.height, rgb.width, 3), np.uint8)
    rows = max(1, 4_000_000 // rgb.width)
    for top in range(0, rgb.height, rows):
        pixels_HW3[top : top + rows] = np.asarray(rgb.crop((0, top, rgb.width, min(top + rows, rgb.height))))
    return pixels_HW3


def _upright(rgb: Image.Image, image: Image.Image) -> Image.Image:
    """``rgb`` rotated by the EXIF orientation of ``image``."""
    orientation = _orientation(image)
    Turn = Image.Transpose
    turns = {2: Turn.FLIP_LEFT_RIGHT, 3: Turn.ROTATE_180, 4: Turn.FLIP_TOP_BOTTOM, 5: Turn.TRANSPOSE}
    turns |= {6: Turn.ROTATE_270, 7: Turn.TRANSVERSE, 8: Turn.ROTATE_90}
    return rgb.transpose(turns[orientation]) if orientation in turns else rgb


def _orientation(image: Image.Image) -> Any:
    """The EXIF orientation, 1 to 8 if the file is right; damaged EXIF data is ignored."""
    try:
        return image.getexif().get(0x0112, 1)
    except Exception:
        return 1


def _fit_square(rgb: Image.Image, size: int, fit: Fit) -> Image.Image:
    if fit == "crop":
        return ImageOps.fit(rgb, (size, size), Image.Resampling.BICUBIC)
    if fit == "pad":
        width, height = (max(1, round(size * side / max(rgb.size))) for side in rgb.size)
        square = Image.new("RGB", (size, size), PAD_COLOUR)
        square.paste(
            rgb.resize((width, height), Image.Resampling.BICUBIC), ((size - width) // 2, (size - height) // 2)
        )
        return square
    return rgb.resize((size, size), Image.Resampling.BICUBIC)


def _error_reason(error: Exception) -> str:
    """A short phrase for an error of the file system or a decoder."""
    if isinstance(error, (ImageTooLarge, DecoderMissing)):
        return str(error)
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, PermissionError):
        return "no permission to read it"
    if isinstance(error, Image.DecompressionBombError):
        return f"too many pixels; at most {MAX_PIXELS // 1_000_000:,} megapixels are read"
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return f"damaged: {' '.join(str(error).split())[:100] or type(error).__name__}"
