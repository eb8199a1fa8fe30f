"""How tags leave: one file for all images, written a part at a time, or a sidecar beside each."""

from tagger.commands.writers.exchange import Coco, LabelStudio
from tagger.commands.writers.image_folder import ImageFolder, LinkedImageFolder
from tagger.commands.writers.labels import EXISTING, LABEL_FORMATS, LabelsWritten, write_labels
from tagger.commands.writers.part import Part, TableWriter
from tagger.commands.writers.sidecars import SidecarWriter, sidecar_formats
from tagger.commands.writers.tables import table_formats

FORMATS = LABEL_FORMATS  # of predictions too

__all__ = [
    "EXISTING",
    "FORMATS",
    "LABEL_FORMATS",
    "Coco",
    "ImageFolder",
    "LabelStudio",
    "LabelsWritten",
    "LinkedImageFolder",
    "Part",
    "SidecarWriter",
    "TableWriter",
    "sidecar_formats",
    "table_formats",
    "write_labels",
]
