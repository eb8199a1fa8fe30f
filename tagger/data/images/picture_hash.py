"""Hash of the picture in an image file: the same after a program has written metadata into the file.

Keywords, ratings, captions and the EXIF orientation are edited for years; each edit changes the hash of the
file. So a second hash is made of the parts that decide how the stored pixels decode, and of nothing else:

* JPEG: tables, frame and scans up to the end marker, and the colour transform that decoders take from JFIF, Adobe
  or the component ids. Not: other APPn, comments, bytes after the end (MPF, motion photos).
* PNG: critical chunks, ``tRNS``, the frames of an animation; ``IDAT`` as one stream, however it is cut.
* WebP: ``VP8``, ``VP8L``, ``ALPH``, ``ANIM``, ``ANMF``, the canvas of an animation. Not: flags, EXIF, XMP, ICC.
* TIFF: of each page the strips or tiles, and the tags that decoding needs (``tiff_parts``), wherever they lie.
* GIF: screen, palettes, frames with delays and transparency. Not: comments, application blocks, 87a or 89a.
* BMP: header without resolution, palette, pixels.
* AVIF, HEIF, JPEG 2000: stored pixels, decoded. Decoders differ between versions, so only here.

Colour profiles and the orientation do not count: a photo rotated by its flag is the same photo. A file of
another format, or one that does not parse, has no picture hash of its own: it is known by the hash of its bytes.
"""

import hashlib
import re
import struct
from collections.abc import Callable, Iterator

from tagger.data.images.decoding import UnreadableImage, load_stored
from tagger.data.images.tiff_parts import MalformedFile, tiff_parts

Piece = tuple[bytes, bytes | memoryview]  # a name, and bytes that count
STREAM = b""  # the name of a piece of one stream, which may be cut anywhere

