"""Label folders: one folder a label with copies of its images, as torchvision, Keras, fastai and YOLO read it."""

from collections.abc import Iterable
from pathlib import Path

from tagger.commands.writers.base import FormatCapabilities, LabelBatch, batch_formats
from tagger.commands.writers.disk_names import ignores_case
from tagger.commands.writers.image_folder import ImageFolderWriter
from tagger.commands.writers.image_folder import LinkedImageFolderWriter as Linked
from tagger.errors import TaggerError
from tagger.runs import write_text
from tagger.text import shortlist

MAX_NAME_BYTES = 255  # bytes of a name in most file systems


@batch_formats.register("folders")
class LabelFolderWriter(ImageFolderWriter):
    """Label folders, ``OUT/LABEL/FILE``: an image with two labels is in two folders, one without labels is left
    out.

    TaggerError for labels that cannot be folder names, and for an OUT that is not empty: every file in a folder
    counts as having its label.
    """

    capabilities = FormatCapabilities(images_without_labels=False)

    def __init__(self, root: Path, out: Path, names: tuple[str, ...]):
        super().__init__(root, out / "LABEL", names)
        check_folder_names(names)
        if ignores_case(out):
            check_distinct_folders(names)

    def write_batch(self, batch: LabelBatch, path: Path) -> None:
        """The images of one batch; the batch's own file is empty and marks it as written."""
        for row, file in enumerate(batch.table["file"]):
            for label in batch.chosen[row] if row not in batch.unreadable else ():
                self._copy_once(self.root / file, self.folder / label / file)
        write_text(path, "")

    def join(self, batch_paths: Iterable[Path], empty: LabelBatch, out: Path) -> None:
        """The folder itself, even without images; unfinished copies of a killed command are removed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.remove_leftovers()


@batch_formats.register("folders-link")
class LinkedLabelFolderWriter(LabelFolderWriter):
    """Label folders of hard links."""

    _transfer = Linked._transfer


def check_folder_names(names: Iterable[str]) -> None:
    """Pass if all labels can be names of folders; TaggerError with those that cannot.

    >>> check_folder_names(["red, white", "a|b"])
    """
    bad = [
        repr(name)
        for name in names
        if "/" in name or name.startswith(".") or len(name.encode()) > MAX_NAME_BYTES
    ]
    if bad:
        why = "it contains a slash, starts with a dot or is too long"
        raise TaggerError(f"A label cannot be a folder name, because {why}: {shortlist(bad, 20)}. Rename it.")


def check_distinct_folders(names: Iterable[str]) -> None:
    """Pass if no two labels differ in capitals only; TaggerError with those that do, for a disk that ignores them.

    >>> check_distinct_folders(["cat", "dog"])
    """
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.casefold(), []).append(name)
    same = [" and ".join(map(repr, group)) for group in groups.values() if len(group) > 1]
    if same:
        raise TaggerError(
            f"Labels differ in capitals only: {shortlist(same, 20)}. The disk of --out takes them for one folder."
            " Rename a label, or write another format."
        )


def check_empty_folder(folder: Path) -> None:
    """Pass if a folder is empty or not there; TaggerError otherwise."""
    if folder.is_dir() and any(folder.iterdir()):
        raise TaggerError(
            f"--out {folder} is not empty: files that lie there would count as labelled. Name a new folder."
        )
    if folder.is_file():
        raise TaggerError(f"--out {folder} is a file, and this format writes a folder. Name another.")
