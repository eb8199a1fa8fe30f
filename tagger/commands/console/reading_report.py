"""Report on what was read as lines of text: photos with their labels, usual and odd labels."""

import textwrap
from collections.abc import Sequence

from tagger.data.reading_summary import ReadingSummary
from tagger.text import counted

WIDTH = 80


def reading_lines(summary: ReadingSummary) -> list[str]:
    """The lines, none longer than 80 columns unless a name is."""
    lines = [
        f"Read: {counted(summary.num_images, 'photo')}, {counted(summary.num_labels, 'label')}. For example:"
    ]
    for file, labels, unknown in summary.examples:
        open_ = f"; unknown: {', '.join(unknown)}" if unknown else ""
        lines += _wrapped(f"{file}: ", (", ".join(labels) or "no label") + open_)
    lines += _wrapped("Most frequent: ", _counts(summary.frequent))
    if summary.odd:
        odd = "; ".join(f"{label!r} ({number:,}; {what})" for label, number, what in summary.odd)
        lines += _wrapped("Oddest: ", odd, most=6)
    return lines


def _counts(labels: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{label} {number:,}" for label, number in labels)


def _wrapped(title: str, text: str, most: int = 3) -> list[str]:
    """A title and a text, ``most`` lines; a name that holds line ends stays on one."""
    whole = " ".join(f"{title}{text}".split())
    return textwrap.wrap(
        whole, WIDTH, initial_indent="  ", subsequent_indent="      ", max_lines=most, placeholder=" ..."
    )
