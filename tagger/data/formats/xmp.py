"""Keywords in XMP sidecars, read and written in the properties that photo programs use.

``dc:subject`` holds flat keywords (all programs), ``lr:hierarchicalSubject`` paths with ``|`` (Lightroom,
darktable), ``digiKam:TagsList`` paths with ``/`` (digiKam, Immich). A path stands for its last part, unless
``dc:subject`` has all of it as a flat keyword. New ones are written as bags, but TagsList as a sequence:
digiKam reads no other (its MetaEngine::getXmpTagStringSeq), and writes no other.

Keywords of a person and of tagger look the same, so those that tagger added are also listed in
``tagger:labels``. ``tagger:none`` notes that no label applies: an empty ``dc:subject`` means this too, but
exiftool reads it as an empty keyword. Files are edited by cutting and inserting: all other bytes stay as they
are.
"""

from collections.abc import Collection, Iterable, Sequence
from xml.sax.saxutils import escape

from tagger.data.formats.xml_spans import Span, attribute_spans, decode_xml, parse_spans, written_name
from tagger.errors import TaggerError

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
TAGGER_LABELS = ("tagger", "https://tagger.example/ns/1.0/", "labels", "", "Bag")
TAGGER_NONE = ("tagger", "https://tagger.example/ns/1.0/", "none", "", "")  # no list: a text
# prefix, namespace, name, what separates the parts of a path, kind of list
FLAT_KEYWORDS = ("dc", "http://purl.org/dc/elements/1.1/", "subject", "", "Bag")
HIERARCHICAL_KEYWORDS = (
    ("lr", "http://ns.adobe.com/lightroom/1.0/", "hierarchicalSubject", "|", "Bag"),
    ("digiKam", "http://www.digikam.org/ns/1.0/", "TagsList", "/", "Seq"),
)
Property = tuple[str, str, str, str, str]

EMPTY_SIDECAR = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="tagger">
 <rdf:RDF xmlns:rdf="{RDF}">
  <rdf:Description rdf:about="">
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""


def read_keywords(xml: bytes, *, where: str = "XMP") -> list[str]:
    """The keywords of a sidecar or an embedded packet, each once: flat ones first, then the ends of paths.

    TaggerError, which begins with ``where``, if it is not XML; XML without keywords has none.

    >>> read_keywords(merge_keywords(None, ["sea", "red, white"]))
    ['sea', 'red, white']
    """
    root = parse_spans(decode_xml(xml, where=where)[0].encode(), where=where)
    flat = _property_values(root, FLAT_KEYWORDS)
    paths = [
        _keyword_of_path(item, prop[3], flat)
        for prop in HIERARCHICAL_KEYWORDS
        for item in _property_values(root, prop)
    ]
    return list(dict.fromkeys([*flat, *paths]))


def read_tagger_labels(xml: bytes, *, where: str = "XMP") -> list[str]:
    """The labels that tagger added, without those that somebody has put into a path since.

    >>> read_tagger_labels(merge_keywords(None, ["sea"]))
    ['sea']
    """
    root = parse_spans(decode_xml(xml, where=where)[0].encode(), where=where)
    flat = _property_values(root, FLAT_KEYWORDS)
    paths = [(item, prop[3]) for prop in HIERARCHICAL_KEYWORDS for item in _property_values(root, prop)]
    in_path = {keyword for item, sep in paths if (keyword := _keyword_of_path(item, sep, flat)) != item}
    return [label for label in _property_values(root, TAGGER_LABELS) if label not in in_path]


