"""Lookup of images by the names that label files use: a path, a bare name or a number."""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from unicodedata import normalize
from urllib.parse import unquote

from tagger.data.images.image_files import (
    HEIF_SUFFIXES,
    RAW_SUFFIXES,
    same_named_photos,
    suffix_of,
)
from tagger.errors import did_you_mean

# Suggestions by difflib take up to 50 microseconds a pair of names, so their number and that of the images are
# limited. The same name in other capitals or with another suffix is always suggested.
MAX_SUGGESTIONS = 10
MAX_IMAGES_COMPARED = 10_000
MAX_NAME_LENGTH = 8192  # characters; difflib would take gigabytes for a damaged file that is one line
MAX_NAME_SHOWN = 200
SAME_FORMAT = {".jpeg": ".jpg", ".jpe": ".jpg", ".jfif": ".jpg", ".tiff": ".tif"}
FLOAT_ID = re.compile(r"(\d+)\.0")  # pandas writes a column of numbers with gaps as 48.0
UPLOADED = re.compile(r"[0-9a-f]{8}-(.+)")  # Label Studio: /data/upload/1/0f3a9c21-cat.jpg
SPLIT_NAMES = ({"train", "training"}, {"val", "valid", "validation", "dev"}, {"test", "testing"})


class ImageLookup:
    """The images of a folder by the names that people write: ``a/x.png``, ``x.png``, ``x`` or ``7``.

    Names are compared as Unicode NFC: macOS stores 'é' as two characters, label files hold one. Where no image
    has the name as written, the only one that differs in capitals, percent-encoding or leading zeros is meant.

    >>> index = ImageLookup("/data", ["a/im7.jpg", "a/x.png", "b/x.png"])
    >>> index.find("im7.jpg"), index.find("a/x.png"), index.find("7", by_number=True)
    (('a/im7.jpg', ''), ('a/x.png', ''), ('a/im7.jpg', ''))
    >>> index.find("x.png")
    ('', "'x.png' may be 'a/x.png' or 'b/x.png': give the path")
    >>> index.find("x.png", folders=["b"]), index.find("IM7.JPG"), index.find("a%2Fx.png")
    (('b/x.png', ''), ('a/im7.jpg', ''), ('a/x.png', ''))
    """

    def __init__(self, root: str | Path, files: Sequence[str], beside: Sequence[str] = ()):
        self.root = Path(os.path.abspath(root))
        self.files = tuple(files)
        self._beside = tuple(beside)
        self._num_suggested = 0
        self._folder_entries: dict[str, frozenset[str]] = {}
        self._paths = {normalize("NFC", file): file for file in files}
        self._names: dict[str, list[str]] = defaultdict(list)
        self._stems: dict[str, list[str]] = defaultdict(list)
        self._numbers: dict[int, list[str]] = defaultdict(list)
        self._loose: dict[str, list[str]] = defaultdict(list)
        for path, file in self._paths.items():
            name = path.rpartition("/")[2]
            stem = os.path.splitext(name)[0]
            self._names[name].append(file)
            self._stems[stem].append(file)
            loose = _loose_path(name)
            for key in {loose, os.path.splitext(loose)[0]}:
                self._loose[key].append(file)
            digits = re.findall("[0-9]+", stem)
            if len(digits) == 1:
                self._numbers[int(digits[0])].append(file)

    def find(
        self, name: str, *, beside: Path | None = None, by_number: bool = False, folders: Iterable[str] = ()
    ) -> tuple[str, str]:
        """(file, "") of the image that ``name`` means, or ("", reason) if it means none or several.

        Paths may be relative to ``root`` or to ``beside``, the label file's folder. The end of a path is
        enough if it is unique, with or without its suffix, and the path may include folders above ``root``.
        With ``by_number`` the only number in a name is enough too. Of several images the only one in one of
        ``folders`` is meant: ``train.csv``, or a row with a cell ``train``, means ``train/x.png``.
        """
        name = normalize("NFC", name.strip())
        if not name:
            return "", "the file name is empty"
        if len(name) > MAX_NAME_LENGTH:
            return "", f"{name[:60]!r}...: a name of {len(name):,} characters cannot be an image's"
        if file := self._by_path(name, beside) or self._by_path(name.replace("\\", "/"), beside):
            return file, ""
        if self._beside and (file := self._of_same_shot(name, beside)):
            return file, ""
        same = self._by_path_end(name.replace("\\", "/")) or self._by_loose_path(name.replace("\\", "/"))
        if not same and by_number and name.isascii() and name.isdigit():
            same = self._numbers.get(int(name), [])
        if not same:
            return "", f"there is no image {_shown(name)}.{self._suggestion(name)}"
        return _unique_match(name, same if len(same) == 1 else self._narrowed(same, beside, folders))

    @cached_property
    def _left_alone(self) -> "ImageLookup":
        return ImageLookup(self.root, self._beside)

    def _of_same_shot(self, name: str, beside: Path | None) -> str:
        """The photo of the shot whose raw or HEIC file is named; nothing if none is."""
        if suffix_of(name) not in RAW_SUFFIXES | HEIF_SUFFIXES:
            return ""
        file, _ = self._left_alone.find(name, beside=beside)
        stem = os.path.splitext(file)[0].casefold()
        return (
            next((other for other in self.files if os.path.splitext(other)[0].casefold() == stem), "")
            if file
            else ""
        )

    def _by_path_end(self, path: str) -> list[str]:
        """The images whose path ends so, with or without the suffix."""
        for table in (self._names, self._stems):
            same = [file for file in table.get(path.rpartition("/")[2], ()) if _same_path_end(file, path)]
            if same:
                return same
        return []

    def _by_loose_path(self, path: str) -> list[str]:
        """The images whose path ends so but for capitals, percent-encoding, leading zeros and a URL's query."""
        path = _loose_path(path.partition("?")[0] if "://" in path else path)
        folder, _, name = path.rpartition("/")
        if "upload" in folder.split("/") and name not in self._loose and (added := UPLOADED.fullmatch(name)):
            path = name = added[1]
        files = self._loose.get(name, ())
        return [file for file in files if _same_path_end(_loose_path(normalize("NFC", file)), path)]

    def _narrowed(self, files: list[str], beside: Path | None, folders: Iterable[str]) -> list[str]:
        """Of several images those below ``beside``, else those in a folder that ``folders`` names."""
        if beside is not None:
            inside = self._inside(files, beside)
            if len(inside) == 1:
                return inside
        wanted = _with_synonyms(folders)
        named = [file for file in files if wanted & set(file.casefold().split("/")[:-1])]
        return named if len(named) == 1 else files

    def has_stem(self, stem: str) -> bool:
        """True if an image has this name without its suffix."""
        return normalize("NFC", stem) in self._stems

    @cached_property
    def _same_named(self) -> dict[str, list[str]]:
        return same_named_photos(self.files)

    def sharing_name(self, file: str) -> list[str]:
        """An image and all others whose path differs in nothing but the suffix; nothing if there are none.

        >>> ImageLookup("/data", ["a.jpg", "a.png", "b.jpg"]).sharing_name("a.jpg")
        ['a.jpg', 'a.png']
        """
        stem = os.path.splitext(file)[0]
        names = self._same_named.get(stem.casefold(), ())
        same = [name for name in names if os.path.splitext(name)[0] == stem]
        return same if len(same) > 1 else []

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
        return self._inside(self.files, folder)

    def _inside(self, files: Sequence[str], folder: Path) -> list[str]:
        prefix = os.path.relpath(os.path.abspath(folder), self.root).replace(os.sep, "/")
        return [file for file in files if prefix == "." or file.startswith(prefix + "/")]

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


