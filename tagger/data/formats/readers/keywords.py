"""Reader of photo keywords: XMP sidecars, or XMP and IPTC inside the images.

A sidecar takes precedence over its image, and XMP over IPTC: programs write the former. The label is the last
part of a hierarchical keyword. An image without keywords is left out: perhaps nobody has labelled it. A
sidecar with an empty list of keywords, or with the note ``tagger:none``, means that no label applies.
"""

import os
import re
from pathlib import Path

from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.formats.long_table import LongTable, LongTableBuilder
from tagger.data.formats.readers.annotation_files import path_title
from tagger.data.formats.readers.embedded_metadata import embedded_keywords
from tagger.data.formats.xmp import read_keywords, read_tagger_labels
from tagger.errors import Problem, TaggerError
from tagger.progress import ProgressCallback, no_progress
from tagger.text import counted

SAMPLE_SIZE = 100  # images that are opened to detect embedded keywords
EMPTY_KEYWORDS = re.compile(
    rb"<(?:\w+:)?subject[\s/>]|tagger:none(?:>|[^<>]*>|=.)True"
)  # tagger's own note too


class KeywordReader:
    """Reader of XMP sidecars beside the images, and of keywords inside them."""

    def __init__(self, *, progress: ProgressCallback = no_progress):
        self.progress = progress

    def detect(self, images: ImageLookup) -> Path | None:
        """The data folder, if an image has a sidecar, or at least half of a sample have embedded keywords."""
        if any(_sidecar(file, images) for file in images.files):
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
        if any(_sidecar(file, images) for file in inside):
            return True
        return any(_has_embedded(images.root / f) for f in inside[:: -(-len(inside) // SAMPLE_SIZE) or 1])

    def read(self, path: Path, images: ImageLookup) -> LongTable:
        """Every image with keywords; unreadable keywords are a problem, and the image is left out."""
        builder = LongTableBuilder()
        num_sidecars = num_inside = num_without = num_ours = 0
        for done, file in enumerate(images.below(path), 1):
            self.progress(done)
            sidecar = _sidecar(file, images)
            location = os.path.relpath(sidecar, images.root).replace(os.sep, "/") if sidecar else file
            try:
                keywords = (
                    _sidecar_keywords(sidecar) if sidecar else embedded_keywords(images.root / file) or None
                )
            except TaggerError as error:
                builder.problems.append(Problem(location, None, f"left out: {error}"))
                continue
            if keywords is None:
                num_without += 1
                continue
            builder.add_image(
                file, yes=dict.fromkeys(filter(None, map(str.strip, keywords))), location=location
            )
            num_sidecars += sidecar is not None
            num_ours += sidecar is not None and _written_by_tagger(sidecar, keywords)
            num_inside += sidecar is None
        if not num_sidecars + num_inside and builder.problems:
            raise TaggerError(
                f"{path_title(path)}: no keywords that can be read, such as {builder.problems[0]}"
            )
        found = f"{counted(num_sidecars, '.xmp file')}, {counted(num_inside, 'image')} with keywords inside"
        left_out = f"; {counted(num_without, 'image')} without keywords left out" if num_without else ""
        ours = f"; tagger itself wrote all keywords of {counted(num_ours, '.xmp file')}" if num_ours else ""
        return builder.build("the keywords", f"keywords ({found}{left_out}{ours})")


def _sidecar(file: str, images: ImageLookup) -> Path | None:
    found = (name for name in (f"{file}.xmp", f"{os.path.splitext(file)[0]}.xmp") if images.has_path(name))
    return next((path for name in found if (path := images.root / name).is_file()), None)


def _sidecar_keywords(path: Path) -> list[str] | None:
    """The keywords of a sidecar; None if it has no list of them (a program may store only its edits)."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TaggerError(
            f"{path.name}: cannot be read ({(error.strerror or type(error).__name__).lower()})"
        ) from None
    return read_keywords(data, where=path.name) or ([] if EMPTY_KEYWORDS.search(data) else None)


def _written_by_tagger(path: Path, keywords: list[str]) -> bool:
    """True if tagger wrote all keywords of a sidecar: the user is told, as a model would be scored on its own tags."""
    data = path.read_bytes()
    return b"tagger:labels" in data and set(keywords) <= set(read_tagger_labels(data, where=path.name))


def _has_embedded(path: Path) -> bool:
    try:
        return bool(embedded_keywords(path))
    except TaggerError:
        return False