def merge_keywords(
    xml: bytes | None,
    labels: Sequence[str],
    *,
    withdrawn: Collection[str] = (),
    none: bool = False,
    where: str = "XMP",
) -> bytes:
    """The sidecar with ``labels`` added to its keywords and ``withdrawn`` removed; all other bytes stay.

    ``None`` makes a new sidecar. A label that it already has, also as the end of a path, is not written
    again. With ``none`` it notes that no label applies, if no keyword is left. Merging again changes
    nothing. TaggerError if it is not XMP, and for names that XML cannot hold.

    >>> read_keywords(merge_keywords(merge_keywords(None, ["sea", "my own"]), ["sky"], withdrawn=["sea"]))
    ['my own', 'sky']
    """
    check_xml_names(labels)
    text, encoding = decode_xml(EMPTY_SIDECAR.encode() if xml is None else xml, where=where)
    root = parse_spans(text.encode(), where=where)
    flat = [*_property_values(root, FLAT_KEYWORDS), *labels]
    removed = set(withdrawn) - set(labels)
    sheet = _XmpEditor(text.encode(), root)
    for prop in (FLAT_KEYWORDS, *HIERARCHICAL_KEYWORDS):
        sheet.update_property(prop, labels, removed, flat)
    persons = {
        _keyword_of_path(item, prop[3], flat)
        for prop in (FLAT_KEYWORDS, *HIERARCHICAL_KEYWORDS)
        for item in _property_values(root, prop)
    }
    sheet.update_property(TAGGER_LABELS, [label for label in labels if label not in persons], removed, flat)
    sheet.set_none_note(none and not labels and not persons - removed)
    return sheet.edited(where).decode().encode(encoding, "xmlcharrefreplace")


def check_xml_names(labels: Iterable[str]) -> None:
    """Pass if XML can hold all names; TaggerError with those that it cannot (control characters).

    >>> check_xml_names(["sea", "<&>"])
    """
    bad = [label for label in labels if any(not _is_xml_char(sign) for sign in label)]
    if bad:
        raise TaggerError(
            f"XMP cannot hold the label {', '.join(map(repr, bad))}: a character is not allowed. Rename it"
        )


def _is_xml_char(sign: str) -> bool:
    return sign in "\t\n\r" or " " <= sign <= "\ud7ff" or "\ue000" <= sign <= "\ufffd" or sign > "\uffff"


def _keyword_of_path(item: str, separator: str, flat: Collection[str]) -> str:
    """The keyword of a hierarchical path: its last part.

    >>> _keyword_of_path("animals|cat", "|", []), _keyword_of_path("a|b", "|", ["a|b"])
    ('cat', 'a|b')
    """
    if item in flat or not separator:
        return item
    return next((part for part in reversed(item.split(separator)) if part.strip()), item).strip()


class _XmpEditor:
    """An XMP file with the edits to make and the properties to add."""

    def __init__(self, data: bytes, root: Span):
        self.data = data
        self.root = root
        self.edits: list[tuple[int, int, bytes]] = []
        self.new: list[tuple[Property, list[str]]] = []

    def update_property(
        self, prop: Property, labels: Sequence[str], removed: Collection[str], flat: Collection[str]
    ) -> None:
        """Remove keywords from one property, and add the labels that it lacks."""
        there = {_keyword_of_path(item, prop[3], flat) for item in _property_values(self.root, prop)}
        missing = [label for label in labels if label not in there]
        loose_keywords: list[str] = []  # keywords that stood in no list
        for span in _property_spans(self.root, prop):
            items = _list_items(span)
            out = [item for item in items if _keyword_of_path(item.text.strip(), prop[3], flat) in removed]
            if items:
                self._change_list(span, items, out, missing)
                missing = []
            elif missing or _keyword_of_path(span.text.strip(), prop[3], flat) in removed:
                loose_keywords += [span.text.strip()]
                self._cut(span)
        loose_keywords += self._cut_attributes(prop, bool(missing), removed)
        listed = [
            item for item in loose_keywords if item and _keyword_of_path(item, prop[3], flat) not in removed
        ]
        if listed or missing:
            self.new.append((prop, [*listed, *missing]))

    def set_none_note(self, none: bool) -> None:
        """Add or remove the note that no label applies."""
        noted = _property_values(self.root, TAGGER_NONE)
        if none and not noted:
            self.new.append((TAGGER_NONE, ["True"]))
        elif noted and not none:
            self.update_property(TAGGER_NONE, [], set(noted), [])

    def edited(self, where: str) -> bytes:
        """The bytes with all edits made."""
        edits = list(self.edits)
        data = self.data
        if self.new:
            edits.append(self._insertion(where))
        for start, end, piece in sorted(edits, reverse=True):
            data = data[:start] + piece + data[end:]
        return data

    def _change_list(self, span: Span, items: list[Span], out: list[Span], missing: list[str]) -> None:
        """Remove and add items of one list; an empty list is removed."""
        if len(out) == len(items) and not missing:
            return self._cut(span)
        for item in out:
            self._cut(item)
        gap = self.data[_whitespace_start(self.data, items[-1].start) : items[-1].start]
        li = written_name(self.data, items[-1])
        added = b"".join(
            gap + b"<" + li + b">" + _escaped_text(label) + b"</" + li + b">" for label in missing
        )
        return self.edits.append((items[-1].end, items[-1].end, added))

    def _cut(self, span: Span) -> None:
        self.edits.append((_whitespace_start(self.data, span.start), span.end, b""))

    def _cut_attributes(self, prop: Property, needed: bool, removed: Collection[str]) -> list[str]:
        """Cut the property where it is written as an attribute and must change; return its keywords."""
        _, uri, name, _, _ = prop
        found = []
        for span in _descriptions(self.root):
            value = span.attributes.get(f"{{{uri}}}{name}", "").strip()
            if not needed and value not in removed:
                continue
            for written, start, end in attribute_spans(self.data, span):
                prefix, _, local = written.decode().partition(":")
                if local == name and span.scope.get(prefix) == uri:
                    self.edits.append((start, end, b""))
                    found.append(value)
        return found

    def _insertion(self, where: str) -> tuple[int, int, bytes]:
        """The edit that adds new properties to the first description, or a new description to the RDF."""
        rdf = next((span for span in self.root.iter() if span.tag == f"{{{RDF}}}RDF"), None)
        if rdf is None:
            raise TaggerError(f"{where}: this is XML, but no XMP: there is no rdf:RDF in it. Move it away")
        target = next(iter(_descriptions(self.root)), None)
        block = b"".join(_property_xml(prop, names, (target or rdf).scope) for prop, names in self.new)
        if target is None:
            about = f'\n  <rdf:Description xmlns:rdf="{RDF}" rdf:about="">'.encode()
            target = rdf
            block = about + block + b"\n  </rdf:Description>"
        if target.self_closing:
            return (
                target.end - 2,
                target.end,
                b">" + block + b"\n  </" + written_name(self.data, target) + b">",
            )
        at = _whitespace_start(self.data, target.close)
        return at, at, block


