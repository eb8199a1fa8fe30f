"""Labels in one table: ``file,labels`` with labels joined by ``|`` (long), or one 0/1/empty column per label (wide)."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tagger.arrays import NO, UNKNOWN, YES
from tagger.data.image_index import ImageIndex
from tagger.data.long_table import LongTable, LongTableBuilder
from tagger.data.records import TABLE_SUFFIXES, Records, read_records
from tagger.data.wording import counted, shortlist
from tagger.errors import Problem, TaggerError, did_you_mean

# 1.0 and 0.0 because pandas writes a 0/1 column with gaps as floats.
CELLS = {"": UNKNOWN, "0": NO, "1": YES, "0.0": NO, "1.0": YES}
CLASH = 3  # in place of value + 1: rows disagreed, and a third row does not settle it
MAX_REPEATED = 20  # images named one by one when their rows differ; a file with one label a row has thousands


class Tables:
    """``labels.csv``, ``labels.tsv`` or ``labels.parquet``."""

    def detect(self, images: ImageIndex) -> Path | None:
        """The first of the three that exists in the data folder itself."""
        return next((p for suffix in TABLE_SUFFIXES if (p := images.root / f"labels{suffix}").is_file()), None)

    def accepts(self, path: Path, images: ImageIndex) -> bool:
        """True for a file with one of the three suffixes."""
        return path.is_file() and path.suffix.lower() in TABLE_SUFFIXES

    def read(self, path: Path, images: ImageIndex) -> LongTable:
        """Both forms; a column ``labels`` makes it the long one. Row numbers in messages count the file's lines."""
        records = read_records(path)
        _check_columns(path.name, records.columns)
        return _read_long(path, records, images) if "labels" in records.columns else _read_wide(path, records, images)


def _check_columns(name: str, columns: tuple[str, ...]) -> None:
    found = ", ".join(map(repr, columns)) or "none"
    if "file" not in columns:
        raise TaggerError(
            f"{name}: there is no column 'file'; the columns are {found}.{did_you_mean('file', columns)}"
            " The first line must name a column 'file', and 'labels' or one column per label"
        )
    if len(columns) == 1:
        raise TaggerError(f"{name}: there are no labels, only a column 'file'. Add a column 'labels' or one per label")
    if "" in columns and "labels" not in columns:
        raise TaggerError(f"{name}: column {columns.index('') + 1} has no name; the columns are {found}")


def _read_long(path: Path, records: Records, images: ImageIndex) -> LongTable:
    labels_at = records.columns.index("labels")
    builder = LongTableBuilder()
    seen: dict[str, tuple[int, str]] = {}
    repeated: dict[str, Problem] = {}
    num_rows = 0
    for row, file, cells in _known_images(path, records, images, builder):
        num_rows += 1
        text = cells[labels_at]
        builder.add(file, yes=dict.fromkeys(filter(None, map(str.strip, text.split("|")))), place=f"row {row}")
        first_row, first_text = seen.setdefault(file, (row, text))
        if text != first_text and file not in repeated:
            reason = f"{file!r} has other labels in row {first_row}: the image gets those of all its rows"
            repeated[file] = Problem(path.name, row, reason)
    builder.problems += list(repeated.values())[:MAX_REPEATED]
    if len(repeated) > MAX_REPEATED:
        reason = (
            f"{len(repeated) - MAX_REPEATED} more images have rows with other labels: each gets those of all its rows"
        )
        builder.problems.append(Problem(path.name, None, reason))
    others = [column for column in records.columns if column not in ("file", "labels")]
    ignored = f"; other columns are ignored: {shortlist([repr(c) for c in others], 5)}" if others else ""
    return builder.build(path.name, f"{path.name} (labels joined by |, {counted(num_rows, 'row')}{ignored})")


def _read_wide(path: Path, records: Records, images: ImageIndex) -> LongTable:
    file_at = records.columns.index("file")
    columns = [(at, name) for at, name in enumerate(records.columns) if at != file_at]
    builder = LongTableBuilder(name for _, name in columns)
    bad: dict[str, str] = {}
    values: dict[str, tuple[int, bytearray]] = {}  # file -> first row, one byte per label (value + 1)
    checked = _checked_cells(records, columns, bad)
    for row, file, cells in _known_images(path, checked, images, builder):
        new = bytearray(CELLS.get(cells[at].strip(), UNKNOWN) + 1 for at, _ in columns)
        first_row, old = values.setdefault(file, (row, new))
        if old is not new:
            clashes = _join(old, new)
            if clashes:
                names = shortlist([repr(columns[k][1]) for k in clashes])
                reason = f"{file!r} is also in row {first_row}, and they disagree on {names}: counted as unknown"
                builder.problems.append(Problem(path.name, row, reason))
    if bad:
        listed = shortlist([f"{name!r} ({where})" for name, where in bad.items()])
        raise TaggerError(
            f"{path.name}: {counted(len(bad), 'column')} with other cells than 0, 1 and empty: {listed}."
            " Label names belong in a column 'labels'"
        )
    for file, (_, cells_K) in values.items():
        builder.add(
            file,
            yes=[name for (_, name), cell in zip(columns, cells_K, strict=True) if cell == YES + 1],
            unknown=[name for (_, name), cell in zip(columns, cells_K, strict=True) if cell in (UNKNOWN + 1, CLASH)],
        )
    summary = f"{path.name} (one column per label, {counted(len(values), 'image')})"
    return builder.build(path.name, summary, closed=False)


def _checked_cells(records: Records, columns: list[tuple[int, str]], bad: dict[str, str]) -> Records:
    """The same records; the first bad value of each column is put into ``bad`` on the way."""

    def rows() -> Iterator[tuple[int, list[str]]]:
        for row, cells in records.rows:
            for at, name in columns:
                if cells[at].strip() not in CELLS and name not in bad:
                    bad[name] = f"row {row}: {cells[at][:30]!r}"
            yield row, cells

    return Records(records.columns, rows())


def _join(old: bytearray, new: bytearray) -> list[int]:
    """Merge a second row of an image into ``old``; returns the labels on which the rows disagree (now CLASH).

    >>> cells = bytearray([2, 1, 0])
    >>> _join(cells, bytearray([1, 1, 2])), list(cells)
    ([0], [3, 1, 2])
    """
    clashes = []
    for k, (a, b) in enumerate(zip(old, new, strict=True)):
        if a == UNKNOWN + 1:
            old[k] = b
        elif a != CLASH and b not in (a, UNKNOWN + 1):
            old[k] = CLASH
            clashes.append(k)
    return clashes


def _known_images(
    path: Path, records: Records, images: ImageIndex, builder: LongTableBuilder
) -> Iterator[tuple[int, str, list[str]]]:
    """(row, image, cells) of each row whose image exists; the others become problems, and an error if that is all."""
    file_at = records.columns.index("file")
    absent: dict[str, list[int]] = defaultdict(list)
    num_known = num_rows = 0
    for row, cells in records.rows:
        num_rows += 1
        file, reason = images.find(cells[file_at], beside=path.parent)
        if file:
            num_known += 1
            yield row, file, cells
        else:
            absent[cells[file_at]].append(row)
            builder.problems.append(Problem(path.name, row, reason))
    if not num_rows:
        raise TaggerError(f"{path.name}: there are no rows below the column names")
    if not num_known:
        raise TaggerError(
            f"{path.name}: none of its {num_rows:,} rows names an image in {images.root}:"
            f" {shortlist(list(map(repr, absent)), 3)}."
            " Paths in 'file' are relative to the label file or to the data folder"
        )
