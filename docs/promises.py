"""The page of promises (docs/promises.md), from docs/promises.txt and the last results of ``make torture``.

python docs/promises.py > docs/promises.md
"""

import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "faults"))

from torture import figures_text  # noqa: E402


def promises() -> dict[str, list[tuple[str, list[str]]]]:
    """Heading -> (promise, tests that hold it) of docs/promises.txt."""
    found: dict[str, list[tuple[str, list[str]]]] = {}
    for line in (HERE / "promises.txt").read_text("utf-8").splitlines():
        if line.startswith("## "):
            rows = found.setdefault(line[3:], [])
        elif line and not line.startswith("#"):
            promise, tests = line.rsplit(" | ", 1)
            rows.append((promise, tests.split(", ")))
    return found


def page() -> str:
    """docs/promises.md."""
    parts = [
        "# What you can rely on",
        "Each promise has a test that causes the fault: it kills processes, damages files, fills the disk, sends"
        " invalid requests. The fast tests run in `make test`. Those that take minutes run in `make torture`; its last"
        " results are at the end. Made by `python docs/promises.py > docs/promises.md`.",
    ]
    for title, rows in promises().items():
        lines = ["| promise | test |", "|---|---|"]
        lines += [f"| {promise} | {', '.join(map(_short, tests))} |" for promise, tests in rows]
        parts += [f"## {title}", "\n".join(lines)]
    return "\n\n".join([*parts, "## The last `make torture`", _torture()]) + "\n"


def _short(test: str) -> str:
    """A link to the file; the test's name in words."""
    file, _, name = test.partition("::")
    words = re.sub(r"^test_", "", name).replace("_", " ") or Path(file).stem.removeprefix("test_").replace(
        "_", " "
    )
    return f"[{words}](../{file})"


def _torture() -> str:
    results = HERE / "torture.jsonl"
    if not results.is_file():
        return "Not run yet."
    machine, *rows = [json.loads(line) for line in results.read_text("utf-8").splitlines()]
    said = f"{machine['date']}, {machine['cores']} cores, {machine['on']}: all passed in {machine['minutes']} minutes."
    lines = ["| what | seconds | figures |", "|---|---|---|"]
    lines += [f"| {row['name']} | {row['seconds']} | {figures_text(row)} |" for row in rows]
    return said + "\n\n" + "\n".join(lines)


if __name__ == "__main__":
    print(page(), end="")
