"""Writers of labels: one file for all images, written batch by batch, or a sidecar for each."""

from tagger.commands.writers.base import LabelBatch, TableWriter, batch_formats
from tagger.commands.writers.coco import CocoWriter
from tagger.commands.writers.image_folder import ImageFolderWriter, LinkedImageFolderWriter
from tagger.commands.writers.label_folders import (
    LabelFolderWriter,
    LinkedLabelFolderWriter,
    check_empty_folder,
)
from tagger.commands.writers.label_studio import LabelStudioWriter
from tagger.commands.writers.lossiness import path_in_table
from tagger.commands.writers.recorded_sidecars import KeywordChange, RecordedSidecars, SidecarRequest
from tagger.commands.writers.sidecar_batch import (
    ON_EXISTING,
    SidecarOptions,
    changed_keywords,
    removed_keywords,
    say_names,
)
from tagger.commands.writers.sidecar_clashes import SidecarClashes
from tagger.commands.writers.sidecars import MergeRules, SidecarWriter, sidecar_formats
from tagger.commands.writers.tables import CsvWriter, JsonLinesWriter, ParquetTableWriter, TsvWriter
from tagger.commands.writers.text_sidecar import TextSidecarWriter
from tagger.commands.writers.write_labels import (
    TABLE_DELIMITERS,
    WriteResult,
    check_format,
    check_writable,
    label_formats,
    write_labels,
    write_report,
    write_table,
)
from tagger.commands.writers.xmp_sidecar import LightroomSidecarWriter, XmpSidecarWriter

LABEL_FORMATS = label_formats()  # of labels and predictions, once all writers have registered themselves

__all__ = [
    "LABEL_FORMATS",
    "ON_EXISTING",
    "TABLE_DELIMITERS",
    "CocoWriter",
    "CsvWriter",
    "ImageFolderWriter",
    "JsonLinesWriter",
    "KeywordChange",
    "LabelBatch",
    "LabelFolderWriter",
    "LabelStudioWriter",
    "LightroomSidecarWriter",
    "LinkedImageFolderWriter",
    "LinkedLabelFolderWriter",
    "MergeRules",
    "ParquetTableWriter",
    "RecordedSidecars",
    "SidecarClashes",
    "SidecarOptions",
    "SidecarRequest",
    "SidecarWriter",
    "TableWriter",
    "TextSidecarWriter",
    "TsvWriter",
    "WriteResult",
    "XmpSidecarWriter",
    "batch_formats",
    "changed_keywords",
    "check_empty_folder",
    "check_format",
    "check_writable",
    "path_in_table",
    "removed_keywords",
    "say_names",
    "sidecar_formats",
    "write_labels",
    "write_report",
    "write_table",
]
