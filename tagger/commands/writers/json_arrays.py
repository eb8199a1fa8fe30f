"""JSON lines of a batch, and the JSON array that several batches become."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any


def json_line(item: Any) -> str:
    """One item as a line of JSON.

    >>> json_line({"café": 1})
    '{"café": 1}\\n'
    """
    return json.dumps(item, ensure_ascii=False) + "\n"


def read_json_lines(paths: list[Path]) -> Iterator[Any]:
    """The items of several files of JSON lines, one after the other."""
    for path in paths:
        with path.open(encoding="utf-8", newline="\n") as file:
            yield from map(json.loads, file)


def json_array(items: Iterable[Any]) -> Iterator[str]:
    """The text of a JSON array in pieces, an item a line."""
    yield "["
    for at, item in enumerate(items):
        yield ("," if at else "") + "\n" + json.dumps(item, ensure_ascii=False)
    yield "\n]"
