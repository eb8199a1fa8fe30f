"""Class names in JSON lines of SageMaker Ground Truth: ``JOB`` has numbers, ``JOB-metadata`` their names."""

from collections.abc import Collection, Iterable
from typing import Any

from tagger.text import shortlist

METADATA = "-metadata"


class UnnamedClasses(dict[str, Any]):
    """The value of a row whose class numbers have no name: no label."""

    def __str__(self) -> str:
        return f"class {shortlist(self['numbers'])} without a name"


def job_keys(keys: Iterable[str]) -> set[str]:
    """The keys that have metadata in some row.

    >>> job_keys(["source-ref", "job", "job-metadata"])
    {'job'}
    """
    known = set(keys)
    return {key.removesuffix(METADATA) for key in known if key.endswith(METADATA)} & known


def with_class_names(row: dict[str, Any], jobs: Collection[str] = ()) -> dict[str, Any]:
    """The row with names in place of class numbers, without the metadata that hold them.

    >>> with_class_names({"labels": [0, 2], "labels-metadata": {"class-map": {"0": "cat", "2": "sea"}}})
    {'labels': ['cat', 'sea']}
    >>> with_class_names({"job": 1, "job-metadata": {"class-name": "dog"}, "note-metadata": {}})
    {'job': 'dog', 'note-metadata': {}}
    >>> str(with_class_names({"job": 3}, ["job"])["job"])  # other rows name their classes
    'class 3 without a name'
    """
    named: dict[str, Any] = {}
    for key in row:
        about = row.get(f"{key}{METADATA}")
        if isinstance(about, dict):
            named |= _named(key, row[key], about)
        elif key in jobs and (numbers := _numbers(row[key])):
            named[key] = UnnamedClasses(numbers=numbers)
    used = {f"{key}{METADATA}" for key in named}
    return {key: named.get(key, value) for key, value in row.items() if key not in used}


def _numbers(value: Any) -> list[str]:
    """The class numbers of a cell; none if it holds names."""
    several = value if isinstance(value, list) else [value]
    return [str(one) for one in several if isinstance(one, int) and not isinstance(one, bool)]


def _named(key: str, value: Any, about: dict[str, Any]) -> dict[str, Any]:
    """{key: names} where the metadata have names of classes; nothing otherwise."""
    name, names = about.get("class-name"), about.get("class-map")
    if isinstance(name, str) and isinstance(value, int | str):
        return {key: name}
    if not isinstance(names, dict) or value is None:
        return {}
    if isinstance(value, dict) and isinstance(value.get("annotations"), list):  # boxes
        boxes = value["annotations"]
        value = list(dict.fromkeys(str(box.get("class_id")) for box in boxes if isinstance(box, dict)))
    numbers = [str(number) for number in (value if isinstance(value, list) else [value])]
    unnamed = [one for one in numbers if not isinstance(names.get(one), str) and one not in names.values()]
    found = [names.get(one, one) for one in numbers]
    return {key: UnnamedClasses(numbers=unnamed) if unnamed else found}
