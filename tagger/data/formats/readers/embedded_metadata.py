"""Keywords embedded in image files: XMP, or IPTC without XMP, in JPEG, PNG, TIFF and WebP."""

import warnings
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, IptcImagePlugin

from tagger.data.formats.xmp import read_keywords
from tagger.data.images.png_text import is_png, png_texts, raw_profile

PNG_XMP = b"XML:com.adobe.xmp"
RAW_XMP = b"Raw profile type xmp"
RAW_IPTC = b"Raw profile type iptc"
IPTC_KEYWORDS = (2, 25)
IPTC_CHARSET = (1, 90)
UTF8 = b"\x1b%G"
IptcRecords = dict[tuple[int, int], list[bytes]]


def embedded_keywords(path: Path) -> list[str]:
    """The keywords inside an image; none if it cannot be opened. TaggerError if its XMP is broken."""
    try:
        packet, iptc = _read_png(path) if is_png(path) else _read_with_pillow(path)
    except Exception:  # damaged files raise errors of any type; hashing and training report the files
        return []
    packet = packet.strip(b"\0 \n")
    return (read_keywords(packet, where=path.name) if packet else []) or iptc_keywords(iptc)


def _read_with_pillow(path: Path) -> tuple[bytes, IptcRecords]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on the number of pixels, which are not read here
        with Image.open(path) as image:
            packet = image.info.get("xmp", b"")
            iptc = IptcImagePlugin.getiptcinfo(image) or {}
    packet = packet.encode() if isinstance(packet, str) else packet
    records = {key: [value] if isinstance(value, bytes) else list(value) for key, value in iptc.items()}
    return packet if isinstance(packet, bytes) else b"", records


def _read_png(path: Path) -> tuple[bytes, IptcRecords]:
    texts = png_texts(path)
    records: IptcRecords = {}
    for key, value in iptc_records(raw_profile(texts.get(RAW_IPTC, b""))):
        records.setdefault(key, []).append(value)
    return texts.get(PNG_XMP) or raw_profile(texts.get(RAW_XMP, b"")), records


def iptc_records(data: bytes) -> Iterator[tuple[tuple[int, int], bytes]]:
    """((record, data set), value) of IPTC-IIM data, with or without Photoshop's resource block around it.

    >>> list(iptc_records(b"\\x1c\\x02\\x19\\0\\x03cat\\x1c\\x02\\x19\\0\\x03dog"))
    [((2, 25), b'cat'), ((2, 25), b'dog')]
    """
    at = max(data.find(b"\x1c"), 0)
    while data[at : at + 1] == b"\x1c" and at + 5 <= len(data):
        size = int.from_bytes(data[at + 3 : at + 5], "big")
        yield (data[at + 1], data[at + 2]), data[at + 5 : at + 5 + size]
        at += 5 + size


def iptc_keywords(iptc: IptcRecords) -> list[str]:
    """The keywords of IPTC-IIM records: UTF-8 if declared or valid, else Latin-1.

    >>> iptc_keywords({(2, 25): [b"cat", "caf\\u00e9".encode()]}), iptc_keywords({(2, 25): [b"caf\\xe9"]})
    (['cat', 'café'], ['café'])
    """
    says_utf8 = UTF8 in iptc.get(IPTC_CHARSET, [])
    words = []
    for word in iptc.get(IPTC_KEYWORDS, []):
        try:
            words.append(word.decode("utf-8"))
        except UnicodeDecodeError:
            words.append(word.decode("utf-8", "replace") if says_utf8 else word.decode("latin-1"))
    return [word.strip("\0 ") for word in words]
