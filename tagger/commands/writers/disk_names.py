"""Names on a disk: some disks take ``A`` and ``a`` for one name."""

import os
from pathlib import Path


def ignores_case(folder: Path) -> bool:
    """Whether a folder's disk takes ``A`` and ``a`` for one name, as far as the names in it, or its own, tell."""
    while not folder.is_dir():
        folder = folder.parent
    folder = folder.resolve()
    there = set(os.listdir(folder)) if os.access(folder, os.R_OK) else set()
    for name in sorted(there):
        other = name.swapcase()
        if name.isascii() and other != name and other not in there:
            return os.path.lexists(folder / other)
    other_folder = folder.with_name(folder.name.swapcase()) if folder.name else folder
    return other_folder != folder and other_folder.exists() and other_folder.samefile(folder)
