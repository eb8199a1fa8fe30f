"""Reader of Label Studio exports, JSON and JSON-MIN: choices, taxonomies and labels of regions.

If several people annotated an image, a label on which they disagree is *unknown*, and the disagreement is
listed as a problem: a majority vote would hide it from the review. If an annotation is marked as ground
truth, the others are ignored. Skipped annotations and predictions are ignored; an image without annotations
is left out.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.formats.long_table import LongTable, LongTableBuilder
from tagger.data.formats.readers.annotation_files import (
    AnnotationFileReader,
    ImageEntry,
    add_entries,
    contains_all,
    find_files,
    load_json,
    path_title,
    path_variants,
    to_label,
)
from tagger.data.images.image_files import IMAGE_SUFFIXES
from tagger.errors import Problem, TaggerError
from tagger.text import counted, shortlist

MAX_DISPUTED = 20  # images with disagreement that are listed
JSON_MARKS = (b'"annotations"', b'"result"', b'"data"')
JSON_MIN_MARKS = (b'"annotator"', b'"annotation_id"')


@dataclass
class AnnotatorVotes:
    """The annotations of one image: (marked as ground truth, labels) of each."""

    other_names: tuple[str, ...] = ()
    annotations: list[tuple[bool, set[str]]] = field(default_factory=list)


class LabelStudioReader(AnnotationFileReader):
    """Reader of Label Studio's exports *JSON* and *JSON-MIN*, which are lists of tasks."""

    def files(self, path: Path) -> list[Path]:
        """JSON files of tasks."""
        return [
            p
            for p in find_files(path, ".json")
            if contains_all(p, *JSON_MARKS, opening=b"[") or contains_all(p, *JSON_MIN_MARKS, opening=b"[")
        ]

    def read(self, path: Path, images: ImageLookup) -> LongTable:
        """Every annotated image."""
        builder = LongTableBuilder()
        num_known = num_disputed = 0
        for file in self.files(path):
            votes = _read_votes(file, builder)
            disputed = []
            entries = []
            for name, vote in votes.items():
                yes, unknown = _consensus(vote)
                entries.append(ImageEntry(name, vote.other_names, yes, unknown))
                if unknown:
                    listed = shortlist([*map(repr, unknown)])
                    disputed.append(f"{name!r}: its annotators disagree on {listed}: counted as unknown")
            builder.problems += [Problem(file.name, None, reason) for reason in disputed[:MAX_DISPUTED]]
            if len(disputed) > MAX_DISPUTED:
                more = f"{len(disputed) - MAX_DISPUTED} more images whose annotators disagree on labels"
                builder.problems.append(Problem(file.name, None, f"{more}: counted as unknown"))
            num_known += add_entries(builder, file, entries, images, noun="annotated image")
            num_disputed += len(disputed)
        found = f"Label Studio, {counted(num_known, 'annotated image')}, {num_disputed:,} with disagreement"
        return builder.build(
            path_title(path), f"{path_title(path)} ({found}; regions and predictions are ignored)"
        )


