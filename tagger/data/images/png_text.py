"""Text chunks of a PNG file, those after the pixel data included.

Pillow reads those after the pixel data only when it decodes the pixels."""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_TEXT_BYTES = 1 << 24  # of one text, packed or not; keywords take thousands, damaged files claim anything


def is_png(path: Path) -> bool:
    """True for a PNG file of any name. OSError if it cannot be read."""
    with path.open("rb") as file:
        return file.read(8) == SIGNATURE


def png_texts(path: Path) -> dict[bytes, bytes]:
    """{keyword: text} of a PNG's tEXt, zTXt and iTXt chunks; of a damaged file, as far as it goes.

    Of all other chunks only the headers are read, so that large images are fast. OSError if it cannot be read.
    """
    texts: dict[bytes, bytes] = {}
    with path.open("rb") as file:
        file.seek(len(SIGNATURE))
        for kind, content in _text_chunks(file):
            name, _, rest = content.partition(b"\0")
            texts.setdefault(name, _text(kind, rest))
    return texts


def raw_profile(text: bytes) -> bytes:
    """The bytes of a "raw profile": ImageMagick and exiftool write a name, a length and hexadecimal digits.

    >>> raw_profile(b"\\niptc\\n       3\\n6361\\n74\\n")
    b'cat'
    """
    try:
        return bytes.fromhex(b"".join(text.split()[2:]).decode("ascii"))
    except ValueError:
        return b""


def _text_chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    while len(head := file.read(8)) == 8:
        size, kind = struct.unpack(">I4s", head)
        if kind in (b"tEXt", b"zTXt", b"iTXt") and size <= MAX_TEXT_BYTES:
            yield kind, file.read(size)
            file.seek(4, 1)
        else:
            file.seek(size + 4, 1)


def _text(kind: bytes, rest: bytes) -> bytes:
    """The text of a chunk after its keyword, unpacked.

    >>> _text(b"iTXt", b"\\0\\0en\\0word\\0cat"), _text(b"zTXt", b"\\0" + zlib.compress(b"cat")), _text(b"tEXt", b"cat")
    (b'cat', b'cat', b'cat')
    """
    packed = kind == b"zTXt"
    if kind == b"iTXt":
        packed = rest[:1] == b"\1"
        rest = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    elif packed:
        rest = rest[1:]
    if not packed:
        return rest
    try:
        return zlib.decompressobj().decompress(rest, MAX_TEXT_BYTES)
    except zlib.error:
        return b""
