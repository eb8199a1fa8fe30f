"""Search for the photos of a run: found by what is in the files, whatever these are called now.

The name is tried first, then the hash of the file, then that of its picture. A photo at its old name whose
bytes are unchanged costs what hashing costs; other files of the folder are read only if a photo is missing.
Each file is taken for one photo at most, so copies of one picture find one file each.
"""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tagger.data.images.hashes import FileIdentities, hash_files, identify_files
from tagger.data.images.listing import list_images
from tagger.progress import Track, no_track, progress_callback

NOT_THERE = "it is not there, under any name"
REPLACED = "another picture is there now"
CHANGED = "its file has changed, and which picture was in it is not known"


@dataclass(frozen=True)
class SoughtPhotos:
    """The photos of a run: names, hashes, sizes, and by which pictures each is known (none: not known)."""

    files: Sequence[str]
    hashes: Sequence[str]
    sizes: Sequence[int]
    pictures: Sequence[Collection[str]]


@dataclass
class FoundPhotos:
    """Where each photo is now. ``hashes`` and ``pictures`` are those of the present file, ``""`` if not known.

    ``missing`` has the reason by row; such a photo keeps its former name. ``unclaimed`` are images that are none of
    the photos, with hashes, where anything was missing.
    """

    files: list[str]
    hashes: list[str]
    pictures: list[str]
    missing: dict[int, str] = field(default_factory=dict)
    unclaimed: dict[str, tuple[str, str]] = field(default_factory=dict)


def locate_photos(
    root: str | Path, sought: SoughtPhotos, *, track: Track = no_track, verify: bool = True
) -> FoundPhotos:
    """The photos of a run in the folder ``root``. Without ``verify`` a file at the old name is taken as it is."""
    found = FoundPhotos(list(sought.files), [""] * len(sought.files), [""] * len(sought.files))
    rest = _at_their_names(root, sought, found, track) if verify else _absent(root, sought.files)
    if not rest:
        return found
    claimed = set(sought.files) - {sought.files[row] for row in rest}
    others = [file for file in list_images(root, "separate").files if file not in claimed]
    same_size = {sought.sizes[row] for row in rest}
    first = [file for file in others if _size(Path(root, file)) in same_size]
    rest = _claim(rest, sought, found, _identities(root, first, track), claimed)
    more = [file for file in others if file not in found.unclaimed and file not in claimed] if rest else []
    rest = _claim(rest, sought, found, _identities(root, more, track), claimed)
    for row in rest:
        changed = REPLACED if sought.pictures[row] else CHANGED
        found.missing[row] = changed if os.path.isfile(Path(root, sought.files[row])) else NOT_THERE
    return found


def _at_their_names(root: str | Path, sought: SoughtPhotos, found: FoundPhotos, track: Track) -> list[int]:
    """Fill in the photos that are where they were; the rows of all others."""
    files = sought.files
    progress = progress_callback(track, len(files), "comparing photos")
    if all(sought.pictures):
        found.hashes, _, _ = hash_files(root, files, progress=progress)
    else:  # a run of an earlier version: its pictures become known while its files are unchanged
        now = identify_files(root, files, progress=progress)
        found.hashes, found.pictures = now.hashes, now.picture_hashes
    changed = [row for row, hash in enumerate(found.hashes) if hash != sought.hashes[row]]
    there = [row for row in changed if found.hashes[row]]
    now = identify_files(root, [files[row] for row in there])
    same = set()
    for row, picture in zip(there, now.picture_hashes, strict=True):
        if picture in sought.pictures[row]:
            found.pictures[row] = picture
            same.add(row)
    rest = [row for row in changed if row not in same]
    for row in rest:
        found.hashes[row] = found.pictures[row] = ""
    return rest


def _claim(
    rest: list[int],
    sought: SoughtPhotos,
    found: FoundPhotos,
    others: dict[str, tuple[str, str]],
    claimed: set[str],
) -> list[int]:
    """The rows still missing after each photo was given an unclaimed file of its bytes, else of its picture."""
    found.unclaimed |= others
    for kind in (0, 1):
        by_key: dict[str, list[str]] = {}
        for file, pair in found.unclaimed.items():
            by_key.setdefault(pair[kind], []).append(file)
        missing = []
        for row in rest:
            keys = [sought.hashes[row]] if kind == 0 else sorted(sought.pictures[row])
            options = [file for key in keys for file in by_key.get(key, ()) if file not in claimed]
            if not options:
                missing.append(row)
                continue
            name = Path(sought.files[row]).name
            file = min(options, key=lambda option: (Path(option).name != name, option))
            claimed.add(file)
            found.files[row] = file
            found.hashes[row], found.pictures[row] = found.unclaimed.pop(file)
        rest = missing
    return rest


def _identities(root: str | Path, files: list[str], track: Track) -> dict[str, tuple[str, str]]:
    """(hash, hash of the picture) of each file that can be read."""
    if not files:
        return {}
    now: FileIdentities = identify_files(
        root, files, progress=progress_callback(track, len(files), "searching photos")
    )
    rows = zip(files, now.hashes, now.picture_hashes, strict=True)
    return {file: (hash, picture) for file, hash, picture in rows if hash}


def _absent(root: str | Path, files: Sequence[str]) -> list[int]:
    folder = os.path.join(root, "")
    return [row for row, file in enumerate(files) if not os.path.isfile(folder + file)]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def known_pictures(
    hashes: Sequence[str], own: Sequence[str] | None, more: Mapping[str, Collection[str]]
) -> list[set[str]]:
    """The pictures of each photo: that of the run (``own``; None in earlier versions), and those of the store.

    >>> known_pictures(["a", "b"], None, {"a": ["p"]})
    [{'p'}, set()]
    """
    found = [set(more.get(hash, ())) for hash in hashes]
    for pictures, picture in zip(found, own or (), strict=False):
        pictures.update([picture] if picture else [])
    return found
