"""What README promises: its commands parse, its tables are complete, its trees are what lies on the disk."""

import inspect
import re
import shlex
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer

import tagger
from tagger.cli import app
from tagger.presets import load_settings, preset_names

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
COMMANDS: Any = typer.main.get_command(app)
GROUPS = {name: command for name, command in COMMANDS.commands.items() if hasattr(command, "commands")}
SINGLE = {name: command for name, command in COMMANDS.commands.items() if name not in GROUPS} | {
    f"{group} {name}": command for group, found in GROUPS.items() for name, command in found.commands.items()
}


def blocks() -> list[list[str]]:
    """The lines of each indented or fenced block."""
    fenced = re.findall(r"^```\w*\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    indented = re.findall(r"(?:^ {4}.*\n|^\n(?= {4}))+", README, re.MULTILINE)
    return [[line.strip() for line in block.splitlines() if line.strip()] for block in [*fenced, *indented]]


def command_lines() -> list[str]:
    """Every line that calls the command."""
    return [line for block in blocks() for line in block if line.startswith("tagger ")]


def table_rows(text: str) -> list[str]:
    """The first cell of each row of README's tables, without its marks."""
    return [row.strip(" `") for row in re.findall(r"^\|([^|]*)\|", text, re.MULTILINE)]


def options(line: str) -> list[str]:
    """What ``--set`` is given."""
    words = shlex.split(line, comments=True)
    return [value for flag, value in pairwise(words) if flag == "--set"]


@pytest.mark.parametrize("line", command_lines())
def test_every_command_that_readme_shows_parses(line: str):
    _, name, *arguments = shlex.split(line, comments=True)
    name = " ".join([name, arguments.pop(0)]) if name in GROUPS else name
    SINGLE[name].make_context(name, arguments)
    load_settings("quick", options(line))


def test_readme_shows_commands():
    assert len(command_lines()) > 10


@pytest.mark.parametrize("name", SINGLE)
def test_every_command_has_help_and_a_row_in_readme(name: str):
    command = SINGLE[name]
    assert command.help
    assert f"tagger {name}" in table_rows(README)
    for option in command.params:
        assert getattr(option, "help", None), f"tagger {name}: {option.name} has no help"
    assert len(command.params) <= 9, f"tagger {name} has many options; settings belong in --set"


def test_every_row_of_a_command_is_a_command():
    rows = [row.removeprefix("tagger ") for row in table_rows(README) if row.startswith("tagger ")]
    assert sorted(rows) == sorted(SINGLE)


def test_presets_and_registered_parts_are_in_readme():
    from tagger.batches import samplers
    from tagger.heads import heads
    from tagger.losses import losses
    from tagger.regularisers import regularisers
    from tagger.suspects import signals

    for name in (*preset_names(), *samplers.names(), *heads.names(), *losses.names(), *signals.names()):
        assert f"`{name}`" in README, name
    for name in regularisers.names():
        assert f"`--set regularisers.{name}" in README, name


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", README):
        assert (ROOT / target).exists(), target


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"^ {4}make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_names_shown_from_python_exist():
    for name in re.findall(r"\btagger\.(\w+)\(", README):
        assert name in tagger.__all__
        assert (inspect.getdoc(getattr(tagger, name)) or "").strip(), name


def tree(top: str) -> set[str]:
    """The names in README's tree that begins with ``top``; only the first column, words apart."""
    (block,) = (block for block in blocks() if block[0].split()[0] == top)
    return {
        word for line in block for word in re.findall(r"[\w.-]+(?:/|\.\w+)|\b[A-Z]{4,}\b|\bMakefile\b", line)
    }


def test_the_layout_is_what_lies_on_the_disk():
    shown = tree("tagger/")
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("this is no git checkout")
    files = [Path(line) for line in done.stdout.splitlines() if (ROOT / line).is_file()]
    top = {path.parts[0] + ("/" if len(path.parts) > 1 else "") for path in files}
    assert {name for name in top if not name.startswith((".", "README"))} <= shown
    parts = {
        path.parts[1] + ("/" if len(path.parts) > 2 else "") for path in files if path.parts[0] == "tagger"
    }
    empty = {f"{path.parts[1]}/" for path in files if path.parts[0] == "tagger" and len(path.parts) > 2}
    empty -= {
        f"{p.parts[1]}/"
        for p in files
        if p.parts[0] == "tagger" and len(p.parts) > 2 and (ROOT / p).stat().st_size
    }
    assert parts - empty - {"__init__.py", "py.typed"} <= shown
    for name in shown - {"__init__"}:
        assert any((ROOT / folder / name).exists() for folder in ("", "tagger")), f"README shows {name}"


LATER = {"suspects.parquet", "neighbours.npz", "judged.parquet", "views.npy"}  # not in every run


def test_a_run_holds_what_readme_says(finished: Path):
    (block,) = (block for block in blocks() if block[0].startswith("runs/"))
    shown = {
        word
        for line in block[1:]
        for word in re.findall(
            r"\b[\w]+\.(?:md|toml|json|safetensors|parquet|npz|npy|csv|txt)\b|plots|members", line
        )
    }
    assert shown - LATER == {path.name for path in finished.iterdir()}
    assert shown >= LATER