def _descriptions(root: Span) -> list[Span]:
    """The elements that hold properties, without those inside properties."""
    tags = (f"{{{RDF}}}RDF", f"{{{RDF}}}Description")
    return [
        child
        for span in root.iter()
        if span.tag == tags[0]
        for child in span.children
        if child.tag == tags[1]
    ]


def _property_spans(root: Span, prop: Property) -> list[Span]:
    _, uri, name, _, _ = prop
    return [
        child for span in _descriptions(root) for child in span.children if child.tag == f"{{{uri}}}{name}"
    ]


def _property_values(root: Span, prop: Property) -> list[str]:
    """The texts of a property, each once: of its attribute, its own text and its list."""
    _, uri, name, _, _ = prop
    found = [span.attributes.get(f"{{{uri}}}{name}", "") for span in _descriptions(root)]
    for span in _property_spans(root, prop):
        found += [span.text, *(item.text for item in _list_items(span))]
    return list(dict.fromkeys(text.strip() for text in found if text.strip()))


def _list_items(span: Span) -> list[Span]:
    return [item for bag in span.children for item in bag.children if item.tag == f"{{{RDF}}}li"]


def _property_xml(prop: Property, names: Iterable[str], scope: dict[str, str]) -> bytes:
    """A property as a list, with the namespaces that are not declared where it will stand."""
    prefix, uri, name, _, kind = prop
    declared = "".join(f' xmlns:{p}="{u}"' for p, u in ((prefix, uri), ("rdf", RDF)) if scope.get(p) != u)
    if not kind:
        return (
            f"\n   <{prefix}:{name}{declared}>".encode()
            + _escaped_text(*names)
            + f"</{prefix}:{name}>".encode()
        )
    items = b"".join(b"\n     <rdf:li>" + _escaped_text(text) + b"</rdf:li>" for text in dict.fromkeys(names))
    head = f"\n   <{prefix}:{name}{declared}>\n    <rdf:{kind}>".encode()
    return head + items + f"\n    </rdf:{kind}>\n   </{prefix}:{name}>".encode()


def _escaped_text(label: str) -> bytes:
    return escape(label, {"\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}).encode()


def _whitespace_start(data: bytes, at: int) -> int:
    """The start of the white space before a tag."""
    return len(data[:at].rstrip(b" \t\r\n"))
