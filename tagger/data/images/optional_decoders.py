"""Decoders of HEIC and of cameras' raw files, each from an optional package.

HEIC: ``pi-heif`` (its wheels hold libheif and libde265, LGPL, and no encoder). Raw: ``rawpy`` (MIT; LibRaw,
LGPL). Without the package the reason names the extra that brings it. A raw file is shown as its camera shows it:
the largest JPEG that the camera stored in it, if that has at least ``MIN_PREVIEW_SIDE`` pixels on its longer side;
else it is developed, with the camera's white balance.
"""

from importlib import import_module
from io import BytesIO
from typing import Any, BinaryIO

from PIL import Image

from tagger.data.images.decode_limits import check_size
from tagger.data.images.image_files import RAW_SUFFIXES, suffix_of

HEIF_BRANDS = frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs"})
HEIF_CONTAINERS = frozenset({b"mif1", b"msf1"})  # also of AVIF, which Pillow reads
RAW_MAGIC = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM")
MIN_PREVIEW_SIDE = 1000
ORIENTATION_OF_FLIP = {3: 3, 5: 8, 6: 6}  # LibRaw's flip: EXIF orientation
EXIF_ORIENTATION = 0x0112


class DecoderMissing(Exception):
    """An optional package that is not installed; its text says how to get it."""


def is_heif(head: bytes) -> bool:
    """Whether a file begins as HEIC does (an ISO container with one of its brands).

    >>> is_heif(b"\\0\\0\\0\\x18ftypheic\\0\\0\\0\\0mif1heic"), is_heif(b"\\0\\0\\0\\x18ftypavif\\0\\0\\0\\0mif1avif")
    (True, False)
    """
    if head[4:8] != b"ftyp":
        return False
    brands = {head[n : n + 4] for n in (8, *range(16, min(int.from_bytes(head[:4], "big"), 256), 4))}
    return bool(brands & HEIF_BRANDS) or (head[8:12] in HEIF_CONTAINERS and b"avif" not in brands)


def is_raw(head: bytes, name: str) -> bool:
    """Whether a file is a camera's raw file: by its first bytes, or a TIFF with a raw file's suffix.

    >>> is_raw(b"II*\\0\\x10\\0\\0\\0CR\\x02\\0", ""), is_raw(b"II*\\0", "a.NEF"), is_raw(b"II*\\0", "a.tif")
    (True, True, False)
    """
    if head.startswith(RAW_MAGIC) or head[8:10] == b"CR" or head[4:12] == b"ftypcrx ":
        return True
    return head.startswith((b"II*\0", b"MM\0*")) and suffix_of(name) in RAW_SUFFIXES


def open_heif(file: BinaryIO) -> Image.Image:
    """The image with only its header read. DecoderMissing without ``pi-heif``."""
    package = _package("pi_heif", "HEIC", "heif")
    if "HEIF" not in Image.OPEN:
        package.register_heif_opener()
    return Image.open(file, formats=["HEIF"])


def open_raw(file: BinaryIO) -> Image.Image:
    """The camera's own preview, or the developed photo. DecoderMissing without ``rawpy``."""
    rawpy = _package("rawpy", "raw", "raw")
    try:
        return _open_raw(rawpy, file)
    except rawpy.LibRawError:
        raise ValueError("its raw data cannot be decoded") from None


def _open_raw(rawpy: Any, file: BinaryIO) -> Image.Image:
    with rawpy.imread(file) as raw:
        sizes = raw.sizes
        check_size((sizes.width, sizes.height))
        preview = _preview(rawpy, raw)
        if preview is not None and max(preview.size) >= min(MIN_PREVIEW_SIDE, max(sizes.width, sizes.height)):
            if EXIF_ORIENTATION not in preview.getexif():
                preview.getexif()[EXIF_ORIENTATION] = ORIENTATION_OF_FLIP.get(sizes.flip, 1)
            return preview
        half = sizes.width * sizes.height > 12_000_000
        return Image.fromarray(raw.postprocess(use_camera_wb=True, half_size=half))


def _preview(rawpy: Any, raw: Any) -> Image.Image | None:
    """The JPEG that the camera stored, not yet decoded; None if there is none."""
    try:
        thumb = raw.extract_thumb()
    except (rawpy.LibRawNoThumbnailError, rawpy.LibRawUnsupportedThumbnailError):
        return None
    if thumb.format != rawpy.ThumbFormat.JPEG:
        return None
    image = Image.open(BytesIO(thumb.data), formats=["JPEG"])
    check_size(image.size)
    return image


def _package(name: str, kind: str, extra: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        hint = f'pip install "retagger[{extra}]"'
        raise DecoderMissing(f"{kind} files need the package {name.replace('_', '-')}: {hint}") from None
