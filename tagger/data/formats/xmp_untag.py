"""Removal of what tagger wrote from an XMP file, where somebody else has changed the file since."""

from collections.abc import Collection

from tagger.data.formats.xml_spans import decode_xml, parse_spans
from tagger.data.formats.xmp import EMPTY_SIDECAR, label_of_prediction
from tagger.data.formats.xmp_edit import XmpEditor
from tagger.data.formats.xmp_properties import (
    ALL_KEYWORDS,
    FLAT_KEYWORDS,
    TAGGER_LABELS,
    TAGGER_NONE,
    TAGGER_PREDICTED,
    TAGGER_TAKEN_OFF,
    keyword_of_item,
    property_values,
)


def without_labels(
    xml: bytes, labels: Collection[str], *, everything: bool, where: str = "XMP"
) -> bytes | None:
    """The file without these labels of tagger; with ``everything`` without its notes, too. None if nothing is left.

    >>> from tagger.data.formats.xmp import merge_keywords, read_keywords
    >>> read_keywords(without_labels(merge_keywords(None, ["sea", "sky"]), ["sea"], everything=False))
    ['sky']
    >>> without_labels(merge_keywords(None, ["sea"]), ["sea"], everything=True) is None
    True
    """
    text, encoding = decode_xml(xml, where=where)
    root = parse_spans(text.encode(), where=where)
    flat = property_values(root, FLAT_KEYWORDS)
    sheet = XmpEditor(text.encode(), root)
    for prop in ALL_KEYWORDS:
        gone = {
            item for item in property_values(root, prop) if keyword_of_item(item, prop[3], flat) in labels
        }
        sheet.update_property(prop, [], gone.__contains__)
    sheet.update_property(TAGGER_LABELS, [], lambda item: everything or item in labels)
    sheet.update_property(
        TAGGER_PREDICTED, [], lambda item: everything or label_of_prediction(item) in labels
    )
    if everything:
        sheet.update_property(TAGGER_TAKEN_OFF, [], lambda item: True)
        sheet.set_text(TAGGER_NONE, "")
    after = sheet.edited(where).decode().encode(encoding, "xmlcharrefreplace")
    return None if after == EMPTY_SIDECAR.encode() else after