def _loose_path(path: str) -> str:
    """A path without what programs change in names: capitals, percent-encoding, zeros before a number.

    >>> _loose_path("a/0048.JPG"), _loose_path("my%20Cat.jpg"), _loose_path("48.0"), _loose_path("x/000")
    ('a/48.jpg', 'my cat.jpg', '48', 'x/0')
    """
    folder, slash, name = unquote(path).casefold().rpartition("/")
    if number := FLOAT_ID.fullmatch(name):
        name = number[1]
    stem, suffix = os.path.splitext(name)
    suffix = SAME_FORMAT.get(suffix, suffix)
    name = stem + suffix
    if stem.isascii() and stem.isdigit():
        name = (stem.lstrip("0") or "0") + suffix
    return folder + slash + name


def _with_synonyms(folders: Iterable[str]) -> set[str]:
    """Names of folders in small letters, and for a split all of its usual names.

    >>> sorted(_with_synonyms(["Valid"]))
    ['dev', 'val', 'valid', 'validation']
    """
    words = {folder.strip().casefold() for folder in folders} - {""}
    return words.union(*(names for names in SPLIT_NAMES if names & words))


def _shown(name: str) -> str:
    """The name in quotation marks; the end of a very long one, which a damaged file may hold, is cut."""
    return repr(name if len(name) <= MAX_NAME_SHOWN else name[:MAX_NAME_SHOWN] + "...")


def _unique_match(name: str, files: list[str]) -> tuple[str, str]:
    if len(files) == 1:
        return files[0], ""
    more = f" or {len(files) - 3} others" if len(files) > 3 else ""
    return "", f"{_shown(name)} may be {' or '.join(map(repr, files[:3]))}{more}: give the path"
