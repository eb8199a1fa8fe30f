"""Edits of an XMP file by cutting and inserting, so that every other byte stays as it is."""

from collections.abc import Callable, Iterable, Sequence
from xml.sax.saxutils import escape

from tagger.data.formats.xml_spans import Span, attribute_spans, written_name
from tagger.data.formats.xmp_properties import (
    RDF,
    Property,
    descriptions,
    list_items,
    property_spans,
    property_values,
)
from tagger.errors import TaggerError


class XmpEditor:
    """An XMP file with the edits to make and the properties to add."""

    def __init__(self, data: bytes, root: Span):
        self.data = data
        self.root = root
        self.edits: list[tuple[int, int, bytes]] = []
        self.new: list[tuple[Property, list[str]]] = []

    def update_property(self, prop: Property, missing: Sequence[str], goes: Callable[[str], bool]) -> None:
        """Remove the items of a property that go, and add the ``missing`` ones."""
        missing = list(missing)
        loose_items: list[str] = []  # those that stood in no list
        for span in property_spans(self.root, prop):
            items = list_items(span)
            if items:
                self._change_list(span, items, [item for item in items if goes(item.text.strip())], missing)
                missing = []
            elif missing or goes(span.text.strip()):
                loose_items += [span.text.strip()]
                self.cut(span)
        loose_items += self._cut_attributes(prop, bool(missing), goes)
        listed = [item for item in loose_items if item and not goes(item)]
        if listed or missing:
            self.new.append((prop, [*listed, *missing]))

    def set_text(self, prop: Property, text: str) -> None:
        """Give a property that is a text another one; nothing removes it."""
        before = property_values(self.root, prop)
        if before != [text][: bool(text)]:
            self.update_property(prop, [], set(before).__contains__)
            if text:
                self.new.append((prop, [text]))

    def edited(self, where: str) -> bytes:
        """The bytes with all edits made."""
        edits = list(self.edits)
        data = self.data
        if self.new:
            edits.append(self._insertion(where))
        for start, end, piece in sorted(edits, reverse=True):
            data = data[:start] + piece + data[end:]
        return data

    def cut(self, span: Span) -> None:
        """Cut an element, with the white space before it."""
        self.edits.append((_whitespace_start(self.data, span.start), span.end, b""))

    def cut_attribute(self, span: Span, uri: str, name: str) -> bool:
        """Cut a property that is written as an attribute of a description; whether there was one."""
        for written, start, end in attribute_spans(self.data, span):
            prefix, _, local = written.decode().partition(":")
            if local == name and span.scope.get(prefix) == uri:
                self.edits.append((start, end, b""))
                return True
        return False

    def _change_list(self, span: Span, items: list[Span], out: list[Span], missing: list[str]) -> None:
        """Remove and add items of one list; an empty list is removed."""
        if len(out) == len(items) and not missing:
            return self.cut(span)
        for item in out:
            self.cut(item)
        gap = self.data[_whitespace_start(self.data, items[-1].start) : items[-1].start]
        li = written_name(self.data, items[-1])
        added = b"".join(
            gap + b"<" + li + b">" + _escaped_text(label) + b"</" + li + b">" for label in missing
        )
        return self.edits.append((items[-1].end, items[-1].end, added))

    def _cut_attributes(self, prop: Property, needed: bool, goes: Callable[[str], bool]) -> list[str]:
        """Cut the property where it is written as an attribute and must change; return its values."""
        _, uri, name, _, _ = prop
        found = []
        for span in descriptions(self.root):
            value = span.attributes.get(f"{{{uri}}}{name}", "").strip()
            if (needed or goes(value)) and self.cut_attribute(span, uri, name):
                found.append(value)
        return found

    def _insertion(self, where: str) -> tuple[int, int, bytes]:
        """The edit that adds new properties to the first description, or a new description to the RDF."""
        rdf = next((span for span in self.root.iter() if span.tag == f"{{{RDF}}}RDF"), None)
        if rdf is None:
            raise TaggerError(f"{where}: this is XML, but no XMP: there is no rdf:RDF in it. Move it away")
        target = next(iter(descriptions(self.root)), None)
        block = b"".join(_property_xml(prop, names, (target or rdf).scope) for prop, names in self.new)
        if target is None:
            about = f'\n  <rdf:Description xmlns:rdf="{RDF}" rdf:about="">'.encode()
            target = rdf
            block = about + block + b"\n  </rdf:Description>"
        if target.self_closing:
            tail = b"\n  </" + written_name(self.data, target) + b">"
            return target.end - 2, target.end, b">" + block + tail
        at = _whitespace_start(self.data, target.close)
        return at, at, block


def _property_xml(prop: Property, names: Iterable[str], scope: dict[str, str]) -> bytes:
    """A property as a list, with the namespaces that are not declared where it will stand."""
    prefix, uri, name, _, kind = prop
    declared = "".join(f' xmlns:{p}="{u}"' for p, u in ((prefix, uri), ("rdf", RDF)) if scope.get(p) != u)
    if not kind:
        text = _escaped_text(*names)
        return f"\n   <{prefix}:{name}{declared}>".encode() + text + f"</{prefix}:{name}>".encode()
    items = b"".join(b"\n     <rdf:li>" + _escaped_text(text) + b"</rdf:li>" for text in dict.fromkeys(names))
    head = f"\n   <{prefix}:{name}{declared}>\n    <rdf:{kind}>".encode()
    return head + items + f"\n    </rdf:{kind}>\n   </{prefix}:{name}>".encode()


def _escaped_text(label: str) -> bytes:
    return escape(label, {"\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}).encode()


def _whitespace_start(data: bytes, at: int) -> int:
    """The start of the white space before a tag."""
    return len(data[:at].rstrip(b" \t\r\n"))
