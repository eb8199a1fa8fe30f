"""Text sidecars: ``NAME.txt`` with labels separated by commas."""

import codecs
import csv
import io
from collections.abc import Collection, Sequence
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
from tagger.data.formats.keyword_sources import keyword_sources, persons_keywords, sidecars_of
from tagger.data.formats.label_text import add_labels, parse_label_text, remove_labels
from tagger.data.formats.text_file import read_text
from tagger.data.formats.xmp import missing_labels
from tagger.errors import TaggerError
from tagger.text import quoted


@sidecar_formats.register("txt")
class TextSidecarWriter(SidecarWriter):
    """Text sidecars, ``NAME.txt``: labels separated by commas, quoted as in CSV where one contains a comma."""

    def sidecar_path(self, file: str) -> PurePosixPath:
        """``a.txt`` for ``a.jpg``."""
        return PurePosixPath(file).with_suffix(".txt")

    def plan(
        self,
        path: Path,
        labels: Sequence[str],
        merge: MergeRules | None,
        origin: SidecarOrigin = NOTHING_KNOWN,
        *,
        complete: bool = True,
    ) -> SidecarChange:
        """New labels are added at the end, in the style of the file; all else stays byte for byte."""
        before = path.read_bytes() if path.exists() else None
        there = [] if before is None else _parsed_labels(path, read_text(path))
        if merge is None or before is None:
            kept = [word for word in _words_of(origin.photos) if merge is None or word not in merge.refused]
            after = _label_line([*kept, *missing_labels(labels, kept, self.names)])
            words = parse_label_text(after)
            return SidecarChange(before, after.encode(), *differences(there, words), [])
        off = _taken_off(there, origin.recorded, merge)
        new = [label for label in missing_labels(labels, there, self.names) if label not in off]
        gone = {*merge.refused, *(merge.own_to_remove(labels) & set(origin.recorded))} - set(labels)
        removed = [label for label in there if label in gone]
        mark = codecs.BOM_UTF8 if before.startswith(codecs.BOM_UTF8) else b""
        after = _merged_text(path, read_text(path), removed, new)
        return SidecarChange(before, mark + after.encode(), new, removed, [x for x in labels if x in off])


def _words_of(photos: Sequence[Path]) -> list[str]:
    """The keywords that people wrote for photos, in XMP sidecars or inside them."""
    return persons_keywords(
        [source for photo in photos for source in keyword_sources(photo, sidecars_of(photo))]
    )


def _taken_off(there: Sequence[str], recorded: Collection[str], merge: MergeRules) -> set[str]:
    """The labels that tagger wrote and somebody took off, by their present names."""
    gone = missing_labels(list(recorded), there, recorded)
    return {merge.former.get(label, label) for label in gone} - set(merge.again)


def _merged_text(path: Path, text: str, gone: Sequence[str], labels: Sequence[str]) -> str:
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
    # Line ends that csv does not know (U+2028), backslashes, which readers of booru tags take for an escape, and
    # signs that stand between labels elsewhere.
    signs = "\\|;\t"
    odd = any(
        len(label.splitlines()) > 1 or label.startswith("\ufeff") or any(sign in label for sign in signs)
        for label in labels
    )
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL if odd else csv.QUOTE_MINIMAL).writerow(
        labels
    )
    return text.getvalue()
