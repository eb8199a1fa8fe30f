"""Labels beside each image: in a small text file, or as keywords in an XMP sidecar."""

import csv
import io
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath
from typing import ClassVar, Protocol

from tagger.commands.writers.part import Says
from tagger.data.records import read_text
from tagger.data.sources.sidecars import split_labels
from tagger.data.xmp import check_xml_names, merge_keywords, read_keywords, read_own_labels
from tagger.errors import TaggerError
from tagger.registry import Registry
from tagger.runs import replacing, write_text

sidecar_formats = Registry("sidecar format")


class SidecarWriter(Protocol):
    """One file an image; built with the labels that there are."""

    says: ClassVar[Says] = Says()

    def __init__(self, names: tuple[str, ...]): ...

    def place(self, file: str) -> PurePosixPath:
        """The sidecar of an image, relative to the same folder."""

    def write(
        self,
        path: Path,
        labels: Sequence[str],
        *,
        existing: str,
        withdrawn: Collection[str] | None = None,
        settled: bool = True,
    ) -> None:
        """Write it. ``existing`` says what becomes of one that is there: ``overwrite`` or ``merge``.

        A merge keeps what the person wrote and takes ``withdrawn`` away; None stands for labels that tagger added
        earlier, where the format keeps note of that. ``settled`` says that no other label applies, so that a sidecar
        without any can say so. TaggerError if what is there cannot be read.
        """


@sidecar_formats.register("txt")
class TextSidecars(SidecarWriter):
    """``NAME.txt``: labels separated by commas, quoted as in CSV where one holds a comma."""

    def __init__(self, names: tuple[str, ...]):
        pass

    def place(self, file: str) -> PurePosixPath:
        """``a.txt`` for ``a.jpg``."""
        return PurePosixPath(file).with_suffix(".txt")

    def write(
        self,
        path: Path,
        labels: Sequence[str],
        *,
        existing: str,
        withdrawn: Collection[str] | None = None,
        settled: bool = True,
    ) -> None:
        """New labels are added at the end."""
        if existing == "merge" and path.exists():
            gone = set(withdrawn or ()) - set(labels)
            try:
                there = split_labels(read_text(path))
            except csv.Error as error:
                raise TaggerError(f"{path.name}: broken quoting ({error}). Mend or remove it") from None
            labels = list(dict.fromkeys([*(label for label in there if label not in gone), *labels]))
        text = io.StringIO()
        # Line ends that csv does not know (U+2028), and backslashes, which readers of booru tags take for an escape.
        odd = any(len(label.splitlines()) > 1 or "\\" in label or label.startswith("\ufeff") for label in labels)
        csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL if odd else csv.QUOTE_MINIMAL).writerow(labels)
        write_text(path, text.getvalue() if labels else "")


@sidecar_formats.register("xmp")
class XmpSidecars(SidecarWriter):
    """``NAME.jpg.xmp``, as darktable, digiKam and Immich name it.

    All but the keywords stays as it was, in an ``overwrite`` too: a raw developer keeps its settings there.
    """

    def __init__(self, names: tuple[str, ...]):
        check_xml_names(names)
        self.names = frozenset(names)

    def place(self, file: str) -> PurePosixPath:
        """``a.jpg.xmp`` for ``a.jpg``."""
        return PurePosixPath(f"{file}.xmp")

    def write(
        self,
        path: Path,
        labels: Sequence[str],
        *,
        existing: str,
        withdrawn: Collection[str] | None = None,
        settled: bool = True,
    ) -> None:
        """The labels as keywords. A file to which nothing is new stays untouched."""
        before = path.read_bytes() if path.exists() else None
        if before is not None and existing == "overwrite":
            withdrawn = read_keywords(before, where=path.name)
        elif before is not None and withdrawn is None:
            withdrawn = self.names & set(read_own_labels(before, where=path.name))
        after = merge_keywords(before, labels, withdrawn=withdrawn or (), none=settled, where=path.name)
        if after != before:
            with replacing(path) as temporary:
                temporary.write_bytes(after)


@sidecar_formats.register("xmp-lightroom")
class ShortXmpSidecars(XmpSidecars):
    """The same as ``NAME.xmp``, as Lightroom names it; ``a.jpg`` and ``a.png`` share one."""

    def place(self, file: str) -> PurePosixPath:
        """``a.xmp`` for ``a.jpg``."""
        return PurePosixPath(file).with_suffix(".xmp")
