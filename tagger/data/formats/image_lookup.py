"""Lookup of images by the names that label files use: a path, a bare name or a number."""

import os
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from unicodedata import normalize

from tagger.errors import did_you_mean

# Suggestions by difflib take up to 50 microseconds a pair of names, so their number and that of the images are
# limited. The same name in other capitals or with another suffix is always suggested.
MAX_SUGGESTIONS = 10
MAX_IMAGES_COMPARED = 10_000
MAX_NAME_LENGTH = 8192  # characters; difflib would take gigabytes for a damaged file that is one line


class ImageLookup:
    """The images of a folder by the names that people write: ``a/x.png``, ``x.png``, ``x`` or ``7``.

    Names are compared as Unicode NFC: macOS stores 'é' as two characters, label files hold one.

    >>> index = ImageLookup("/data", ["a/im7.jpg", "a/x.png", "b/x.png"])
    >>> index.find("im7.jpg"), index.find("a/x.png"), index.find("7", by_number=True)
    (('a/im7.jpg', ''), ('a/x.png', ''), ('a/im7.jpg', ''))
    >>> index.find("x.png")
    ('', "'x.png' may be 'a/x.png' or 'b/x.png': give the path")
    """

    def __init__(self, root: str | Path, files: Sequence[str]):
        self.root = Path(os.path.abspath(root))
        self.files = tuple(files)
        self._num_suggested = 0
        self._folder_entries: dict[str, frozenset[str]] = {}
        self._paths = {normalize("NFC", file): file for file in files}
        self._names: dict[str, list[str]] = defaultdict(list)
        self._stems: dict[str, list[str]] = defaultdict(list)
        self._numbers: dict[int, list[str]] = defaultdict(list)
        for path, file in self._paths.items():
            name = path.rpartition("/")[2]
            stem = os.path.splitext(name)[0]
            self._names[name].append(file)
            self._stems[stem].append(file)
            digits = re.findall("[0-9]+", stem)
            if len(digits) == 1:
                self._numbers[int(digits[0])].append(file)

    def find(self, name: str, *, beside: Path | None = None, by_number: bool = False) -> tuple[str, str]:
        """(file, "") of the image that ``name`` means, or ("", reason) if it means none or several.

        Paths may be relative to ``root`` or to ``beside``, the label file's folder. The end of a path is
        enough if it is unique, with or without its suffix, and the path may include folders above ``root``.
        With ``by_number`` the only number in a name is enough too.
        """
        name = normalize("NFC", name.strip())
        if not name:
            return "", "the file name is empty"
        if len(name) > MAX_NAME_LENGTH:
            return "", f"{name[:60]!r}...: a name of {len(name):,} characters cannot be an image's"
        if file := self._by_path(name, beside) or self._by_path(name.replace("\\", "/"), beside):
            return file, ""
        path = name.replace("\\", "/")
        for table in (self._names, self._stems):
            same = [file for file in table.get(path.rpartition("/")[2], ()) if _same_path_end(file, path)]
            if same:
                return _unique_match(name, same)
        if by_number and name.isascii() and name.isdigit() and int(name) in self._numbers:
            return _unique_match(name, self._numbers[int(name)])
        return "", f"there is no image {name!r}.{self._suggestion(name)}"

    def has_stem(self, stem: str) -> bool:
        """True if an image has this name without its suffix."""
        return normalize("NFC", stem) in self._stems

    def has_path(self, path: str) -> bool:
        """True if a file or folder has this path relative to the root. The list of each folder is cached."""
        folder, _, name = path.rpartition("/")
        if folder not in self._folder_entries:
            try:
                self._folder_entries[folder] = frozenset(os.listdir(self.root / folder))
            except OSError:
                self._folder_entries[folder] = frozenset()
        return name in self._folder_entries[folder]

    def below(self, folder: Path) -> list[str]:
        """The images in ``folder`` and below it.

        >>> ImageLookup("/data", ["a/im7.jpg", "ab/x.png"]).below(Path("/data/a"))
        ['a/im7.jpg']
        """
        prefix = os.path.relpath(os.path.abspath(folder), self.root).replace(os.sep, "/")
        return [file for file in self.files if prefix == "." or file.startswith(prefix + "/")]

    def _by_path(self, name: str, beside: Path | None) -> str:
        for folder in (beside, self.root):
            if folder is not None:
                path = os.path.relpath(os.path.join(os.path.abspath(folder), name), self.root).replace(
                    os.sep, "/"
                )
                if path in self._paths:
                    return self._paths[path]
        return ""

    def _suggestion(self, name: str) -> str:
        stem = os.path.splitext(name.rpartition("/")[2])[0]
        for near in (stem, stem.lower(), stem.upper()):
            if near in self._stems:
                return f" Did you mean {self._stems[near][0]!r}?"
        if self._num_suggested >= MAX_SUGGESTIONS or len(self.files) > MAX_IMAGES_COMPARED:
            return ""
        self._num_suggested += 1
        known = self.files if "/" in name else self._names
        return did_you_mean(name, known)


def _same_path_end(file: str, name: str) -> bool:
    """True if one of the two paths is the end of the other, with the file's suffix or without it.

    >>> _same_path_end("b/x.png", "old/b/x.png"), _same_path_end("a/b/x.png", "b/x")
    (True, True)
    >>> _same_path_end("c/x.png", "b/x.png")
    False
    """
    path = f"/{normalize('NFC', file)}"
    wanted = f"/{name.lstrip('/')}"
    if os.path.splitext(wanted)[1].lower() != os.path.splitext(path)[1].lower():
        path = os.path.splitext(path)[0]
    return path.endswith(wanted) or wanted.endswith(path)


def _unique_match(name: str, files: list[str]) -> tuple[str, str]:
    if len(files) == 1:
        return files[0], ""
    more = f" or {len(files) - 3} others" if len(files) > 3 else ""
    return "", f"{name!r} may be {' or '.join(map(repr, files[:3]))}{more}: give the path"
