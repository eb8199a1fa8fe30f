"""Text of labels, as in ``NAME.txt`` beside a photo: read, and edited such that all else stays as it is."""

import csv
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

# A quoted label, or an escaped bracket, as in prompts for image generators: hatsune_miku_\(cosplay\).
QUOTED_OR_ESCAPED = re.compile(r'"(?:[^"]|"")*"|\\([()])')
LINE_END = re.compile("\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")  # those of str.splitlines
CELL = re.compile(' *(?:"(?:[^"]|"")*")?[^,\n\r\v\f\x1c-\x1e\x85\u2028\u2029]*')


def parse_label_text(text: str) -> list[str]:
    """Labels of one sidecar, each once; a label with a comma is in quotation marks. csv.Error if broken.

    >>> parse_label_text('cat, "red, white" ,dog\\ncat'), parse_label_text("miku_\\\\(cosplay\\\\)")
    (['cat', 'red, white', 'dog'], ['miku_(cosplay)'])
    """
    plain = QUOTED_OR_ESCAPED.sub(lambda found: found[1] or found[0], text)
    rows = csv.reader(plain.splitlines(keepends=True), skipinitialspace=True)
    return list(dict.fromkeys(cell.strip() for row in rows for cell in row if cell.strip()))


def unquoted_labels(text: str) -> list[str]:
    """Labels that no quotation marks show to be whole. csv.Error if broken.

    >>> unquoted_labels('"red; white", cat; dog'), unquoted_labels('"a"')
    (['cat; dog'], [])
    """
    return [cell.label for cell in _cells(text) if not text[cell.start : cell.end].startswith('"')]


def add_labels(text: str, labels: Sequence[str]) -> str | None:
    """The text with the labels that it lacks after its last one, in its own style; all else stays.

    None if they would not be read again: a quotation mark is not closed. csv.Error if broken.

    >>> add_labels("cat, dog\\n", ["sea", "dog"]), add_labels("cat\\r\\ndog", ["sea"])
    ('cat, dog, sea\\n', 'cat\\r\\ndog\\r\\nsea')
    """
    there = parse_label_text(text)
    missing = [label for label in dict.fromkeys(labels) if label not in there]
    if not missing:
        return text
    escaped = bool(re.search(r"\\[()]", text))
    at = len(text.rstrip(", \t\r\n"))
    separator = _separator(text)
    added = separator.join(_written_label(label, escaped) for label in missing)
    edited = text[:at] + (separator if at else "") + added + (text[at:] if text else "\n")
    return edited if parse_label_text(edited) == [*there, *missing] else None


def remove_labels(text: str, labels: Collection[str]) -> str | None:
    """The text without these labels and a separator of each; all else stays.

    None if they cannot be cut out without changing the rest. csv.Error if broken.

    >>> remove_labels("cat, dog\\nsea, sky\\n", ["sea"]), remove_labels("a,  b, c", ["b"])
    ('cat, dog\\nsky\\n', 'a, c')
    """
    there = parse_label_text(text)
    edited = text
    cells = _cells(text)
    while found := [index for index, cell in enumerate(cells) if cell.label in labels]:
        edited = _without_cell(edited, cells, found[0])
        cells = _cells(edited)
    return edited if parse_label_text(edited) == [label for label in there if label not in labels] else None


@dataclass(frozen=True)
class _Cell:
    """A label in a text, and where it stands without the white space around it."""

    start: int
    end: int
    label: str


def _cells(text: str) -> list[_Cell]:
    cells = []
    at = 0
    while at < len(text):
        found = CELL.match(text, at)
        piece = found[0] if found else ""
        labels = parse_label_text(piece)
        if len(labels) == 1:
            start = at + len(piece) - len(piece.lstrip())
            cells.append(_Cell(start, at + len(piece.rstrip()), labels[0]))
        at += len(piece) + 1  # the separator
    return cells


def _without_cell(text: str, cells: Sequence[_Cell], index: int) -> str:
    """The text without one cell, and without the separator beside it that ends no line, if there is one."""
    cell = cells[index]
    before = cells[index - 1].end if index else None
    after = cells[index + 1].start if index + 1 < len(cells) else None
    if before is not None and (after is None or not LINE_END.search(text[before : cell.start])):
        return text[:before] + text[cell.end :]
    if after is not None and (before is None or not LINE_END.search(text[cell.end : after])):
        return text[: cell.start] + text[after:]
    return text[: cell.start if before is None else before] + text[cell.end :]


def _separator(text: str) -> str:
    """What stands between the last two labels: a comma with its blanks, or the end of a line."""
    cells = _cells(text)
    between = text[cells[-2].end : cells[-1].start] if len(cells) > 1 else ", "
    comma = "," if "," in between else ""
    if line_end := LINE_END.search(between):
        return comma + line_end[0]
    blanks = between.rpartition(",")[2]
    return "," + (blanks if not blanks.strip(" ") else " ")  # a quoted label is read after spaces only


def _written_label(label: str, escaped: bool) -> str:
    r"""A label as it is written: quoted as in CSV where that is needed, with ``\(`` where the text has such.

    >>> _written_label("red, white", False), _written_label("cat (animal)", True)
    ('"red, white"', 'cat \\(animal\\)')
    """
    # A backslash: readers of booru tags take it for an escape. Other signs: they may stand between labels elsewhere.
    if any(sign in label for sign in ',"\\|;\t') or len(label.splitlines()) > 1 or label.startswith("\ufeff"):
        return '"' + label.replace('"', '""') + '"'
    return re.sub(r"([()])", r"\\\1", label) if escaped else label
