"""JSON lines: the objects of a file, one per line, and one error that lists all broken lines."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from tagger.errors import TaggerError
from tagger.text import counted, shortlist


def parse_json_lines(name: str, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """(row, object) of each line that is not blank; at the end a TaggerError that lists all broken lines.

    >>> list(parse_json_lines("a.jsonl", '{"file": "a.jpg"}\\n\\n{}'))
    [(1, {'file': 'a.jpg'}), (3, {})]
    """
    bad = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):  # also huge numbers, thousands of nested brackets
            row = None
        if isinstance(row, dict):
            yield number, row
        else:
            bad.append(f"row {number}")
    if bad:
        raise TaggerError(
            f"{name}: {counted(len(bad), 'row')} cannot be read as a JSON object: {shortlist(bad)}"
        )


def json_columns(rows: Iterable[tuple[int, dict[str, Any]]]) -> tuple[str, ...]:
    """All keys of all objects, in the order in which they occur.

    >>> json_columns([(1, {"file": "a.jpg"}), (2, {"labels": [], "file": "b.jpg"})])
    ('file', 'labels')
    """
    return tuple({key: None for _, row in rows for key in row})
