"""Choice of the labels of a folder that are read, with the other ones that were found; or what to do without any."""

from pathlib import Path

from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.formats.readers import NAMED_PATH_ORDER, LabelReader
from tagger.data.formats.readers.annotation_files import path_title
from tagger.data.formats.readers.table_hints import table_options
from tagger.data.formats.tabular import READABLE_SUFFIXES
from tagger.data.images.listing import suggest_sibling
from tagger.data.unused_labels import unused_label_files
from tagger.errors import TaggerError
from tagger.read_options import ReadOptions
from tagger.text import counted


def choose_reader(
    lookup: ImageLookup, labels: str | Path | None, readers: dict[str, LabelReader], read_options: ReadOptions
) -> tuple[str, Path, list[str]]:
    """(name of the reader, path of the labels, titles of other labels that were found but are not read)."""
    if labels is not None:
        chosen = Path(labels)
        return _reader_of_path(lookup, chosen, readers), chosen, unused_label_files(lookup, chosen, ())
    found = [(name, path) for name, reader in readers.items() if (path := reader.detect(lookup)) is not None]
    if not found:
        raise TaggerError(_no_labels(lookup, read_options))
    (name, path), *rest = found
    # Sub-folders exist nearly always: they are named only if they are the labels. Text files of YOLO look like
    # sidecars.
    unnamed = {"folders", *(["sidecars"] if any(other == "yolo" for other, _ in found) else [])}
    ignored = [_source_title(other, other_path) for other, other_path in rest if other not in unnamed]
    return name, path, ignored + unused_label_files(lookup, path, [other for _, other in rest])


def _no_labels(lookup: ImageLookup, read_options: ReadOptions) -> str:
    """The sentence on a folder without labels, with the options that read the first table in it."""
    tables = sorted(p for p in lookup.root.glob("*.*") if p.suffix.lower() in READABLE_SUFFIXES)
    likely = f", such as {table_options(tables[0], read_options, lookup)}" if tables else ""
    return (
        f"{lookup.root}: {counted(len(lookup.files), 'image')}, but no labels. Add labels.csv with the columns"
        " 'file' and 'labels', NAME.txt beside each NAME.jpg, annotations/LABEL.txt, or one sub-folder per label;"
        f" or name a label file or an annotation program's export with --labels{likely}"
    )


def _reader_of_path(lookup: ImageLookup, path: Path, readers: dict[str, LabelReader]) -> str:
    """The name of the first reader that accepts a path that the user named; TaggerError if none does."""
    if not path.exists():
        raise TaggerError(f"{path}: there is no such label file or folder.{suggest_sibling(path)}")
    for name in NAMED_PATH_ORDER:
        if readers[name].accepts(path, lookup):
            return name
    raise TaggerError(
        f"{path}: no known label format. Give a table (.csv, .tsv, .parquet, .jsonl), a file of COCO,"
        " Pascal VOC, YOLO, CVAT, Label Studio or Hugging Face, or a folder of LABEL.txt files"
        " or of sub-folders of images"
    )


def _source_title(name: str, path: Path) -> str:
    return {"sidecars": ".txt files beside images", "keywords": "keywords of images"}.get(name) or path_title(
        path
    )
