"""Image folder with ``metadata.jsonl``, which Hugging Face's ``load_dataset("imagefolder")`` reads."""

import filecmp
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from tagger.commands.writers.base import FormatCapabilities, LabelBatch, TableWriter, batch_formats
from tagger.errors import TaggerError
from tagger.runs import atomic_write, remove_leftovers, write_text

METADATA_FILE = "metadata.jsonl"


@batch_formats.register("imagefolder")
class ImageFolderWriter(TableWriter):
    """Image folder: copies of the images, and a line each with ``file_name``, ``labels`` (a list) and the ``scores``
    of labels that a model chose.

    An image that cannot be read is left out. TaggerError if another file has the name of a copy: nothing is
    replaced.
    """

    capabilities = FormatCapabilities(unknown_cells=True)

    def __init__(self, root: Path, out: Path, names: tuple[str, ...]):
        self.root = root
        self.folder = out.parent
        here = root.resolve()
        there = self.folder.resolve()
        if there == here or there.is_relative_to(here):
            raise TaggerError(
                f"--out {self.folder} lies inside the folder of images {root}. Name a folder outside of it."
            )

    def write_batch(self, batch: LabelBatch, path: Path) -> None:
        """The images of one batch, then their lines."""
        lines = []
        for row, (file, labels) in enumerate(zip(batch.table["file"], batch.label_lists(), strict=True)):
            if row not in batch.unreadable:
                self._copy_once(self.root / file, self.folder / file)
                scores = {} if batch.ground_truth else {"scores": batch.scores(row)}
                lines.append(json.dumps({"file_name": file} | labels | scores, ensure_ascii=False) + "\n")
        write_text(path, "".join(lines))

    def join(self, batch_paths: Iterable[Path], empty: LabelBatch, out: Path) -> None:
        """All lines as one file; unfinished copies of a killed command are removed."""
        with atomic_write(out) as temporary, temporary.open("wb") as file:
            for path in batch_paths:
                file.write(path.read_bytes())
        self.remove_leftovers()

    def remove_leftovers(self) -> None:
        """Remove what killed processes left of unfinished copies."""
        for folder in {leftover.parent for leftover in self.folder.rglob(".*.part")}:
            remove_leftovers(folder)

    def _copy_once(self, image: Path, target: Path) -> None:
        if target.exists():
            if not filecmp.cmp(image, target, shallow=False):
                raise TaggerError(
                    f"{target} exists already and differs from {image}. Name an empty --out folder."
                )
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        self._transfer(image, target)

    def _transfer(self, image: Path, target: Path) -> None:
        with atomic_write(target) as temporary:
            shutil.copyfile(image, temporary)


@batch_formats.register("imagefolder-link")
class LinkedImageFolderWriter(ImageFolderWriter):
    """Image folder of hard links, which take no space. A program that edits one in place edits the original."""

    def _transfer(self, image: Path, target: Path) -> None:
        try:
            os.link(os.path.realpath(image), target)
        except OSError as error:
            reason = (error.strerror or type(error).__name__).lower()
            raise TaggerError(
                f"{target}: cannot make a hard link ({reason}). Copy the images instead: --format imagefolder."
            ) from None
