"""Reader of label folders: ``cat/1.jpg`` has the label *cat*; the same file in two has both."""

import os
from pathlib import Path

from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.formats.long_table import LongTable, LongTableBuilder


class LabelFolderReader:
    """Reader of label folders: the first folder below the data folder is the label, at any depth of the image."""

    def detect(self, images: ImageLookup) -> Path | None:
        """The data folder, if at least two sub-folders hold images; a single one may be ``images/``."""
        return images.root if len(_labels(images.root, images)) > 1 else None

    def accepts(self, path: Path, images: ImageLookup) -> bool:
        """True for a folder with at least one sub-folder that holds images."""
        return path.is_dir() and bool(_labels(path, images))

    def read(self, path: Path, images: ImageLookup) -> LongTable:
        """A label per sub-folder. Images beside the sub-folders are not listed."""
        labels = _labels(path, images)
        builder = LongTableBuilder(labels)
        for file in images.files:
            label = _label(path, images, file)
            if label:
                builder.add_image(file, yes=[label], location=f"{label}/")
        return builder.build(
            "the sub-folders", f"{len(labels):,} sub-folders, one per label", merge_copies=True
        )


def _labels(path: Path, images: ImageLookup) -> list[str]:
    return sorted({_label(path, images, file) for file in images.files} - {""})


def _label(path: Path, images: ImageLookup, file: str) -> str:
    """The first folder of an image below ``path``, or nothing."""
    prefix = os.path.relpath(os.path.abspath(path), images.root).replace(os.sep, "/")
    inside = file if prefix == "." else file.removeprefix(prefix + "/")
    if prefix != "." and inside == file:
        return ""
    first, slash, _ = inside.partition("/")
    return first if slash else ""
