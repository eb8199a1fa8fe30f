"""Suffixes of photos, and names of the folders that hold what other programs made of photos.

Suffixes only decide what is looked at; a file is decoded by its content (``decoding``).
"""

import re
from collections.abc import Collection, Iterable


def _suffixes(names: str) -> frozenset[str]:
    return frozenset(f".{name}" for name in names.split())


RAW_SUFFIXES = _suffixes(
    "3fr arw cr2 cr3 crw dcr dng erf fff iiq k25 kdc mef mos mrw nef nrw orf pef raf rw2 rwl sr2 srf srw x3f"
)
HEIF_SUFFIXES = _suffixes("heic heif hif")
PLAIN_SUFFIXES = _suffixes("jpg jpeg jpe jfif png webp gif bmp dib tif tiff avif jp2 j2k jpf jpx ppm pgm pnm")
IMAGE_SUFFIXES = PLAIN_SUFFIXES | HEIF_SUFFIXES | RAW_SUFFIXES

EDITED = re.compile(
    r"(?:(?<=/)|^)(img_)e(\d{3,5}(?: ?\(\d+\))?)$"
)  # of iPhones: IMG_E1234.JPG of IMG_1234.HEIC

# Names in lower case. Synology, QNAP, Windows, fsck, freedesktop, Windows Explorer, macOS archives, iTunes.
_FOREIGN_NAMES = frozenset(
    {
        "@eadir", "@recycle", "@recently-snapshot", "@tmp", "#recycle", "#snapshot", "$recycle.bin", "recycler",
        "system volume information", "lost+found", "thumbs", "__macosx", "ipod photo cache",
    }
)  # fmt: skip
_FOREIGN_SUFFIXES = (
    ".lrdata",
    ".lrcat-data",
    ".cocatalogdb",
    ".digikamtrash",
    ".dtrash",
)  # previews of catalogues
_LIBRARY_SUFFIXES = (".photoslibrary", ".photolibrary", ".aplibrary")
_LIBRARY_ORIGINALS = frozenset({"originals", "masters"})


def is_foreign_folder(name: str, parent: str = "") -> bool:
    """Whether a folder holds thumbnails, previews or deleted files of another program.

    ``parent`` is the name of the folder that it is in: in a library of Apple's only the originals are photos.

    >>> is_foreign_folder("@eaDir"), is_foreign_folder("Previews.lrdata"), is_foreign_folder("holiday")
    (True, True, False)
    >>> is_foreign_folder("resources", "Photos Library.photoslibrary"), is_foreign_folder("resources", "work")
    (True, False)
    """
    lower = name.lower()
    if parent.lower().endswith(_LIBRARY_SUFFIXES):
        return lower not in _LIBRARY_ORIGINALS
    return lower in _FOREIGN_NAMES or lower.endswith(_FOREIGN_SUFFIXES)


def suffix_of(name: str) -> str:
    """The suffix of a file name in lower case, with its dot; empty if there is none.

    >>> suffix_of("IMG_1.JPG"), suffix_of("README")
    ('.jpg', '')
    """
    dot = name.rfind(".")
    return name[dot:].lower() if dot >= 0 else ""


def beside_their_photo(names: Collection[str], pairs: str) -> set[str]:
    """The files of a folder that are the same shot as a photo beside them, as ``data.pairs`` says.

    >>> sorted(beside_their_photo(["a.NEF", "a.jpg", "b.heic", "b.jpg"], "share"))
    ['a.NEF', 'b.heic']
    >>> beside_their_photo(["a.NEF", "a.jpg", "b.heic", "b.jpg"], "raw")
    {'a.NEF'}
    """
    if pairs == "separate":
        return set()
    raws = paired_raw_files(names)
    if pairs == "raw":
        return raws
    plain = {name[: name.rfind(".")].lower() for name in names if suffix_of(name) in PLAIN_SUFFIXES}
    phone = {name for name in names if suffix_of(name) in HEIF_SUFFIXES}
    return raws | {name for name in phone if name[: name.rfind(".")].lower() in plain}


def shots(files: Iterable[str]) -> list[list[str]]:
    """Files of one shot: a raw or HEIC file and its photo, and an iPhone's photo with its edited version.

    >>> shots(["x/IMG_1001.HEIC", "x/IMG_1001.JPG", "x/IMG_E1001.JPG", "IMG_1001.JPG"])
    [['x/IMG_1001.HEIC', 'x/IMG_1001.JPG', 'x/IMG_E1001.JPG']]
    """
    groups: dict[str, list[str]] = {}
    for file in files:
        stem = file[: len(file) - len(suffix_of(file))].lower()
        groups.setdefault(EDITED.sub(r"\1\2", stem), []).append(file)
    return [names for names in groups.values() if len(names) > 1 and _is_one_shot(names)]


def _is_one_shot(names: Collection[str]) -> bool:
    """Whether files of one name but for an ``E`` are one shot: different kinds of originals, or an edited one."""
    edited = {name for name in names if EDITED.search(name[: len(name) - len(suffix_of(name))].lower())}
    return bool(edited and edited != set(names)) or bool(beside_their_photo(names, "share"))


def paired_raw_files(names: Collection[str]) -> set[str]:
    """The camera's raw files of a folder that have a photo of the same shot beside them, by name.

    >>> sorted(paired_raw_files(["a.NEF", "a.jpg", "b.nef"]))
    ['a.NEF']
    """
    raws = {name for name in names if suffix_of(name) in RAW_SUFFIXES}
    if not raws:
        return raws
    stems = {name[: name.rfind(".")].lower() for name in names if name not in raws}
    return {name for name in raws if name[: name.rfind(".")].lower() in stems}


def same_named_photos(files: Iterable[str], pairs: str = "raw") -> dict[str, list[str]]:
    """Photos whose paths differ in nothing but suffix and capitals, by that path in small letters.

    A raw file beside a photo of the same name is left alone: it is the same shot; other pairs are, as ``pairs`` says.

    >>> same_named_photos(["x/a.jpg", "x/A.png", "a.jpg", "b.jpg", "b.nef"])
    {'x/a': ['x/a.jpg', 'x/A.png']}
    """
    groups: dict[str, list[str]] = {}
    for file in files:
        groups.setdefault(file[: len(file) - len(suffix_of(file))].casefold(), []).append(file)
    found = {}
    for key, names in groups.items():
        if len(names) > 1:
            raws = beside_their_photo(names, pairs)
            if len(photos := [name for name in names if name not in raws]) > 1:
                found[key] = photos
    return found
