"""Metadata embedded in image files: XMP, IPTC and Windows' keywords in EXIF, in JPEG, PNG, TIFF and WebP."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, IptcImagePlugin

from tagger.data.formats.xmp import read_keywords
from tagger.data.images.png_text import is_png, png_texts, raw_profile

PNG_XMP = b"XML:com.adobe.xmp"
RAW_XMP = b"Raw profile type xmp"
RAW_IPTC = b"Raw profile type iptc"
IPTC_KEYWORDS = (2, 25)
IPTC_CHARSET = (1, 90)
XP_KEYWORDS = 0x9C9E
UTF8 = b"\x1b%G"
IptcRecords = dict[tuple[int, int], list[bytes]]


@dataclass(frozen=True)
class EmbeddedMetadata:
    """What is inside an image: an XMP packet, keywords in IPTC, and keywords of Windows in EXIF."""

    packet: bytes = b""
    iptc: list[str] = field(default_factory=list)
    exif: list[str] = field(default_factory=list)


def embedded_keywords(path: Path) -> list[str]:
    """The keywords inside an image: of XMP, else IPTC, else EXIF. None if it cannot be opened.

    TaggerError if its XMP is broken.
    """
    found = read_embedded(path)
    words = read_keywords(found.packet, where=path.name) if found.packet else []
    return words or found.iptc or found.exif


def read_embedded(path: Path) -> EmbeddedMetadata:
    """The metadata inside an image; nothing if it cannot be opened."""
    try:
        packet, iptc, exif = _read_png(path) if is_png(path) else _read_with_pillow(path)
    except Exception:  # damaged files raise errors of any type; hashing and training report the files
        return EmbeddedMetadata()
    return EmbeddedMetadata(packet.strip(b"\0 \n"), list(filter(None, iptc_keywords(iptc))), exif)


def _read_with_pillow(path: Path) -> tuple[bytes, IptcRecords, list[str]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on the number of pixels, which are not read here
        with Image.open(path) as image:
            packet = image.info.get("xmp", b"")
            iptc = IptcImagePlugin.getiptcinfo(image) or {}
            exif = windows_keywords(image.getexif().get(XP_KEYWORDS))
    packet = packet.encode() if isinstance(packet, str) else packet
    records = {key: [value] if isinstance(value, bytes) else list(value) for key, value in iptc.items()}
    return packet if isinstance(packet, bytes) else b"", records, exif


def _read_png(path: Path) -> tuple[bytes, IptcRecords, list[str]]:
    texts = png_texts(path)
    records: IptcRecords = {}
    for key, value in iptc_records(raw_profile(texts.get(RAW_IPTC, b""))):
        records.setdefault(key, []).append(value)
    return texts.get(PNG_XMP) or raw_profile(texts.get(RAW_XMP, b"")), records, []


def windows_keywords(value: object) -> list[str]:
    """The keywords of EXIF's XPKeywords: UTF-16 text with semicolons.

    >>> windows_keywords("cat;black dog\\0".encode("utf-16-le"))
    ['cat', 'black dog']
    """
    data = bytes(value) if isinstance(value, bytes | tuple | list) else b""
    text = data.decode("utf-16-le", "replace").partition("\0")[0]
    return list(dict.fromkeys(word.strip() for word in text.split(";") if word.strip()))


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
