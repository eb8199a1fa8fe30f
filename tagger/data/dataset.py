"""Reading of a data folder into a ``Dataset``: its images, their labels, and all problems found."""

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
from tagger.data.formats.readers import DETECTION_ORDER, LabelReader, label_readers
from tagger.data.formats.text_file import read_text
from tagger.data.idle_options import idle_options
from tagger.data.images.hashes import identify_files
from tagger.data.images.image_files import PLAIN_SUFFIXES
from tagger.data.images.listing import Listing, check_folder, list_images
from tagger.data.label_source import choose_reader
from tagger.data.numbers import check_numbers, read_numbers, with_numbers
from tagger.data.vocabulary import Vocabulary, parse_labels_toml
from tagger.errors import Problem, TaggerError
from tagger.progress import ProgressCallback, no_progress
from tagger.read_options import ReadOptions
from tagger.setting_sections import DataSettings
from tagger.text import counted, shortlist


@dataclass(frozen=True)
class Dataset:
    """Images with labels: rows of ``labels_NK`` are ``images``, columns are ``labels``; -1 unknown, 0 no, 1 yes.

    ``images`` has the columns ``file`` (posix path relative to ``root``), ``hash`` (of the bytes), ``size``
    (bytes) and ``picture_hash`` (of the picture, whatever metadata is in the file), sorted by file.
    ``unlisted`` are images that the labels do not name. ``problems`` are all problems found; those in
    ``unreadable`` are images and folders that were left out. ``source`` says which labels were read and which
    were ignored. ``groups`` and ``rules`` come from ``labels.toml``.
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
    """The data set in ``root``, with the labels at ``labels``, or in the first format that is found.

    ``read_options`` describes unusual label files, such as ``ReadOptions(file_column="image_id")``.
    ``progress`` is called with the number of images read so far; where labels are in one file per image or
    inside the images, reading them is the first half of the work. TaggerError if there is nothing to train
    on (no images, no labels, a broken label file); all other problems are in ``problems``.
    """
    root = check_folder(root)
    read_options = _with_numbers(root, read_options or ReadOptions(), labels)
    listing = _list_some_images(root, read_options.pairs)
    lookup = ImageLookup(root, listing.files, listing.beside)
    first_half, second_half = _split_progress(progress, len(listing.files))
    readers = _make_readers(read_options, first_half)
    name, path, ignored = choose_reader(lookup, labels, readers, read_options)
    table = convert_underscores(readers[name].read(path, lookup), read_options.underscores)
    vocabulary = _load_vocabulary(root, table)
    images, labels_NK, unread = _hash_images(
        root, table, vocabulary, second_half if "progress" in label_readers.options(name) else progress
    )
    if table.merge_copies:
        images, labels_NK, copies = _merge_copies(images, labels_NK, table.source_name)
    else:
        copies = _differing_copies(images, labels_NK, vocabulary.labels)
    images = _add_numbers(root, images, read_options, vocabulary)
    violations = describe_violations(
        labels_NK, vocabulary.labels, images["file"].tolist(), vocabulary.groups, vocabulary.rules
    )
    return Dataset(
        root=root,
        labels=vocabulary.labels,
        images=images,
        labels_NK=labels_NK,
        unlisted=tuple(sorted(set(listing.files) - set(table.files))),
        problems=(
            *(*listing.problems, *table.problems, *unread, *copies),
            *_unlearnable_labels(labels_NK, vocabulary.labels, table.source_name),
            *(Problem("labels.toml", None, sentence) for sentence in violations),
        ),
        source="; ".join(
            [
                f"Labels from {table.summary}",
                *_passed_over(ignored, listing, idle_options(name, table, read_options)),
            ]
        )
        + ".",
        groups=vocabulary.groups,
        rules=vocabulary.rules,
        unreadable=(*listing.problems, *unread),
    )


def _with_numbers(root: Path, read_options: ReadOptions, labels: str | Path | None) -> ReadOptions:
    """The options with the labels that are numbers of ``labels.toml`` too; themselves where there are none."""
    data = DataSettings.model_validate({**read_options.model_dump(), "labels": str(labels or "")})
    data = with_numbers(root, data)
    return data if data.numbers else read_options


def _add_numbers(root: Path, images: pd.DataFrame, data: ReadOptions, vocabulary: Vocabulary) -> pd.DataFrame:
    """The images with a column of numbers for each label that is one."""
    if not isinstance(data, DataSettings) or not data.numbers:
        return images
    check_numbers(data.numbers, vocabulary.labels, vocabulary.groups)
    return images.assign(**read_numbers(root, images["file"].tolist(), data))


def _passed_over(ignored: Sequence[str], listing: Listing, idle: Sequence[str]) -> list[str]:
    """What was not read, and why; and settings that had no effect."""
    no_effect = [f"without effect here: {', '.join(idle)}"] if idle else []
    return [*([f"ignored: {', '.join(ignored)}"] if ignored else []), *listing.left_alone, *no_effect]


def _list_some_images(root: Path, pairs: str) -> Listing:
    """The images in ``root``; TaggerError if there are none."""
    listing = list_images(root, pairs)
    if not listing.files:
        bad = listing.problems
        more = f". {counted(len(bad), 'file')} cannot be used, such as {bad[0]}" if bad else ""
        more = "; ".join([more, *listing.left_alone]) if listing.left_alone else more
        raise TaggerError(
            f"{root}: there are no images in it ({', '.join(sorted(PLAIN_SUFFIXES))}, HEIC, raw files){more}"
        )
    return listing


def _hash_images(
    root: Path, table: LongTable, vocabulary: Vocabulary, progress: ProgressCallback | None
) -> tuple[pd.DataFrame, Cells, list[Problem]]:
    """(images, labels_NK, problems): the readable images of the table with hash and size, sorted by file."""
    found = identify_files(root, table.files, progress=progress)
    columns = {"file": table.files, "hash": found.hashes, "size": found.sizes}
    images = pd.DataFrame(columns | {"picture_hash": found.picture_hashes})
    images = images.astype({"file": str, "hash": str, "picture_hash": str})
    order_N = np.argsort(images["file"].to_numpy(dtype=str), kind="stable")
    kept_N = order_N[images["hash"].to_numpy()[order_N] != ""]
    if not len(kept_N):
        raise TaggerError(
            f"{root}: none of the {len(images):,} labelled images can be read, such as {found.problems[0]}"
        )
    labels_NK = to_dense(table, vocabulary.labels)[kept_N]
    return images.iloc[kept_N].reset_index(drop=True), labels_NK, found.problems


def _split_progress(
    progress: ProgressCallback | None, total: int
) -> tuple[ProgressCallback, ProgressCallback]:
    """``progress`` as two callbacks, for two passes over all images: each is half of the work.

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
    """All readers in the order of detection, with those of the options that each one has."""
    options: dict[str, Any] = {"read_options": read_options, "progress": progress}
    return {
        name: label_readers.build(name, **{k: options[k] for k in label_readers.options(name)})
        for name in DETECTION_ORDER
    }


