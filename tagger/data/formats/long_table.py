"""Labels as a label file states them: the images listed and the cells that are yes or unknown."""

from array import array
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import NO, UNKNOWN, YES, Cells
from tagger.errors import Problem

MAX_LOCATIONS = 5  # per label, for messages


@dataclass(frozen=True)
class LongTable:
    """The labels that a reader has read: C cells; all others of a listed image are ``default_value``, mostly *no*.

    ``image_C`` and ``label_C`` index ``files`` and ``labels``; ``value_C`` is YES, NO or UNKNOWN. ``locations``
    says where each label was first used ("row 12", "annotations/cat.txt"). ``summary`` describes the format.
    ``merge_copies`` is true where a copy of a file is a way to give it a second label. ``closed_world``: a
    label that the file never names is *no* for every image; otherwise it is *unknown*. ``separator`` stands between
    the labels of a cell, where labels share one.
    """

    source_name: str
    summary: str
    files: tuple[str, ...]
    labels: tuple[str, ...]
    image_C: NDArray[np.int64]
    label_C: NDArray[np.int64]
    value_C: Cells
    locations: dict[str, tuple[str, ...]]
    problems: tuple[Problem, ...] = ()
    merge_copies: bool = False
    closed_world: bool = True
    default_value: int = NO
    separator: str = ""


class LongTableBuilder:
    """A builder of a LongTable, image by image; memory grows with the cells that are not *no*.

    >>> builder = LongTableBuilder()
    >>> builder.add_image("a.jpg", yes=["cat"], location="row 2")
    >>> builder.add_image("b.jpg", location="row 3")
    >>> table = builder.build("labels.csv", "long form")
    >>> table.files, table.labels, to_dense(table, ["dog", "cat"]).tolist()
    (('a.jpg', 'b.jpg'), ('cat',), [[0, 1], [0, 0]])
    """

    def __init__(self, labels: Iterable[str] = ()):
        self.problems: list[Problem] = []
        self._files: dict[str, int] = {}
        self._labels: dict[str, int] = {}
        self._locations: dict[str, list[str]] = defaultdict(list)
        self._cells = (array("q"), array("q"), array("b"))
        for label in labels:
            self.add_label(label)

    def __contains__(self, file: str) -> bool:
        return file in self._files

    @property
    def labels(self) -> Collection[str]:
        """The labels added so far."""
        return self._labels.keys()

    def add_label(self, label: str, location: str = "") -> int:
        """The column of ``label``, added if it is new; ``location`` is kept for messages."""
        if location and len(self._locations[label]) < MAX_LOCATIONS:
            self._locations[label].append(location)
        return self._labels.setdefault(label, len(self._labels))

    def add_image(
        self,
        file: str,
        *,
        yes: Iterable[str] = (),
        no: Iterable[str] = (),
        unknown: Iterable[str] = (),
        location: str = "",
    ) -> None:
        """Add an image, with the labels that it has, those it surely lacks, and those that are unknown."""
        image = self._files.setdefault(file, len(self._files))
        images, columns, values = self._cells
        for labels, value in ((yes, YES), (no, NO), (unknown, UNKNOWN)):
            for label in labels:
                images.append(image)
                columns.append(self.add_label(label, location))
                values.append(value)

    def build(
        self,
        source_name: str,
        summary: str,
        *,
        merge_copies: bool = False,
        closed_world: bool = True,
        default_value: int = NO,
    ) -> LongTable:
        """The table of all images and labels added so far."""
        return LongTable(
            source_name=source_name,
            summary=summary,
            files=tuple(self._files),
            labels=tuple(self._labels),
            image_C=np.array(self._cells[0], dtype=np.int64),
            label_C=np.array(self._cells[1], dtype=np.int64),
            value_C=np.array(self._cells[2], dtype=np.int8),
            locations={label: tuple(locations) for label, locations in self._locations.items()},
            problems=tuple(self.problems),
            merge_copies=merge_copies,
            closed_world=closed_world,
            default_value=default_value,
        )


def convert_underscores(table: LongTable, underscores: str) -> LongTable:
    """The table with underscores in labels as spaces (``spaces``), or spaces as underscores (``join``).

    Labels that become equal are merged. Labels of three characters or fewer stay as they are: booru
    collections use faces such as ``>_<``.

    >>> builder = LongTableBuilder(["long_hair", "long hair", "o_o"])
    >>> convert_underscores(builder.build("labels.csv", ""), "spaces").labels
    ('long hair', 'o_o')
    """
    if underscores == "keep":
        return table
    old, new = ("_", " ") if underscores == "spaces" else (" ", "_")
    names = [label if len(label) <= 3 else label.replace(old, new).strip() for label in table.labels]
    column = {name: k for k, name in enumerate(dict.fromkeys(names))}
    to_K = np.array([column[name] for name in names], dtype=np.int64)
    locations: dict[str, tuple[str, ...]] = {}
    for label, name in zip(table.labels, names, strict=True):
        locations[name] = (*locations.get(name, ()), *table.locations.get(label, ()))[:MAX_LOCATIONS]
    label_C = to_K[table.label_C] if len(to_K) else table.label_C
    return replace(table, labels=tuple(column), label_C=label_C, locations=locations)


def to_dense(table: LongTable, labels: Iterable[str]) -> Cells:
    """labels_NK: rows are ``table.files``, columns ``labels``; the table's other labels are dropped.

    A cell that is *yes* in one place is *yes*, else *no* if it is so in one, else *unknown* if it is so in one.
    """
    column = {label: k for k, label in enumerate(labels)}
    labels_NK = np.full((len(table.files), len(column)), table.default_value, dtype=np.int8)
    if not table.closed_world:
        labels_NK[:, [column[label] for label in column.keys() - set(table.labels)]] = UNKNOWN
    to_K = np.array([column.get(label, -1) for label in table.labels], dtype=np.int64)
    wanted_C = to_K[table.label_C] >= 0 if len(to_K) else np.zeros(0, dtype=bool)
    for value in (UNKNOWN, NO, YES):
        C = wanted_C & (table.value_C == value)
        labels_NK[table.image_C[C], to_K[table.label_C[C]]] = value
    return labels_NK
