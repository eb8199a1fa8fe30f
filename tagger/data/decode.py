"""Any image file to upright RGB pixels, or one short reason why not.

A data set holds whatever people saved: this is the one place that meets it. Two choices worth a question:
``MAX_PIXELS`` bounds memory (about 1 GB at the limit, with the copies that conversions make), and a JPEG is first
scaled down by its decoder to no less than twice the wanted size: a 12-megapixel photo is read 3 times as fast and,
after the final antialiased resize, differs by 0.2 grey levels on average (``tests/data/test_decode.py`` bounds it).
"""

import os
import stat
import struct
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, JpegImagePlugin

from tagger.data.pixels import to_rgb
from tagger.data.quiet import Quiet

Fit = Literal["squash", "crop", "pad"]
FORMATS = ("JPEG", "MPO", "PNG", "GIF", "BMP", "DIB", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF")
MAX_PIXELS = 120_000_000  # decoded at once; a 102-megapixel camera still fits
MAX_JPEG_PIXELS = 1_000_000_000  # of a baseline JPEG, decoded at 1/2 to 1/8 of its sides in bounded memory
MAX_BYTES = 1 << 30
PAD_COLOUR = (124, 116, 104)  # ImageNet's mean: about 0 once normalised
_HINTS = ((b"ftyphei", "HEIC images are not supported; save it as JPEG"), (b"<svg", "SVG drawings are not supported"))
_without_warnings = Quiet()


class UnreadableImage(Exception):
    """An image that cannot be shown to a model. Its text, also ``reason``, is short and for people."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


def load_image(
    path_or_bytes: str | os.PathLike[str] | bytes, *, size: int | None = None, fit: Fit = "squash"
) -> NDArray[np.uint8]:
    """Upright RGB pixels (H, W, 3) of the first frame; (size, size, 3) when ``size`` is given.

    ``fit`` makes the square: ``squash`` resizes both sides, ``crop`` takes the centre, ``pad`` adds a
    grey frame. Grey, palette, 16-bit, float, CMYK, transparent (over white) and EXIF-rotated images are all converted.
    Raises UnreadableImage for anything that is not a whole image of an allowed format in a readable, regular file.
    """
    if fit not in ("squash", "crop", "pad"):
        raise ValueError(f"fit is {fit!r}; it must be squash, crop or pad")
    # Pillow warns of odd metadata, which says nothing of the pixels, and of large images, which we bound below.
    with _without_warnings:
        try:
            with _open_file(path_or_bytes) as file:
                return _decode(file, size, fit)
        except UnreadableImage:
            raise
        except Exception as error:  # decoders raise nearly every type on damaged input; a bad file is never our crash
            raise UnreadableImage(_reason(error)) from error


def _decode(file: BinaryIO, size: int | None, fit: Fit) -> NDArray[np.uint8]:
    num_bytes = file.seek(0, os.SEEK_END)
    if num_bytes == 0:
        raise UnreadableImage("0 bytes")
    if num_bytes > MAX_BYTES:
        raise UnreadableImage(f"{num_bytes:,} bytes; at most {MAX_BYTES:,} are read")
    file.seek(0)
    with _open_image(file) as image:
        if isinstance(image, JpegImagePlugin.JpegImageFile) and size:
            _check_pixels(image.size, MAX_PIXELS if "progressive" in image.info else MAX_JPEG_PIXELS)
            image.draft(None, (2 * size, 2 * size))  # type: ignore[arg-type]  # None keeps the mode
        _check_pixels(image.size, MAX_PIXELS)
        try:
            image.load()
        except (OSError, EOFError, SyntaxError, ValueError, IndexError) as error:
            if "truncated" in str(error).lower() or isinstance(error, EOFError):
                raise UnreadableImage(f"cut off after {num_bytes:,} bytes") from error
            raise
        rgb = _upright(to_rgb(image), image)
    return np.array(rgb if size is None else _fit_square(rgb, size, fit))


def _open_file(path_or_bytes: str | os.PathLike[str] | bytes) -> BinaryIO:
    """The file opened for reading, without waiting on a pipe or a device."""
    if isinstance(path_or_bytes, (bytes, bytearray, memoryview)):
        return BytesIO(path_or_bytes)
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    number = os.open(Path(path_or_bytes), flags)
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise UnreadableImage("not a regular file")
    return os.fdopen(number, "rb")


def _open_image(file: BinaryIO) -> Image.Image:
    """The image, only its header read. JPEG goes straight to its plugin: Image.open refuses large ones too early."""
    head = file.read(4096)
    file.seek(0)
    try:
        if head.startswith(b"\xff\xd8\xff"):
            return JpegImagePlugin.JpegImageFile(file)
        Image.init()
        return Image.open(file, formats=[name for name in FORMATS if name in Image.OPEN])
    except (SyntaxError, IndexError, TypeError, struct.error, OSError) as error:  # as Image.open does, for both
        if isinstance(error, OSError) and error.strerror:  # the disk's fault, not the file's
            raise
        hints = [hint for mark, hint in _HINTS if mark in head]
        if hints:
            raise UnreadableImage(hints[0]) from error
        known = head.startswith((b"\xff\xd8", b"\x89PNG", b"GIF8", b"RIFF", b"II*\0", b"MM\0*", b"BM"))
        raise UnreadableImage("damaged: its header cannot be read" if known else "not an image") from error


def _check_pixels(size: tuple[int, int], limit: int) -> None:
    width, height = size
    if width * height > limit:
        raise UnreadableImage(f"{width:,} x {height:,} pixels; at most {limit // 1_000_000:,} megapixels are read")
    if width * height == 0:
        raise UnreadableImage(f"{width} x {height} pixels")


def _upright(rgb: Image.Image, image: Image.Image) -> Image.Image:
    """``rgb`` turned as the EXIF data of ``image`` says; damaged EXIF data counts as none."""
    try:
        orientation = image.getexif().get(0x0112, 1)
    except Exception:
        return rgb
    Turn = Image.Transpose
    turns = {2: Turn.FLIP_LEFT_RIGHT, 3: Turn.ROTATE_180, 4: Turn.FLIP_TOP_BOTTOM, 5: Turn.TRANSPOSE}
    turns |= {6: Turn.ROTATE_270, 7: Turn.TRANSVERSE, 8: Turn.ROTATE_90}
    return rgb.transpose(turns[orientation]) if orientation in turns else rgb


def _fit_square(rgb: Image.Image, size: int, fit: Fit) -> Image.Image:
    if fit == "crop":
        return ImageOps.fit(rgb, (size, size), Image.Resampling.BICUBIC)
    if fit == "pad":
        width, height = (max(1, round(size * side / max(rgb.size))) for side in rgb.size)
        square = Image.new("RGB", (size, size), PAD_COLOUR)
        square.paste(rgb.resize((width, height), Image.Resampling.BICUBIC), ((size - width) // 2, (size - height) // 2))
        return square
    return rgb.resize((size, size), Image.Resampling.BICUBIC)


def _reason(error: Exception) -> str:
    """A few words for the errors that files and decoders raise."""
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
