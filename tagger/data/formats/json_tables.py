"""Tables in one JSON value: a list of objects, labels by photo, photos by label, or columns by name.

What is none of these is refused. Values become rows, as the lines of a JSON lines file are.
"""

import json
from collections.abc import Iterator
from typing import Any

from tagger.data.formats.json_lines import parse_json_lines
from tagger.data.images.image_files import IMAGE_SUFFIXES, suffix_of
from tagger.errors import TaggerError

JsonRows = Iterator[tuple[int, dict[str, Any]]]
NAME_KEYS = ("name", "label", "tagName", "class", "className", "category", "title", "value", "tag")


def parse_json_table(name: str, text: str) -> JsonRows:
    """(number, object) of each row. TaggerError if the value holds no rows."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            return parse_json_lines(name, text)  # a value a line, under another suffix
        raise TaggerError(f"{name}: this cannot be read as JSON ({str(error)[:100]})") from None
    except (ValueError, RecursionError) as error:
        raise TaggerError(f"{name}: this cannot be read as JSON ({str(error)[:100]})") from None
    rows = _rows(value)
    if not rows:
        raise TaggerError(
            f'{name}: no known table. A table in JSON is a list of objects, [{{"file": "a.jpg", "labels": ["cat"]}}],'
            ' or labels by photo, {"a.jpg": ["cat"]}'
        )
    return ((number, {key: _plain(cell) for key, cell in row.items()}) for number, row in enumerate(rows, 1))


def _rows(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, list):
        return value if all(isinstance(row, dict) for row in value) else []
    if not isinstance(value, dict):
        return []
    if isinstance(value.get("classes"), list) and isinstance(value.get("labels"), dict):
        return _by_class_number(value["classes"], value["labels"])
    lists = [part for part in value.values() if isinstance(part, list) and part and isinstance(part[0], dict)]
    if len(lists) == 1 and not any(suffix_of(key) in IMAGE_SUFFIXES for key in value):
        return _rows(lists[0])
    return _by_name(value)


def _by_name(value: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of labels by photo, photos by label, or columns by name."""
    if all(isinstance(part, dict) for part in value.values()) and not _names_photos(value):
        return _columns({key: list(part.values()) for key, part in value.items()})
    if all(isinstance(part, list) for part in value.values()) and not _names_photos(value):
        photos = [name for part in value.values() for name in part]
        if photos and all(isinstance(name, str) and suffix_of(name) in IMAGE_SUFFIXES for name in photos):
            return _by_label(value)
        return _columns(value)
    if all(isinstance(part, dict) for part in value.values()):
        return [{"file": file} | cells for file, cells in value.items()]
    if all(isinstance(part, str | int | list) for part in value.values()):
        return [{"file": file, "labels": part} for file, part in value.items()]
    return []


def _names_photos(value: dict[str, Any]) -> bool:
    return any(suffix_of(key) in IMAGE_SUFFIXES for key in value)


def _by_label(value: dict[str, list[str]]) -> list[dict[str, Any]]:
    labels: dict[str, list[str]] = {}
    for label, files in value.items():
        for file in files:
            labels.setdefault(file, []).append(label)
    return [{"file": file, "labels": found} for file, found in labels.items()]


def _by_class_number(classes: list[Any], labels: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of FiftyOne's ``labels.json``: numbers of classes, one or a list, by the photo's name without suffix."""
    names = dict(enumerate(map(str, classes)))
    rows = []
    for file, numbers in labels.items():
        chosen = numbers if isinstance(numbers, list) else [] if numbers is None else [numbers]
        if not all(number in names for number in chosen):
            return []
        rows.append({"file": file, "labels": [names[number] for number in chosen]})
    return rows


def _columns(value: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """Rows of columns by name, as pandas writes them; none unless all are of one length."""
    if len({len(part) for part in value.values()}) != 1 or len(value) < 2:
        return []
    return [dict(zip(value, cells, strict=True)) for cells in zip(*value.values(), strict=True)]


def _plain(cell: Any) -> Any:
    """A list of objects as the list of their names; anything else as it is.

    >>> _plain([{"tagId": "1", "tagName": "cat"}, {"tagId": "2", "tagName": "dog"}]), _plain(3)
    (['cat', 'dog'], 3)
    """
    if not isinstance(cell, list) or not cell or not all(isinstance(part, dict) for part in cell):
        return cell
    key = next((key for key in NAME_KEYS if all(isinstance(part.get(key), str) for part in cell)), None)
    return cell if key is None else [part[key] for part in cell]