MAX_BYTES = 1 << 29  # of a file; a larger one would have to be in memory as a whole
NEXT_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")  # not a stuffed zero, and not a restart within a scan
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
PNG_ANCILLARY = frozenset({b"tRNS", b"acTL", b"fcTL", b"fdAT"})
WEBP_CHUNKS = frozenset({b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF"})


def picture_hash(data: bytes) -> str:
    """32 hex digits that depend on the picture in ``data`` alone; ``""`` if it has no picture that is known.

    >>> picture_hash(b"no image")
    ''
    """
    parts_of = _parts_reader(data)
    if parts_of is None:
        return ""
    digest = hashlib.blake2b(FORMAT_NAMES[parts_of], digest_size=16, person=b"tagger picture")
    try:
        for name, content in parts_of(data):
            digest.update(content if name == STREAM else b"%s%d:%s" % (name, len(content), content))
    except (MalformedFile, UnreadableImage, struct.error, IndexError, ValueError, OverflowError):
        return ""
    return digest.hexdigest()


def _parts_reader(data: bytes) -> Callable[[bytes], Iterator[Piece]] | None:
    """The function that finds the parts of a file of this format; None for an unknown one."""
    if data.startswith(b"\xff\xd8\xff"):
        return jpeg_parts
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return png_parts
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return webp_parts
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return tiff_parts
    if data.startswith((b"GIF87a", b"GIF89a")):
        return gif_parts
    if data.startswith(b"BM"):
        return bmp_parts
    is_box = data[4:8] in (b"ftyp", b"jP  ") or data.startswith(b"\xff\x4f\xff\x51")
    return decoded_parts if is_box else None


def jpeg_parts(data: bytes) -> Iterator[Piece]:
    """Segments and scans up to the end marker, and the colour transform that decoders choose."""
    view = memoryview(data)
    at, end = 2, len(data)
    components, jfif, adobe = b"", False, -1
    num_scans = 0
    while (marker := _jpeg_marker(data, at)) is not None:
        at, kind = marker
        if kind == 0xD9:
            break
        if kind == 0x01 or 0xD0 <= kind <= 0xD7:
            continue
        size = int.from_bytes(data[at : at + 2])
        if size < 2 or at + size > end:
            raise MalformedFile
        content = view[at + 2 : at + size]
        at += size
        if kind == 0xEE and size >= 14 and content[:5] == b"Adobe":
            adobe = content[11]
        jfif |= kind == 0xE0 and size >= 16 and content[:5] == b"JFIF\0"
        if kind == 0xFE or 0xE0 <= kind <= 0xEF:
            continue
        if kind in FRAMES:
            components = bytes(content[6::3])[: content[5]]
        yield bytes((kind,)), content
        if kind == 0xDA:
            num_scans += 1
            if num_scans == 1:
                yield b"colour", _jpeg_colour(components, jfif, adobe)
            found = NEXT_MARKER.search(data, at)
            stop = found.start() if found else end
            yield b"scan", view[at:stop]
            at = stop
    if not num_scans:
        raise MalformedFile


def _jpeg_marker(data: bytes, at: int) -> tuple[int, int] | None:
    """(position after it, kind) of the marker at ``at``, where fill bytes may stand before it; None at the end."""
    if at >= len(data):
        return None
    if data[at] != 0xFF:
        raise MalformedFile
    while at < len(data) and data[at] == 0xFF:
        at += 1
    return (at + 1, data[at]) if at < len(data) else None


def _jpeg_colour(components: bytes, jfif: bool, adobe: int) -> bytes:
    """The colour space that libjpeg takes a JPEG for (``default_decompress_parms`` in its jdapimin.c).

    >>> _jpeg_colour(b"RGB", False, -1), _jpeg_colour(b"RGB", True, -1), _jpeg_colour(bytes((1, 2, 3)), False, 0)
    (b'rgb', b'ycc', b'rgb')
    """
    if len(components) == 3:
        if jfif:
            return b"ycc"
        if adobe >= 0:
            return b"rgb" if adobe == 0 else b"ycc"
        return b"rgb" if components == b"RGB" else b"ycc"
    if len(components) == 4:
        return b"ycck" if adobe > 0 else b"cmyk"
    return b"%d" % len(components)


def png_parts(data: bytes) -> Iterator[Piece]:
    """Chunks that decide the pixels; the data of all IDAT chunks as one stream."""
    view = memoryview(data)
    at, stream = 8, 0
    while True:
        size, name = struct.unpack_from(">I4s", data, at)
        if at + 12 + size > len(data):
            raise MalformedFile
        content = view[at + 8 : at + 8 + size]
        at += 12 + size
        if name == b"IEND":
            break
        if name == b"IDAT":
            stream += size
            yield STREAM, content
        elif not name[0] & 0x20 or name in PNG_ANCILLARY:
            yield name, content
    if not stream:
        raise MalformedFile
    yield b"IDAT", stream.to_bytes(8)


def webp_parts(data: bytes) -> Iterator[Piece]:
    """The image chunks of the RIFF container, and the canvas size of an animation."""
    view = memoryview(data)
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data) + 1:
        raise MalformedFile
    at, canvas, found = 12, b"", False
    while at + 8 <= min(end, len(data)):
        name, size = struct.unpack_from("<4sI", data, at)
        if at + 8 + size > len(data):
            raise MalformedFile
        content = view[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
        if name == b"VP8X":
            canvas = bytes(content[4:10])
        elif name in WEBP_CHUNKS:
            if name == b"ANIM":
                yield b"canvas", canvas
            yield name, content
            found |= name not in (b"ANIM", b"ALPH")
    if not found:
        raise MalformedFile


def gif_parts(data: bytes) -> Iterator[Piece]:
    """The screen, palettes and frames with their control blocks."""
    view = memoryview(data)
    flags = data[10]
    at = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    yield b"screen", view[6:at]
    found = False
    while at < len(data) and data[at] != 0x3B:
        begun, kind = at, data[at]
        if kind == 0x2C:
            flags = data[at + 9]
            at = _blocks_end(data, at + 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0))
            found = True
        elif kind == 0x21:
            at = _blocks_end(data, at + 2)
        else:
            raise MalformedFile
        if kind == 0x2C or data[begun + 1] == 0xF9:
            yield b"frame", view[begun:at]
    if not found:
        raise MalformedFile


def _blocks_end(data: bytes, at: int) -> int:
    """The position after a chain of GIF's sub-blocks."""
    while size := data[at]:
        at += size + 1
    return at + 1


def bmp_parts(data: bytes) -> Iterator[Piece]:
    """Everything after the file header but the resolution; where the pixels begin."""
    start, header = struct.unpack_from("<II", data, 10)
    if start > len(data) or header > len(data) or len(data) < 26:
        raise MalformedFile
    yield b"start", data[10:14]
    resolution = slice(38, 46) if header >= 40 else slice(0, 0)
    yield b"header", data[14 : resolution.start or 14]
    yield b"pixels", memoryview(data)[resolution.stop or 14 :]


def decoded_parts(data: bytes) -> Iterator[Piece]:
    """The decoded pixels as they are stored, not turned upright."""
    pixels_HW3 = load_stored(data)
    yield b"size", b"%dx%d" % pixels_HW3.shape[:2]
    yield b"pixels", pixels_HW3.tobytes()


FORMAT_NAMES: dict[
    Callable[[bytes], Iterator[Piece]], bytes
] = {  # they are hashed, too: a name once given stays
    jpeg_parts: b"JPEG",
    png_parts: b"PNG",
    webp_parts: b"WebP",
    tiff_parts: b"TIFF",
    gif_parts: b"GIF",
    bmp_parts: b"BMP",
    decoded_parts: b"decoded",
}
