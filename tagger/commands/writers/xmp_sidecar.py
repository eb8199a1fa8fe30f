"""XMP sidecars: keywords in ``NAME.jpg.xmp`` or ``NAME.xmp``; all else in them stays as it is."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from tagger.commands.writers.sidecars import (
    NOTHING_KNOWN,
    MergeRules,
    SidecarChange,
    SidecarOrigin,
    SidecarWriter,
    differences,
    sidecar_formats,
)
from tagger.data.formats.keyword_sources import (
    KeywordSource,
    keyword_sources,
    persons_keywords,
    sidecar_names,
    sidecar_source,
    sidecars_of,
    starting_sidecar,
    with_keywords,
)
from tagger.data.formats.xmp import SidecarWords, check_xml_names, merge_keywords, missing_labels, read_words


@sidecar_formats.register("xmp")
class XmpSidecarWriter(SidecarWriter):
    """XMP sidecars, ``NAME.jpg.xmp``, as darktable, digiKam and Immich name them.

    All but the keywords stays as it was, in an ``overwrite`` too: a raw developer keeps its settings there. A new
    one starts from what the photo says about itself.
    """

    def __init__(self, names: tuple[str, ...]):
        check_xml_names(names)
        super().__init__(names)

    def sidecar_path(self, file: str) -> PurePosixPath:
        """``a.jpg.xmp`` for ``a.jpg``."""
        return PurePosixPath(f"{file}.xmp")

    def existing_or_new(self, folder: Path, file: str) -> Path:
        """The name of this format; the other one if only that exists. A photo has one sidecar, not two."""
        own = folder / self.sidecar_path(file)
        others = (path for name in sidecar_names(file) if (path := folder / name).is_file())
        return own if own.exists() else next(others, own)

    def plan(
        self,
        path: Path,
        labels: Sequence[str],
        merge: MergeRules | None,
        origin: SidecarOrigin = NOTHING_KNOWN,
        *,
        complete: bool = True,
    ) -> SidecarChange:
        """The labels as keywords."""
        before = path.read_bytes() if path.exists() else None
        start = _starting_bytes(path, before, merge, origin)
        words = SidecarWords([]) if start is None else read_words(start, where=path.name)
        off = _taken_off(words, origin, merge)
        new = [label for label in labels if label not in off]
        after = merge_keywords(
            start, new, withdrawn=_withdrawn(words, labels, merge, origin), none=complete, where=path.name,
            vocabulary=self.names, again=new, predicted=origin.predicted,
        )  # fmt: skip
        there = [] if before is None else read_words(before, where=path.name).keywords
        changed = differences(there, read_words(after, where=path.name).keywords)
        return SidecarChange(before, after, *changed, [label for label in labels if label in off])


def _starting_bytes(
    path: Path, before: bytes | None, merge: MergeRules | None, origin: SidecarOrigin
) -> bytes | None:
    """What is there; a file that hid nothing so far because it has no list of keywords gets those of the photo.

    Those that were taken off it stay off. A list that is there and empty says that the photo has no keywords.
    """
    if before is None:
        others = [other for photo in origin.photos for other in sidecars_of(photo) if other != path]
        return starting_sidecar(origin.photos, others)
    source = sidecar_source(path)
    if merge is not None and source.listed:
        return before
    return with_keywords(before, _other_sources(path, merge, origin), without=source.words.taken_off)


def _other_sources(path: Path, merge: MergeRules | None, origin: SidecarOrigin) -> list[KeywordSource]:
    """Where else the photos have keywords, which this sidecar hides: inside, and for a merge in other sidecars."""
    found: list[KeywordSource] = []
    for photo in origin.photos:
        others = [] if merge is None else [other for other in sidecars_of(photo) if other != path]
        found += keyword_sources(photo, others)
    return found


def _withdrawn(
    words: SidecarWords, labels: Sequence[str], merge: MergeRules | None, origin: SidecarOrigin
) -> set[str]:
    """The keywords that a sidecar may lose. A replaced one keeps those inside the photo, which it hides."""
    if merge is not None:
        return (merge.own_to_remove(labels) & set(words.ours)) | set(merge.refused)
    inside = [source for photo in origin.photos for source in keyword_sources(photo, [])]
    return set(words.keywords) - set(persons_keywords(inside))


def _taken_off(words: SidecarWords, origin: SidecarOrigin, merge: MergeRules | None) -> set[str]:
    """The labels that tagger wrote and somebody took off: as they were called then, and as they are called now."""
    if merge is None:
        return set()
    gone = {*words.taken_off, *missing_labels(list(origin.recorded), words.keywords, origin.recorded)}
    return {*gone, *(merge.former.get(label, label) for label in gone)} - set(merge.again)


@sidecar_formats.register("xmp-lightroom")
class LightroomSidecarWriter(XmpSidecarWriter):
    """XMP sidecars called ``NAME.xmp``, as Lightroom names them; not for ``a.jpg`` beside ``a.png``."""

    def sidecar_path(self, file: str) -> PurePosixPath:
        """``a.xmp`` for ``a.jpg``."""
        return PurePosixPath(file).with_suffix(".xmp")
