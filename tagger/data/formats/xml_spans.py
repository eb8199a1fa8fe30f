"""Byte positions of XML elements, so that an edit leaves every other byte as it is."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import XMLParser

from tagger.errors import TaggerError

_OPEN_TAG = re.compile(rb"<[^\"'>]*(?:\"[^\"]*\"[^\"'>]*|'[^']*'[^\"'>]*)*>")
_ATTRIBUTE = re.compile(rb"\s+([^\s=]+)\s*=\s*(?:\"[^\"]*\"|'[^']*')")
_DECLARED = re.compile(r"\A\ufeff?<\?xml[^>]*?\sencoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")
MAX_DEPTH = 200  # of nested elements; photo programs write ten
MAX_XML_BYTES = 1 << 25  # photo programs write some thousands
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


@dataclass
class Span:
    """An element: its tag (``{namespace}name``), attributes, own text, and offsets in the UTF-8 bytes.

    The element is ``start:end``, its content ``content_start:close``. ``scope`` is prefix -> namespace;
    ``self_closing`` means that it was written as one tag (``<a/>``).
    """

    tag: str
    attributes: dict[str, str]
    start: int
    content_start: int
    self_closing: bool
    scope: dict[str, str]
    close: int = 0
    end: int = 0
    text: str = ""
    children: list["Span"] = field(default_factory=list)

    def iter(self) -> Iterator["Span"]:
        """This element and all below it, in the order of the file."""
        stack = [self]
        while stack:
            span = stack.pop()
            yield span
            stack.extend(reversed(span.children))


def decode_xml(data: bytes, *, where: str) -> tuple[str, str]:
    """(text, encoding) of a file: by its byte order mark, its declaration, or as UTF-8. TaggerError if invalid."""
    encoding = next((name for bom, name in _BOMS if data.startswith(bom)), "")
    if not encoding:
        declared = _DECLARED.match(data[:200].decode("latin-1"))
        encoding = declared[1].lower() if declared else "utf-8"
    try:
        text = data.decode(encoding)
        text.encode()  # some codecs accept lone surrogates
        return text, encoding
    except (UnicodeError, LookupError):
        raise TaggerError(
            f"{where}: this is not {encoding.upper()} text, as XML must be. Save it again"
        ) from None


def parse_spans(data: bytes, *, where: str) -> Span:
    """The root element of UTF-8 ``data``. TaggerError with the line if it is not well-formed, or has a DTD.

    >>> root = parse_spans(b"<a><b>x</b><c/></a>", where="x.xml")
    >>> [(span.tag, span.start, span.end, span.text) for span in root.iter()]
    [('a', 0, 19, ''), ('b', 3, 11, 'x'), ('c', 11, 15, '')]
    """
    if len(data) > MAX_XML_BYTES:
        raise TaggerError(
            f"{where}: {len(data):,} bytes of XML; at most {MAX_XML_BYTES:,} are read. Mend or remove it"
        )
    target = _SpanBuilder(data, where)
    parser = XMLParser(target=target, encoding="utf-8", forbid_dtd=True)
    target.expat = parser.parser
    try:
        parser.feed(data)
        parser.close()
    except ParseError as error:
        row = error.position[0]
        raise TaggerError(
            f"{where}, row {row}: this is not well-formed XML ({error}). Mend or remove it"
        ) from None
    except DefusedXmlException as error:
        raise TaggerError(
            f"{where}: it holds a document type or entities, which are not read ({error.args})"
        ) from None
    if target.root is None:
        raise TaggerError(f"{where}: there is no element in it. Remove it")
    return target.root


def attribute_spans(data: bytes, span: Span) -> Iterator[tuple[bytes, int, int]]:
    """(name as written, start, end) of each attribute of an element, with the white space before it."""
    at = span.start + len(written_name(data, span)) + 1
    while found := _ATTRIBUTE.match(data, at, span.content_start):
        at = found.end()
        yield found[1], found.start(), at


def written_name(data: bytes, span: Span) -> bytes:
    """The element's name with its prefix, as written."""
    found = re.compile(rb"[^\s/>]+").match(data, span.start + 1)
    assert found, "an element has a name"
    return found[0]


class _SpanBuilder:
    """Builds spans from the parser's events; offsets are those of expat."""

    def __init__(self, data: bytes, where: str):
        self.xml = data
        self.expat = None
        self.where = where
        self.root: Span | None = None
        self.open: list[Span] = []
        self.declared: list[tuple[str, str]] = []

    def start_ns(self, prefix: str, uri: str) -> None:
        self.declared.append((prefix, uri))

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self.open) >= MAX_DEPTH:
            raise TaggerError(
                f"{self.where}: elements are nested more than {MAX_DEPTH} deep. Mend or remove it"
            )
        at = self._offset()
        tag_text = _OPEN_TAG.match(self.xml, at)
        assert tag_text, "expat has seen a tag here"
        scope = self.open[-1].scope if self.open else {}
        if self.declared:
            scope = scope | dict(self.declared)
            self.declared = []
        span = Span(tag, dict(attributes), at, tag_text.end(), tag_text[0].endswith(b"/>"), scope)
        if self.open:
            self.open[-1].children.append(span)
        elif self.root is None:
            self.root = span
        self.open.append(span)

    def data(self, text: str) -> None:
        if self.open:
            self.open[-1].text += text

    def end(self, tag: str) -> None:
        span = self.open.pop()
        if span.self_closing:
            span.close = span.end = span.content_start
        else:
            span.close = self._offset()
            span.end = self.xml.index(b">", span.close) + 1

    def close(self) -> None:
        return None

    def _offset(self) -> int:
        expat: Any = self.expat
        return int(expat.CurrentByteIndex)
