"""Writes docs/reference/: every command and option, every setting and part, and the Python names, read off the code.

python docs/reference.py
"""

import ast
import inspect
import re
import textwrap
import typing
from collections.abc import Iterable, Iterator
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

import tagger
from tagger.batches.samplers import samplers
from tagger.cli import app
from tagger.commands.writers import batch_formats, sidecar_formats
from tagger.config import Settings
from tagger.data.formats.readers import label_readers
from tagger.explain import explanations
from tagger.heads import heads
from tagger.losses import losses
from tagger.presets import preset_names
from tagger.registry import Registry
from tagger.regularisers import regularisers
from tagger.renamed_settings import RENAMED
from tagger.setting_sections import Section
from tagger.suspects import signals

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "reference"
MADE = "Made by `python docs/reference.py` from the code."
PARTS = {"head": heads, "loss": losses, "sampler": samplers}
NAMES = {
    "Formats of one file or folder": batch_formats,
    "Formats of sidecars": sidecar_formats,
    "Sources of labels": label_readers,
    "Methods of `tagger explain`": explanations,
    "Signals of `tagger suspects`": signals,
}
# Where the functions of `tagger data` are imported, and where they are shown.
USES_OF_DATA_TOOLS = ("tagger/commands/data.py", "tagger/commands/data_write.py", "docs/data.md")


def commands() -> dict[str, Any]:
    """Every command by its full name, such as ``data stats``."""
    found: dict[str, Any] = {}
    for name, command in typing.cast(Any, typer.main.get_command(app)).commands.items():
        group = getattr(command, "commands", None)
        found |= {f"{name} {inner}": call for inner, call in group.items()} if group else {name: command}
    return found


def commands_page() -> str:
    """docs/reference/commands.md."""
    parts = [
        "# Commands",
        f"{MADE} `tagger COMMAND --help` prints the same.",
        "Exit codes: 0 done; 1 a fault of tagger, details in a log; 2 you can fix it, one line says how;"
        " 3 done, but some photos could not be read; 130 stopped by Ctrl-C.",
        _table(
            ["command", "what it does"],
            [
                [f"[`tagger {name}`](#tagger-{name.replace(' ', '-')})", _line(call.help)]
                for name, call in commands().items()
            ],
        ),
    ]
    for name, command in commands().items():
        parts += [
            f"## tagger {name}",
            _line(command.help),
            _table(["option", "default", "meaning"], map(_option, command.params)),
        ]
    parts += ["## Names that options take", f"Presets: {', '.join(f'`{name}`' for name in preset_names())}."]
    for title, registry in NAMES.items():
        parts += [f"### {title}", _registered(registry)]
    return "\n\n".join(parts) + "\n"


def _option(param: Any) -> list[str]:
    """The row of one option or argument."""
    if param.param_type_name == "argument":
        name = param.name.upper()
    else:
        name = ", ".join([*param.opts, *param.secondary_opts])
    if param.required:
        default = "required"
    elif isinstance(param.default, bool):
        default = "on" if param.default else "off"
    else:
        default = "" if param.default is None else f"`{param.default}`"
    env = f" Also from the environment variable `{param.envvar}`." if getattr(param, "envvar", None) else ""
    return [f"`{name}`", default, _line(param.help) + env]


def settings_page() -> str:
    """docs/reference/settings.md."""
    parts = [
        "# Settings",
        f"{MADE} Set any of them with `--set section.key=value`; a run's `config.toml` holds all that were in force.",
        "## At the top",
        _fields(
            Settings,
            skip={
                "regularisers",
                *(name for name, field in Settings.model_fields.items() if _is_section(field)),
            },
        ),
    ]
    for name, field in Settings.model_fields.items():
        if name == "regularisers":
            parts += [f"## {name}", _line(field.description), _registered(regularisers)]
        elif _is_section(field):
            parts += [f"## {name}", _fields(field.annotation)]
        if name in PARTS:
            parts += ["Options of each:", _registered(PARTS[name])]
    parts += [
        "## Former names",
        "They are still read, from `--set` and from a run's `config.toml`.",
        _table(["formerly", "now"], [[f"`{old}`", f"`{new}`"] for old, new in RENAMED.items()]),
    ]
    return "\n\n".join(parts) + "\n"


def _is_section(field: Any) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel | Section)


def _fields(model: Any, skip: Iterable[str] = ()) -> str:
    """A table of a section's keys."""
    rows = [
        [
            f"`{name}`",
            "" if field.default is PydanticUndefined else f"`{field.default!r}`",
            _line(field.description),
        ]
        for name, field in model.model_fields.items()
        if name not in skip
    ]
    return _table(["key", "default", "meaning"], rows)


def _registered(registry: Registry) -> str:
    """A table of a registry's parts; with their options, where any has one."""
    rows = []
    for name in registry.names():
        chosen = registry.options(name).items()
        options = ", ".join(
            f"`{key}={value!r}`" for key, value in chosen if isinstance(value, bool | int | float | str)
        )
        rows.append([f"`{name}`", options or "none", _line(_paragraph(registry.find(name)))])
    if all(row[1] == "none" for row in rows):
        return _table([registry.kind, "what it is"], [[row[0], row[2]] for row in rows])
    return _table([registry.kind, "options and defaults", "what it is"], rows)


