"""Sidecar formats: a text file (txt), or keywords in an XMP file (xmp, xmp-lightroom)."""

import csv
import io
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath
from typing import ClassVar, Protocol

from tagger.commands.writers.base import FormatCapabilities
from tagger.data.formats.readers.text_sidecars import parse_label_text
from tagger.data.formats.tabular import read_text
from tagger.data.formats.xmp import check_xml_names, merge_keywords, read_keywords, read_tagger_labels
from tagger.errors import TaggerError
from tagger.registry import Registry
from tagger.runs import atomic_write, write_text

sidecar_formats = Registry("sidecar format")


class SidecarWriter(Protocol):
    """Writer of one sidecar an image; built with the label names."""

    capabilities: ClassVar[FormatCapabilities] = FormatCapabilities()

    def __init__(self, names: tuple[str, ...]): ...

    def sidecar_path(self, file: str) -> PurePosixPath:
        """The sidecar of an image, relative to the same folder."""

    def write(
        self,
        path: Path,
        labels: Sequence[str],
        *,
        existing: str,
        withdrawn: Collection[str] | None = None,
        complete: bool = True,
    ) -> None:
        """Write a sidecar. ``existing`` says what happens to one that exists: ``overwrite`` or ``merge``.

        A merge keeps what the person wrote and removes ``withdrawn``; None stands for labels that tagger
        added earlier, where the format records them. ``complete`` says that no other label applies, so
        that a sidecar without labels can say so. TaggerError if what is there cannot be read.
        """


@sidecar_formats.register("txt")
class TextSidecarWriter(SidecarWriter):
    """Text sidecars, ``NAME.txt``: labels separated by commas, quoted as in CSV where one contains a comma."""

    def __init__(self, names: tuple[str, ...]):
        pass

    def sidecar_path(self, file: str) -> PurePosixPath:
        """``a.txt`` for ``a.jpg``."""
        return PurePosixPath(file).with_suffix(".txt")

    def write(
        self,
        path: Path,
        labels: Sequence[str],
        *,
        existing: str,
        withdrawn: Collection[str] | None = None,
        complete: bool = True,
    ) -> None:
        """New labels are added at the end."""
        if existing == "merge" and path.exists():
            gone = set(withdrawn or ()) - set(labels)
            try:
                there = parse_label_text(read_text(path))
            except csv.Error as error:
                raise TaggerError(f"{path.name}: broken quoting ({error}). Correct or remove it.") from None
            labels = list(dict.fromkeys([*(label for label in there if label not in gone), *labels]))
        text = io.StringIO()
        # Line ends that csv does not know (U+2028), and backslashes, which readers of booru tags take for
        # an escape.
        odd = any(
            len(label.splitlines()) > 1 or "\\" in label or label.startswith("\ufeff") for label in labels
        )
        csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL if odd else csv.QUOTE_MINIMAL).writerow(
            labels
        )
        write_text(path, text.getvalue() if labels else "")


@sidecar_formats.register("xmp")
class XmpSidecarWriter(SidecarWriter):
    """XMP sidecars, ``NAME.jpg.xmp``, as darktable, digiKam and Immich name them.

    All but the keywords stays as it was, in an ``overwrite`` too: a raw developer keeps its settings there.
    """

    def __init__(self, names: tuple[str, ...]):
        check_xml_names(names)
        self.names = frozenset(names)

    def sidecar_path(self, file: str) -> PurePosixPath:
        """``a.jpg.xmp`` for ``a.jpg``."""
        return PurePosixPath(f"{file}.xmp")

    def write(
        self,
        path: Path,
        labels: Sequence[str],
        *,
        existing: str,
        withdrawn: Collection[str] | None = None,
        complete: bool = True,
    ) -> None:
        """The labels as keywords. A file that would not change is not written."""
        before = path.read_bytes() if path.exists() else None
        if before is not None and existing == "overwrite":
            withdrawn = read_keywords(before, where=path.name)
        elif before is not None and withdrawn is None:
            withdrawn = self.names & set(read_tagger_labels(before, where=path.name))
        after = merge_keywords(before, labels, withdrawn=withdrawn or (), none=complete, where=path.name)
        if after != before:
            with atomic_write(path) as temporary:
                temporary.write_bytes(after)


@sidecar_formats.register("xmp-lightroom")
class LightroomSidecarWriter(XmpSidecarWriter):
    """XMP sidecars called ``NAME.xmp``, as Lightroom names them; ``a.jpg`` and ``a.png`` share one."""

    def sidecar_path(self, file: str) -> PurePosixPath:
        """``a.xmp`` for ``a.jpg``."""
        return PurePosixPath(file).with_suffix(".xmp")
