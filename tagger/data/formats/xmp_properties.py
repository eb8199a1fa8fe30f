"""XMP properties with keywords: their names, their values in a parsed file, and paths of hierarchical keywords.

A path is compared in one form: ``|`` between its parts, as Lightroom writes it. digiKam separates by ``/``, which is
there no part of a name, so ``/`` and ``|`` change places in its lists (as Immich does it): the label ``AC/DC`` is
written as ``AC|DC`` and makes no tree; ``Place|Paris`` is written as ``Place/Paris`` and is the tree of Lightroom.
"""

from collections.abc import Collection

from tagger.data.formats.xml_spans import Span

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
OWN = "https://tagger.example/ns/1.0/"
# prefix, namespace, name, what separates the parts of a path, kind of list
Property = tuple[str, str, str, str, str]
TAGGER_LABELS: Property = ("tagger", OWN, "labels", "", "Bag")
TAGGER_PREDICTED: Property = ("tagger", OWN, "predicted", "", "Bag")  # "0.931 2026-11-28 runs%2Fmine dog"
TAGGER_TAKEN_OFF: Property = ("tagger", OWN, "takenOff", "", "Bag")
TAGGER_NONE: Property = ("tagger", OWN, "none", "", "")  # no list: a text
FLAT_KEYWORDS: Property = ("dc", "http://purl.org/dc/elements/1.1/", "subject", "", "Bag")
HIERARCHICAL_KEYWORDS: tuple[Property, ...] = (
    ("lr", "http://ns.adobe.com/lightroom/1.0/", "hierarchicalSubject", "|", "Bag"),
    ("digiKam", "http://www.digikam.org/ns/1.0/", "TagsList", "/", "Seq"),
)
# Written by digiKam and others; kept up where they are, and not added to a file without them.
FURTHER_KEYWORDS: tuple[Property, ...] = (
    ("MicrosoftPhoto", "http://ns.microsoft.com/photo/1.0/", "LastKeywordXMP", "/", "Bag"),
    ("mediapro", "http://ns.iview-multimedia.com/mediapro/1.0/", "CatalogSets", "|", "Bag"),
)
ALL_KEYWORDS = (FLAT_KEYWORDS, *HIERARCHICAL_KEYWORDS, *FURTHER_KEYWORDS)
SWAPPED = str.maketrans("/|", "|/")


def path_of_item(item: str, separator: str) -> str:
    """An item of a list as a path with ``|`` between its parts; also the other way round.

    >>> path_of_item("Places/Rome", "/"), path_of_item("AC/DC", "|"), path_of_item("AC|DC", "/")
    ('Places|Rome', 'AC/DC', 'AC/DC')
    """
    return item.translate(SWAPPED) if separator == "/" else item


def keyword_of_item(item: str, separator: str, flat: Collection[str]) -> str:
    """The keyword that an item stands for: the last part of a path, unless all of it is a flat keyword.

    >>> keyword_of_item("animals|cat", "|", []), keyword_of_item("a|b", "|", ["a|b"])
    ('cat', 'a|b')
    >>> keyword_of_item("Place/Paris", "/", ["Place|Paris"]), keyword_of_item("AC/DC", "/", ["AC/DC"])
    ('Place|Paris', 'AC/DC')
    """
    path = path_of_item(item, separator)
    if path in flat or not separator:
        return path
    if item in flat:  # written before / and | changed places
        return item
    return next((part for part in reversed(path.split("|")) if part.strip()), path).strip()


def keywords_of(root: Span) -> list[str]:
    """The keywords of a file, each once: flat ones first, then the ends of paths."""
    flat = property_values(root, FLAT_KEYWORDS)
    paths = [
        keyword_of_item(item, prop[3], flat)
        for prop in ALL_KEYWORDS[1:]
        for item in property_values(root, prop)
    ]
    return list(dict.fromkeys([*flat, *paths]))


def paths_of(root: Span) -> dict[str, list[str]]:
    """The paths with more than one part, by the keyword at their end, with ``|`` between the parts."""
    flat = property_values(root, FLAT_KEYWORDS)
    found: dict[str, list[str]] = {}
    for prop in ALL_KEYWORDS[1:]:
        for item in property_values(root, prop):
            word, path = keyword_of_item(item, prop[3], flat), path_of_item(item, prop[3])
            if word not in (item, path) and path not in found.setdefault(word, []):
                found[word].append(path)
    return found


def descriptions(root: Span) -> list[Span]:
    """The elements that hold properties, without those inside properties."""
    tags = (f"{{{RDF}}}RDF", f"{{{RDF}}}Description")
    return [
        child
        for span in root.iter()
        if span.tag == tags[0]
        for child in span.children
        if child.tag == tags[1]
    ]


def property_spans(root: Span, prop: Property) -> list[Span]:
    """The elements of a property."""
    tag = f"{{{prop[1]}}}{prop[2]}"
    return [child for span in descriptions(root) for child in span.children if child.tag == tag]


def property_values(root: Span, prop: Property) -> list[str]:
    """The texts of a property, each once: of its attribute, its own text and its list."""
    _, uri, name, _, _ = prop
    found = [span.attributes.get(f"{{{uri}}}{name}", "") for span in descriptions(root)]
    for span in property_spans(root, prop):
        found += [span.text, *(item.text for item in list_items(span))]
    return list(dict.fromkeys(text.strip() for text in found if text.strip()))


def list_items(span: Span) -> list[Span]:
    """The items of the lists in a property."""
    return [item for bag in span.children for item in bag.children if item.tag == f"{{{RDF}}}li"]
