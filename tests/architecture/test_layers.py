"""The import directions that the layout promises, checked on the source itself; what a cheap command must not load."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "tagger"
LAYERS = """
    cli
    exit_codes
    ui
    commands
    training explain
    model batches
    heads losses regularisers
    review runs
    suspects
    scoring data
    presets
    config setting_sections glimpse_settings read_options renamed_settings registry arrays errors progress \
text closed_pipes
""".strip().splitlines()
LEVEL = {name: depth for depth, line in enumerate(LAYERS) for name in line.split()}
GROUND = set(LAYERS[-1].split())  # these may use each other
WITH_TORCH = {"commands", "training", "explain", "model", "batches", "heads", "losses", "regularisers"}
APP_MAY_CALL = {"compare", "suspects"}  # commands that load no torch; imported when they are due, not before
ABOVE = {"app", "data_tools", "benchmarks", "tests"}
ALLOWED = {"torch": WITH_TORCH, "torchvision": WITH_TORCH, "timm": WITH_TORCH, "accelerate": WITH_TORCH}
ALLOWED |= {"safetensors": WITH_TORCH, "streamlit": {"ui"}}


def imports(path: Path) -> Iterator[tuple[str, int, bool]]:
    """(dotted name, line, whether it happens only inside a function) of every import in a file."""
    tree = ast.parse(path.read_text("utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    lazy = {id(node) for function in functions for node in ast.walk(function)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno, id(node) in lazy) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            dots = "." * node.level
            yield from (
                (f"{dots}{node.module}.{alias.name}", node.lineno, id(node) in lazy) for alias in node.names
            )


def _is_tagger_data(path: Path) -> bool:
    """True for the files of ``tagger data``, which call into data_tools when they are due."""
    return path.parent.name == "commands" and path.name in ("data.py", "data_write.py")


def broken_rules(package: Path) -> Iterator[str]:
    """One sentence for each import that the layers forbid."""
    for path in sorted(package.rglob("*.py")):
        home = path.relative_to(package).parts[0].removesuffix(".py")
        for name, line, lazy in imports(path):
            top, target = [*name.split("."), ""][:2]
            where = f"{path.relative_to(package.parent)}:{line}"
            if name.startswith("."):
                yield f"{where} imports relatively"
            elif top in ALLOWED and home not in ALLOWED[top]:
                yield f"{where} imports {top}; {home} must work without it"
            elif top in ABOVE and not (
                top == "data_tools" and lazy and (home == "cli" or _is_tagger_data(path))
            ):
                yield f"{where} imports {top}, which stands above the package"
            elif top == package.name and target in LEVEL and home in LEVEL and target != home:
                if LEVEL[target] <= LEVEL[home] and not {target, home} <= GROUND:
                    yield f"{where} imports {target}, which is not below {home}"
                elif home == "ui" and target == "commands" and lazy and name.split(".")[2] in APP_MAY_CALL:
                    continue
                elif home == "ui" and target in WITH_TORCH:
                    yield f"{where} imports {target}; the app only reads runs and writes reviews"


def test_imports_point_down():
    assert list(broken_rules(PACKAGE)) == []


def test_every_part_of_the_package_has_its_layer():
    parts = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in PACKAGE.rglob("*.py")}
    assert parts <= {"__init__", *LEVEL}


@pytest.mark.parametrize(
    ("file", "line", "complaint"),
    [
        ("data/x.py", "import torch", "must work without it"),
        ("scoring/x.py", "from timm.layers import Mlp", "must work without it"),
        ("cli/x.py", "import torch", "must work without it"),
        ("commands/x.py", "import streamlit", "must work without it"),
        ("data/x.py", "from tagger.runs import RunFolder", "not below data"),
        ("heads/x.py", "from tagger.losses import losses", "not below heads"),
        ("heads/x.py", "from .family import Head", "relatively"),
        ("cli/x.py", "import data_tools.demo", "above the package"),
        ("commands/x.py", "def f():\n    import data_tools", "above the package"),
        ("commands/data.py", "import data_tools", "above the package"),
        ("ui/x.py", "from tagger.model import TagModel", "only reads runs"),
        ("ui/x.py", "def f():\n    from tagger.commands.train import train", "only reads runs"),
        ("ui/x.py", "from tagger.commands.compare import compare", "only reads runs"),
        ("ui/x.py", "from tagger.cli import app", "not below ui"),
    ],
)
def test_the_check_sees_an_import_that_points_up(tmp_path: Path, file: str, line: str, complaint: str):
    path = tmp_path / "tagger" / file
    path.parent.mkdir(parents=True)
    path.write_text(line)
    (found,) = broken_rules(tmp_path / "tagger")
    assert complaint in found


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("cli/x.py", "def demo():\n    from data_tools.demo import make_demo"),
        ("commands/data.py", "def stats():\n    from data_tools.describe import describe"),
        ("config.py", "from tagger.errors import TaggerError"),
        ("training/x.py", "import torch\nfrom tagger.model import TagModel"),
        ("ui/x.py", "import streamlit\nfrom tagger.runs import RunFolder"),
        ("ui/x.py", "def f():\n    from tagger.commands.compare import compare"),
        ("cli/x.py", "def review():\n    from tagger.ui.server.launch import serve"),
    ],
)
def test_the_check_lets_imports_point_down(tmp_path: Path, file: str, line: str):
    path = tmp_path / "tagger" / file
    path.parent.mkdir(parents=True)
    path.write_text(line)
    assert list(broken_rules(tmp_path / "tagger")) == []


def test_the_apps_process_never_loads_torch():
    code = """import sys
import tagger.ui.server.launch, tagger.ui.main, tagger.commands.compare, tagger.commands.suspects, tagger.suspects
print(sorted({"torch", "torchvision", "timm", "accelerate"} & set(sys.modules)))"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == "[]"


def test_there_is_one_conftest():
    """Several stop pytest before the first test, and only when all tests are collected together (``conftest.py``)."""
    assert sorted(PACKAGE.parent.glob("tests/**/conftest.py")) == [PACKAGE.parent / "tests" / "conftest.py"]


COMMANDS = [
    "train",
    "suspects",
    "review",
    "apply",
    "retrain",
    "compare",
    "predict",
    "evaluate",
    "explain",
    "demo",
]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--help"],
        *([command, "--help"] for command in COMMANDS),
        ["data", "--help"],
        ["data", "stats", "--help"],
    ],
)
def test_import_and_help_load_nothing_heavy(arguments: list[str]):
    heavy = {
        "torch",
        "torchvision",
        "timm",
        "accelerate",
        "pandas",
        "sklearn",
        "matplotlib",
        "streamlit",
        "pyarrow",
    }
    code = f"""import atexit, sys
atexit.register(lambda: print("heavy:", sorted({heavy} & set(sys.modules))))
import tagger
if sys.argv[1:]:
    from tagger.cli import main
    main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    assert "heavy: []" in done.stdout
    assert ("Usage" in done.stdout) == bool(arguments)
