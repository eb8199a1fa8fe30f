"""Reader of label lists: ``annotations/LABEL.txt`` with one image id or file name a line.

Pascal VOC's image sets (``ImageSets/Main/cat_train.txt``) have 1, 0 or -1 behind each name: yes, difficult
(unknown) and no. Where no line has -1, 0 is no.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.formats.long_table import LongTable, LongTableBuilder
from tagger.data.formats.text_file import read_text
from tagger.errors import Problem, TaggerError, first_reasons

FOLDER = "annotations"
NAME_AND_VERDICT = re.compile(r"(.*\S)\s+(-1|0|1)")
SPLIT_END = re.compile(r"[_-](train|val|trainval|test)$", re.IGNORECASE)


@dataclass
class LabelList:
    """One list: the images it names, each with what stands behind it ("" in a plain list), and other lines."""

    path: Path
    verdicts: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    num_lines: int = 0

    @property
    def label(self) -> str:
        """The label: the file's name; of ``cat_train.txt`` with verdicts, *cat*."""
        stem = self.path.stem.strip()
        return SPLIT_END.sub("", stem) if self.has_verdicts else stem

    @property
    def has_verdicts(self) -> bool:
        """True if 1, 0 or -1 stands behind the names."""
        return any(self.verdicts.values())

    @property
    def is_list(self) -> bool:
        """False for a text of which no line names an image, such as a read-me."""
        return bool(self.verdicts) or not self.num_lines

    @property
    def location(self) -> str:
        """The file's path for messages."""
        return f"{self.path.parent.name}/{self.path.name}"


class LabelListReader:
    """Reader of one text file per label. All images of the data folder are listed; one in no file has no label."""

    def detect(self, images: ImageLookup) -> Path | None:
        """``annotations/`` in the data folder, if it holds lists of images rather than one text file per image."""
        folder = images.root / FOLDER
        if not folder.is_dir():
            return None
        stems = [path.stem for path in _lists(folder)]
        return folder if sum(map(images.has_stem, stems)) * 2 < len(stems) else None

    def accepts(self, path: Path, images: ImageLookup) -> bool:
        """True for a folder with text files in it."""
        return path.is_dir() and bool(_lists(path))

    def read(self, path: Path, images: ImageLookup) -> LongTable:
        """All lists together. Id 7 means ``im7.jpg`` if 7 is the only number in that name and in no other."""
        lists = [_read_list(list_path, images) for list_path in _lists(path)]
        if not any(one.verdicts for one in lists) and any(one.num_lines for one in lists):
            raise TaggerError(_nothing_found(path, lists, images))
        judged = [one for one in lists if one.has_verdicts]
        used = judged or [one for one in lists if one.is_list]
        builder = LongTableBuilder()
        for file in images.files:
            if not judged or any(file in one.verdicts for one in judged):
                builder.add_image(file)
        if judged:
            _add_verdicts(builder, judged)
        else:
            _add_lists(builder, used)
        for one in lists:
            builder.problems += one.problems if one in used else [_left_out(one)]
        kind = "with 1, 0 or -1 behind each name" if judged else "one per label"
        return builder.build(f"{path.name}/", f"{path.name}/ ({len(used):,} lists of images, {kind})")


def _read_list(path: Path, images: ImageLookup) -> LabelList:
    """One list; lines that name no image are problems."""
    found = LabelList(path)
    for row, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        found.num_lines += 1
        verdict = ""
        file, reason = images.find(line, beside=path.parent, by_number=True)
        if not file and (parts := NAME_AND_VERDICT.fullmatch(line.strip())):
            verdict = parts[2]
            file, reason = images.find(parts[1], beside=path.parent, by_number=True)
        if file:
            found.verdicts[file] = verdict
        else:
            found.problems.append(Problem(found.location, row, reason))
    return found


def _add_lists(builder: LongTableBuilder, lists: Sequence[LabelList]) -> None:
    for one in lists:
        builder.add_label(one.label, one.location)
        for file in one.verdicts:
            builder.add_image(file, yes=[one.label])


def _add_verdicts(builder: LongTableBuilder, lists: Sequence[LabelList]) -> None:
    """1 is yes; -1 is no, and 0 then is unknown; an image that a label's lists do not name is unknown."""
    open_verdicts = {"0"} if any("-1" in one.verdicts.values() for one in lists) else set()
    named: dict[str, dict[str, str]] = {}
    for one in lists:
        builder.add_label(one.label, one.location)
        named.setdefault(one.label, {}).update(one.verdicts)
    for file in dict.fromkeys(file for verdicts in named.values() for file in verdicts):
        verdict_of = {label: verdicts.get(file) for label, verdicts in named.items()}
        builder.add_image(
            file,
            yes=[label for label, verdict in verdict_of.items() if verdict == "1"],
            unknown=[label for label, verdict in verdict_of.items() if verdict in {None, "", *open_verdicts}],
        )


def _left_out(one: LabelList) -> Problem:
    """What is said of a text that is no list of a label: a read-me, or an image set without verdicts."""
    if one.verdicts:
        return Problem(
            one.location, None, "its lines have no 1, 0 or -1 as the other lists have: it is not read"
        )
    lines = "its line does not name" if one.num_lines == 1 else f"none of its {one.num_lines:,} lines names"
    return Problem(one.location, None, f"{lines} a photo: it is no list of photos, so it is no label")


def _nothing_found(path: Path, lists: Sequence[LabelList], images: ImageLookup) -> str:
    problems = [problem for one in lists for problem in one.problems]
    return (
        f"{path.name}/: none of its {len(problems):,} lines names an image in {images.root}."
        f" {first_reasons(problems)} A line is a file name, or the number in it"
    )


def _lists(folder: Path) -> list[Path]:
    return sorted(p for p in folder.glob("*.txt") if p.is_file() and not p.name.startswith("."))
