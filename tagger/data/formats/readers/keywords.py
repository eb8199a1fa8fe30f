"""Reader of photo keywords: XMP sidecars, and XMP, IPTC and EXIF inside the images.

A sidecar takes precedence over its image, ``NAME.jpg.xmp`` over ``NAME.xmp``, and XMP over IPTC over EXIF: programs
write the former. A place where a person chose the keywords takes precedence over one with tagger's own words only.
Where people's keywords differ between places, that is a problem to show. What a model predicted and nobody has checked
is unknown: it is nothing to learn from. The label is the last part of a hierarchical keyword. An image without keywords
is left out: perhaps nobody has labelled it. A sidecar with an empty list of keywords, or with the note
``tagger:none``, means that no label applies.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.formats.keyword_sources import KeywordSource, keyword_sources, sidecar_names, sidecar_source
from tagger.data.formats.long_table import LongTable, LongTableBuilder
from tagger.data.formats.readers.annotation_files import path_title
from tagger.data.formats.readers.embedded_metadata import embedded_keywords
from tagger.data.formats.shared_sidecars import shared_sidecar_problems
from tagger.data.formats.xmp import missing_labels
from tagger.errors import Problem, TaggerError
from tagger.progress import ProgressCallback, no_progress
from tagger.text import counted, quoted

SAMPLE_SIZE = 100  # images that are opened to detect embedded keywords


@dataclass
class _Counts:
    """What was read: photos with a sidecar, with keywords inside, without any, and those with tagger's words only."""

    sidecars: int = 0
    inside: int = 0
    without: int = 0
    ours: int = 0
    predicted: int = 0  # photos with nothing but predictions
    unknown: list[tuple[str, str]] = field(default_factory=list)  # (file, keyword) of predictions
    outweighed: int = 0  # sidecars with tagger's words only, beside a person's elsewhere
    problems: list[Problem] = field(default_factory=list)

    def summary(self) -> str:
        """All of it in words."""
        found = f"{counted(self.sidecars, '.xmp file')}, {counted(self.inside, 'image')} with keywords inside"
        left_out = f"; {counted(self.without, 'image')} without keywords left out" if self.without else ""
        ours = f"; tagger itself wrote all keywords of {counted(self.ours, '.xmp file')}" if self.ours else ""
        only = f"; {counted(self.predicted, 'image')} with nothing but predictions of a model left out"
        unknown = f"; {counted(len(self.unknown), 'keyword')} that a model predicted taken as unknown"
        beside = (
            f"; {counted(self.outweighed, '.xmp file')} with tagger's words only, and a person's elsewhere"
        )
        more = ((only, self.predicted), (unknown, self.unknown), (beside, self.outweighed))
        return found + left_out + ours + "".join(text for text, number in more if number)


