"""Cells that hold a list as text: JSON, Python, NumPy, PostgreSQL, or the choices of Label Studio."""

import ast
import json
import re
from typing import Any

OPENING = "[({"
BRACKETS = {"[": "]", "(": ")", "{": "}"}
QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")
CHOICE_KEYS = ("choices", "labels", "rectanglelabels", "polygonlabels", "taxonomy")
ADJACENT = re.compile(r"""['"]\s+['"]""")
MAX_CELL = 1 << 16  # characters; Python's parser takes long for a damaged file that is one cell


def parse_list(cell: str) -> tuple[str, ...] | None:
    """The names in a list that JSON or Python can read; None for any other text.

    >>> parse_list('["a", "b, c"]'), parse_list("['a', 'b']"), parse_list('{"choices": ["a"]}'), parse_list("[a, b]")
    (('a', 'b, c'), ('a', 'b'), ('a',), None)
    """
    text = cell.strip()
    if text[:1] not in BRACKETS or not text.endswith(BRACKETS[text[0]]) or len(text) > MAX_CELL:
        return None
    if ADJACENT.search(text):
        return parse_bare_list(cell)  # NumPy's ['a' 'b'], which Python reads as one name
    for parse in (json.loads, ast.literal_eval):
        try:
            return _names(parse(text))
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
    return None


def parse_bare_list(cell: str) -> tuple[str, ...] | None:
    """The names in brackets without valid quotation marks, as some programs print lists; None without brackets.

    >>> parse_bare_list("[a, b c]"), parse_bare_list("['a' 'b']"), parse_bare_list("{}"), parse_bare_list("a")
    (('a', 'b c'), ('a', 'b'), (), None)
    """
    text = cell.strip()
    if text[:1] not in BRACKETS or not text.endswith(BRACKETS[text[0]]) or len(text) > MAX_CELL:
        return None
    inside = text[1:-1].strip()
    if re.search(r"""['"]\s*:""", inside):
        return None  # an object with keys
    if not QUOTED.sub("", inside).strip(" \n") and inside:
        return tuple(filter(None, (one or other for one, other in QUOTED.findall(inside))))
    return tuple(part.strip().strip("'\"") for part in inside.split(",") if part.strip())


def _marked_names(value: dict[Any, Any]) -> tuple[str, ...] | None:
    """The keys that are true, or the only text, as the VGG Image Annotator writes attributes of regions.

    >>> _marked_names({"cat": True, "dog": False}), _marked_names({"class": "cat"}), _marked_names({"x": 1.5})
    (('cat',), ('cat',), None)
    """
    if value and all(isinstance(said, bool) for said in value.values()):
        return tuple(str(key) for key, said in value.items() if said)
    if len(value) == 1 and isinstance(said := next(iter(value.values())), str):
        return (said,)
    return () if not value else None


def _names(value: Any) -> tuple[str, ...] | None:
    """The names of a parsed value; None if it is no list of names."""
    if isinstance(value, dict):
        key = next((key for key in CHOICE_KEYS if key in value), None)
        if key is not None:
            return None if len(value) > 1 else _names(value[key])
        return _marked_names(value)
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list | tuple | set | frozenset):
        return None
    parts = sorted(value, key=str) if isinstance(value, set | frozenset) else value
    if not all(isinstance(part, str | int | float) and not isinstance(part, bool) for part in parts):
        return None
    return tuple(f"{part:g}" if isinstance(part, float) else str(part).strip() for part in parts)
