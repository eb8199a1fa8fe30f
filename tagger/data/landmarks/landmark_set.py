"""The landmarks of a set of photos, from files of any format that is known: one shape a photo."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import Floats
from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.images.decoding import UnreadableImage, upright_size
from tagger.data.landmarks import Shape, ShapeList, landmark_readers
from tagger.data.landmarks.procrustes import has_shape
from tagger.errors import TaggerError
from tagger.text import counted, shortlist

TRAILING = re.compile(r"([0-9]+)\.[^./]*$")
NO_LANDMARKS = "no landmarks were given for it"


@dataclass(frozen=True)
class Landmarks:
    """points_NP2 (float32, pixels of the upright photo, NaN where absent), why a photo has none by row, what to say."""

    points_NP2: NDArray[np.float32]
    reasons: dict[int, str]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class LandmarkSource:
    """The shapes in a file or folder of landmarks, all of one format and of one number of points."""

    path: Path
    form: str
    shapes: ShapeList
    num_points: int

    @classmethod
    def open(cls, path: str | Path) -> "LandmarkSource":
        """Everything at a path. TaggerError: nothing, several formats, malformed rows, different numbers of points."""
        path = Path(path)
        shapes, form = _read_shapes(path)
        shapes.check()
        return cls(path, form, shapes, _num_points(shapes.shapes, path))

    def match(self, root: str | Path, files: Sequence[str]) -> Landmarks:
        """The landmarks of photos ``root / file``: of several shapes in a photo the largest.

        TaggerError if they are landmarks of none of the photos.
        """
        images = ImageLookup(root, files)
        per_file, unknown = _shapes_of_photos(self.shapes.shapes, images)
        if not per_file:
            reasons = shortlist([reason.rstrip(".") for reason in unknown.values()], 3)
            raise TaggerError(f"{self.path}: its landmarks belong to none of the photos. {reasons}.")
        why = _reasons(self.shapes, images)
        points_NP2 = np.full((len(files), self.num_points, 2), np.nan, np.float32)
        for row, file in enumerate(files):
            if file in per_file:
                points_NP2[row], reason = _largest_points(per_file[file], images.root / file)
                why |= {file: reason} if reason else {}
        missing = np.flatnonzero(~has_shape(points_NP2)).tolist()
        found = {row: why.get(files[row], NO_LANDMARKS) for row in missing}
        notes = (*self._notes(len(files) - len(missing), per_file), *_unknown_note(unknown))
        return Landmarks(points_NP2, found, notes)

    def _notes(self, num_known: int, per_file: dict[str, list[Shape]]) -> tuple[str, ...]:
        """What was read, and photos with several shapes."""
        counts = f"{counted(self.num_points, 'point')}), {counted(num_known, 'photo')}"
        note = f"Landmarks: {self.path} ({self.form}, {counts}."
        several = [f"{file} ({len(shapes)})" for file, shapes in per_file.items() if len(shapes) > 1]
        if not several:
            return (note,)
        verb = "has" if len(several) == 1 else "have"
        largest = f"{verb} several faces or objects; the largest counts: {shortlist(several, 5)}."
        return note, f"{counted(len(several), 'photo')} {largest}"


def read_landmarks(path: str | Path, root: str | Path, files: Sequence[str]) -> Landmarks:
    """The landmarks of photos ``root / file`` in a file or folder. TaggerError as ``LandmarkSource`` has it."""
    return LandmarkSource.open(path).match(root, files)


def _read_shapes(path: Path) -> tuple[ShapeList, str]:
    """(all shapes at a path, the name of their format)."""
    if not path.exists():
        raise TaggerError(f"{path}: no such file or folder of landmarks (align.landmarks)")
    readers = {name: landmark_readers.build(name) for name in landmark_readers.names()}
    files = {name: found for name, reader in readers.items() if (found := reader.files(path))}
    if not files:
        known = ", ".join(landmark_readers.names())
        raise TaggerError(f"{path}: no landmarks of a known format ({known}). See docs/alignment.md")
    if len(files) > 1:
        listed = "; ".join(
            f"{name}: {shortlist([f.name for f in found], 2)}" for name, found in files.items()
        )
        raise TaggerError(
            f"{path}: landmarks of several formats ({listed}). Name one of them in align.landmarks"
        )
    ((form, found),) = files.items()
    return readers[form].read(found, path if path.is_dir() else path.parent), form


def _num_points(shapes: Sequence[Shape], path: Path) -> int:
    """The number of points that all shapes have; TaggerError that names files if it is not one number."""
    examples: dict[int, list[str]] = defaultdict(list)
    for shape in shapes:
        own = shape.file.name
        examples[len(shape.points_P2)].append(
            own if own.startswith(shape.names[-1]) else f"{own}: {shape.names[0]}"
        )
    if not examples:
        raise TaggerError(f"{path}: there is no landmark in it")
    if len(examples) > 1:
        ordered = sorted(examples.items(), key=lambda item: -len(item[1]))
        listed = "; ".join(
            f"{counted(num, 'point')} in {len(of)} ({shortlist(of, 3)})" for num, of in ordered
        )
        raise TaggerError(
            f"{path}: shapes with different numbers of points: {listed}. Give one kind of landmarks"
        )
    return next(iter(examples))


def _shapes_of_photos(
    shapes: Sequence[Shape], images: ImageLookup
) -> tuple[dict[str, list[Shape]], dict[str, str]]:
    """({file: its shapes}, {name: why shapes of this name belong to no photo})."""
    per_file: dict[str, list[Shape]] = defaultdict(list)
    unknown: dict[str, str] = {}
    frames = FrameLookup(images.files)
    for shape in shapes:
        file, reason = _find(shape, images, frames)
        if file:
            per_file[file].append(shape)
        else:
            unknown.setdefault(shape.names[0], f"{shape.file.name}: {reason}")
    return dict(per_file), unknown


def _find(shape: Shape, images: ImageLookup, frames: "FrameLookup") -> tuple[str, str]:
    """(file, "") of the photo that a shape belongs to, or ("", reason)."""
    if shape.by_number:
        return frames.find(shape.names[0])
    found = [images.find(name, beside=shape.file.parent) for name in shape.names]
    return next(((file, why) for file, why in found if file), found[0])


class FrameLookup:
    """Photos by the number at the end of their names, and by their folder.

    >>> frames = FrameLookup(["a/clip/frame_007.png", "b/frame_007.png"])
    >>> frames.find("clip/7"), frames.find("b/7"), frames.find("b/8")[1]
    (('a/clip/frame_007.png', ''), ('b/frame_007.png', ''), "there is no photo of frame 8 of 'b'")
    """

    def __init__(self, files: Sequence[str]):
        self._files: dict[int, list[str]] = defaultdict(list)
        for file in files:
            if ends := TRAILING.search(file):
                self._files[int(ends[1])].append(file)

    def find(self, name: str) -> tuple[str, str]:
        """(file, "") of frame ``clip/7``: in a folder ``clip``, or the only one with this number; or ("", reason)."""
        clip, _, frame = name.rpartition("/")
        same = self._files.get(int(frame), [])
        inside = [file for file in same if clip in file.split("/")[:-1]] or same
        if len(inside) == 1:
            return inside[0], ""
        several = f"frame {frame} of {clip!r} may be any of {shortlist(inside, 3)}"
        return "", several if inside else f"there is no photo of frame {frame} of {clip!r}"


def _reasons(found: ShapeList, images: ImageLookup) -> dict[str, str]:
    """{file: why a reader found no landmarks of it}."""
    frames = FrameLookup(images.files)
    named = ((_find(shape, images, frames)[0], reason) for shape, reason in found.without)
    return {file: reason for file, reason in named if file}


def _largest_points(shapes: Sequence[Shape], photo: Path) -> tuple[Floats, str]:
    """(points (P, 2) of the largest shape of a photo, in pixels; why they cannot be used, or "")."""
    absent_P2 = np.full_like(shapes[0].points_P2, np.nan)
    try:
        size_2 = np.array(upright_size(photo), np.float64)
    except UnreadableImage as error:
        return absent_P2, f"its size cannot be read: {error.reason}"
    pixels = [shape.points_P2 * size_2 - 0.5 if shape.relative else shape.points_P2 for shape in shapes]
    areas = [(shape.area, _extent(points_P2)) for shape, points_P2 in zip(shapes, pixels, strict=True)]
    points_P2 = pixels[max(range(len(shapes)), key=areas.__getitem__)]
    if not has_shape(points_P2[None])[0]:
        return absent_P2, "its landmarks are fewer than two different points"
    centre_2 = np.nanmean(points_P2, axis=0)
    if (centre_2 < 0).any() or (centre_2 > size_2).any():
        where, size = (" x ".join(f"{side:.0f}" for side in pair) for pair in (centre_2, size_2))
        return (
            absent_P2,
            f"its landmarks lie outside of it (about {where.replace(' x ', ', ')}; it has {size} pixels)",
        )
    return points_P2, ""


def _extent(points_P2: Floats) -> float:
    """The area of the box around the points that are there; 0 without points."""
    inside_Q2 = points_P2[np.isfinite(points_P2).all(axis=1)]
    return float(np.ptp(inside_Q2, axis=0).prod()) if len(inside_Q2) else 0.0


def _unknown_note(unknown: dict[str, str]) -> tuple[str, ...]:
    """A sentence on shapes of no photo, with the reason where it is another than that no photo is called so."""
    if not unknown:
        return ()
    verb = "belongs" if len(unknown) == 1 else "belong"
    shown = [repr(name) if "there is no image" in reason else reason for name, reason in unknown.items()]
    return (f"Landmarks of {counted(len(unknown), 'name')} {verb} to no photo here: {shortlist(shown, 3)}.",)
