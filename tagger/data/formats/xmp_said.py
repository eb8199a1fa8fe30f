"""Last copies: keywords, rating, title and so on of a photo that one XMP sidecar has, and no other place.

tagger copies what is inside a photo into the sidecar that it makes. Where another program has cleared the photo since,
the copy is the last one, and it must not go with the sidecar.
"""

from collections.abc import Sequence
from pathlib import Path

from tagger.data.formats.keyword_sources import keyword_sources, sidecars_of
from tagger.data.formats.readers.embedded_metadata import read_embedded
from tagger.data.formats.xml_spans import decode_xml, parse_spans
from tagger.data.formats.xmp import read_words
from tagger.data.formats.xmp_properties import ALL_KEYWORDS, descriptions
from tagger.data.formats.xmp_untag import without_labels

KEYWORD_TAGS = {f"{{{prop[1]}}}{prop[2]}" for prop in ALL_KEYWORDS}
Said = set[tuple[str, str]]


def said_only_there(sidecar: Path, before: bytes, after: bytes | None, photos: Sequence[Path]) -> Said:
    """(property, text) that goes with a change of a sidecar, and that neither its photos nor their other sidecars have.

    What tagger itself wrote does not count. TaggerError if XMP cannot be read.
    """
    rest = without_labels(
        before, read_words(before, where=sidecar.name).ours, everything=True, where=sidecar.name
    )
    lost = _said(rest, sidecar.name) - _said(after, sidecar.name)
    for photo in photos:
        others = [path for path in sidecars_of(photo) if path != sidecar]
        for xml in (read_embedded(photo).packet, *(path.read_bytes() for path in others)):
            lost -= _said(xml, photo.name)
        lost -= {("", word) for source in keyword_sources(photo, others) for word in source.words.keywords}
    return lost


def _said(xml: bytes | None, where: str) -> Said:
    """(property, text) of everything that a packet says; keywords without their property, which may be another one."""
    if not xml:
        return set()
    root = parse_spans(decode_xml(xml, where=where)[0].encode(), where=where)
    found = {("", word) for word in read_words(xml, where=where).keywords}
    for place in descriptions(root):
        found |= {(name, text) for name, text in place.attributes.items() if not name.endswith("}about")}
        for prop in place.children:
            if prop.tag not in KEYWORD_TAGS:
                found |= {(prop.tag, span.text.strip()) for span in prop.iter() if span.text.strip()}
    return found
