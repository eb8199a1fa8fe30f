"""Sources of a photo's keywords: two names of an XMP sidecar, and XMP, IPTC and EXIF inside the photo."""

import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from tagger.data.formats.readers.embedded_metadata import read_embedded
from tagger.data.formats.xmp import SidecarWords, add_persons_keywords, missing_labels, read_words
from tagger.data.formats.xmp_described import described
from tagger.errors import TaggerError

EMPTY_KEYWORDS = re.compile(rb"<(?:\w+:)?subject[\s/>]")


@dataclass(frozen=True)
class KeywordSource:
    """One place with keywords of a photo. ``title`` is for messages; ``xmp`` is the file or packet, if it is XMP.

    ``listed``: it has a list of keywords, which may be empty.
    """

    title: str
    words: SidecarWords
    xmp: bytes = b""
    embedded: bool = False
    listed: bool = True

    @property
    def is_persons(self) -> bool:
        """Whether a person has chosen its keywords: one of them is not tagger's, or the list is empty."""
        return bool(self.words.persons) or (self.listed and not self.words.keywords and not self.words.none)

    @property
    def is_only_taggers(self) -> bool:
        """Whether tagger wrote all that it says."""
        return not self.is_persons and bool(self.words.ours or self.words.none)

    @property
    def is_settled(self) -> bool:
        """Whether tagger wrote what people had chosen, and no prediction of a model."""
        unchecked = set(self.words.ours) <= set(self.words.predicted)
        return not unchecked or (not self.words.keywords and self.words.none == "True")


def sidecar_names(file: str) -> tuple[str, str]:
    """The two names of a photo's XMP sidecar, that of darktable and digiKam first.

    >>> sidecar_names("a/b.jpg")
    ('a/b.jpg.xmp', 'a/b.xmp')
    """
    return f"{file}.xmp", f"{os.path.splitext(file)[0]}.xmp"


def sidecars_of(photo: Path) -> list[Path]:
    """The XMP sidecars that a photo has."""
    return [path for name in sidecar_names(str(photo)) if (path := Path(name)).is_file()]


def keyword_sources(photo: Path, sidecars: Sequence[Path]) -> list[KeywordSource]:
    """Every place with keywords of a photo, in the order in which programs prefer them.

    TaggerError if XMP is broken or a sidecar cannot be read.
    """
    found = [sidecar_source(path) for path in sidecars]
    inside = read_embedded(photo)
    if inside.packet:
        words = read_words(inside.packet, where=photo.name)
        listed = bool(words.keywords)
        found.append(KeywordSource("XMP in the photo", words, inside.packet, embedded=True, listed=listed))
    for title, keywords in (("IPTC in the photo", inside.iptc), ("EXIF in the photo", inside.exif)):
        if keywords:
            words = SidecarWords(list(dict.fromkeys(keywords)))
            found.append(KeywordSource(title, words, embedded=True))
    return found


def sidecar_source(path: Path) -> KeywordSource:
    """The keywords of a sidecar. TaggerError if it cannot be read."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TaggerError(
            f"{path.name}: cannot be read ({(error.strerror or type(error).__name__).lower()})"
        ) from None
    words = read_words(data, where=path.name)
    listed = bool(words.keywords or EMPTY_KEYWORDS.search(data))
    return KeywordSource(path.name, words, data, listed=listed)


def persons_keywords(sources: Sequence[KeywordSource]) -> list[str]:
    """The keywords that people wrote in any of the places, each once."""
    found: list[str] = []
    for source in sources:
        found += missing_labels(source.words.persons, found, source.words.persons)
    return found


def starting_sidecar(photos: Sequence[Path], sidecars: Sequence[Path]) -> bytes | None:
    """What a new sidecar starts from, so that it hides nothing; None if the photos say nothing.

    That is the first of the other ``sidecars`` as it is, else what XMP inside says about the photo; and the
    keywords of all other places.
    """
    start: bytes | None = None
    for photo in photos:
        for source in keyword_sources(photo, [path for path in sidecars if path in sidecars_of(photo)]):
            if start is None and source.xmp:
                start = described(source.xmp, where=photo.name) if source.embedded else source.xmp
                start = start or None
            else:
                start = with_keywords(start, [source])
    return start


def with_keywords(
    xml: bytes | None, sources: Sequence[KeywordSource], *, without: Collection[str] = ()
) -> bytes | None:
    """The sidecar with the keywords that people wrote in other places; as it is if there is none.

    Keywords in ``without`` (in any capitals) were taken off the sidecar and stay off.
    """
    off = {word.casefold() for word in without}
    for source in sources:
        if words := [word for word in source.words.persons if word.casefold() not in off]:
            xml = add_persons_keywords(xml, words, source.words.paths, where=source.title)
    return xml
