"""Keywords in XMP sidecars, read and written in the properties that photo programs use.

``dc:subject`` holds flat keywords (all programs), ``lr:hierarchicalSubject`` paths with ``|`` (Lightroom,
darktable), ``digiKam:TagsList`` paths with ``/`` (digiKam, Immich). A path stands for its last part, unless
``dc:subject`` has all of it as a flat keyword. New ones are written as bags, but TagsList as a sequence:
digiKam reads no other (its MetaEngine::getXmpTagStringSeq), and writes no other.

A file that has keywords gets new ones in ``dc:subject`` and in those of the other lists that it has. A new list
beside a person's would hide it: digiKam and Immich read the first list that they find, and no other.

Keywords of a person and of tagger look the same, so those that tagger added are also listed in
``tagger:labels``. One that is listed there and gone was taken off by a person: it is not added again, and moves
to ``tagger:takenOff``, so that one that a person puts back later is the person's.
``tagger:predicted`` lists those that a model predicted and nobody has checked, with probability, day and run.
``tagger:none`` notes that no label applies: an empty ``dc:subject`` means this too, but exiftool reads it as an
empty keyword. Files are edited by cutting and inserting: all other bytes stay as they are.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tagger.data.formats.xml_spans import Span, decode_xml, parse_spans
from tagger.data.formats.xmp_edit import XmpEditor
from tagger.data.formats.xmp_properties import (
    ALL_KEYWORDS,
    FLAT_KEYWORDS,
    HIERARCHICAL_KEYWORDS,
    RDF,
    TAGGER_LABELS,
    TAGGER_NONE,
    TAGGER_PREDICTED,
    TAGGER_TAKEN_OFF,
    keyword_of_item,
    keywords_of,
    path_of_item,
    paths_of,
    property_values,
)
from tagger.errors import TaggerError

EMPTY_SIDECAR = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="tagger">
 <rdf:RDF xmlns:rdf="{RDF}">
  <rdf:Description rdf:about="">
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""


@dataclass(frozen=True)
class SidecarWords:
    """The keywords of an XMP file, and whose they are.

    ``keywords`` are all of them. ``ours`` are those of them that tagger added, ``predicted`` those of ``ours`` that
    a model predicted and nobody has checked. ``taken_off`` are labels that tagger added and that are gone.
    ``paths`` are those of hierarchical keywords, with ``|`` between the parts. ``none``: it is noted that no label
    applies, by people (``True``) or a model (``Predicted``).
    """

    keywords: list[str]
    ours: list[str] = field(default_factory=list)
    predicted: list[str] = field(default_factory=list)
    taken_off: list[str] = field(default_factory=list)
    paths: dict[str, list[str]] = field(default_factory=dict)
    none: str = ""

    @property
    def persons(self) -> list[str]:
        """The keywords that tagger did not add."""
        return [word for word in self.keywords if word not in self.ours]


def read_words(xml: bytes, *, where: str = "XMP") -> SidecarWords:
    """The keywords of an XMP file, and whose they are. TaggerError, which begins with ``where``, if it is no XML.

    >>> read_words(merge_keywords(None, ["sea"])).ours
    ['sea']
    """
    return _words_of(parse_spans(decode_xml(xml, where=where)[0].encode(), where=where))


def _words_of(root: Span) -> SidecarWords:
    keywords = keywords_of(root)
    flat = property_values(root, FLAT_KEYWORDS)
    listed = property_values(root, TAGGER_LABELS)
    in_paths = paths_of(root)  # somebody has put it there since
    # Lightroom and darktable take a keyword off the flat list, and leave lists of other programs as they are.
    taken_off = [label for label in missing_labels(listed, flat, listed) if label not in in_paths]
    keywords = [word for word in keywords if word not in taken_off]
    taken_off += missing_labels(property_values(root, TAGGER_TAKEN_OFF), [*keywords, *taken_off], ())
    ours = [label for label in listed if label in keywords and label not in in_paths]
    unchecked = {label_of_prediction(item) for item in property_values(root, TAGGER_PREDICTED)}
    predicted = [label for label in ours if label in unchecked]
    none = "".join(property_values(root, TAGGER_NONE)[:1])
    return SidecarWords(keywords, ours, predicted, taken_off, in_paths, none)


def read_keywords(xml: bytes, *, where: str = "XMP") -> list[str]:
    """The keywords of a sidecar or an embedded packet, each once: flat ones first, then the ends of paths.

    TaggerError, which begins with ``where``, if it is not XML; XML without keywords has none.

    >>> read_keywords(merge_keywords(None, ["sea", "red, white"]))
    ['sea', 'red, white']
    """
    return read_words(xml, where=where).keywords


def read_tagger_labels(xml: bytes, *, where: str = "XMP") -> list[str]:
    """The keywords that tagger added, without those that somebody has put into a path since.

    >>> read_tagger_labels(merge_keywords(None, ["sea"]))
    ['sea']
    """
    return read_words(xml, where=where).ours


def read_predictions(xml: bytes, *, where: str = "XMP") -> list[str]:
    """The items of ``tagger:predicted``: probability, day, run and label. ``label_of_prediction`` reads one."""
    root = parse_spans(decode_xml(xml, where=where)[0].encode(), where=where)
    return property_values(root, TAGGER_PREDICTED)


def label_of_prediction(item: str) -> str:
    """The label of an item of ``tagger:predicted``.

    >>> label_of_prediction("0.931 2026-11-28 my%20run dog")
    'dog'
    """
    return item.split(" ", 3)[-1]


def merge_keywords(
    xml: bytes | None,
    labels: Sequence[str],
    *,
    withdrawn: Collection[str] = (),
    none: bool = False,
    where: str = "XMP",
    vocabulary: Collection[str] = (),
    again: Collection[str] = (),
    predicted: Mapping[str, str] | None = None,
) -> bytes:
    """The sidecar with ``labels`` added to its keywords and ``withdrawn`` removed; all other bytes stay.

    ``None`` makes a new sidecar. A label that it already has is not written again: also as the end of a path, and
    in other capitals, unless that is another label of the ``vocabulary``. Nor is one that tagger wrote and that is
    gone, except those to write ``again``. ``predicted`` holds what to note of labels that a model predicted (None:
    people chose them). With ``none`` it notes that no label applies, if no keyword is left. Merging again changes
    nothing. TaggerError if it is not XMP, and for names that XML cannot hold.

    >>> read_keywords(merge_keywords(merge_keywords(None, ["sea", "my own"]), ["sky"], withdrawn=["sea"]))
    ['my own', 'sky']
    """
    check_xml_names(labels)
    text, encoding = decode_xml(EMPTY_SIDECAR.encode() if xml is None else xml, where=where)
    root = parse_spans(text.encode(), where=where)
    words = _words_of(root)
    off = {*(set(withdrawn) - set(labels)), *words.taken_off}
    stays = [word for word in words.keywords if word not in off]
    refused = set(words.taken_off) - set(again)
    missing = [label for label in missing_labels(labels, stays, vocabulary) if label not in refused]
    sheet = XmpEditor(text.encode(), root)
    in_paths = [word for word in stays if word in spelled_as(labels, stays, vocabulary)]
    _edit_keywords(sheet, missing, in_paths, off, bool(stays))
    _edit_records(sheet, labels, missing, off & set(words.keywords), words.taken_off, predicted)
    note = none and not labels and not stays
    sheet.set_text(TAGGER_NONE, ("True" if predicted is None else "Predicted") if note else "")
    return sheet.edited(where).decode().encode(encoding, "xmlcharrefreplace")


def add_persons_keywords(
    xml: bytes | None,
    keywords: Sequence[str],
    paths: Mapping[str, Sequence[str]] | None = None,
    *,
    where: str = "XMP",
) -> bytes:
    """The file with keywords that a person wrote elsewhere, and their ``paths``; they are not listed as tagger's.

    >>> read_words(add_persons_keywords(None, ["sea"])).persons
    ['sea']
    """
    text, encoding = decode_xml(EMPTY_SIDECAR.encode() if xml is None else xml, where=where)
    root = parse_spans(text.encode(), where=where)
    there = keywords_of(root)
    sheet = XmpEditor(text.encode(), root)
    missing = missing_labels(keywords, there, keywords)
    _edit_keywords(sheet, missing, [], set(), bool(there), paths)
    return sheet.edited(where).decode().encode(encoding, "xmlcharrefreplace")


def missing_labels(labels: Sequence[str], there: Sequence[str], vocabulary: Collection[str]) -> list[str]:
    """The labels that are not there yet, each once: neither as written nor in other capitals.

    A word that is another label itself does not count as one in other capitals.

    >>> missing_labels(["cat", "dog", "sea"], ["Cat", "dog"], []), missing_labels(["cat"], ["Cat"], ["Cat", "cat"])
    (['sea'], ['cat'])
    """
    others = {word.casefold() for word in there if word not in vocabulary and word not in labels}
    return [label for label in dict.fromkeys(labels) if label not in there and label.casefold() not in others]


def spelled_as(labels: Sequence[str], there: Sequence[str], vocabulary: Collection[str]) -> list[str]:
    """The words that stand for labels that are there already: the same, or in other capitals.

    >>> spelled_as(["cat", "dog", "sea"], ["Cat", "dog"], [])
    ['Cat', 'dog']
    """
    known = set(labels) - set(missing_labels(labels, there, vocabulary))
    respelled = {label.casefold() for label in known - set(there)}
    others = [word for word in there if word not in vocabulary and word not in labels]
    return [word for word in there if word in known or (word in others and word.casefold() in respelled)]


def _edit_keywords(
    sheet: XmpEditor,
    missing: Sequence[str],
    in_paths: Sequence[str],
    off: Collection[str],
    stays: bool,
    paths: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Add and remove keywords in the flat list, and in the others: all of them in a file without keywords.

    Those that are there ``in_paths`` are written into the flat list only, as photo programs have it.
    """
    there = property_values(sheet.root, FLAT_KEYWORDS)
    flat = [*there, *missing]
    for prop in ALL_KEYWORDS:
        separator = prop[3]
        used = bool(property_values(sheet.root, prop)) or (not stays and prop in HIERARCHICAL_KEYWORDS)
        added = [path_of_item(path, separator) for path in as_paths(missing, paths)] if used else []
        if not separator:
            added = [*missing_labels(in_paths, there, ()), *missing]
        gone = {
            item
            for item in property_values(sheet.root, prop)
            if keyword_of_item(item, separator, flat) in off
        }
        sheet.update_property(prop, added, gone.__contains__)


