"""What other programs do to photos and sidecars, and what they read there. Nothing of tagger is used.

An item is (property, text): ``("dc", "Paris")``, ``("lr", "Places|Paris")``, ``("digiKam", "Places/Paris")``,
``("iptc", "Paris")`` or ``("rating", "4")``.
"""

import io
import shutil
import struct
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
NAMESPACES = {
    "x": "adobe:ns:meta/", "rdf": RDF, "dc": "http://purl.org/dc/elements/1.1/",
    "lr": "http://ns.adobe.com/lightroom/1.0/", "digiKam": "http://www.digikam.org/ns/1.0/",
    "xmp": "http://ns.adobe.com/xap/1.0/", "tagger": "https://tagger.example/ns/1.0/",
}  # fmt: skip
LISTS = {"dc": ("subject", "Bag"), "lr": ("hierarchicalSubject", "Bag"), "digiKam": ("TagsList", "Seq")}
SEPARATOR = {"dc": "", "lr": "|", "digiKam": "/", "iptc": ""}
EMPTY = (
    f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}"><rdf:Description rdf:about=""/></rdf:RDF>'
    "</x:xmpmeta>"
)
XMP_HEAD, IPTC_HEAD, EXIF_HEAD = b"http://ns.adobe.com/xap/1.0/\0", b"Photoshop 3.0\0", b"Exif\0\0"
Item = tuple[str, str]
PROGRAMS = ["own", *(name for name in ("exiv2", "exiftool") if shutil.which(name))]

for prefix, uri in NAMESPACES.items():
    ET.register_namespace(prefix, uri)


def word_of(item: Item) -> str:
    """The word that an item stands for: the end of a path."""
    separator = SEPARATOR.get(item[0])
    return item[1].rpartition(separator)[2] if separator else item[1]


def words(items: Iterable[Item]) -> set[str]:
    """The words of all items but the rating."""
    return {word_of(item) for item in items if item[0] != "rating"}


# XMP


def xmp_items(xml: bytes) -> set[Item]:
    """Everything that a photo program would show of a packet."""
    root = ET.fromstring(xml.strip(b"\0 \n"))
    found = {(name, text) for name in LISTS for text in _texts(root, name, LISTS[name][0])}
    rating = f"{{{NAMESPACES['xmp']}}}Rating"
    found |= {("rating", str(span.text)) for span in root.iter(rating)}
    return found | {("rating", span.attrib[rating]) for span in root.iter() if rating in span.attrib}


def own_labels(xml: bytes) -> set[str]:
    """What the packet says that tagger wrote."""
    return set(_texts(ET.fromstring(xml.strip(b"\0 \n")), "tagger", "labels"))


def _texts(root: ET.Element, prefix: str, name: str) -> list[str]:
    spans = root.iter(f"{{{NAMESPACES[prefix]}}}{name}")
    return [(li.text or "").strip() for span in spans for li in span.iter(f"{{{RDF}}}li")]


def with_items(xml: bytes | None, items: Iterable[Item]) -> bytes:
    """The packet with these items added, written anew as most programs do."""
    root = ET.fromstring((xml or EMPTY.encode()).strip(b"\0 \n"))
    there = xmp_items(xml) if xml else set()
    place = next(root.iter(f"{{{RDF}}}Description"))
    for item in items:
        if item in there:
            continue
        if item[0] == "rating":
            _set_rating(root, place, item[1])
            continue
        name, kind = LISTS[item[0]]
        tag = f"{{{NAMESPACES[item[0]]}}}{name}"
        span = next(root.iter(tag), None)
        span = ET.SubElement(place, tag) if span is None else span
        bag = next(iter(span), None)
        bag = ET.SubElement(span, f"{{{RDF}}}{kind}") if bag is None else bag
        ET.SubElement(bag, f"{{{RDF}}}li").text = item[1]
    return ET.tostring(root, encoding="utf-8")


def _set_rating(root: ET.Element, place: ET.Element, value: str) -> None:
    rating = f"{{{NAMESPACES['xmp']}}}Rating"
    for span in root.iter():
        span.attrib.pop(rating, None)
        for child in span.findall(rating):
            span.remove(child)
    place.attrib[rating] = value


def is_emptied(xml: bytes) -> bool:
    """Whether a packet says that the photo has no keywords: its flat list is there, and nothing is in it."""
    root = ET.fromstring(xml.strip(b"\0 \n"))
    return any(True for _ in root.iter(f"{{{NAMESPACES['dc']}}}subject")) and not words(xmp_items(xml))


def without_word(xml: bytes, word: str, *, leave_empty: bool = False) -> bytes:
    """The packet without a word, as a person takes it off in a photo manager: out of every list.

    Most programs, exiftool and exiv2 among them, drop a list that has become empty.
    """
    root = ET.fromstring(xml.strip(b"\0 \n"))
    for prefix, (name, _) in LISTS.items():
        for span in root.iter(f"{{{NAMESPACES[prefix]}}}{name}"):
            for bag in span:
                for li in [li for li in bag if word_of((prefix, (li.text or "").strip())) == word]:
                    bag.remove(li)
    lists = [f"{{{NAMESPACES[prefix]}}}{name}" for prefix, (name, _) in LISTS.items()]
    for parent in list(root.iter()):
        for span in [span for span in parent if span.tag in lists and not any(len(bag) for bag in span)]:
            if not leave_empty:
                parent.remove(span)
    return ET.tostring(root, encoding="utf-8")


