"""docs/reference/ is what its script writes, and it has every command, option, setting, part and public name."""

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import BaseModel

import tagger
from tagger.batches.samplers import samplers
from tagger.cli import PREDICT_FORMATS, app
from tagger.config import Settings
from tagger.explain import explanations
from tagger.heads import heads
from tagger.losses import losses
from tagger.presets import preset_names
from tagger.regularisers import regularisers
from tagger.suspects import signals

DOCS = Path(__file__).parents[1] / "docs"
PAGES: dict[str, Any] = runpy.run_path(str(DOCS / "reference.py"))["PAGES"]


def page(name: str) -> str:
    return (DOCS / "reference" / name).read_text("utf-8")


def section(text: str, title: str) -> str:
    """What stands below a heading, up to the next one."""
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("name", PAGES)
def test_the_reference_is_what_its_script_writes(name: str):
    assert page(name) == PAGES[name](), "run: python docs/reference.py"


def test_every_page_is_written_by_the_script():
    assert {path.name for path in (DOCS / "reference").iterdir()} == set(PAGES)


def options() -> list[tuple[str, str]]:
    """(command, option) of each option on the command line."""
    root: Any = typer.main.get_command(app)
    calls = {name: call for name, call in root.commands.items() if not hasattr(call, "commands")}
    groups = {name: group for name, group in root.commands.items() if hasattr(group, "commands")}
    calls |= {f"{name} {key}": call for name, group in groups.items() for key, call in group.commands.items()}
    found = [(name, word) for name, call in calls.items() for param in call.params for word in param.opts]
    assert len(found) > 100
    return found


def test_every_option_is_in_the_section_of_its_command():
    text = page("commands.md")
    for command, option in options():
        shown = option if option.startswith("-") else option.upper()
        assert f"`{shown}" in section(text, f"tagger {command}"), f"tagger {command} {option}"


def test_every_setting_is_in_its_section():
    text = page("settings.md")
    for name, field in Settings.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            for key in kind.model_fields:
                assert f"\n| `{key}` |" in section(text, name), f"{name}.{key}"
        elif name != "regularisers":
            assert f"\n| `{name}` |" in section(text, "At the top"), name


@pytest.mark.parametrize(
    ("name", "registry"),
    [
        *[("settings.md", registry) for registry in (heads, losses, samplers, regularisers)],
        *[("commands.md", registry) for registry in (explanations, signals)],
    ],
)
def test_every_registered_part_is_there(name: str, registry: Any):
    rows = re.findall(r"^\| `([\w-]+)` \|", page(name), re.MULTILINE)
    assert set(registry.names()) <= set(rows)


def test_every_format_and_preset_is_there():
    from tagger.commands.writers import batch_formats, sidecar_formats
    from tagger.data.formats.readers import label_readers

    text = page("commands.md")
    for name in (
        *batch_formats.names(),
        *sidecar_formats.names(),
        *label_readers.names(),
        *preset_names(),
    ):
        assert f"`{name}`" in text, name


def test_the_help_of_predict_names_every_format():
    from tagger.commands.writers import LABEL_FORMATS

    words = re.findall(r"[\w-]+", PREDICT_FORMATS)
    assert {name.removesuffix("-link") for name in LABEL_FORMATS} <= set(words)
    assert "-link" in words


def test_every_public_name_is_there():
    headings = re.findall(r"^### ([\w.]+)$", page("python.md"), re.MULTILINE)
    assert {f"tagger.{name}" for name in tagger.__all__ if name != "__version__"} <= set(headings)
    examples = re.findall(r"^    from (data_tools\.\w+) import (.+)$", page("../data.md"), re.MULTILINE)
    assert examples
    for module, names in examples:
        assert {f"{module}.{name}" for name in names.split(", ")} <= set(headings)
