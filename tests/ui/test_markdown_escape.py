"""Escaped names: a Markdown parser gives back exactly the name, and nothing else."""

import html
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tagger.ui.markdown_escape import escape_markdown

MARKS = st.text(st.sampled_from(list("\\`*_{}[]()#+-.!|<>~$:&@=^\"'/ aé猫😀1;%\t\n?,")), max_size=30)
ODD_SPACE = re.compile(r"\s+")


@given(MARKS | st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=30))
@example("![x](http://evil.example/p.png)")
@example("<img src=x onerror=alert(1)>")
@example("&lt;b&gt; &#60; &amp;")
@example("1. list")
@example("- [ ] task")
@example("# heading\n===")
@example("[x]: http://evil.example")
@example("| a | b |\n|---|---|")
@example("~~x~~ $x$ :red[x] :material/home: www.example.com")
@example("``x``")
@example("\\")
def test_a_parser_gives_back_the_name(name: str):
    for kind in ("commonmark", "default"):
        shown = MarkdownIt(kind, {"html": True}).render(f"before {escape_markdown(name)} after")
        text = re.fullmatch(r"<p>before ?(.*?) after</p>\n", shown, re.DOTALL)
        assert text, shown
        assert html.unescape(text[1]).replace("\u2060", "").split() == name.replace("\u2060", "").split()
        assert "<" not in text[1]


@pytest.mark.parametrize("name", ["1. x", "- x", "# x", "> x", "    x", "```", "---", "| a |", "+ x", "* x"])
def test_a_name_that_begins_a_line_begins_no_block(name: str):
    assert MarkdownIt("default", {"html": True}).render(escape_markdown(name)).startswith("<p>")


ADDRESS = re.compile(
    r"https?://|www\.|[-.\w+]@[-\w]", re.IGNORECASE
)  # what browsers' Markdown makes links of


@pytest.mark.parametrize(
    "name", ["http://evil.example", "HTTPS://x.y", "a www.evil.example", "ann@evil.example", "x@y"]
)
def test_an_address_is_shown_and_no_link(name: str):
    shown = html.unescape(MarkdownIt("commonmark").render(escape_markdown(name)))
    assert ADDRESS.search(name)
    assert not ADDRESS.search(shown)
    assert name in shown.replace("\u2060", "")


def test_what_is_no_text_is_shown_as_text():
    assert escape_markdown(3.5) == "3\\.5"
    assert escape_markdown(None) == "None"
