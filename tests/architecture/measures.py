"""Measures of how the code reads: file and function lengths, line lengths, packed tuples, first lines.

    python tests/architecture/measures.py [CHECKOUT]

Counted over ``tagger/``, ``data_tools/`` and ``app.py``. A function's lines are those from its ``def`` to its end, with
docstring and without decorators. A packed tuple is an assignment with a tuple on both sides (``a, b = x, y``).
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
LONG_LINE = 110  # characters
QUESTIONS = {
    "how",
    "what",
    "which",
    "where",
    "when",
    "who",
    "whose",
    "why",
    "is",
    "are",
    "may",
    "must",
    "does",
    "do",
}


@dataclass(frozen=True)
class Measures:
    """What is counted; the two densities are per 1,000 lines."""

    packed_tuples: float
    long_lines: float
    function_median: float
    function_p90: int
    function_max: int
    file_median: float
    file_max: int
    num_files: int
    num_lines: int


def source_files(root: Path = ROOT) -> list[Path]:
    """Every Python file that is counted, in order."""
    return [
        *(path for room in ("tagger", "data_tools") for path in sorted((root / room).rglob("*.py"))),
        root / "app.py",
    ]


def measure(files: list[Path]) -> Measures:
    """The measures of these files."""
    texts = [path.read_text("utf-8") for path in files]
    trees = [ast.parse(text) for text in texts]
    lines = [line for text in texts for line in text.splitlines()]
    lengths = sorted(length for tree in trees for length in function_lengths(tree))
    sizes = [len(text.splitlines()) for text in texts]
    per_thousand = 1000 / len(lines)
    return Measures(
        packed_tuples=per_thousand * sum(1 for tree in trees for _ in packed_tuples(tree)),
        long_lines=per_thousand * sum(len(line) > LONG_LINE for line in lines),
        function_median=median(lengths),
        function_p90=lengths[int(len(lengths) * 0.9)],
        function_max=lengths[-1],
        file_median=median(sizes),
        file_max=max(sizes),
        num_files=len(files),
        num_lines=len(lines),
    )


def function_lengths(tree: ast.Module) -> Iterator[int]:
    """Lines of each function and method, of those inside others too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            yield node.end_lineno - node.lineno + 1


def packed_tuples(tree: ast.Module) -> Iterator[int]:
    """The line of each assignment that has a tuple on both sides."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Tuple):
            continue
        if any(isinstance(target, ast.Tuple) for target in node.targets):
            yield node.lineno


def riddles(root: Path = ROOT) -> Iterator[str]:
    """One sentence for each file, class or public function whose docstring begins with a question or is missing.

    Overridden methods, properties of protocols and short private helpers need no docstring; an empty file needs none.
    """
    for path in source_files(root):
        tree = ast.parse(path.read_text("utf-8"))
        where = path.relative_to(root)
        if tree.body and (reason := _riddle(tree)):
            yield f"{where}: {reason}"
        for node in ast.walk(tree):
            if not isinstance(node, ast.ClassDef | ast.FunctionDef) or not ast.get_docstring(node):
                continue
            if reason := _riddle(node):
                yield f"{where}:{node.lineno} {node.name}: {reason}"


def _riddle(node: ast.Module | ast.ClassDef | ast.FunctionDef) -> str | None:
    """What is wrong with the first line of a docstring; None if nothing is."""
    text = ast.get_docstring(node)
    if not text:
        return "has no docstring"
    first = text.splitlines()[0]
    if "?" in re.sub(r"``.*?``", "", first):
        return f"asks a question: {first}"
    if isinstance(node, ast.Module) and first.split()[0].lower().strip(",.:") in QUESTIONS:
        return f"does not name the thing: {first}"
    return None


def main() -> None:
    """Print the measures of a checkout."""
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT
    found = measure(source_files(root))
    print(f"{found.num_files} files, {found.num_lines:,} lines")
    print(f"lines a file: median {found.file_median:g}, longest {found.file_max}")
    lengths = (
        f"median {found.function_median:g}, 90 % at most {found.function_p90}, longest {found.function_max}"
    )
    print(f"lines a function: {lengths}")
    print(f"packed tuples per 1,000 lines: {found.packed_tuples:.1f}")
    print(f"lines over {LONG_LINE} characters per 1,000: {found.long_lines:.1f}")
    for riddle in riddles(root):
        print(riddle)


if __name__ == "__main__":
    main()
