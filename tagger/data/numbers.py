"""Labels that are numbers: a column holds how much (pain from 0 to 15), and from which number on the label is *yes*.

``[numbers.pain] yes_from = 1`` in ``labels.toml``, or the setting ``data.numbers={pain=1}``.
"""

import math
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tagger.arrays import Floats
from tagger.data.formats.cell_values import number_of
from tagger.data.formats.text_file import read_text
from tagger.data.photo_columns import column_values
from tagger.errors import TaggerError
from tagger.setting_sections import DataSettings

COLUMN = "number {}"  # of the table of images: the values of a label


def numbers_of_toml(content: Any) -> tuple[dict[str, float], list[str]]:
    """(label -> from which number on it is yes, what is wrong) of the tables ``[numbers.LABEL]``.

    >>> numbers_of_toml({"pain": {"yes_from": 1}, "fun": {}})
    ({'pain': 1.0}, ["numbers.fun needs 'yes_from', a number, and nothing else"])
    """
    found: dict[str, float] = {}
    wrong = []
    for name, entry in content.items() if isinstance(content, dict) else [("NAME", None)]:
        value = entry.get("yes_from") if isinstance(entry, dict) and set(entry) == {"yes_from"} else None
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            found[name] = float(value)
        else:
            wrong.append(f"numbers.{name} needs 'yes_from', a number, and nothing else")
    return found, wrong


def with_numbers(root: Path, data: DataSettings) -> DataSettings:
    """The settings with the numbers of ``labels.toml``; those of the settings go before them."""
    path = root / "labels.toml"
    if not path.is_file():
        return data
    try:
        content = tomllib.loads(read_text(path)).get("numbers", {})
    except (tomllib.TOMLDecodeError, RecursionError, ValueError):
        return data  # said where the labels are read
    found, wrong = numbers_of_toml(content)
    if wrong:
        raise TaggerError(f"labels.toml: {'; '.join(wrong)}")
    return data.model_copy(update={"numbers": found | data.numbers}) if found else data


def read_numbers(root: Path, files: Sequence[str], data: DataSettings) -> dict[str, Floats]:
    """The numbers of each label by the name of their column in the table of images; NaN where there is none."""
    found = {}
    for name in data.numbers:
        cells = column_values(root, files, data, name)
        found[COLUMN.format(name)] = np.array(
            [np.nan if (number := number_of(cell)) is None else number for cell in cells]
        )
    return found


def check_numbers(numbers: Mapping[str, float], labels: Sequence[str], groups: Mapping[str, Any]) -> None:
    """TaggerError if a number is no label, or one of a group."""
    missing = [name for name in numbers if name not in labels]
    if missing:
        raise TaggerError(
            f"numbers.{missing[0]}: there is no label {missing[0]!r}. A number has to stand in a table with one column"
            " per label, in the column of its label."
        )
    grouped = [
        name for name in numbers for group in groups.values()
        if name in group["labels"] and group["kind"] != "multi"
    ]  # fmt: skip
    if grouped:
        raise TaggerError(
            f"numbers.{grouped[0]}: the label is in a group, whose labels exclude each other. Take it out of the group."
        )
