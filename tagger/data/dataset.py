"""Reading of a data folder into a ``Dataset``: its images, their labels, and all problems found.

Its images, their labels, and everything wrong with them, as one Dataset."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tagger.arrays import NO, UNKNOWN, YES, Cells
from tagger.data.constraints import LabelGroup, Rule, describe_violations
from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.formats.long_table import LongTable, convert_underscores, to_dense
from tagger.data.formats.readers import DETECTION_ORDER, NAMED_PATH_ORDER, LabelReader, label_readers
from tagger.data.formats.readers.annotation_files import path_title
from tagger.data.formats.tabular import READABLE_SUFFIXES, read_text
from tagger.data.images.hashes import hash_files
from tagger.data.images.listing import IMAGE_SUFFIXES, check_folder, list_images, suggest_sibling
from tagger.data.vocabulary import Vocabulary, check_label_names, parse_labels_toml
from tagger.errors import Problem, TaggerError
from tagger.progress import ProgressCallback, no_progress
from tagger.sections import ReadOptions
from tagger.text import counted, shortlist


@dataclass(frozen=True)
class Dataset:
    """Images with labels. ``labels_NK`` holds -1 unknown, 0 no, 1 yes; its rows are ``images``, its columns
    ``labels``.

    ``images`` has the columns ``file`` (posix path relative to ``root``), ``hash`` (of the bytes) and
    ``size`` (bytes), sorted by file. ``unlisted`` are images that the label source does not name.
    ``problems`` is everything found wrong that does not stop; ``unreadable`` are those of them that are
    images or folders left out. ``source`` says what was recognised and what was ignored. ``groups`` and
    ``rules`` come from ``labels.toml``.
    """

    root: Path
    labels: tuple[str, ...]
    images: pd.DataFrame
    labels_NK: Cells
    unlisted: tuple[str, ...]
    problems: tuple[Problem, ...]
    source: str
    groups: dict[str, LabelGroup]
    rules: tuple[Rule, ...]
    unreadable: tuple[Problem, ...] = ()


def read_dataset(
    root: str | Path,
    labels: str | Path | None = None,
    *,
    read_options: ReadOptions | None = None,
    progress: ProgressCallback | None = None,
) -> Dataset:
    """The data set in ``root``, its labels from the first format recognised, or from ``labels`` if a path is
    given.

    ``reading`` says what is unusual about the label files, such as ``Reading(file_column="image_id")``.
    TaggerError where nothing sensible can be trained on (no images, no labels, a broken label file);
    whatever else is wrong is in ``problems``, all of it. ``progress`` is called with the number of images
    read so far; where labels are in files of their own or inside the images, those are the first half of
    the work.
    """
    root = check_folder(root)
    listing = list_images(root)
    if not listing.files:
        bad = listing.problems
        more = f". {counted(len(bad), 'file')} cannot be used, such as {bad[0]}" if bad else ""
        raise TaggerError(f"{root}: there are no images in it ({', '.join(sorted(IMAGE_SUFFIXES))}){more}")
    index = ImageLookup(root, listing.files)
    read_options = read_options or ReadOptions()
    first, second = _split_progress(progress, len(listing.files))
    readers = _make_readers(read_options, first)
    name, path, ignored = _choose_reader(index, labels, readers)
    table = convert_underscores(readers[name].read(path, index), read_options.underscores)
    check_label_names(table.labels)
    vocabulary = _load_vocabulary(root, table)
    if not vocabulary.labels:
        raise TaggerError(
            f"{table.source_name}: it names images, but no label at all. There is nothing to learn"
        )

    hashes, sizes, unread = hash_files(
        root, table.files, progress=second if "progress" in label_readers.options(name) else progress
    )
    images = pd.DataFrame(
        {"file": pd.Series(table.files, dtype=str), "hash": pd.Series(hashes, dtype=str), "size": sizes}
    )
    labels_NK = to_dense(table, vocabulary.labels)
    keep_N = np.argsort(images["file"].to_numpy(dtype=str), kind="stable")
    keep_N = keep_N[images["hash"].to_numpy()[keep_N] != ""]
    if not len(keep_N):
        raise TaggerError(
            f"{root}: none of the {len(images):,} labelled images can be read, such as {unread[0]}"
        )
    images = images.iloc[keep_N].reset_index(drop=True)
    labels_NK = labels_NK[keep_N]
    if table.merge_copies:
        images, labels_NK, copies = _merge_copies(images, labels_NK, table.source_name)
    else:
        copies = _differing_copies(images, labels_NK, vocabulary.labels)
    label_problems = _unlearnable_labels(labels_NK, vocabulary.labels, table.source_name) + [
        Problem("labels.toml", None, sentence)
        for sentence in describe_violations(
            labels_NK, vocabulary.labels, images["file"].tolist(), vocabulary.groups, vocabulary.rules
        )
    ]
    return Dataset(
        root=root,
        labels=vocabulary.labels,
        images=images,
        labels_NK=labels_NK,
        unlisted=tuple(sorted(set(listing.files) - set(table.files))),
        problems=(*listing.problems, *table.problems, *unread, *copies, *label_problems),
        source=f"Labels from {table.summary}" + (f"; ignored: {', '.join(ignored)}." if ignored else "."),
        groups=vocabulary.groups,
        rules=vocabulary.rules,
        unreadable=(*listing.problems, *unread),
    )


def _split_progress(
    progress: ProgressCallback | None, total: int
) -> tuple[ProgressCallback, ProgressCallback]:
    """``progress`` for the first and for the second time that all images are gone through.

    >>> seen = []
    >>> first, second = _split_progress(seen.append, 4)
    >>> first(4), second(2), second(4), seen
    (None, None, None, [2, 3, 4])
    """
    if progress is None:
        return no_progress, no_progress
    return lambda done: progress(done // 2), lambda done: progress(total // 2 + (done + 1) // 2)


def _make_readers(
    read_options: ReadOptions, progress: ProgressCallback = no_progress
) -> dict[str, LabelReader]:
    """All sources in the order in which they are looked for; those that have options are given them."""
    options: dict[str, Any] = {"read_options": read_options, "progress": progress}
    return {
        name: label_readers.build(name, **{k: options[k] for k in label_readers.options(name)})
        for name in DETECTION_ORDER
    }


def _choose_reader(
    index: ImageLookup, labels: str | Path | None, readers: dict[str, LabelReader]
) -> tuple[str, Path, list[str]]:
    """(source, its path, what else was recognised but not used)."""
    found = [(name, path) for name, reader in readers.items() if (path := reader.detect(index)) is not None]
    if labels is not None:
        path = Path(labels)
        if not path.exists():
            raise TaggerError(f"{path}: there is no such label file or folder.{suggest_sibling(path)}")
        chosen = next((name for name in NAMED_PATH_ORDER if readers[name].accepts(path, index)), None)
        if chosen is None:
            raise TaggerError(
                f"{path}: labels of no known form. Give a table (.csv, .tsv, .parquet, .jsonl), a file of COCO,"
                " Pascal VOC, YOLO, CVAT, Label Studio or Hugging Face, or a folder of LABEL.txt files"
                " or of sub-folders of images"
            )
        return chosen, path, []
    if not found:
        tables = sorted(p.name for p in index.root.glob("*.*") if p.suffix.lower() in READABLE_SUFFIXES)
        likely = f", such as {index.root / tables[0]}" if tables else ""
        raise TaggerError(
            f"{index.root}: {counted(len(index.files), 'image')}, but no labels. Add labels.csv with the columns"
            " 'file' and 'labels', NAME.txt beside each NAME.jpg, annotations/LABEL.txt, or one sub-folder per label;"
            f" or name a label file or an annotation program's export with --labels{likely}"
        )
    (name, path), *rest = found
    # Sub-folders are nearly always there; they are worth a word only when they are the source.
    # The text files of YOLO would pass for sidecars.
    silent = {"folders", *(["sidecars"] if any(other == "yolo" for other, _ in found) else [])}
    ignored = [_source_title(other, other_path) for other, other_path in rest if other not in silent]
    return name, path, ignored + _other_tables(path)


def _source_title(name: str, path: Path) -> str:
    return {"sidecars": ".txt files beside images", "keywords": "keywords of images"}.get(name) or path_title(
        path
    )


def _other_tables(path: Path) -> list[str]:
    """Further label tables beside the one in use."""
    if path.is_dir():
        return []
    return [
        p.name for p in sorted(path.parent.glob("labels.*")) if p != path and p.suffix in READABLE_SUFFIXES
    ]


def _load_vocabulary(root: Path, table: LongTable) -> Vocabulary:
    """Labels in order: of labels.toml, else of a wide table's columns, else sorted."""
    used = table.labels if not table.closed_world else tuple(sorted(table.labels))
    path = root / "labels.toml"
    if not path.is_file():
        return Vocabulary(used, {}, ())
    vocabulary = parse_labels_toml(read_text(path), used, locations=table.locations, where=table.source_name)
    check_label_names(vocabulary.labels)
    return vocabulary


