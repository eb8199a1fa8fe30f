"""The landmarks of a set of photos, from files of any format that is known: one shape a photo."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tagger.data.formats.image_lookup import ImageLookup
from tagger.data.images.decoding import UnreadableImage, upright_size
from tagger.data.landmarks import Shape, ShapeList, landmark_readers
from tagger.errors import TaggerError
from tagger.text import counted, shortlist

TRAILING = re.compile(r"([0-9]+)\.[^./]*$")
NO_LANDMARKS = "no landmarks were given for it"
MIN_POINTS = 2  # without two points there is no turn and no scale


@dataclass(frozen=True)
class Landmarks:
    """points_NP2 (float32, pixels of the upright photo, NaN where absent), why a photo has none by row, what to say."""

    points_NP2: NDArray[np.float32]
    reasons: dict[int, str]
    notes: tuple[str, ...] = ()


def read_landmarks(path: str | Path, root: str | Path, files: Sequence[str]) -> Landmarks:
    """The landmarks of photos ``root / file`` in a file or folder: of several shapes in a photo the largest.

    TaggerError: no landmarks, several formats, malformed rows (all of them), shapes of different numbers of points,
    landmarks of no photo.
    """
    path = Path(path)
    images = ImageLookup(root, files)
    found, form = _read_shapes(path)
    found.check()
    num_points = _num_points(found.shapes, path)
    per_file, unknown = _shapes_of_photos(found.shapes, images)
    if not per_file:
        raise TaggerError(f"{path}: its landmarks belong to none of the photos. {_first(unknown)}")
    reasons = _reasons(found, images)
    points_NP2 = np.full((len(files), num_points, 2), np.nan, np.float32)
    for row, file in enumerate(files):
        if file in per_file:
            try:
                points_NP2[row] = _largest_points(per_file[file], images.root / file)
                reasons.pop(file, None)
            except UnreadableImage as error:
                reasons[file] = f"its size cannot be read: {error.reason}"
    missing = np.flatnonzero(num_usable(points_NP2) < MIN_POINTS).tolist()
    for row in missing:
        reasons.setdefault(files[row], "fewer than two points" if files[row] in per_file else NO_LANDMARKS)
    notes = _notes(path, form, len(files) - len(missing), num_points, per_file, unknown)
    return Landmarks(points_NP2, {row: reasons[files[row]] for row in missing}, notes)


def num_usable(points_NP2: NDArray[np.floating]) -> NDArray[np.int64]:
    """How many points of each shape are there.

    >>> num_usable(np.array([[[1.0, 2.0], [np.nan, 3.0]]])).tolist()
    [1]
    """
    return np.isfinite(points_NP2).all(axis=-1).sum(axis=-1)


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
) -> tuple[dict[str, list[Shape]], list[str]]:
    """({file: its shapes}, why other shapes belong to no photo)."""
    per_file: dict[str, list[Shape]] = defaultdict(list)
    unknown: dict[str, None] = {}
    frames = FrameLookup(images.files)
    for shape in shapes:
        file, reason = _find(shape, images, frames)
        if file:
            per_file[file].append(shape)
        else:
            unknown[f"{shape.file.name}: {reason}"] = None
    return dict(per_file), list(unknown)


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


def _largest_points(shapes: Sequence[Shape], photo: Path) -> NDArray[np.floating]:
    """The points (P, 2) of the largest shape of a photo, in pixels."""
    scale_2 = np.array(upright_size(photo) if shapes[0].relative else (1, 1), np.float64)
    shift = 0.5 if shapes[0].relative else 0.0  # shares are of edges, pixels are counted at their centres
    sized = [(shape.area, shape.points_P2 * scale_2 - shift) for shape in shapes]
    return max(sized, key=lambda one: (one[0], _extent(one[1])))[1]


def _extent(points_P2: NDArray[np.floating]) -> float:
    """The area of the box around the points that are there; 0 without points."""
    inside_Q2 = points_P2[np.isfinite(points_P2).all(axis=1)]
    return float(np.ptp(inside_Q2, axis=0).prod()) if len(inside_Q2) else 0.0


def _notes(
    path: Path,
    form: str,
    num_known: int,
    num_points: int,
    per_file: dict[str, list[Shape]],
    unknown: list[str],
) -> tuple[str, ...]:
    """What was read, photos with several shapes, and shapes of no photo."""
    notes = [f"Landmarks: {path} ({form}, {counted(num_points, 'point')}), {counted(num_known, 'photo')}."]
    several = [f"{file} ({len(shapes)})" for file, shapes in per_file.items() if len(shapes) > 1]
    if several:
        verb = "has" if len(several) == 1 else "have"
        notes.append(
            f"{counted(len(several), 'photo')} {verb} several faces or objects; the largest counts:"
            f" {shortlist(several, 5)}."
        )
    if unknown:
        verb = "belongs" if len(unknown) == 1 else "belong"
        notes.append(
            f"Landmarks of {counted(len(unknown), 'name')} {verb} to no photo here. {_first(unknown)}"
        )
    return tuple(notes)


def _first(unknown: Sequence[str]) -> str:
    return shortlist([reason.rstrip(".") for reason in unknown], 3) + "."
