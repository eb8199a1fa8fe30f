"""Reader of text sidecars: ``NAME.txt`` beside ``NAME.jpg``, labels separated by commas or lines."""

import csv
import os
from pathlib import Path

from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.formats.label_text import parse_label_text
from tagger.data.formats.long_table import LongTable, LongTableBuilder
from tagger.data.formats.tabular import read_text
from tagger.errors import Problem, TaggerError
from tagger.progress import ProgressCallback, no_progress
from tagger.text import counted


class TextSidecarReader:
    """Reader of one text file per image: an empty file means no label; an image without a file is not listed."""

    def __init__(self, *, progress: ProgressCallback = no_progress):
        self.progress = progress

    def detect(self, images: ImageLookup) -> Path | None:
        """The data folder, if an image has a text file beside it."""
        return images.root if self.accepts(images.root, images) else None

    def accepts(self, path: Path, images: ImageLookup) -> bool:
        """True for a folder with such images in it or below."""
        return path.is_dir() and any(_sidecar(file, images) for file in images.below(path))

    def read(self, path: Path, images: ImageLookup) -> LongTable:
        """Labels of every image with a sidecar; an unreadable sidecar is a problem, and its image is left out."""
        builder = LongTableBuilder()
        num_read = 0
        for done, file in enumerate(images.below(path), 1):
            self.progress(done)
            location = _sidecar(file, images)
            if not location:
                continue
            try:
                builder.add_image(
                    file, yes=parse_label_text(read_text(images.root / location)), location=location
                )
                num_read += 1
            except (TaggerError, csv.Error) as error:
                builder.problems.append(Problem(location, None, f"left out: {error}"))
        if not num_read:
            raise TaggerError(
                f"{path}: no .txt file beside an image can be read, such as {builder.problems[0]}"
            )
        return builder.build("the .txt files", f"{counted(num_read, '.txt file')} beside the images")


def _sidecar(file: str, images: ImageLookup) -> str:
    """The text file beside an image, relative to the root, or nothing."""
    name = os.path.splitext(file)[0] + ".txt"
    return name if images.has_path(name) and (images.root / name).is_file() else ""
