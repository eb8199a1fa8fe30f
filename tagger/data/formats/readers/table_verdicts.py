"""A column of a long table that says whether the label of the row applies: ``Confidence`` 0 is a *no*."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from tagger.arrays import NO, UNKNOWN, YES
from tagger.data.formats.cell_values import CellValues, number_of
from tagger.data.formats.readers.table_profile import LongProfile
from tagger.data.formats.readers.table_rows import UndecidedTable
from tagger.data.formats.readers.table_stream import judged_by
from tagger.data.formats.word_readings import word_readings
from tagger.errors import TaggerError
from tagger.read_options import ReadOptions
from tagger.text import quoted, set_options

# Columns that say how sure it is that the label applies, without signs between the words.
VERDICT_NAMES = {
    *("confidence", "conf", "value", "present", "presence", "ispresent", "positive", "ispositive", "verdict"),
    *("istrue", "labelvalue", "truth", "applies", "haslabel", "exists", "islabel", "correct", "iscorrect"),
    *("score", "probability", "prob", "verified", "isvalid", "valid", "agreed"),
}
NEGATIVE_NAMES = {
    "absent",
    "isabsent",
    "negative",
    "isnegative",
    "rejected",
    "isrejected",
    "wrong",
    "iswrong",
}
# Columns of boxes in Open Images, COCO and Pascal VOC that vary between labels but say something else.
OTHER_NAMES = {
    *("isoccluded", "istruncated", "isgroupof", "isdepiction", "isinside"),
    *("iscrowd", "occluded", "truncated", "difficult", "crowd", "pose"),
}


@dataclass(frozen=True)
class VerdictColumn:
    """The column at ``at`` and what its cells mean."""

    at: int
    name: str
    values: CellValues
    cutoff: float | None

    def of(self, cell: str) -> int | None:
        """YES, NO or UNKNOWN; None if the cell says neither."""
        number = number_of(cell)
        if self.cutoff is not None and number is not None:
            return YES if number >= self.cutoff else NO
        known = self.values.of(cell)
        if known is None and number is not None and 0 < number < 1:
            return UNKNOWN
        return known

    def sentence(self) -> str:
        """What the summary of the source says."""
        how = "between 0 and 1 unknown" if self.cutoff is None else f"yes from {self.cutoff:g} on"
        return f"; {self.name!r} says whether a row's label applies ({how}), what no row says is unknown"


def find_verdict_column(
    path: Path, profile: LongProfile, read_options: ReadOptions, labels: Collection[str]
) -> VerdictColumn | None:
    """The column of verdicts, named by the settings or by itself; TaggerError where it may be one or not."""
    name = read_options.value_column or _likely_column(path, profile, read_options, labels)
    if not name:
        if read_options.cutoff != "none":
            raise TaggerError(
                f"{path.name}: data.cutoff has no column to act on. Name it: --set data.value_column=NAME"
            )
        return None
    cutoff = None if read_options.cutoff == "none" else float(read_options.cutoff)
    found = VerdictColumn(profile.columns.index(name), name, CellValues(read_options), cutoff)
    bad = [cell for cell in profile.words_of(name) if found.of(cell) is None]
    if bad:
        raise _unclear(path, name, bad[0], profile.words_of(name), asked=bool(read_options.value_column))
    return found


def _likely_column(
    path: Path, profile: LongProfile, read_options: ReadOptions, labels: Collection[str]
) -> str:
    """The first column with the name of a verdict. TaggerError for one that only behaves like a verdict."""
    kept_out = {*labels, *read_options.related_columns}
    others = [name for name in profile.others if name not in kept_out and not read_options.ignores(name)]
    for name in others:
        if _plain(name) in VERDICT_NAMES and any(cell.strip() for cell in profile.words_of(name)):
            return name
    for name in others:
        negative = _plain(name) in NEGATIVE_NAMES and name in profile.varied
        if negative or (name in profile.varying and _plain(name) not in OTHER_NAMES):
            opposite = {"yes": "0", "no": "1"} if negative else {}
            judging = {"value_column": name} | opposite
            raise UndecidedTable(
                f"{path.name}: column {quoted([name])} may say whether the label of a row applies:"
                f" {set_options(judging)} or something else: {set_options({'ignore_columns': name})}",
                [judging, {"ignore_columns": name}],
            )
    return ""


def _unclear(path: Path, name: str, bad: str, words: Collection[str], *, asked: bool) -> UndecidedTable:
    """The error on a column of verdicts with other cells than yes and no, with the settings for each reading."""
    readings = [one | judged_by(name) for one in word_readings(words) if one]
    numbers = [number for cell in words if (number := number_of(cell)) is not None]
    if not readings and len(numbers) == sum(bool(cell.strip()) for cell in words):
        middle = (min(numbers) + max(numbers)) / 2
        readings = [judged_by(name) | {"cutoff": f"{middle:g}"}]
    elif not readings:
        readings = [judged_by(name) | {"yes": word.strip()} for word in words if word.strip()][:3]
    if not asked:
        readings.append({"ignore_columns": name})
    listed = " or ".join(map(set_options, readings))
    return UndecidedTable(
        f"{path.name}: column {quoted([name])} may say whether the label of a row applies, but {bad!r} is neither 0, 1"
        f" nor between. Say what it means, or that it is something else: {listed}",
        readings,
    )


def _plain(name: str) -> str:
    """A name in small letters without blanks and signs: ``is_positive`` is ``IsPositive``."""
    return re.sub(r"[\W_]+", "", name).lower()
