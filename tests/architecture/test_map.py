"""docs/architecture.md against the code: every path, name, folder and layer on the page exists."""

import ast
import re
from pathlib import Path

import pytest
from measures import ROOT
from test_layers import LAYERS

PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
PACKAGE = ROOT / "tagger"
PATHS = sorted(set(re.findall(r"`([\w/.]+?\.py|[\w/]+/)(?::[\w.]+)?`", PAGE)))
NAMES = sorted(set(re.findall(r"`([\w/]+\.py):([\w.]+)`", PAGE)))


def found(path: str) -> Path:
    """The file or folder, in the package or beside it."""
    return next((root / path for root in (PACKAGE, ROOT) if (root / path).exists()), PACKAGE / path)


def defined(path: Path) -> set[str]:
    """The functions and classes of a file, methods as ``Class.method``."""
    names: set[str] = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {
                f"{node.name}.{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)
            }
    return names


def tree() -> set[str]:
    """The folders of the block under "Rooms", as paths below the package."""
    block = PAGE.split("## Rooms\n\n")[1].split("\n\n")[0]
    folders: set[str] = set()
    parents: list[str] = []
    for line in block.splitlines():
        name = line.split()[0]
        depth = (len(line) - len(line.lstrip()) - 4) // 2
        if name.endswith("/"):
            parents[depth:] = [name.rstrip("/")]
            folders.add("/".join(parents))
    return folders


def test_the_page_names_paths_and_functions():
    assert len(PATHS) > 40
    assert len(NAMES) > 25


@pytest.mark.parametrize("path", PATHS)
def test_every_path_exists(path: str):
    assert found(path).exists()


@pytest.mark.parametrize(("path", "name"), NAMES)
def test_every_function_exists(path: str, name: str):
    assert name in defined(found(path))


def test_every_folder_of_the_package_is_in_the_tree():
    folders = {path.parent.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py")} - {"."}
    assert tree() == folders


def test_the_layers_are_those_that_are_tested():
    block = PAGE.split("## Layers")[1].split("\n\n")[2]
    shown = [line.split() for line in block.splitlines() if line.strip()]
    assert shown == [line.split() for line in LAYERS]
