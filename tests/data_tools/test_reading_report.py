"""What was read is shown: photos with labels, usual and odd labels, and what was not read."""

import re
from pathlib import Path

from tagger.commands.console.reading_report import reading_lines
from tagger.data import read_dataset
from tagger.data.reading_summary import summarise_reading


def test_check_opens_with_what_was_read_and_writes_a_page_that_needs_no_server(
    photos, tmp_path: Path, tagger_cli
):
    root = photos(12, lambda i: ["cat", "cat|<b>dog</b>", "1"][i % 3])
    (root / "old.csv").write_text("file,labels\n")
    (root / "boxes").mkdir()
    (root / "boxes" / "instances.json").write_text("{}")
    page = tmp_path / "read.html"
    done = tagger_cli("data", "check", root, "--html", page)
    lines = done.out.splitlines()
    assert "ignored: boxes/instances.json, old.csv" in " ".join(lines[:3])
    said = done.out
    assert "Read: 12 photos, 3 labels. For example:" in said
    assert "Most frequent: cat 8, " in said
    assert "'1' (4; looks like yes, no or a number)" in re.sub(r"\s+", " ", said)
    text = page.read_text("utf-8")
    assert "<b>dog" not in text
    assert "&lt;b&gt;dog" in text
    assert text.count("data:image/") == 5
    assert not re.search(r"(src|href)=.?(http|/)", text)


def test_lines_fit_on_a_terminal(photos):
    root = photos(9, lambda i: "|".join(f"label number {k} of photo {i}" for k in range(9)))
    lines = reading_lines(summarise_reading(read_dataset(root)))
    assert max(map(len, lines)) <= 80
    assert len(lines) < 30
