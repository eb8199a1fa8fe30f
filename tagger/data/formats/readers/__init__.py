"""Readers of label formats, one file each; the first of ``DETECTION_ORDER`` that detects its format is used."""

from tagger.data.formats.readers.base import LabelReader
from tagger.data.formats.readers.coco import CocoReader
from tagger.data.formats.readers.cvat import CvatReader
from tagger.data.formats.readers.hugging_face import HuggingFaceReader
from tagger.data.formats.readers.keywords import KeywordReader
from tagger.data.formats.readers.label_folders import LabelFolderReader
from tagger.data.formats.readers.label_lists import LabelListReader
from tagger.data.formats.readers.label_studio import LabelStudioReader
from tagger.data.formats.readers.pascal_voc import PascalVocReader
from tagger.data.formats.readers.table import TableReader
from tagger.data.formats.readers.text_sidecars import TextSidecarReader
from tagger.data.formats.readers.yolo import YoloReader
from tagger.registry import Registry

label_readers = Registry("label reader")
label_readers.register("table")(TableReader)
label_readers.register("sidecars")(TextSidecarReader)
label_readers.register("lists")(LabelListReader)
label_readers.register("coco")(CocoReader)
label_readers.register("voc")(PascalVocReader)
label_readers.register("cvat")(CvatReader)
label_readers.register("label_studio")(LabelStudioReader)
label_readers.register("hugging_face")(HuggingFaceReader)
label_readers.register("yolo")(YoloReader)
label_readers.register("keywords")(KeywordReader)
label_readers.register("folders")(LabelFolderReader)

# The order of detection. YOLO comes before sidecars, as its text files look like them.
DETECTION_ORDER = (
    *(
        "table",
        "yolo",
        "sidecars",
        "lists",
        "coco",
        "voc",
        "cvat",
        "label_studio",
        "hugging_face",
        "keywords",
    ),
    "folders",
)
# The order for a path that the user names: the strictest formats first.
NAMED_PATH_ORDER = (
    *(
        "coco",
        "voc",
        "cvat",
        "label_studio",
        "hugging_face",
        "yolo",
        "table",
        "sidecars",
        "lists",
        "keywords",
    ),
    "folders",
)

__all__ = ["DETECTION_ORDER", "NAMED_PATH_ORDER", "LabelReader", "label_readers"]
