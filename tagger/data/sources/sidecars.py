"""Labels in ``NAME.txt`` beside ``NAME.jpg``, separated by commas or lines."""

import csv
import os
from pathlib import Path

from tagger.data.image_index import ImageIndex
from tagger.data.long_table import LongTable, LongTableBuilder
from tagger.data.records import read_text
from tagger.errors import Problem, TaggerError


class Sidecars:
    """One small text file per image. An empty one means that no label applies; a missing one, that nobody looked."""

    def detect(self, images: ImageIndex) -> Path | None:
        """The data folder, if at least one image has a text file beside it."""
        return images.root if self.accepts(images.root, images) else None

    def accepts(self, path: Path, images: ImageIndex) -> bool:
        """True for a folder with such images in it or below."""
        return path.is_dir() and any(_sidecar(images.root / f).is_file() for f in _below(path, images))

    def read(self, path: Path, images: ImageIndex) -> LongTable:
        """Labels of every image with a sidecar; a sidecar that cannot be read is listed and its image left out."""
        builder = LongTableBuilder()
        num_read = 0
        for file in _below(path, images):
            sidecar = _sidecar(images.root / file)
            if not sidecar.is_file():
                continue
            place = os.path.relpath(sidecar, images.root).replace(os.sep, "/")
            try:
                builder.add(file, yes=split_labels(read_text(sidecar)), place=place)
                num_read += 1
            except (TaggerError, csv.Error) as error:
                builder.problems.append(Problem(place, None, f"left out: {error}"))
        return builder.build("the .txt files", f"{num_read:,} .txt files beside the images")


def split_labels(text: str) -> list[str]:
    """Labels of one sidecar, each once; a label that holds a comma stands in quotation marks. csv.Error if broken.

    >>> split_labels('cat, "red, white" ,dog\\ncat')
    ['cat', 'red, white', 'dog']
    """
    rows = csv.reader(text.splitlines(keepends=True), skipinitialspace=True)
    return list(dict.fromkeys(cell.strip() for row in rows for cell in row if cell.strip()))


def _sidecar(image: Path) -> Path:
    return image.with_suffix(".txt")


def _below(folder: Path, images: ImageIndex) -> list[str]:
    """The images that lie in ``folder`` or below."""
    prefix = os.path.relpath(os.path.abspath(folder), images.root).replace(os.sep, "/")
    return list(images.files) if prefix == "." else [f for f in images.files if f.startswith(prefix + "/")]
