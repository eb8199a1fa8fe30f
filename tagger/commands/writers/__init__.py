"""How tags leave: one file for all images, written a part at a time, or a sidecar beside each."""

from tagger.commands.writers.carry import as_found
from tagger.commands.writers.exchange import Coco, LabelStudio
from tagger.commands.writers.image_folder import ImageFolder, LinkedImageFolder
from tagger.commands.writers.label_folders import LabelFolders, LinkedLabelFolders, check_empty
from tagger.commands.writers.label_sidecars import EXISTING
from tagger.commands.writers.labels import (
    LABEL_FORMATS,
    TABLES,
    LabelsWritten,
    check_format,
    write_labels,
    write_report,
    write_table,
)
from tagger.commands.writers.part import Part, TableWriter
from tagger.commands.writers.sidecars import SidecarWriter, sidecar_formats
from tagger.commands.writers.tables import table_formats

FORMATS = LABEL_FORMATS  # of predictions too

__all__ = [
    "EXISTING",
    "FORMATS",
    "LABEL_FORMATS",
    "TABLES",
    "Coco",
    "ImageFolder",
    "LabelFolders",
    "LabelStudio",
    "LabelsWritten",
    "LinkedImageFolder",
    "LinkedLabelFolders",
    "Part",
    "SidecarWriter",
    "TableWriter",
    "as_found",
    "check_empty",
    "check_format",
    "sidecar_formats",
    "table_formats",
    "write_labels",
    "write_report",
    "write_table",
]