def _load_vocabulary(root: Path, table: LongTable) -> Vocabulary:
    """Labels in the order of labels.toml, else of a wide table's columns, else sorted; TaggerError without any."""
    used = table.labels if not table.closed_world else tuple(sorted(table.labels))
    path = root / "labels.toml"
    vocabulary = Vocabulary(used, {}, ())
    if path.is_file():
        vocabulary = parse_labels_toml(
            read_text(path), used, locations=table.locations, where=table.source_name
        )
    if not vocabulary.labels:
        raise TaggerError(f"{table.source_name}: it lists images, but no label. There is nothing to learn")
    return vocabulary


def _merge_copies(
    images: pd.DataFrame, labels_NK: Cells, where: str
) -> tuple[pd.DataFrame, Cells, list[Problem]]:
    """One row per distinct image, with the labels of all its copies."""
    codes_N, first = pd.factorize(images["hash"])
    if len(first) == len(images):
        return images, labels_NK, []
    joined = np.full((len(first), labels_NK.shape[1]), NO, dtype=np.int8)
    np.maximum.at(joined, codes_N, labels_NK)
    kept = images.drop_duplicates("hash").reset_index(drop=True)
    num_copies = len(images) - len(kept)
    verb = "is a copy" if num_copies == 1 else "are copies"
    reason = (
        f"{counted(num_copies, 'file')} {verb} of other images. Each image counts once, with all its labels"
    )
    return kept, joined, [Problem(where, None, reason)]


def _differing_copies(images: pd.DataFrame, labels_NK: Cells, names: Sequence[str]) -> list[Problem]:
    """A problem for each copy (same bytes) of an earlier image with other labels."""
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
            reason = f"a copy of {files[m]!r}, but with other values for {listed}; both are kept"
            found.append(Problem(files[n], None, reason))
    return found


def _unlearnable_labels(labels_NK: Cells, names: Sequence[str], where: str) -> list[Problem]:
    """A problem for each label without positive or negative images, and for names that differ only in case."""
    found = []
    has: dict[int, NDArray[np.bool_]] = {value: (labels_NK == value).any(axis=0) for value in (YES, NO)}
    for k, label in enumerate(names):
        lack = _missing_value(label, bool(has[YES][k]), bool(has[NO][k]))
        if lack:
            found.append(Problem(where, None, f"{lack}: it cannot be learnt or measured"))
    spellings = defaultdict(list)
    for label in names:
        spellings[label.casefold()].append(repr(label))
    for same in spellings.values():
        if len(same) > 1:
            found.append(
                Problem(where, None, f"labels {', '.join(same)} differ only in case. Are they one label?")
            )
    return found


def _missing_value(label: str, has_yes: bool, has_no: bool) -> str:
    """What a label lacks to be learnt; nothing if some photo has it and some photo does not.

    >>> _missing_value("sea", True, False), _missing_value("sea", True, True)
    ("no photo is known to be without the label 'sea'", '')
    """
    if not has_yes and not has_no:
        return f"no photo has a known value for the label {label!r}"
    if not has_yes:
        return f"no photo has the label {label!r}"
    return "" if has_no else f"no photo is known to be without the label {label!r}"
