"""The distribution is called retagger; on the public index, tagger is another project."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
FOLDERS = ("tagger", "data_tools", "tests", "benchmarks", "docs")
SUFFIXES = {".py", ".md", ".toml", ".txt", ".lock", ".js", ".ipynb", ".sh", ".yml", ".yaml"}
# `pip install [options] tagger`, and the extras of `tagger` in quotes, backticks or a requirement line.
INSTALLS_ANOTHER_PROJECT = re.compile(
    r"""pip3?\ (?:install|download|index\ versions)\b[^\n|;&`]*?[ \t"']tagger(?:[\s"'`\[)<>=~!.,;]|$)"""
    r"""|["'`\s]tagger\\?\[(?:onnx|postgresql|test|benchmarks)""",
    re.VERBOSE | re.MULTILINE,
)


def texts() -> list[Path]:
    """Every text of the tree but this file."""
    inner = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES]
    outer = [path for path in ROOT.iterdir() if path.suffix in SUFFIXES or path.name == "Makefile"]
    return sorted(path for path in (*inner, *outer) if path.is_file() and path != Path(__file__))


def test_the_distribution_is_retagger_and_the_command_tagger():
    assert PROJECT["name"] == "retagger"
    assert PROJECT["scripts"] == {"tagger": "tagger.cli:main"}


def test_no_text_installs_another_project():
    found = {path: INSTALLS_ANOTHER_PROJECT.search(path.read_text("utf-8", "replace")) for path in texts()}
    assert {str(path.relative_to(ROOT)): match[0] for path, match in found.items() if match} == {}
    assert len(found) > 300


@pytest.mark.parametrize(
    ("text", "is_wrong"),
    [
        ("pip install tagger", True),
        ("pip install --upgrade tagger)", True),
        ("# pip install -c requirements.lock tagger\n", True),
        ('pip install "tagger[onnx]"', True),
        ("and `tagger[postgresql]` brings it", True),
        ("pip install retagger", False),
        ('pip install "retagger[onnx]"', False),
        ("pip install -e .\ntagger --help", False),
    ],
)
def test_such_a_text_is_recognised(text: str, is_wrong: bool):
    assert bool(INSTALLS_ANOTHER_PROJECT.search(text)) is is_wrong
