"""Sidecar formats: a text file (txt), or keywords in an XMP file (xmp, xmp-lightroom)."""

import codecs
import csv
import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar, Protocol

from tagger.commands.writers.base import FormatCapabilities
from tagger.data.formats.label_text import add_labels, parse_label_text, remove_labels
from tagger.data.formats.tabular import read_text
from tagger.data.formats.xmp import check_xml_names, merge_keywords, read_keywords, read_tagger_labels
from tagger.errors import TaggerError
from tagger.registry import Registry
from tagger.runs import atomic_write, write_text
from tagger.text import quoted

sidecar_formats = Registry("sidecar format")


@dataclass(frozen=True)
class MergeRules:
    """What a merge may take away from a sidecar; the labels to write stay in any case.

    ``refused`` are labels that a person decided as *no*: they go, whoever wrote them. ``absent`` are labels
    that do not apply as far as known: they go where tagger wrote them itself, which only XMP records.
    """

    refused: Collection[str] = ()
    absent: Collection[str] = ()


class SidecarWriter(Protocol):
    """Writer of one sidecar an image; built with the label names."""

    capabilities: ClassVar[FormatCapabilities] = FormatCapabilities()

    def __init__(self, names: tuple[str, ...]): ...

    def sidecar_path(self, file: str) -> PurePosixPath:
        """The sidecar of an image, relative to the same folder."""

    def removed(self, path: Path, labels: Sequence[str], merge: MergeRules | None) -> list[str]:
        """The keywords that ``write`` would take away. TaggerError if what is there cannot be read."""

    def write(
        self, path: Path, labels: Sequence[str], merge: MergeRules | None, *, complete: bool = True
    ) -> None:
        """Write a sidecar; without ``merge`` its keywords are replaced.

        ``complete`` says that no other label applies, so that a sidecar without labels can say so.
        TaggerError if what is there cannot be read.
        """


@sidecar_formats.register("txt")
class TextSidecarWriter(SidecarWriter):
    """Text sidecars, ``NAME.txt``: labels separated by commas, quoted as in CSV where one contains a comma."""

    def __init__(self, names: tuple[str, ...]):
        pass

    def sidecar_path(self, file: str) -> PurePosixPath:
        """``a.txt`` for ``a.jpg``."""
        return PurePosixPath(file).with_suffix(".txt")

    def removed(self, path: Path, labels: Sequence[str], merge: MergeRules | None) -> list[str]:
        """Those that a person refused; all others in an ``overwrite``."""
        if not path.exists():
            return []
        text = read_text(path)
        if merge is not None:
            _merged_text(path, text, labels, merge)  # an error where write() has one
        there = _parsed_labels(path, text)
        return [label for label in there if label not in labels and (merge is None or label in merge.refused)]

    def write(
        self, path: Path, labels: Sequence[str], merge: MergeRules | None, *, complete: bool = True
    ) -> None:
        """New labels are added at the end, in the style of the file; all else stays byte for byte."""
        if merge is None or not path.exists():
            write_text(path, _label_line(labels))
            return
        before = path.read_bytes()
        mark = codecs.BOM_UTF8 if before.startswith(codecs.BOM_UTF8) else b""
        after = mark + _merged_text(path, read_text(path), labels, merge).encode()
        if after != before:
            with atomic_write(path) as temporary:
                temporary.write_bytes(after)


def _merged_text(path: Path, text: str, labels: Sequence[str], merge: MergeRules) -> str:
    gone = [label for label in _parsed_labels(path, text) if label in merge.refused and label not in labels]
    shorter = remove_labels(text, gone)
    if shorter is None:
        raise TaggerError(
            f"{path.name}: {quoted(gone, 3)} cannot be removed without changing the rest. Remove it by hand"
        )
    longer = add_labels(shorter, labels)
    if longer is None:
        raise TaggerError(f"{path.name}: a quotation mark is not closed. Correct the file")
    return longer


def _parsed_labels(path: Path, text: str) -> list[str]:
    try:
        return parse_label_text(text)
    except csv.Error as error:
        raise TaggerError(f"{path.name}: broken quoting ({error}). Correct or remove it.") from None


def _label_line(labels: Sequence[str]) -> str:
    """The text of a new sidecar: one line, or nothing."""
    if not labels:
        return ""
    text = io.StringIO()
    # Line ends that csv does not know (U+2028), and backslashes, which readers of booru tags take for an escape.
    odd = any(len(label.splitlines()) > 1 or "\\" in label or label.startswith("\ufeff") for label in labels)
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL if odd else csv.QUOTE_MINIMAL).writerow(
        labels
    )
    return text.getvalue()


@sidecar_formats.register("xmp")
class XmpSidecarWriter(SidecarWriter):
    """XMP sidecars, ``NAME.jpg.xmp``, as darktable, digiKam and Immich name them.

    All but the keywords stays as it was, in an ``overwrite`` too: a raw developer keeps its settings there.
    """

    def __init__(self, names: tuple[str, ...]):
        check_xml_names(names)

    def sidecar_path(self, file: str) -> PurePosixPath:
        """``a.jpg.xmp`` for ``a.jpg``."""
        return PurePosixPath(f"{file}.xmp")

    def removed(self, path: Path, labels: Sequence[str], merge: MergeRules | None) -> list[str]:
        """Those that a person refused, and absent ones that tagger wrote; all others in an ``overwrite``."""
        if not path.exists():
            return []
        before = path.read_bytes()
        gone = _withdrawn(before, path, merge)
        return [label for label in read_keywords(before, where=path.name) if label in gone - set(labels)]

    def write(
        self, path: Path, labels: Sequence[str], merge: MergeRules | None, *, complete: bool = True
    ) -> None:
        """The labels as keywords. A file that would not change is not written."""
        before = path.read_bytes() if path.exists() else None
        gone = _withdrawn(before, path, merge) if before is not None else set()
        after = merge_keywords(before, labels, withdrawn=gone, none=complete, where=path.name)
        if after != before:
            with atomic_write(path) as temporary:
                temporary.write_bytes(after)


def _withdrawn(before: bytes, path: Path, merge: MergeRules | None) -> set[str]:
    """The labels that a sidecar may lose."""
    if merge is None:
        return set(read_keywords(before, where=path.name))
    own = set(merge.absent) & set(read_tagger_labels(before, where=path.name))
    return own | set(merge.refused)


@sidecar_formats.register("xmp-lightroom")
class LightroomSidecarWriter(XmpSidecarWriter):
    """XMP sidecars called ``NAME.xmp``, as Lightroom names them; ``a.jpg`` and ``a.png`` share one."""

    def sidecar_path(self, file: str) -> PurePosixPath:
        """``a.xmp`` for ``a.jpg``."""
        return PurePosixPath(file).with_suffix(".xmp")
