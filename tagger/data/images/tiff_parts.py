"""Parts of a TIFF that decide how it decodes: of each page the strips or tiles, and the values of some tags.

Tags are compared by their values, whatever their type and place in the file: programs that write metadata
rewrite the directory and move the strips. Tags that do not count are those about the photo (description,
resolution, orientation, profile, EXIF) and about its place.
"""

import struct
from collections.abc import Iterator

IMAGE_TAGS = (
    256,
    257,
    258,
    259,
    262,
    263,
    266,
    277,
    278,
    284,
    292,
    293,
    317,
    320,
)  # size, bits, compression ...
TILE_TAGS = (322, 323, 332, 338, 339, 340, 341)  # tiles, inks, extra samples, sample format and range
JPEG_TAGS = (347, 512, 515, 519, 520, 521, 529, 530, 531, 532)  # tables of JPEG, and how YCbCr is stored
TAGS = frozenset((*IMAGE_TAGS, *TILE_TAGS, *JPEG_TAGS))
DATA_TAGS = (
    (273, 279),
    (324, 325),
    (513, 514),
)  # (offsets, byte counts) of strips, tiles, an old JPEG's stream
TYPES = {1: "B", 2: "B", 3: "H", 4: "I", 5: "II", 6: "b", 7: "B", 8: "h", 9: "i", 10: "ii", 11: "f", 12: "d"}
TYPES |= {13: "I", 16: "Q", 17: "q", 18: "Q"}
MAX_PAGES = 10_000
Values = tuple[float, ...]


class MalformedFile(Exception):
    """A file that does not follow its format."""


def tiff_parts(data: bytes) -> Iterator[tuple[bytes, bytes | memoryview]]:
    """(name, bytes) of each part that counts, page by page. MalformedFile or struct.error where it does not parse."""
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    (at,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
    seen: set[int] = set()
    while at:
        if at in seen or len(seen) > MAX_PAGES:
            raise MalformedFile
        seen.add(at)
        values, at = _read_directory(data, at, order, big)
        yield from _page_parts(data, values)
    if not seen:
        raise MalformedFile


def _page_parts(data: bytes, values: dict[int, Values]) -> Iterator[tuple[bytes, bytes | memoryview]]:
    yield b"tags", repr([(tag, values[tag]) for tag in sorted(values.keys() & TAGS)]).encode()
    view, total = memoryview(data), 0
    for offsets, counts in DATA_TAGS:
        if offsets not in values:
            continue
        ends = values.get(counts, (len(data),) if offsets == 513 else ())
        for start, count in zip(values[offsets], ends, strict=True):
            total += int(count)
            if start + count > len(data) or total > 2 * len(data):
                raise MalformedFile
            yield b"data", view[int(start) : int(start + count)]
    if not total:
        raise MalformedFile


def _read_directory(data: bytes, at: int, order: str, big: bool) -> tuple[dict[int, Values], int]:
    """The values of the tags that count in the directory at ``at``, and where the next one is (0: none)."""
    head, entry, word = ("Q", "HHQ", "Q") if big else ("H", "HHI", "I")
    (number,) = struct.unpack_from(order + head, data, at)
    at += struct.calcsize(order + head)
    size = 20 if big else 12
    wanted = TAGS | {tag for pair in DATA_TAGS for tag in pair}
    values: dict[int, Values] = {}
    for place in range(at, at + min(number, len(data)) * size, size):
        tag, kind, count = struct.unpack_from(order + entry, data, place)
        if tag in wanted and kind in TYPES and tag not in values:
            values[tag] = _read_values(
                data, place + size - (8 if big else 4), order, TYPES[kind], count, word
            )
    (following,) = struct.unpack_from(order + word, data, at + number * size)
    return values, following


def _read_values(data: bytes, place: int, order: str, code: str, count: int, word: str) -> Values:
    """The values of one tag: beside it where they fit, else where it says."""
    if count > len(data):
        raise MalformedFile
    form = f"{order}{code * count}" if len(code) > 1 else f"{order}{count}{code}"
    if struct.calcsize(form) > struct.calcsize(order + word):
        (place,) = struct.unpack_from(order + word, data, place)
    return struct.unpack_from(form, data, place)
