"""Which files hold the labels? One file per kind of source; the first of ``ORDER`` that recognises any is used."""

from tagger.data.sources.coco import Coco
from tagger.data.sources.cvat import Cvat
from tagger.data.sources.folders import Folders
from tagger.data.sources.hugging_face import HuggingFace
from tagger.data.sources.keywords import Keywords
from tagger.data.sources.label_lists import LabelLists
from tagger.data.sources.label_studio import LabelStudio
from tagger.data.sources.sidecars import Sidecars
from tagger.data.sources.source import Source
from tagger.data.sources.tables import Tables
from tagger.data.sources.voc import PascalVoc
from tagger.data.sources.yolo import Yolo
from tagger.registry import Registry

sources = Registry("label source")
sources.register("table")(Tables)
sources.register("sidecars")(Sidecars)
sources.register("lists")(LabelLists)
sources.register("coco")(Coco)
sources.register("voc")(PascalVoc)
sources.register("cvat")(Cvat)
sources.register("label_studio")(LabelStudio)
sources.register("hugging_face")(HuggingFace)
sources.register("yolo")(Yolo)
sources.register("keywords")(Keywords)
sources.register("folders")(Folders)

# In this order they are looked for. YOLO's files of numbers would otherwise be taken for sidecars.
ORDER = (
    *("table", "yolo", "sidecars", "lists", "coco", "voc", "cvat", "label_studio", "hugging_face", "keywords"),
    "folders",
)
# In this order a path that a person names is offered to them: the stricter forms first.
BY_PATH = (
    *("coco", "voc", "cvat", "label_studio", "hugging_face", "yolo", "table", "sidecars", "lists", "keywords"),
    "folders",
)

__all__ = ["BY_PATH", "ORDER", "Source", "sources"]
