"""Photos that belong together: of one subject, or frames of one sequence. A split never separates them.

A subject or sequence comes from columns of a table (``data.subject_column``, ``data.sequence_column``), or a
sequence from the folder, from a trailing number in the name, or from the time of the photos (``data.sequences``).
Joined sets are the connected components of all that belongs together, as in scikit-learn's ``GroupKFold`` with
one number a component.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tagger.data.images.image_files import shots
from tagger.data.photo_columns import column_values
from tagger.errors import TaggerError
from tagger.setting_sections import DataSettings
from tagger.text import counted

Ids = NDArray[np.int64]  # (N,): images of one number belong together; -1 belongs to no other
FRAME_NAME = re.compile(r"(?P<prefix>.*?)[-_ .(]*\d+\)?")
MAX_SHARE = 0.5  # of all photos in one set: more leaves too little for the other splits
TIME_TAGS = (
    (0x8769, 0x9003),
    (0x8769, 0x9004),
    (0, 0x0132),
)  # taken, digitised, changed; 0x8769: the EXIF block
MIN_FRAMES = 3
MIN_SEQUENCES = 5
MAX_USUAL_FRAMES = 50


def related_ids(root: Path, files: Sequence[str], data: DataSettings) -> list[tuple[str, Ids]]:
    """(what it is, ids) for each setting that says which photos belong together; an empty list without any.

    TaggerError if a column is in no table, or if one set holds more than half of the photos.
    """
    found = []
    for what, column in (("subject", data.subject_column), ("sequence", data.sequence_column)):
        if column:
            found.append((f"{what} (column {column!r})", _ids(column_values(root, files, data, column))))
    if data.sequences != "none":
        found.append((f"sequence ({data.sequences})", _sequences(root, files, data)))
    if data.pairs in ("share", "separate") and (pairs := shots(files)):
        number = {file: n for n, names in enumerate(pairs) for file in names}
        found.append(("shot", np.array([number.get(file, -1) for file in files], np.int64)))
    for what, ids_N in found:
        _check_share(what, ids_N, files)
    return found


def sequence_ids(root: Path, files: Sequence[str], data: DataSettings) -> Ids | None:
    """The sequence of each photo, by the column if one is named; None where the settings name no sequence."""
    if data.sequence_column:
        return _ids(column_values(root, files, data, data.sequence_column))
    return None if data.sequences == "none" else _sequences(root, files, data)


def _sequences(root: Path, files: Sequence[str], data: DataSettings) -> Ids:
    """The sequence of each photo by its folder, name or time."""
    if data.sequences == "time":
        return _bursts(root, files, data.burst_gap)
    if data.sequences == "folder":
        return _ids([file.rpartition("/")[0] for file in files])
    return _ids([_sequence_name(file) for file in files])


def joined(*ids: Ids) -> Ids:
    """One number for all images that are connected by any of the ids: the smallest row of the set.

    >>> joined(np.array([0, 0, 2, 3]), np.array([5, -1, 5, -1])).tolist()
    [0, 0, 0, 3]
    """
    num_images = len(ids[0])
    rows, columns, at = [], [], num_images
    for ids_N in ids:
        known = np.flatnonzero(ids_N >= 0)
        _, place = np.unique(ids_N[known], return_inverse=True)
        rows.append(known)
        columns.append(at + place)
        at += len(known)
    pairs = (np.concatenate(rows), np.concatenate(columns))
    graph = coo_array((np.ones(len(pairs[0]), np.int8), pairs), shape=(at, at))
    component_N = connected_components(graph, directed=False)[1][:num_images]
    _, first, place_N = np.unique(component_N, return_index=True, return_inverse=True)
    return first[place_N].astype(np.int64)


def likely_sequences(files: Sequence[str]) -> str:
    """Sentence that names look like frames of sequences, with the setting for it; nothing if they do not.

    It is a guess: at least five sequences of three consecutive numbers or more, that hold most of the photos,
    none of them more than half, and usually 50 frames at most.
    """
    numbers: dict[str, list[int]] = defaultdict(list)
    for file in files:
        if name := _sequence_name(file):
            numbers[name].append(int(re.findall(r"\d+", Path(file).stem)[-1]))
    sequences = {name: seen for name, seen in numbers.items() if _is_consecutive(seen)}
    sizes = [len(seen) for seen in sequences.values()]
    if len(sizes) < MIN_SEQUENCES or not len(files) / 2 < sum(sizes) or max(sizes) > MAX_SHARE * len(files):
        return ""
    if np.median(sizes) > MAX_USUAL_FRAMES:  # cat_0001.jpg to cat_0500.jpg is a label, no burst
        return ""
    example = next(file for file in files if _sequence_name(file) in sequences)
    return (
        f"The names look like {len(sizes):,} sequences of frames (such as {example})."
        " If so, --set data.sequences=name keeps each in one split; else metrics are too good."
    )


def _is_consecutive(numbers: list[int]) -> bool:
    """Whether most steps from one number to the next are 1, for at least ``MIN_FRAMES`` numbers."""
    steps = np.diff(np.sort(numbers))
    return len(numbers) >= MIN_FRAMES and bool(np.mean(steps <= 1) > 0.8)


def _sequence_name(file: str) -> str:
    """The folder and name without its trailing number; nothing if there is no number, or nothing else.

    >>> _sequence_name("a/clip1_003.jpg"), _sequence_name("a/0003.jpg"), _sequence_name("cat.jpg")
    ('a/clip1', '', '')
    """
    folder, _, name = file.rpartition("/")
    found = FRAME_NAME.fullmatch(name.rpartition(".")[0] or name)
    return f"{folder}/{found['prefix']}" if found and found["prefix"] else ""


def _ids(values: Sequence[str]) -> Ids:
    """A number for each value; -1 for an empty one."""
    number: dict[str, int] = {}
    return np.array([number.setdefault(value, len(number)) if value else -1 for value in values], np.int64)


def _bursts(root: Path, files: Sequence[str], gap: float) -> Ids:
    """Photos of one folder whose times follow each other within ``gap`` seconds; -1 for those without a time."""
    ids_N = np.full(len(files), -1, dtype=np.int64)
    by_folder: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for n, file in enumerate(files):
        if (time := photo_time(root / file)) is not None:
            by_folder[file.rpartition("/")[0]].append((time, n))
    number = -1
    for taken in by_folder.values():
        last = -np.inf
        for time, n in sorted(taken):
            number += time - last > gap
            ids_N[n] = number
            last = time
    return ids_N


def photo_time(path: Path) -> float | None:
    """When a photo was taken, by its EXIF data, in seconds since 1970 as if in UTC; None if it does not say."""
    try:
        with Image.open(path) as image:
            exif = image.getexif()
    except Exception:  # decoders raise nearly every type on damaged input; such a photo has no time
        return None
    for block, tag in TIME_TAGS:
        text = str((exif.get_ifd(block) if block else exif).get(tag, "")).strip("\0 ")
        try:
            return (datetime.strptime(text, "%Y:%m:%d %H:%M:%S") - datetime(1970, 1, 1)).total_seconds()
        except ValueError:
            continue
    return None


def _check_share(what: str, ids_N: Ids, files: Sequence[str]) -> None:
    """TaggerError if one set is too large to be split from the others."""
    sizes = Counter(ids_N[ids_N >= 0].tolist())
    if not sizes:
        return
    number, size = sizes.most_common(1)[0]
    if size > MAX_SHARE * len(files) and len(files) > 1:
        example = files[int(np.flatnonzero(ids_N == number)[0])]
        raise TaggerError(
            f"{what}: {counted(size, 'photo')} of {len(files):,} would belong together, such as {example}."
            " Nothing could be split. Name another column, or another kind of sequence."
        )
