"""Settings of reading that had no effect on the labels that were read, so that none is ignored in silence."""

from tagger.data.formats.long_table import LongTable
from tagger.read_options import ReadOptions

DEFAULTS = ReadOptions()
OF_TABLES = (
    *(
        "file_column",
        "labels_column",
        "label_separator",
        "yes",
        "no",
        "unknown",
        "value_column",
        "label_values",
    ),
    *("cutoff", "columns", "header_row", "encoding", "delimiter", "ignore_columns"),
)
OF_LABEL_COLUMNS = ("label_separator", "value_column", "label_values")
USED_BESIDE_TABLES = {"sidecars": ("label_separator",), "hugging_face": ("label_separator",)}


def idle_options(reader: str, table: LongTable, chosen: ReadOptions) -> list[str]:
    """``data.label_separator`` and others that were set, but say nothing of labels in this format.

    >>> from tagger.data.formats.long_table import LongTableBuilder
    >>> idle_options("coco", LongTableBuilder().build("a.json", ""), ReadOptions(delimiter=";"))
    ['data.delimiter']
    """
    if reader == "table":
        one_a_label = not table.closed_world  # a column per label
        idle: tuple[str, ...] = OF_LABEL_COLUMNS if one_a_label else ()
    else:
        used = USED_BESIDE_TABLES.get(reader, ())
        idle = tuple(key for key in OF_TABLES if key not in used)
    return [f"data.{key}" for key in idle if getattr(chosen, key) != getattr(DEFAULTS, key)]
