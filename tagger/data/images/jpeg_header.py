"""JPEG header fields that decide how much memory and how many passes decoding takes.

A file of some kilobytes can demand thousands of passes over a hundred megapixels (CVE-2018-11813 and
others; libjpeg leaves the limit to its callers). A JPEG can have several scans without being progressive.
"""

import struct
from dataclasses import dataclass
from typing import BinaryIO

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15 without tables and extensions
_ARITHMETIC = frozenset(range(0xC9, 0xD0))
_SCAN = b"\xff\xda"
_BLOCK = 1 << 20


@dataclass(frozen=True)
class JpegHeader:
    """Header fields of a JPEG; ``buffered``: all coefficients are kept until the last of the ``scans``."""

    components: int = 3
    buffered: bool = False
    arithmetic: bool = False
    scans: int = 1


def read_jpeg_header(file: BinaryIO) -> JpegHeader:
    """The header of a JPEG, from its segments up to the first scan; of a damaged one, as far as it goes.

    >>> import io
    >>> frame, scan = "ffc2 000b 08 0001 0001 01 011100", "ffda 0008 01 0100 000000"
    >>> read_jpeg_header(io.BytesIO(bytes.fromhex(f"ffd8 {frame} {scan} {scan}")))
    JpegHeader(components=1, buffered=True, arithmetic=False, scans=2)
    """
    file.seek(2)
    frame = 0xC0
    components = 3
    while len(head := file.read(4)) == 4 and head[0] == 0xFF:
        if head[1] == 0xFF:  # a fill byte
            file.seek(-3, 1)
            continue
        kind = head[1]
        size = struct.unpack(">H", head[2:])[0]
        if kind == 0xDA:
            in_scan = file.read(1)
            progressive = frame in (0xC2, 0xC6, 0xCA, 0xCE)
            buffered = progressive or bool(in_scan and in_scan[0] < components)
            scans = _count(file, _SCAN) + 1 if buffered else 1
            return JpegHeader(components, buffered, frame in _ARITHMETIC, scans)
        content = file.read(max(size - 2, 0))
        if kind in _FRAMES and len(content) >= 6:
            frame = kind
            components = content[5]
    return JpegHeader(components, False, frame in _ARITHMETIC)


def _count(file: BinaryIO, mark: bytes) -> int:
    """The number of times that a marker of two bytes occurs in the rest of a file, read in blocks."""
    count = 0
    last = b""
    while block := file.read(_BLOCK):
        count += (last + block).count(mark)
        last = block[-1:]
    return count
