"""Words in the command line that are no command: what is wrong, and where to read on."""

from collections.abc import Callable
from typing import Any

import pytest

Cli = Callable[..., Any]


@pytest.mark.parametrize(("words", "known"), [((), "train"), (("data",), "stats")])
def test_no_words_show_the_help_as_a_page(words: tuple[str, ...], known: str, tagger_cli: Cli):
    end = tagger_cli(*words)
    assert (end.code, end.out) == (2, "")
    assert end.err.startswith("Usage: tagger")
    assert any(line.split()[:1] == [known] for line in end.err.splitlines())


@pytest.mark.parametrize(
    ("words", "see"),
    [
        (("trian",), "tagger --help"),
        (("data", "stat"), "tagger data --help"),
        (("data", "convert", "photos"), "tagger data convert --help"),
        (("predict", "photos", "--foo"), "tagger predict --help"),
    ],
)
def test_what_is_wrong_leads_to_the_help_of_its_command(words: tuple[str, ...], see: str, tagger_cli: Cli):
    end = tagger_cli(*words)
    assert end.code == 2
    assert end.err.rstrip().endswith(f"See: {see}")
    assert len(end.err.splitlines()) == 1


@pytest.mark.parametrize("words", [(), ("data",)])
def test_the_list_of_commands_is_whole_in_80_columns(
    words: tuple[str, ...], tagger_cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLUMNS", "80")
    assert "..." not in tagger_cli(*words, "--help").out.replace("[ARGS]...", "")
