"""Which files hold the labels? One file per kind of source; the first of ``ORDER`` that recognises any is used."""

from tagger.data.sources.folders import Folders
from tagger.data.sources.label_lists import LabelLists
from tagger.data.sources.sidecars import Sidecars
from tagger.data.sources.source import Source
from tagger.data.sources.tables import Tables
from tagger.registry import Registry

sources = Registry("label source")
sources.register("table")(Tables)
sources.register("sidecars")(Sidecars)
sources.register("lists")(LabelLists)
sources.register("folders")(Folders)

# COCO and Pascal VOC, then keywords inside the files, belong between lists and folders.
ORDER = ("table", "sidecars", "lists", "folders")

__all__ = ["ORDER", "Source", "sources"]