def _merge_copies(
    images: pd.DataFrame, labels_NK: Cells, where: str
) -> tuple[pd.DataFrame, Cells, list[Problem]]:
    """One row per different image, with the labels of all its copies."""
    codes_N, first = pd.factorize(images["hash"])
    if len(first) == len(images):
        return images, labels_NK, []
    joined = np.full((len(first), labels_NK.shape[1]), NO, dtype=np.int8)
    np.maximum.at(joined, codes_N, labels_NK)
    kept = images.drop_duplicates("hash").reset_index(drop=True)
    surplus = counted(len(images) - len(kept), "file")
    reason = f"{surplus} too many: copies of other images. Each image counts once, with all its labels"
    return kept, joined, [Problem(where, None, reason)]


def _differing_copies(images: pd.DataFrame, labels_NK: Cells, names: Sequence[str]) -> list[Problem]:
    """A problem for each image whose bytes occur earlier with other labels."""
    first: dict[str, int] = {}
    found = []
    files = images["file"].tolist()
    hashes = images["hash"].tolist()
    for n in np.flatnonzero(images["hash"].duplicated(keep=False)).tolist():
        m = first.setdefault(hashes[n], n)
        differs = np.flatnonzero(
            (labels_NK[n] != labels_NK[m]) & (labels_NK[n] != UNKNOWN) & (labels_NK[m] != UNKNOWN)
        )
        if len(differs):
            listed = shortlist([repr(names[k]) for k in differs.tolist()])
            reason = f"the same image as {files[m]!r}, but they disagree on {listed}; left as they are"
            found.append(Problem(files[n], None, reason))
    return found


def _unlearnable_labels(labels_NK: Cells, names: Sequence[str], where: str) -> list[Problem]:
    """A problem for each label without a positive or a negative image, and for names that differ in case only."""
    found = []
    has: dict[int, NDArray[np.bool_]] = {value: (labels_NK == value).any(axis=0) for value in (YES, NO)}
    for k, label in enumerate(names):
        lacks = [word for word, value in (("positive", YES), ("negative", NO)) if not has[value][k]]
        if lacks:
            reason = f"label {label!r} has no {' and no '.join(lacks)} image: it cannot be learnt or measured"
            found.append(Problem(where, None, reason))
    spellings = defaultdict(list)
    for label in names:
        spellings[label.casefold()].append(repr(label))
    for same in spellings.values():
        if len(same) > 1:
            found.append(
                Problem(where, None, f"labels {', '.join(same)} differ in case only. Are they one label?")
            )
    return found
