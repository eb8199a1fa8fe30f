"""A folder of images with ``metadata.jsonl``, which Hugging Face's ``load_dataset("imagefolder")`` reads."""

import filecmp
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from tagger.commands.writers.part import Part, Says, TableWriter
from tagger.commands.writers.tables import table_formats
from tagger.errors import TaggerError
from tagger.runs import replacing, sweep, write_text

METADATA = "metadata.jsonl"


@table_formats.register("imagefolder")
class ImageFolder(TableWriter):
    """Copies of the images, and a line each: ``file_name``, ``labels`` (a list), ``scores`` where a model chose them.

    An image that cannot be read is left out. A file of the same name that is another stops it: nothing is replaced.
    """

    says = Says(unknown=True)

    def __init__(self, root: Path, out: Path, names: tuple[str, ...]):
        self.root, self.folder = root, out.parent
        here, there = root.resolve(), self.folder.resolve()
        if there == here or there.is_relative_to(here):
            raise TaggerError(f"--out {self.folder}: it lies in the images' own folder. Name one outside of {root}")

    def write_part(self, part: Part, path: Path) -> None:
        """The images of one part, then their lines."""
        lines = []
        for row, (file, labels) in enumerate(zip(part.table["file"], part.lists(), strict=True)):
            if row not in part.unreadable:
                self._place(self.root / file, self.folder / file)
                scores = {} if part.judged else {"scores": part.scores(row)}
                lines.append(json.dumps({"file_name": file} | labels | scores, ensure_ascii=False) + "\n")
        write_text(path, "".join(lines))

    def join(self, parts: Iterable[Path], empty: Part, out: Path) -> None:
        """All lines as one file; copies that a killed command left unfinished go."""
        with replacing(out) as temporary, temporary.open("wb") as file:
            for part in parts:
                file.write(part.read_bytes())
        self.sweep()

    def sweep(self) -> None:
        """Remove what killed processes left of unfinished copies."""
        for folder in {leftover.parent for leftover in self.folder.rglob(".*.part")}:
            sweep(folder)

    def _place(self, image: Path, place: Path) -> None:
        if place.exists():
            if not filecmp.cmp(image, place, shallow=False):
                raise TaggerError(f"{place} is there already, and not the same as {image}. Name an empty --out folder")
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        self._bring(image, place)

    def _bring(self, image: Path, place: Path) -> None:
        with replacing(place) as temporary:
            shutil.copyfile(image, temporary)


@table_formats.register("imagefolder-link")
class LinkedImageFolder(ImageFolder):
    """The same with hard links, which take no room; a program that changes one in place changes the original too."""

    def _bring(self, image: Path, place: Path) -> None:
        try:
            os.link(os.path.realpath(image), place)
        except OSError as error:
            reason = (error.strerror or type(error).__name__).lower()
            raise TaggerError(
                f"{place}: no hard link can be made ({reason}). Copy the images: --format imagefolder"
            ) from None