def _consensus(votes: AnnotatorVotes) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(labels of all annotations, labels of only some); ground truth alone counts if there is any.

    >>> _consensus(AnnotatorVotes(annotations=[(False, {"cat", "dog"}), (False, {"cat"})]))
    (('cat',), ('dog',))
    >>> _consensus(AnnotatorVotes(annotations=[(False, {"dog"}), (True, {"cat"})]))
    (('cat',), ())
    """
    counted_votes = [labels for truth, labels in votes.annotations if truth] or [
        labels for _, labels in votes.annotations
    ]
    some = set().union(*counted_votes)
    all_of_them = set.intersection(*counted_votes)
    return tuple(sorted(all_of_them)), tuple(sorted(some - all_of_them))


def _read_votes(path: Path, builder: LongTableBuilder) -> dict[str, AnnotatorVotes]:
    """The annotations of each image, by its name in the export."""
    tasks = load_json(path)
    if not isinstance(tasks, list):
        raise TaggerError(f"{path.name}: this is no Label Studio export: it should be a list of tasks")
    found: dict[str, AnnotatorVotes] = defaultdict(AnnotatorVotes)
    for at, task in enumerate(tasks, 1):
        if isinstance(task, dict):
            reason = (_read_min if "annotation_id" in task else _read_full)(task, found)
            reason = reason and f"task {task.get('id', at)} {reason}: left out"
        else:
            reason = f"task {at} is no object: left out"
        if reason:
            builder.problems.append(Problem(path.name, None, reason))
    return found


def _read_full(task: dict[str, Any], found: dict[str, AnnotatorVotes]) -> str:
    """Add the annotations of one task to ``found``; return what is wrong with it, or ""."""
    annotations = task.get("annotations")
    if not isinstance(annotations, list) or not all(isinstance(a, dict) for a in annotations):
        return "has no list of annotations"
    given = [a for a in annotations if not a.get("was_cancelled")]
    name = _image_name(task.get("data"))
    if given and not name:
        return "names no image in its data"
    wrong = ""
    for annotation in given:
        results = annotation.get("result")
        if not isinstance(results, list):
            wrong = "has an annotation without a list of results"
            continue
        labels: set[str] = set()
        for result in results:
            labels |= set(_labels_in(result.get("value") if isinstance(result, dict) else None))
        _add_vote(
            found, name, labels, truth=bool(annotation.get("ground_truth")), upload=task.get("file_upload")
        )
    return wrong


def _read_min(task: dict[str, Any], found: dict[str, AnnotatorVotes]) -> str:
    """``_read_full`` for JSON-MIN: one annotation per task, its results between the keys ``id`` and ``annotator``."""
    keys = list(task)
    start = keys.index("id") + 1 if "id" in keys else len(keys)
    stop = keys.index("annotator") if "annotator" in keys else len(keys)
    name = _image_name({key: task[key] for key in keys[: start - 1]})
    if not name:
        return "names no image"
    labels: set[str] = set()
    for key in keys[start:stop]:
        value = task[key]
        for item in value if isinstance(value, list) else [value]:
            labels |= {item.strip()} - {""} if isinstance(item, str) else set(_labels_in(item))
    _add_vote(found, name, {to_label(label) for label in labels}, truth=False, upload=None)
    return ""


def _add_vote(
    found: dict[str, AnnotatorVotes], name: str, labels: set[str], *, truth: bool, upload: Any
) -> None:
    vote = found[name]
    vote.other_names = vote.other_names or _other_names(name) + (
        _other_names(upload) if isinstance(upload, str) else ()
    )
    vote.annotations.append((truth, labels))


def _labels_in(value: Any) -> Iterator[str]:
    """The labels of one result: choices, labels of a region, or the last parts of taxonomy paths."""
    if not isinstance(value, dict):
        return
    for key, items in value.items():
        if not isinstance(items, list):
            continue
        if key == "taxonomy":
            yield from filter(None, (to_label(path[-1]) for path in items if isinstance(path, list) and path))
        elif key == "choices" or key.endswith("labels"):
            yield from filter(None, map(to_label, items))


def _image_name(data: Any) -> str:
    """The value that names the image: the first with an image's suffix, else the first text."""
    texts = [v for v in data.values() if isinstance(v, str) and v.strip()] if isinstance(data, dict) else []
    return next(
        (t for t in texts if Path(t.partition("?")[0]).suffix.lower() in IMAGE_SUFFIXES or "?d=" in t),
        (texts or [""])[0],
    )


def _other_names(name: str) -> tuple[str, ...]:
    """Other names of an image: without the parts that Label Studio adds at upload and for local storage.

    >>> _other_names("/data/upload/1/8dc7d1ae-im%201.jpg")[-1], _other_names("/data/local-files/?d=set/im.jpg")[0]
    ('im 1.jpg', 'set/im.jpg')
    """
    path = unquote(name.partition("?d=")[2] or name)
    found = path_variants(path)
    return (*found, re.sub("^[0-9a-f]{8}-", "", found[-1])) if found else ()
