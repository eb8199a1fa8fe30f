"""XMP packets inside photos, reduced to what they say about the photo: no file and processing data.

A sidecar hides the packet from programs that prefer sidecars (digiKam reads no other XMP then), so a new sidecar
starts from it: keywords, title, description, rating, places, faces. What describes the file or how it was developed
must not go along: a raw developer would apply it to the finished photo once more.
"""

import re

from tagger.data.formats.xml_spans import decode_xml, parse_spans
from tagger.data.formats.xmp_edit import XmpEditor
from tagger.data.formats.xmp_properties import descriptions

XMP = "http://ns.adobe.com/xap/1.0/"
EXIF = "http://ns.adobe.com/exif/1.0/"
KEPT_EXIF = re.compile("GPS.*|UserComment|DateTimeOriginal")
LEFT_OUT_NAMESPACES = (  # their beginnings
    "http://ns.adobe.com/camera-raw-",
    "http://darktable.sf.net/",
    "http://www.rawtherapee.com/",
    f"{XMP}mm/",
    "http://ns.adobe.com/xmp/note/",
    "http://ns.adobe.com/tiff/1.0/",
    f"{EXIF}aux/",
    "http://cipa.jp/exif/",
    "http://ns.google.com/photos/",
    "http://ns.adobe.com/hdr-gain-map/",
)
LEFT_OUT = {
    XMP: ("CreatorTool", "ModifyDate", "MetadataDate", "Thumbnails"),
    "http://purl.org/dc/elements/1.1/": ("format",),
    "http://ns.adobe.com/photoshop/1.0/": (
        "DocumentAncestors",
        "History",
        "ColorMode",
        "ICCProfile",
        "LegacyIPTCDigest",
        "SidecarForExtension",
        "TextLayers",
    ),
}
PADDING = re.compile(rb"\s+(<\?xpacket end=)")


def described(packet: bytes, *, where: str) -> bytes:
    """The packet with what it says about the photo only; empty if it is no XMP. TaggerError if it is no XML.

    >>> rdf = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
    >>> text = f'<rdf:RDF {rdf}><rdf:Description xmlns:x="http://ns.adobe.com/xap/1.0/" x:Rating="4" x:ModifyDate="-"/>'
    >>> described(f"{text}</rdf:RDF>".encode(), where="a.jpg")[-63:]
    b'xmlns:x="http://ns.adobe.com/xap/1.0/" x:Rating="4"/></rdf:RDF>'
    """
    text, encoding = decode_xml(packet, where=where)
    root = parse_spans(text.encode(), where=where)
    sheet = XmpEditor(text.encode(), root)
    about = descriptions(root)
    for span in about:
        for child in span.children:
            if is_left_out(child.tag):
                sheet.cut(child)
        for name in span.attributes:
            if is_left_out(name):
                sheet.cut_attribute(span, *name[1:].split("}"))
    short = PADDING.sub(rb"\n\1", sheet.edited(where)) if about else b""
    return short.decode().encode(encoding, "xmlcharrefreplace")


def is_left_out(name: str) -> bool:
    """Whether a property (``{namespace}name``) is about the file or its processing.

    >>> is_left_out("{http://ns.adobe.com/exif/1.0/}GPSLatitude"), is_left_out("{http://ns.adobe.com/tiff/1.0/}Make")
    (False, True)
    """
    uri, _, local = name.removeprefix("{").partition("}")
    if uri == EXIF:
        return KEPT_EXIF.fullmatch(local) is None
    return uri.startswith(LEFT_OUT_NAMESPACES) or local in LEFT_OUT.get(uri, ())