class KeywordReader:
    """Reader of XMP sidecars beside the images, and of keywords inside them."""

    def __init__(self, *, progress: ProgressCallback = no_progress):
        self.progress = progress

    def detect(self, images: ImageLookup) -> Path | None:
        """The data folder, if an image has a sidecar, or at least half of a sample have embedded keywords.

        Sidecars with nothing but the predictions of a model do not count.
        """
        sidecars = (path for file in images.files for path in _sidecars(file, images))
        if any(not _only_predicted(path) for path in sidecars):
            return images.root
        sample = images.files[:: -(-len(images.files) // SAMPLE_SIZE) or 1]
        return (
            images.root
            if sample and 2 * sum(_has_embedded(images.root / f) for f in sample) >= len(sample)
            else None
        )

    def accepts(self, path: Path, images: ImageLookup) -> bool:
        """True for a folder with a sidecar, or with embedded keywords in any of a sample of its images."""
        inside = images.below(path) if path.is_dir() else []
        if any(_sidecars(file, images) for file in inside):
            return True
        return any(_has_embedded(images.root / f) for f in inside[:: -(-len(inside) // SAMPLE_SIZE) or 1])

    def read(self, path: Path, images: ImageLookup) -> LongTable:
        """Every image with keywords; unreadable keywords are a problem, and the image is left out."""
        builder = LongTableBuilder()
        counts = _Counts(problems=builder.problems)
        for done, file in enumerate(images.below(path), 1):
            self.progress(done)
            sidecars, is_unclear = _own_sidecars(file, images, builder.problems)
            if is_unclear:
                continue
            first = os.path.relpath(sidecars[0], images.root).replace(os.sep, "/") if sidecars else file
            try:
                sources = keyword_sources(images.root / file, sidecars)
            except TaggerError as error:
                builder.problems.append(Problem(first, None, f"left out: {error}"))
                continue
            _add_image(builder, counts, file, sources, first)
        if not counts.sidecars + counts.inside and (builder.problems or counts.predicted):
            raise TaggerError(f"{path_title(path)}: {_nothing_read(builder.problems)}")
        for file, word in counts.unknown:
            if word in builder.labels:  # else nobody uses it: it is no label
                builder.add_image(file, unknown=[word])
        return builder.build("the keywords", f"keywords ({counts.summary()})")


def _nothing_read(problems: Sequence[Problem]) -> str:
    if problems:
        return f"no keywords that can be read, such as {problems[0]}"
    return (
        "a model predicted all keywords in its sidecars, and nobody has checked them. There is nothing to learn."
        " Name a label file with --labels, or write checked labels with tagger apply"
    )


def _add_image(
    builder: LongTableBuilder, counts: _Counts, file: str, sources: Sequence[KeywordSource], location: str
) -> None:
    """Add an image with the keywords of the place that counts, or count why it is left out."""
    chosen = chosen_source(sources)
    if chosen is None:
        counts.predicted += any(source.words.predicted or source.words.none for source in sources)
        counts.without += not any(source.words.predicted or source.words.none for source in sources)
        return
    if difference := _difference(chosen, sources):
        counts.problems.append(Problem(file, None, difference))
    predicted = [word for word in chosen.words.predicted if word.strip()]
    yes = [word.strip() for word in chosen.words.keywords if word.strip() and word not in predicted]
    builder.add_image(file, yes=dict.fromkeys(yes), location=file if chosen.embedded else location)
    counts.unknown += [(file, word.strip()) for word in predicted]
    counts.outweighed += chosen.is_persons and sources[0].is_only_taggers
    counts.sidecars += not chosen.embedded
    counts.inside += chosen.embedded
    counts.ours += bool(chosen.words.ours) and not chosen.words.persons and not chosen.embedded


def chosen_source(sources: Sequence[KeywordSource]) -> KeywordSource | None:
    """The place whose keywords count: the first one of a person, else the first with settled words of tagger."""
    persons = (source for source in sources if source.is_persons)
    settled = (source for source in sources if source.is_settled)
    return next(persons, None) or next(settled, None)


def _difference(chosen: KeywordSource, sources: Sequence[KeywordSource]) -> str:
    """What people wrote in other places and not in the chosen one, in words; nothing if there is nothing."""
    for source in sources:
        words = missing_labels(source.words.persons, chosen.words.keywords, ())
        if source is not chosen and words:
            return f"{source.title} has {quoted(words, 3)} and {chosen.title} has not: {chosen.title} counts"
    return ""


def _only_predicted(sidecar: Path) -> bool:
    try:
        source = sidecar_source(sidecar)
    except TaggerError:
        return False
    return source.is_only_taggers and not source.is_settled


def _sidecars(file: str, images: ImageLookup) -> list[Path]:
    found = (images.root / name for name in sidecar_names(file) if images.has_path(name))
    return [path for path in found if path.is_file()]


def _own_sidecars(file: str, images: ImageLookup, problems: list[Problem]) -> tuple[list[Path], bool]:
    """The sidecars that are for this photo alone, and whether there is only one that several photos share."""
    sidecars = _sidecars(file, images)
    same = images.sharing_name(file) if sidecars else []
    own = [path for path in sidecars if not same or path == images.root / f"{file}.xmp"]
    if own != sidecars:
        problems += shared_sidecar_problems(sidecar_names(file)[1], file, same)
    return own, bool(sidecars and not own)


def _has_embedded(path: Path) -> bool:
    try:
        return bool(embedded_keywords(path))
    except TaggerError:
        return False