def python_page() -> str:
    """docs/reference/python.md."""
    returned: dict[str, type] = {}
    functions = {name: getattr(tagger, name) for name in tagger.__all__ if name != "__version__"}
    tools = {f"{module}.{name}": getattr(import_module(module), name) for module, name in data_names()}
    for call in (*functions.values(), *tools.values()):
        if inspect.isfunction(call):
            returned |= dict(_classes_of(typing.get_type_hints(call).get("return")))
    parts = [
        "# Python",
        f"{MADE} Arguments after `*` are given by name. `N` in a name is images, `K` labels, `D` features.",
        "## tagger",
        *(_signature(f"tagger.{name}", call) for name, call in functions.items()),
        "## What they return",
        *(_members(name, returned[name]) for name in sorted(returned)),
        "## data_tools",
        "What `tagger data` calls; [data.md](../data.md) has examples.",
        *(_signature(name, call) for name, call in tools.items()),
    ]
    return "\n\n".join(parts) + "\n"


def data_names() -> list[tuple[str, str]]:
    """(module, name) of what `tagger data` and its page of the docs import from data_tools and tagger.data."""
    found = set()
    for file in USES_OF_DATA_TOOLS:
        for module, names in re.findall(
            r"from (data_tools\.\w+|tagger\.data) import ([\w, ]+)", (ROOT / file).read_text("utf-8")
        ):
            found |= {(module, name.strip()) for name in names.split(",")}
    return sorted(
        (module, name)
        for module, name in found
        if callable(getattr(import_module(module), name)) and name != "read_dataset"
    )


def _classes_of(hint: Any) -> Iterator[tuple[str, type]]:
    """Our classes in a type, such as that of a function's return value."""
    for kind in (hint, *typing.get_args(hint)):
        if isinstance(kind, type) and _is_ours(kind):
            yield kind.__name__, kind


def _signature(name: str, call: Any) -> str:
    """The name with its arguments as a block, and the first paragraph below."""
    if not inspect.isfunction(call):
        return f"### {name}\n\n{_line(_paragraph(call))}"
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(call))).body
    assert isinstance(node, ast.FunctionDef)
    arguments = [_spaced(part.strip()) for part in _split(ast.unparse(node.args))]
    result = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    one_line = f"{name}({', '.join(arguments)}){result}"
    if len(one_line) > 100:
        one_line = f"{name}(\n" + "".join(f"    {part},\n" for part in arguments) + f"){result}"
    return f"### {name}\n\n```python\n{one_line}\n```\n\n{_line(_paragraph(call))}"


def _split(arguments: str) -> Iterator[str]:
    """The arguments at their commas, but not at those within brackets.

    >>> list(_split("a: dict[str, int], *, b=(1, 2)"))
    ['a: dict[str, int]', ' *', ' b=(1, 2)']
    """
    depth, start = 0, 0
    for place, sign in enumerate(arguments):
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "," and not depth:
            yield arguments[start:place]
            start = place + 1
    if arguments:
        yield arguments[start:]


def _spaced(argument: str) -> str:
    """An annotated argument with blanks around its ``=``.

    >>> _spaced("size: int=3")
    'size: int = 3'
    """
    name, colon, rest = argument.partition(": ")
    return name + colon + rest.replace("=", " = ", 1) if colon else argument


def _members(name: str, kind: type) -> str:
    """The public fields, properties and methods of a class, each with its type or first paragraph."""
    rows = []
    for owner in reversed([owner for owner in kind.__mro__ if _is_ours(owner)]):
        (node,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
        assert isinstance(node, ast.ClassDef)
        rows += [
            [f"`{field.target.id}`", f"`{ast.unparse(field.annotation)}`"]
            for field in node.body
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        ]
        rows += [
            row
            for key, member in vars(owner).items()
            if not key.startswith("_")
            for row in _member(key, member)
        ]
    return f"### {name}\n\n{_line(_paragraph(kind))}\n\n{_table(['member', 'what it is'], rows)}"


def _member(key: str, member: Any) -> Iterator[list[str]]:
    """The row of a property or method."""
    if isinstance(member, property | cached_property):
        yield [f"`{key}`", _line(_paragraph(member))]
    elif inspect.isfunction(member):
        arguments = ", ".join(list(inspect.signature(member).parameters)[1:])
        yield [f"`{key}({arguments})`", _line(_paragraph(member))]


def _is_ours(kind: type) -> bool:
    return kind.__module__.split(".")[0] in ("tagger", "data_tools")


def _paragraph(thing: Any) -> str:
    """The first paragraph of a docstring."""
    return (inspect.getdoc(thing) or "").split("\n\n")[0]


def _line(text: str | None) -> str:
    """Text as one line of Markdown."""
    return " ".join((text or "").replace("``", "`").split())


def _table(columns: list[str], rows: Iterable[list[str]]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


PAGES = {"commands.md": commands_page, "settings.md": settings_page, "python.md": python_page}

if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (OUT / name).write_text(page(), "utf-8")
