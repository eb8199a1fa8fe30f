"""Model card on the page: README.md of a run as formatted text, with its own plots and nothing from elsewhere."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from tagger.runs import RunFolder
from tagger.ui.markdown_escape import escape_markdown

_PLOT = re.compile(r"!\[(?P<alt>[^\]]*)\]\((?P<path>plots/[A-Za-z0-9_-]+\.png)\)")
_ADDRESSES = re.compile(r"(https?(?=://)|www(?=\.)|(?=@))", re.IGNORECASE)
_DIRECTIVES = re.compile(
    r"(?<!\\)([$:<\[\]~])"
)  # what Streamlit's Markdown makes links, tags, icons and formulas of
_WORD_JOINER = "\u2060"


@dataclass(frozen=True)
class CardPart:
    """A part of the card: text in Markdown that is safe to show, or a plot with the words beside it."""

    text: str
    plot: Path | None = None


def show_model_card(run: RunFolder) -> None:
    """The card, or one line where there is none."""
    if not run.card_path.is_file():
        st.info("The run folder has no README.md.")
        return
    for part in card_parts(run.card_path.read_text("utf-8", "replace")):
        plot = run.path / part.plot if part.plot is not None else None
        if plot is None:
            st.markdown(part.text)
        elif plot.is_file():
            st.image(str(plot), caption=escape_markdown(part.text), alt=part.text or plot.name)


def card_parts(card: str) -> Iterator[CardPart]:
    """The parts in order. Links, images, tags and formulas that a name may hold are shown as they are written.

    >>> list(card_parts("# A [b](http://c)"))
    [CardPart(text='# A \\\\[b\\\\](http\\u2060\\\\://c)', plot=None)]
    """
    lines: list[str] = []
    in_code = False
    for line in card.splitlines():
        found = None if in_code else _PLOT.fullmatch(line.strip())
        if found is not None:
            if lines:
                yield CardPart("\n".join(lines))
            lines = []
            yield CardPart(found["alt"], Path(found["path"]))
            continue
        fence = line.startswith("```")
        lines.append(line if in_code or fence else _safe(line))
        in_code ^= fence
    if any(lines):
        yield CardPart("\n".join([*lines, "```"] if in_code else lines))


def _safe(line: str) -> str:
    """A line whose headings, tables, emphasis and code stay, and nothing that loads or leads elsewhere."""
    if re.fullmatch(r"[\s|:-]+", line):  # the rule below a table's head
        return line
    pieces = re.split(r"(`[^`]*`)", line)
    return "".join(
        piece if number % 2 else _DIRECTIVES.sub(r"\\\1", _ADDRESSES.sub(rf"\1{_WORD_JOINER}", piece))
        for number, piece in enumerate(pieces)
    )
