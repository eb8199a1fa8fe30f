"""Photos of a run as they are now: looked for in the data folder, shown, and told to the review store.

A photo that another program edited (turned or cropped, and encoded again) has another picture. It is proposed as the
same if a file of its name looks like it, and taken for it only if a person says so (``--accept-edited``).
"""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import numpy as np

from tagger.commands.console.screen import Screen
from tagger.data.images.edited_likeness import MIN_LIKENESS, edited_likeness, grey_thumbnail
from tagger.data.images.locate_photos import FoundPhotos
from tagger.errors import Problem
from tagger.review import Store, know_photos
from tagger.review.readable_store import readable
from tagger.review.store_address import store_is_missing
from tagger.runs import LocatedRun, RunFolder, locate_run
from tagger.text import counted


def locate_photos(run: RunFolder, url: str, screen: Screen, *, accept_edited: bool = False) -> LocatedRun:
    """The run with its photos as they are found now; what was not found, or has another name, is shown."""
    pictures: Mapping[str, set[str]] = {}
    last_names: Mapping[str, str] = {}
    if not store_is_missing(url):
        with closing(Store.open(readable(url))) as store:
            pictures, last_names = store.photo_pictures(), store.photo_files()
    located = locate_run(run, pictures, track=screen.track)
    if located.found is None:
        return located
    proposals = _edited_photos(located, located.found, last_names)
    if accept_edited:
        _accept(located.found, proposals)
    if not store_is_missing(url):
        with closing(Store.open(readable(url))) as store:
            _tell_store(store, located, located.found)
    _show(located, proposals, accept_edited, screen)
    return located


def _tell_store(store: Store, located: LocatedRun, found: FoundPhotos) -> None:
    """Note the pictures of decided photos, by the hashes of their files now, which newer runs have, and of the run."""
    images, root = located.load_images(), located.load_settings().data.path
    hashes = [now or then for now, then in zip(found.hashes, images["hash"], strict=True)]
    know_photos(store, images.assign(hash=hashes), root)
    know_photos(store, images, root)


def _edited_photos(
    run: LocatedRun, found: FoundPhotos, last_names: Mapping[str, str]
) -> dict[int, tuple[str, str]]:
    """Row -> (file, how alike) of each missing photo that a file of its name, or of its last one, may be."""
    if not found.missing:
        return {}
    root = Path(run.load_settings().data.path)
    fingerprints = run.load_fingerprints()
    by_name: dict[str, list[str]] = {}
    for file in found.unclaimed:
        by_name.setdefault(Path(file).name, []).append(file)
        by_name.setdefault(Path(file).stem, []).append(file)
    proposals = {}
    hashes = run.load_images()["hash"]
    for row in found.missing:
        names = [found.files[row], last_names.get(hashes[row], found.files[row])]
        near = [*names, *(file for name in names for file in by_name.get(Path(name).name, ()))]
        near += [file for name in names for file in by_name.get(Path(name).stem, ())]
        candidate = next((name for name in near if name in found.unclaimed), "")
        if candidate and (
            alike := _how_alike(None if fingerprints is None else fingerprints[row], root / candidate)
        ):
            proposals[row] = candidate, alike
    return proposals


def _how_alike(fingerprint: np.ndarray | None, path: Path) -> str:
    """How alike a file is to the photo with this fingerprint, in words; nothing if it is another photo."""
    if fingerprint is None:
        return "the same name; this run, of an earlier version, cannot say whether they look alike"
    thumb_TT = grey_thumbnail(path)
    likeness = (
        0.0 if thumb_TT is None else edited_likeness(fingerprint[:-3].reshape(thumb_TT.shape), thumb_TT)
    )
    return f"alike by {likeness:.2f}" if likeness >= MIN_LIKENESS else ""


def _accept(found: FoundPhotos, proposals: Mapping[int, tuple[str, str]]) -> None:
    """Take the proposed files for the photos; each file for one photo."""
    for row, (file, _) in proposals.items():
        if file in found.unclaimed:
            found.files[row] = file
            found.hashes[row], found.pictures[row] = found.unclaimed.pop(file)
            del found.missing[row]


def _show(run: LocatedRun, proposals: Mapping[int, tuple[str, str]], accepted: bool, screen: Screen) -> None:
    """Show how many photos have another name or other metadata, which were not found, and what may be theirs."""
    root = run.load_settings().data.path
    if renamed := run.num_renamed:
        screen.say(f"{counted(renamed, 'photo')} found under another name, by what is in the file.")
    taken = [row for row in proposals if row not in run.missing]
    open_rows = [row for row in proposals if row in run.missing]
    if taken:
        screen.say(f"{counted(len(taken), 'edited photo')} accepted (--accept-edited):")
        screen.say_list([f"{proposals[row][0]}: {proposals[row][1]}" for row in taken])
    if run.missing:
        number = counted(len(run.missing), "photo")
        screen.say(f"{number} of {run.path} not found in {root}. The decisions on them are kept:")
        screen.say_list([str(problem) for problem in missing_photos(run)])
    if open_rows:
        many = len(open_rows) > 1
        screen.say(f"{counted(len(open_rows), 'photo')} of these may have been edited (turned or cropped):")
        screen.say_list([f"{proposals[row][0]}: {proposals[row][1]}" for row in open_rows])
        screen.say(f"If {'they are' if many else 'it is'} the same, add --accept-edited.")


def missing_photos(run: LocatedRun) -> list[Problem]:
    """The photos that were not found, with the reasons."""
    if run.found is None:
        return []
    return [Problem(run.found.files[row], None, reason) for row, reason in sorted(run.missing.items())]
