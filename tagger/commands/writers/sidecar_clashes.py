"""Photos that would share a sidecar: ``a.txt`` of ``a.jpg`` and of ``a.png``, which are different photos."""

import os
from collections.abc import Collection
from pathlib import Path

from tagger.commands.writers.disk_names import ignores_case
from tagger.commands.writers.sidecars import SidecarWriter
from tagger.data.images.image_files import IMAGE_SUFFIXES, same_named_photos, suffix_of
from tagger.text import quoted


class SidecarClashes:
    """The photos that a ``writer`` of sidecars in ``folder`` cannot serve: others would have the same sidecar.

    Photos are compared with ``files`` and with all others in ``root`` (None: with no others); files of one shot, as
    ``pairs`` says, share a sidecar.
    """

    def __init__(
        self,
        writer: SidecarWriter,
        folder: Path,
        root: Path | None,
        files: Collection[str] = (),
        *,
        pairs: str = "raw",
    ):
        self.pairs = pairs
        self.writer = writer
        self.folder = folder
        self.root = root
        self._same_named = same_named_photos(files, pairs)
        self._scanned: set[str] = set()
        self._ignores_case: dict[Path, bool] = {}

    def reason(self, file: str) -> str:
        """Why a photo gets no sidecar; nothing if its sidecar is for no other photo."""
        same = self._photos_named_as(file)
        if not same:
            return ""
        path = self.writer.existing_or_new(self.folder, file)
        has_own_name = path == self.folder / f"{file}.xmp"
        others = [name for name in same if not has_own_name or name.casefold() == file.casefold()]
        if path.parent not in self._ignores_case:
            self._ignores_case[path.parent] = ignores_case(path.parent)
        if not self._ignores_case[path.parent]:
            stem = _stem(file)
            others = [name for name in others if not has_own_name and _stem(name) == stem]
        if not others:
            return ""
        shared = f"no sidecar written: {path.name} would be that of {quoted(others, 3)}, too"
        return f"{shared}. {self._way_on(file, has_own_name=has_own_name)}"

    def _photos_named_as(self, file: str) -> list[str]:
        """The other photos of the same name but for suffix and capitals."""
        parent = os.path.dirname(file)
        if self.root is not None and parent not in self._scanned:
            self._scanned.add(parent)
            for key, names in same_named_photos(_photos_in(self.root, parent), self.pairs).items():
                self._same_named[key] = sorted({*names, *self._same_named.get(key, ())})
        return [name for name in self._same_named.get(_stem(file).casefold(), ()) if name != file]

    def _way_on(self, file: str, *, has_own_name: bool) -> str:
        if has_own_name:
            return "Rename one of the photos, or write a table (--format csv)"
        shared = self.folder / f"{_stem(file)}.xmp"
        if shared.is_file():
            return (
                f"Rename one of the photos, or write a table (--format csv). For --format xmp, rename {shared.name}"
                f" first: {os.path.basename(file)}.xmp if it is for this photo"
            )
        return (
            f"Use --format xmp, which writes {os.path.basename(file)}.xmp, rename one of the photos,"
            " or write a table (--format csv)"
        )


def _stem(file: str) -> str:
    return os.path.splitext(file)[0]


def _photos_in(root: Path, parent: str) -> list[str]:
    """The photos in a folder below ``root``, relative to it; none if it cannot be read."""
    try:
        names = os.listdir(root / parent)
    except OSError:
        return []
    prefix = f"{parent}/" if parent else ""
    return [f"{prefix}{name}" for name in names if name[0] != "." and suffix_of(name) in IMAGE_SUFFIXES]