def as_paths(keywords: Sequence[str], paths: Mapping[str, Sequence[str]] | None) -> list[str]:
    """The keywords as they stand in lists of paths; those that are parts of other paths are left out.

    >>> as_paths(["Places", "Rome", "sea"], {"Rome": ["Places|Rome"]})
    ['Places|Rome', 'sea']
    """
    known = paths or {}
    parts = {part for found in known.values() for path in found for part in path.split("|")[:-1]}
    return [
        path for word in keywords if word in known or word not in parts for path in known.get(word, [word])
    ]


def _edit_records(
    sheet: XmpEditor,
    labels: Sequence[str],
    missing: Sequence[str],
    gone: Collection[str],
    taken_off: Sequence[str],
    predicted: Mapping[str, str] | None,
) -> None:
    """Keep up the lists of what tagger added, and of what a person took off of that."""
    off = [label for label in taken_off if label not in missing]
    known_off = property_values(sheet.root, TAGGER_TAKEN_OFF)
    sheet.update_property(
        TAGGER_TAKEN_OFF, [label for label in off if label not in known_off], lambda item: item in missing
    )
    listed = property_values(sheet.root, TAGGER_LABELS)
    new = [label for label in missing if label not in listed]
    sheet.update_property(TAGGER_LABELS, new, lambda item: item in gone or item in off)
    checked = {*gone, *missing, *(labels if predicted is None else ())}
    items = [f"{predicted[label]} {label}" for label in missing if predicted and label in predicted]
    kept = set(items) & set(property_values(sheet.root, TAGGER_PREDICTED))
    sheet.update_property(
        TAGGER_PREDICTED,
        [item for item in items if item not in kept],
        lambda item: label_of_prediction(item) in checked and item not in kept,
    )


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
