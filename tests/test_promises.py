"""docs/promises.md says what its script prints, and every test that it names is there."""

import ast
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[1]
SCRIPT = runpy.run_path(str(ROOT / "docs" / "promises.py"))


def names_in(path: Path) -> set[str]:
    """The names of a file's tests."""
    return {
        node.name for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.FunctionDef)
    }


def test_the_page_is_what_its_script_prints():
    page = (ROOT / "docs" / "promises.md").read_text("utf-8")
    assert page == SCRIPT["page"](), "run: python docs/promises.py > docs/promises.md"


def test_every_test_that_holds_a_promise_is_there():
    missing = []
    for rows in SCRIPT["promises"]().values():
        for _, tests in rows:
            for test in tests:
                file, _, name = test.partition("::")
                if not (ROOT / file).is_file() or (name and name not in names_in(ROOT / file)):
                    missing.append(test)
    assert missing == []


def test_every_promise_is_held_by_a_test_and_made_once():
    made = [promise for rows in SCRIPT["promises"]().values() for promise, tests in rows if tests]
    assert len(made) == len(set(made)) > 20
