"""Guesses of which photos belong together, as sentences with the setting for each: nothing is joined by a guess."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tagger.data.photo_columns import column_values, other_columns
from tagger.data.related_images import (
    MAX_SHARE,
    MAX_USUAL_FRAMES,
    MIN_FRAMES,
    MIN_SEQUENCES,
    Ids,
    likely_sequences,
    sequence_ids,
)
from tagger.errors import TaggerError
from tagger.setting_sections import DataSettings
from tagger.text import set_options

SUBJECT_WORDS = {
    *(
        "patient",
        "patients",
        "subject",
        "subjects",
        "person",
        "participant",
        "individual",
        "identity",
        "animal",
    ),
    *("owner", "user", "photographer", "donor", "case", "specimen", "plant", "product", "house", "lesion"),
}
SEQUENCE_WORDS = {
    "sequence",
    "seq",
    "clip",
    "video",
    "burst",
    "session",
    "track",
    "scene",
    "recording",
    "movie",
    "event",
}
MAX_TIMED = 2000  # photos whose time is read for a guess


def likely_groups(root: Path, files: Sequence[str], data: DataSettings) -> list[str]:
    """A sentence for each likely way in which photos belong together: by columns, and by names or else by time."""
    frames = likely_sequences(files) or likely_bursts(root, files[:MAX_TIMED], data)
    return [*likely_columns(root, files, data), *([frames] if frames else [])]


def likely_bursts(root: Path, files: Sequence[str], data: DataSettings) -> str:
    """Sentence that the times of the photos look like bursts; nothing if they do not."""
    by_time = sequence_ids(root, files, DataSettings(sequences="time", burst_gap=data.burst_gap))
    sizes = _sizes(by_time)
    bursts = sizes[sizes >= MIN_FRAMES]
    if by_time is None or len(bursts) < MIN_SEQUENCES or 2 * bursts.sum() <= len(files):
        return ""
    if max(bursts) > MAX_SHARE * len(files) or np.median(bursts) > MAX_USUAL_FRAMES:
        return ""
    example = files[int(np.flatnonzero(by_time == int(np.argmax(sizes)))[0])]
    return (
        f"The times of the photos look like {len(bursts):,} bursts (such as that of {example}). If so,"
        " --set data.sequences=time keeps each in one split; else metrics are too good."
    )


def likely_columns(root: Path, files: Sequence[str], data: DataSettings) -> list[str]:
    """Sentences on columns whose name and repeated values look like subjects or sequences."""
    found = []
    for table, column in other_columns(root, data):
        words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", column)}
        kind = "subject" if words & SUBJECT_WORDS else "sequence" if words & SEQUENCE_WORDS else ""
        if not kind:
            continue
        try:
            values = [value for value in column_values(root, files, data, column) if value]
        except TaggerError:
            continue  # rows of one photo disagree: it says nothing of photos
        sizes = Counter(values)
        repeated = sum(size for size in sizes.values() if size > 1)
        if (
            len(sizes) >= MIN_SEQUENCES
            and 2 * repeated > len(files)
            and max(sizes.values()) <= MAX_SHARE * len(files)
        ):
            setting = set_options({f"{kind}_column": column})
            found.append(
                f"Column {column!r} of {table} has {len(sizes):,} values for {len(values):,} photos. If it says which"
                f" {'photos show one subject' if kind == 'subject' else 'are frames of one sequence'}, {setting}"
                " keeps those in one split; else metrics are too good."
            )
    return found


def _sizes(ids: Ids | None) -> np.ndarray:
    known = np.empty(0, np.int64) if ids is None else ids[ids >= 0]
    return np.bincount(known, minlength=1)
