"""Choice of the labels of a folder that are read, with the other ones that were found; or what to do without any."""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from tagger.arrays import YES
from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.formats.long_table import LongTable
from tagger.data.formats.readers import NAMED_PATH_ORDER, LabelReader
from tagger.data.formats.readers.annotation_files import path_title
from tagger.data.formats.readers.label_folders import LabelFolderReader
from tagger.data.formats.readers.split_tables import split_tables
from tagger.data.formats.readers.table_hints import table_options
from tagger.data.formats.tabular import READABLE_SUFFIXES
from tagger.data.images.image_files import is_foreign_folder
from tagger.data.images.listing import suggest_sibling
from tagger.data.unused_labels import unused_label_files
from tagger.errors import TaggerError
from tagger.read_options import ReadOptions
from tagger.text import counted, shortlist

TABLE_SUFFIXES = (*READABLE_SUFFIXES, ".json", ".ndjson", ".manifest")
SPREADSHEETS = (".xlsx", ".xls", ".ods", ".numbers")
MAX_TRIED = 5  # tables that are tried beside sub-folders


def choose_reader(
    lookup: ImageLookup, labels: str | Path | None, readers: dict[str, LabelReader], read_options: ReadOptions
) -> tuple[str, Path, list[str]]:
    """(name of the reader, path of the labels, titles of other labels that were found but are not read)."""
    if labels is not None:
        chosen = Path(labels)
        name = _reader_of_path(lookup, chosen, readers)
        read = split_tables(chosen) if name == "table" else []
        return name, chosen, unused_label_files(lookup, chosen, read)
    found = [(name, path) for name, reader in readers.items() if (path := reader.detect(lookup)) is not None]
    if not found:
        raise TaggerError(_no_labels(lookup, read_options))
    (name, path), *rest = found
    if name == "folders":
        _check_no_table(lookup, readers[name].read(path, lookup), read_options)
    # Sub-folders exist nearly always: they are named only if they are the labels. Text files of YOLO look like
    # sidecars.
    unnamed = {"folders", *(["sidecars"] if any(other == "yolo" for other, _ in found) else [])}
    ignored = [_source_title(other, other_path) for other, other_path in rest if other not in unnamed]
    return name, path, ignored + unused_label_files(lookup, path, [other for _, other in rest])


def _no_labels(lookup: ImageLookup, read_options: ReadOptions) -> str:
    """The sentence on a folder without labels, with the options that read the first table in it."""
    below = [
        path
        for folder in sorted(lookup.root.iterdir())
        if _may_hold_tables(folder)
        for path in _tables(folder)
    ]
    tables = [*split_tables(lookup.root)[:1], *_tables(lookup.root), *below]
    likely = f", such as {_best_options(lookup, tables, read_options)}" if tables else ""
    inner = [folder for folder in sorted(lookup.root.iterdir()) if _may_hold_tables(folder)]
    deeper = next((folder for folder in inner if LabelFolderReader().holds_labels(folder, lookup)), None)
    likely += (
        f". Or are its labels the names of folders: --labels {shlex.quote(str(deeper))}" if deeper else ""
    )
    there = unused_label_files(lookup, lookup.root, tables)
    beside = f" and {shortlist(there, 3)}" if there else ""
    return (
        f"{lookup.root}: {counted(len(lookup.files), 'image')}{beside}, but no labels. Add labels.csv with the columns"
        " 'file' and 'labels', NAME.txt beside each NAME.jpg, annotations/LABEL.txt, or one sub-folder per label;"
        f" or name a label file or an annotation program's export with --labels{likely}"
    )


def _tables(root: Path) -> list[Path]:
    return sorted(
        path for path in root.glob("*.*") if path.suffix.lower() in TABLE_SUFFIXES and path.is_file()
    )


def _may_hold_tables(folder: Path) -> bool:
    return (
        folder.is_dir() and not folder.name.startswith((".", "@", "#")) and not is_foreign_folder(folder.name)
    )


def _best_options(lookup: ImageLookup, tables: Sequence[Path], read_options: ReadOptions) -> str:
    """The options that read the first table that can be read; those of the first one if none can."""
    texts = {}
    for path in tables[:MAX_TRIED]:
        named = lookup.root if path in split_tables(lookup.root) else path
        texts[path], found = table_options(path, read_options, lookup, named=named)
        if found:
            return texts[path]
    return texts[tables[0]]


def _check_no_table(lookup: ImageLookup, folders: LongTable, read_options: ReadOptions) -> None:
    """TaggerError if a table says other labels of photos than the names of their sub-folders."""
    folder_of = dict(_labels_of(folders))
    for path in [*_tables(lookup.root), *split_tables(lookup.root)[:1]][:MAX_TRIED]:
        text, found = table_options(path, read_options, lookup)
        labels_of = dict(_labels_of(found[0])) if found else {}
        both = [file for file in labels_of if file in folder_of]
        if both and sum(folder_of[file] <= labels_of[file] for file in both) < len(both) / 2:
            raise TaggerError(
                f"{lookup.root}: the labels may stand in {path.name}, which names {counted(len(both), 'photo')}, or be"
                f" the names of sub-folders; they differ. For the table: {text.rstrip('.')}. For the sub-folders:"
                f" --labels {shlex.quote(str(lookup.root))}"
            )


def _labels_of(table: LongTable) -> Iterator[tuple[str, set[str]]]:
    """The labels of each photo of a table."""
    chosen: dict[int, set[str]] = {n: set() for n in range(len(table.files))}
    for n, k, value in zip(
        table.image_C.tolist(), table.label_C.tolist(), table.value_C.tolist(), strict=True
    ):
        if value == YES:
            chosen[n].add(table.labels[k])
    return ((file, chosen[n]) for n, file in enumerate(table.files))


def _reader_of_path(lookup: ImageLookup, path: Path, readers: dict[str, LabelReader]) -> str:
    """The name of the first reader that accepts a path that the user named; TaggerError if none does."""
    if not path.exists():
        raise TaggerError(f"{path}: there is no such label file or folder.{suggest_sibling(path)}")
    for name in NAMED_PATH_ORDER:
        if readers[name].accepts(path, lookup):
            return name
    if path.suffix.lower() in SPREADSHEETS:
        raise TaggerError(f"{path}: a spreadsheet is not read. Save it as CSV, in UTF-8, and name that file")
    raise TaggerError(
        f"{path}: no known label format. Give a table (.csv, .tsv, .parquet, .jsonl), a file of COCO,"
        " Pascal VOC, YOLO, CVAT, Label Studio or Hugging Face, or a folder of LABEL.txt files"
        " or of sub-folders of images"
    )


def _source_title(name: str, path: Path) -> str:
    return {"sidecars": ".txt files beside images", "keywords": "keywords of images"}.get(name) or path_title(
        path
    )
