"""A sub-folder for each label, with copies of its images: what torchvision, Keras, fastai and YOLO classifiers read."""

from collections.abc import Iterable
from pathlib import Path

from tagger.commands.writers.image_folder import ImageFolder
from tagger.commands.writers.image_folder import LinkedImageFolder as Linked
from tagger.commands.writers.part import Part, Says
from tagger.commands.writers.tables import table_formats
from tagger.data.wording import shortlist
from tagger.errors import TaggerError
from tagger.runs import write_text

LONGEST = 255  # bytes of a name in most file systems


@table_formats.register("folders")
class LabelFolders(ImageFolder):
    """``OUT/LABEL/FILE``; an image with two labels is in two folders. One without a label has no place and is left out.

    TaggerError for labels that cannot be the name of a folder, and for an OUT that is not empty: what lies in a folder
    has its label.
    """

    says = Says(none=False)

    def __init__(self, root: Path, out: Path, names: tuple[str, ...]):
        super().__init__(root, out / "LABEL", names)
        check_folder_names(names)

    def write_part(self, part: Part, path: Path) -> None:
        """The images of one part; the part's file only says that they are there."""
        for row, file in enumerate(part.table["file"]):
            for label in part.chosen[row] if row not in part.unreadable else ():
                self._place(self.root / file, self.folder / label / file)
        write_text(path, "")

    def join(self, parts: Iterable[Path], empty: Part, out: Path) -> None:
        """The folder itself, also without images; copies that a killed command left unfinished go."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.sweep()


@table_formats.register("folders-link")
class LinkedLabelFolders(LabelFolders):
    """The same with hard links."""

    _bring = Linked._bring


def check_folder_names(names: Iterable[str]) -> None:
    """Pass if all labels can be names of folders; TaggerError with those that cannot.

    >>> check_folder_names(["red, white", "a|b"])
    """
    bad = [repr(name) for name in names if "/" in name or name.startswith(".") or len(name.encode()) > LONGEST]
    if bad:
        why = "it holds a slash, begins with a dot or is too long"
        raise TaggerError(f"A label cannot be the name of a folder, as {why}: {shortlist(bad, 20)}. Rename it")


def check_empty(folder: Path) -> None:
    """Pass if a folder is empty or not there; TaggerError otherwise."""
    if folder.is_dir() and any(folder.iterdir()):
        raise TaggerError(f"--out {folder} is not empty, and what lies in its folders has their labels. Name a new one")
    if folder.is_file():
        raise TaggerError(f"--out {folder} is a file; this format needs a folder. Name another")
