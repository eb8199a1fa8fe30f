"""What README and the guides promise: commands parse, settings exist, links and Python names lead somewhere."""

import inspect
import re
import shlex
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer

import tagger
from tagger.cli import app
from tagger.cli.base import SECTIONS
from tagger.presets import load_settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in sorted(ROOT.glob("docs/**/*.md"))
}
PAGES |= {"README.md": README, "CHANGELOG.md": (ROOT / "CHANGELOG.md").read_text("utf-8")}
COMMANDS: Any = typer.main.get_command(app)
GROUPS = {name: command for name, command in COMMANDS.commands.items() if hasattr(command, "commands")}
SINGLE = {name: command for name, command in COMMANDS.commands.items() if name not in GROUPS} | {
    f"{group} {name}": command for group, found in GROUPS.items() for name, command in found.commands.items()
}


def block_lines(text: str) -> list[str]:
    """The lines of all indented and fenced blocks."""
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    indented = re.findall(r"(?:^ {4}.*\n|^\n(?= {4}))+", text, re.MULTILINE)
    return [line.strip() for block in [*fenced, *indented] for line in block.splitlines() if line.strip()]


def command_lines() -> list[tuple[str, str]]:
    """(page, line) of every line that calls the command; a prompt before it is left out."""
    lines = [(page, line.removeprefix("$ ")) for page, text in PAGES.items() for line in block_lines(text)]
    return [(page, line) for page, line in lines if line.startswith("tagger ")]


def in_text() -> list[tuple[str, str]]:
    """(page, setting) of each ``--set section.key=value`` within backticks."""
    return [
        (page, setting)
        for page, text in PAGES.items()
        for code in re.findall(r"`([^`\n]*--set [^`\n]*)`", text)
        for setting in re.findall(r"--set (\w[\w.-]*=[^\s]+)", code)
        if setting != "section.key=value"
    ]


@pytest.mark.parametrize(("page", "line"), command_lines())
def test_every_command_shown_parses(page: str, line: str):
    _, name, *arguments = shlex.split(line, comments=True)
    if name in GROUPS and not arguments:
        assert GROUPS[name].invoke_without_command
        return
    name = " ".join([name, arguments.pop(0)]) if name in GROUPS else name
    SINGLE[name].make_context(name, arguments)
    load_settings("quick", [value for flag, value in pairwise(arguments) if flag == "--set"])


@pytest.mark.parametrize(("page", "setting"), in_text())
def test_every_setting_shown_is_accepted_under_its_present_name(
    page: str, setting: str, caplog: pytest.LogCaptureFixture
):
    load_settings("quick", [setting])
    assert caplog.text == "", "a former name"


def test_pages_show_commands_and_settings():
    assert sum(page == "README.md" for page, _ in command_lines()) >= 6
    assert len({page for page, _ in command_lines()}) >= 7
    assert len(in_text()) > 15


def test_readme_is_short():
    assert len(README.splitlines()) <= 110


@pytest.mark.parametrize("name", SINGLE)
def test_every_command_has_help_and_few_options(name: str):
    command = SINGLE[name]
    assert command.help
    for option in command.params:
        assert getattr(option, "help", None), f"tagger {name}: {option.name} has no help"
    assert len(command.params) <= 9, f"tagger {name} has many options; settings belong in --set"


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", PAGES[page]):
        assert (ROOT / page).parent.joinpath(target).exists(), target


@pytest.mark.parametrize("page", PAGES)
def test_links_to_headings_lead_to_one(page: str):
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", PAGES[page]):
        text = (ROOT / page).parent.joinpath(target).read_text("utf-8") if target else PAGES[page]
        headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        assert anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings}


def test_every_page_is_linked_from_readme():
    targets = set(re.findall(r"\]\((docs/[^)#]+\.md)", README))
    assert {page for page in PAGES if page.startswith("docs/")} == targets


@pytest.mark.parametrize("page", PAGES)
def test_make_targets_exist(page: str):
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"^ {4}make (\w+)|`make (\w+)`", PAGES[page], re.MULTILINE):
        assert re.search(rf"^{''.join(target)}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("page", [page for page in PAGES if "reference" not in page])
def test_the_names_shown_from_python_exist(page: str):
    for name in re.findall(r"(?<![\w.])tagger\.(\w+)\(", PAGES[page]):
        assert name in tagger.__all__
        assert (inspect.getdoc(getattr(tagger, name)) or "").strip(), name


def test_the_guides_name_every_part_that_a_person_chooses():
    from tagger.batches.samplers import samplers
    from tagger.commands.writers import batch_formats, sidecar_formats
    from tagger.explain import explanations
    from tagger.heads import heads
    from tagger.losses import losses
    from tagger.presets import preset_names
    from tagger.suspects import signals

    named = {
        "train": [*preset_names(), *losses.names(), *samplers.names(), *heads.names()],
        "review": signals.names(),
        "explain": explanations.names(),
        "formats": [*batch_formats.names(), *sidecar_formats.names()],
    }
    missing = {
        guide: [name for name in names if f"`{name}`" not in PAGES[f"docs/{guide}.md"]]
        for guide, names in named.items()
    }
    assert not any(missing.values()), missing


def test_every_regulariser_has_its_line_of_settings():
    from tagger.regularisers import regularisers

    shown = {
        setting.split(".")[1].partition("=")[0] for _, setting in in_text() if "regularisers." in setting
    }
    assert shown == set(regularisers.names())


def files_shown(table: str) -> set[str]:
    """The names in the first column of a table of docs/run-folder.md."""
    rows = re.findall(r"^\| (`[^|]*`) \|", table, re.MULTILINE)
    return {name.rstrip("/") for row in rows for name in re.findall(r"`([^`]+)`", row)}


def test_a_run_holds_the_files_of_its_page(finished: Path):
    always, sometimes = PAGES["docs/run-folder.md"].split("Only some runs have these")
    here = {path.name for path in finished.iterdir()}
    assert files_shown(always) <= here
    assert here <= files_shown(always) | files_shown(sometimes)


def test_the_page_of_the_run_folder_names_only_files_that_the_code_knows():
    source = "".join(path.read_text("utf-8") for path in (ROOT / "tagger" / "runs").glob("*.py"))
    for name in files_shown(PAGES["docs/run-folder.md"]):
        assert f'"{name}' in source, name


def test_the_help_lists_every_command_once_in_its_section(tagger_cli: Callable[..., Any]):
    shown = tagger_cli("--help").out.split("\n\n")
    sections = {
        block.split(":\n")[0]: block.split("\n")[1:] for block in shown if block.strip()[:1].isupper()
    }
    names = [line.split()[0] for title in SECTIONS for line in sections[title] if line.strip()]
    assert sorted(names) == sorted(COMMANDS.commands)
    assert {COMMANDS.commands[name].rich_help_panel for name in names} == set(SECTIONS)