# Inside a JPEG


def segments(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """((marker, content) of each segment before the scan, the rest)."""
    found, at = [], 2
    while data[at + 1] != 0xDA:
        size = struct.unpack(">H", data[at + 2 : at + 4])[0]
        found.append((data[at + 1], data[at + 4 : at + 2 + size]))
        at += 2 + size
    return found, data[at:]


def joined(parts: Iterable[tuple[int, bytes]], rest: bytes) -> bytes:
    """A JPEG of these segments."""
    written = (bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body for marker, body in parts)
    return b"\xff\xd8" + b"".join(written) + rest


def with_segment(path: Path, marker: int, head: bytes, body: bytes) -> None:
    """Put a segment into a JPEG, instead of the one that begins so; the picture stays byte for byte."""
    parts, rest = segments(path.read_bytes())
    kept = [(kind, old) for kind, old in parts if not (kind == marker and old.startswith(head))]
    first = 1 if kept and kept[0][0] == 0xE0 else 0
    path.write_bytes(joined([*kept[:first], (marker, head + body), *kept[first:]], rest))


def inside_items(path: Path) -> set[Item]:
    """Everything that a photo program would show of a JPEG's own metadata."""
    found: set[Item] = set()
    for _, body in segments(path.read_bytes())[0]:
        if body.startswith(XMP_HEAD):
            found |= xmp_items(body[len(XMP_HEAD) :])
        if body.startswith(IPTC_HEAD):
            found |= {("iptc", word) for word in _iptc_words(body)}
    return found


def _iptc_words(body: bytes) -> list[str]:
    found, at = [], body.find(b"\x1c\x02\x19")
    while at >= 0:
        size = struct.unpack(">H", body[at + 3 : at + 5])[0]
        found.append(body[at + 5 : at + 5 + size].decode())
        at = body.find(b"\x1c\x02\x19", at + 5 + size)
    return found


def tag_inside(path: Path, items: set[Item], program: str = "own") -> None:
    """Write items into a JPEG: with a real program, or byte by byte."""
    texts = [text for prop, text in sorted(items) if prop == "dc"]
    if program == "exiv2" and texts:
        orders = [f"-Mset Xmp.dc.subject XmpBag {text}" for text in texts]
        subprocess.run(["exiv2", *orders, str(path)], check=True, capture_output=True)
        return
    if program == "exiftool" and texts:
        orders = [f"-XMP-dc:Subject+={text}" for text in texts]
        subprocess.run(
            ["exiftool", "-q", "-overwrite_original", *orders, str(path)], check=True, capture_output=True
        )
        return
    iptc = [text for prop, text in sorted(items | inside_items(path)) if prop == "iptc"]
    if iptc:
        records = b"".join(b"\x1c\x02\x19" + struct.pack(">H", len(w.encode())) + w.encode() for w in iptc)
        records = b"\x1c\x01\x5a\x00\x03\x1b%G" + records + b"\0" * (len(records) % 2)
        with_segment(path, 0xED, IPTC_HEAD, b"8BIM\x04\x04\0\0" + struct.pack(">I", len(records)) + records)
    if rest := {item for item in items if item[0] != "iptc"}:
        old = next(
            (b[len(XMP_HEAD) :] for _, b in segments(path.read_bytes())[0] if b.startswith(XMP_HEAD)), None
        )
        with_segment(path, 0xE1, XMP_HEAD, with_items(old, rest))


def tag_sidecar(path: Path, items: Iterable[Item], program: str) -> None:
    """Write flat keywords into an XMP sidecar that is there, with a real program."""
    texts = [text for _, text in sorted(items)]
    if program == "exiv2":
        command = ["exiv2", *(f"-Mset Xmp.dc.subject XmpBag {text}" for text in texts), str(path)]
    else:
        orders = (f"-XMP-dc:Subject+={text}" for text in texts)
        command = ["exiftool", "-q", "-overwrite_original", *orders, str(path)]
    subprocess.run(command, check=True, capture_output=True)


def turn_by_flag(path: Path, orientation: int) -> None:
    """Rotate a JPEG by its EXIF orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    with_segment(path, 0xE1, EXIF_HEAD, exif.tobytes().removeprefix(EXIF_HEAD))


def crop(path: Path) -> None:
    """Cut a photo and encode it anew: another picture, without its metadata."""
    with Image.open(path) as image:
        image.load()
        cut = image.crop((3, 2, image.width - 2, image.height - 3))
    out = io.BytesIO()
    cut.save(out, "JPEG", quality=90)
    path.write_bytes(out.getvalue())


def text_words(path: Path) -> list[str]:
    """The words of a text sidecar, between commas and lines."""
    lines = path.read_text("utf-8-sig").splitlines()
    return [
        word.strip().replace("\\(", "(").replace("\\)", ")") for line in lines for word in line.split(",")
    ]
