"""Reader of text sidecars: ``NAME.txt`` beside ``NAME.jpg``, labels separated by commas or lines."""

import csv
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.formats.label_column import LISTS, AmbiguousCells, choose_separator, split_text
from tagger.data.formats.label_text import parse_label_text, unquoted_labels
from tagger.data.formats.long_table import LongTable, LongTableBuilder
from tagger.data.formats.shared_sidecars import shared_sidecar_problems
from tagger.data.formats.text_file import read_text
from tagger.data.formats.written_record import WrittenRecords, written_labels
from tagger.data.images.hashes import identify_file
from tagger.errors import Problem, TaggerError
from tagger.progress import ProgressCallback, no_progress
from tagger.read_options import ReadOptions
from tagger.text import counted

SIGN_TEXT = {" ": "joined by spaces", "none": "one a line"}


class TextSidecarReader:
    """Reader of one text file per image: an empty file means no label; an image without a file is not listed."""

    def __init__(self, *, read_options: ReadOptions | None = None, progress: ProgressCallback = no_progress):
        self.separator = (read_options or ReadOptions()).label_separator
        self.progress = progress

    def detect(self, images: ImageLookup) -> Path | None:
        """The data folder, if an image has a text file beside it with more than the predictions of a model."""
        records = WrittenRecords()
        found = ((file, sidecar) for file in images.files if (sidecar := _sidecar(file, images)))
        return (
            images.root if any(not _only_predicted(images.root, *pair, records) for pair in found) else None
        )

    def accepts(self, path: Path, images: ImageLookup) -> bool:
        """True for a folder with such images in it or below."""
        return path.is_dir() and any(_sidecar(file, images) for file in images.below(path))

    def read(self, path: Path, images: ImageLookup) -> LongTable:
        """Labels of every image with a sidecar; an unreadable sidecar is a problem, and its image is left out.

        What a model predicted and nobody has checked is unknown, as far as tagger's record of its writes says.
        """
        builder = LongTableBuilder()
        records = WrittenRecords()
        separator = self._told_separator(path, images)
        num_read = num_predicted = 0
        unknown: list[tuple[str, str]] = []
        for done, file in enumerate(images.below(path), 1):
            self.progress(done)
            location = _sidecar(file, images)
            if not location:
                continue
            if same := images.sharing_name(file):
                builder.problems += shared_sidecar_problems(location, file, same)
                continue
            try:
                labels = _labels(read_text(images.root / location), separator)
            except (TaggerError, csv.Error) as error:
                builder.problems.append(Problem(location, None, f"left out: {error}"))
                continue
            predicted = _predicted(images.root / file, images.root / location, records)
            yes = [label for label in labels if label not in predicted]
            if predicted and not yes:
                num_predicted += 1
                continue
            builder.add_image(file, yes=yes, location=location)
            unknown += [(file, label) for label in labels if label in predicted]
            num_read += 1
        if not num_read:
            raise TaggerError(f"{path}: {_nothing_read(builder.problems)}")
        for file, label in unknown:
            if label in builder.labels:  # else nobody uses it: it is no label
                builder.add_image(file, unknown=[label])
        summary = _summary(num_read, num_predicted, len(unknown))
        return builder.build("the .txt files", summary + _joined_text(separator))

    def _told_separator(self, path: Path, images: ImageLookup) -> str:
        """``auto`` (commas and lines), or the sign that is set. TaggerError where files show another sign."""
        if self.separator != "auto":
            return self.separator
        cells: Counter[str] = Counter()
        for file in images.below(path):
            labels = _labels_of(images.root / location) if (location := _sidecar(file, images)) else []
            if len(labels) > 1:
                return "auto"
            cells.update(_unquoted(images.root / location) if location else [])
        try:
            sign = choose_separator(cells)
            open_ = (
                {}
                if sign in ("none", LISTS)
                else {sign: next(c for c in cells if len(split_text(c, sign)) > 1)}
            )
        except AmbiguousCells as found:
            open_ = found.examples
        if open_:
            readings = AmbiguousCells(open_).readings()
            raise TaggerError(
                f"the .txt files beside images: a line may hold one label or several. {readings}"
            )
        return "auto"


def _labels_of(sidecar: Path) -> list[str]:
    """The labels between commas and on lines of a sidecar; none of a broken one, which is reported elsewhere."""
    try:
        return parse_label_text(read_text(sidecar))
    except (TaggerError, csv.Error):
        return []


def _unquoted(sidecar: Path) -> list[str]:
    """Labels of a sidecar that may be cut; none of a broken one."""
    try:
        return unquoted_labels(read_text(sidecar))
    except (TaggerError, csv.Error):
        return []


def _labels(text: str, separator: str) -> list[str]:
    """The labels of a text. csv.Error if its quotation marks are broken.

    >>> _labels("cat, dog", "auto"), _labels("cat dog\\nsea", " "), _labels("red, white\\n", "none")
    (['cat', 'dog'], ['cat', 'dog', 'sea'], ['red, white'])
    """
    if separator == "auto":
        return parse_label_text(text)
    return list(dict.fromkeys(label for line in text.splitlines() for label in split_text(line, separator)))


def _joined_text(separator: str) -> str:
    if separator in ("auto", ","):
        return ""
    return f", labels {SIGN_TEXT.get(separator, f'joined by {separator}')}"


def _summary(num_read: int, num_predicted: int, num_unknown: int) -> str:
    only = f"; {counted(num_predicted, 'image')} with nothing but predictions of a model left out"
    unknown = f"; {counted(num_unknown, 'label')} that a model predicted taken as unknown"
    found = f"{counted(num_read, '.txt file')} beside the images"
    return found + (only if num_predicted else "") + (unknown if num_unknown else "")


def _nothing_read(problems: Sequence[Problem]) -> str:
    if problems:
        return f"no .txt file beside an image can be read, such as {problems[0]}"
    return (
        "a model predicted all labels in its .txt files, and nobody has checked them. There is nothing to learn."
        " Name a label file with --labels, or write checked labels with tagger apply"
    )


def _only_predicted(root: Path, file: str, location: str, records: WrittenRecords) -> bool:
    predicted = _predicted(root / file, root / location, records)
    try:
        return bool(predicted) and set(parse_label_text(read_text(root / location))) <= set(predicted)
    except (TaggerError, csv.Error):
        return False


def _predicted(photo: Path, sidecar: Path, records: WrittenRecords) -> list[str]:
    """The labels in a text file that a model predicted, as far as that is recorded."""
    writes = records.writes(sidecar, b"")
    return written_labels(writes, [identify_file(photo).picture_hash], predicted=True) if writes else []


def _sidecar(file: str, images: ImageLookup) -> str:
    """The text file beside an image, relative to the root, or nothing."""
    name = os.path.splitext(file)[0] + ".txt"
    return name if images.has_path(name) and (images.root / name).is_file() else ""
