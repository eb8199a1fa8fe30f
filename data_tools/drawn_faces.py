"""Drawn faces with 68 landmarks, whose label is that the mouth is open: photos that alignment helps with.

A face is 68 points in three dimensions, turned to a side (yaw) and in the picture (roll), each by up to ``pose``
degrees, and put somewhere on a background of patches. An open mouth is a higher one, and nothing else shows it: its
colour, the jaw and the brows are the same. So a warp that moves every point onto the mean face removes the label.
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from tagger.arrays import Floats

LABEL = "open"
HEIGHTS = (0.10, 0.17)  # of a closed and an open mouth, half of it, where half a face is 1 wide
SPREAD = 0.018  # standard deviation of the height from one face to the next
OVERSAMPLING = 2  # drawn larger, and shrunk: edges are smooth


@dataclass(frozen=True)
class DrawnFace:
    """A face: its landmarks (68, 2) in the photo, the outline (M, 2) to be filled, and whether its mouth is open."""

    points_P2: Floats
    outline_M2: Floats
    is_open: bool


def make_faces(root: Path, num: int, *, size: int = 96, pose: float = 40.0, seed: int = 0) -> Path:
    """``num`` photos ``000.png`` of one face each, with ``labels.csv`` and ``landmarks.xml`` (dlib); gives ``root``."""
    root.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    rows, entries = [("file", "labels")], []
    for n in range(num):
        face = draw_shape(rng, size=size, pose=pose, is_open=bool(n % 2))
        name = f"{n:04d}.png"
        paint(face, rng, size=size).save(root / name)
        rows.append((name, LABEL if face.is_open else ""))
        entries.append(_entry(name, face.points_P2))
    with (root / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    images = "\n".join(entries)
    text = f"<?xml version='1.0'?>\n<dataset>\n<images>\n{images}\n</images>\n</dataset>\n"
    (root / "landmarks.xml").write_text(text, "utf-8")
    return root


def draw_shape(rng: np.random.Generator, *, size: int, pose: float, is_open: bool) -> DrawnFace:
    """A face of random pose, size and place, all of it in a photo of ``size`` pixels a side."""
    height = max(0.04, rng.normal(HEIGHTS[is_open], SPREAD))
    solid_P3 = face_points(height) * rng.normal(1, 0.03, (1, 3)) + rng.normal(0, 0.008, (68, 3))
    yaw, roll = np.deg2rad(rng.uniform(-pose, pose, 2))
    everything_M2 = _seen(np.concatenate([solid_P3, forehead()]), yaw, roll)
    low_2, high_2 = everything_M2.min(axis=0), everything_M2.max(axis=0)
    scale = rng.uniform(0.45, 0.95) * size / (high_2 - low_2).max()
    room_2 = size - (high_2 - low_2) * scale
    placed_M2 = (everything_M2 - low_2) * scale + rng.uniform(0, 1, 2) * room_2
    return DrawnFace(placed_M2[:68], np.concatenate([placed_M2[:17], placed_M2[68:]]), is_open)


def face_points(mouth: float) -> Floats:
    """The 68 points (68, 3) of a face from the front: half its width is 1, y grows downwards, z towards us.

    >>> points_P3 = face_points(0.1)
    >>> points_P3.shape, points_P3[8].round(2).tolist(), bool(points_P3[33, 2] > points_P3[0, 2])
    ((68, 3), [0.0, 1.15, 0.2], True)
    """
    turn = np.linspace(np.pi, 0, 17)
    jaw = _row(np.cos(turn), 1.15 * np.sin(turn), 0.2 * np.sin(turn))
    brow = np.linspace(0, 1, 5)
    left_brow = _row(-0.7 + 0.5 * brow, -0.42 - 0.1 * np.sin(np.pi * brow), 0.6)
    bridge = _row(np.zeros(4), np.linspace(-0.25, 0.18, 4), np.linspace(0.7, 1.05, 4))
    nostrils = _row(np.linspace(-0.17, 0.17, 5), 0.26 + 0.04 * np.array([0, 0.5, 1, 0.5, 0]), 0.8)
    left_eye = _oval(6, 0.16, 0.07) + np.array([-0.42, -0.2, 0.55])
    outer = _oval(12, 0.34, mouth) + np.array([0, 0.6, 0.65])
    inner = _oval(8, 0.26, 0.6 * mouth) + np.array([0, 0.6, 0.65])
    mirrored = np.array([-1, 1, 1])
    right_eye = (left_eye * mirrored)[[3, 2, 1, 0, 5, 4]]
    return np.concatenate(
        [jaw, left_brow, left_brow[::-1] * mirrored, bridge, nostrils, left_eye, right_eye, outer, inner]
    )


def forehead() -> Floats:
    """The upper half (9, 3) of a face's outline, from right to left; no landmarks."""
    turn = np.linspace(0, np.pi, 11)[1:-1]
    return _row(np.cos(turn), -0.95 * np.sin(turn), 0.35 * np.sin(turn))


def paint(face: DrawnFace, rng: np.random.Generator, *, size: int) -> Image.Image:
    """The photo of a face on a background of patches, with noise."""
    side = size * OVERSAMPLING
    patches = rng.integers(40, 216, (7, 7, 3), dtype=np.uint8)
    photo = Image.fromarray(patches).resize((side, side), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(photo)
    skin = rng.uniform(0.75, 1.1) * np.array([214, 172, 140])
    dark = tuple((skin * 0.35).astype(int).tolist())
    draw.polygon(_flat(face.outline_M2), fill=tuple(skin.clip(0, 255).astype(int).tolist()))
    points_P2 = face.points_P2
    width = max(1, side // 60)
    for part in (slice(17, 22), slice(22, 27), slice(27, 31), slice(31, 36)):
        draw.line(_flat(points_P2[part]), fill=dark, width=width)
    for part in (slice(36, 42), slice(42, 48), slice(48, 60)):
        draw.polygon(_flat(points_P2[part]), fill=dark)
    small = photo.filter(ImageFilter.GaussianBlur(OVERSAMPLING)).resize((size, size), Image.Resampling.BOX)
    noisy = np.asarray(small, dtype=np.float64) + rng.normal(0, 6, (size, size, 3))
    return Image.fromarray(noisy.clip(0, 255).round().astype(np.uint8))


def _seen(solid_M3: Floats, yaw: float, roll: float) -> Floats:
    """The points (M, 2) as they are seen after a turn of the head to a side, and then of the picture."""
    x = solid_M3[:, 0] * np.cos(yaw) + solid_M3[:, 2] * np.sin(yaw)
    turned_M = (x + 1j * solid_M3[:, 1]) * np.exp(1j * roll)
    return np.stack([turned_M.real, turned_M.imag], axis=1)


def _row(x: Floats, y: Floats, z: Floats | float) -> Floats:
    return np.stack([x, y, np.broadcast_to(z, np.shape(x))], axis=1)


def _oval(num: int, across: float, down: float) -> Floats:
    """``num`` points of an ellipse from its left end on, over the top."""
    turn = np.pi - 2 * np.pi * np.arange(num) / num
    return _row(across * np.cos(turn), -down * np.sin(turn), 0.0)


def _flat(points_M2: Floats) -> list[tuple[float, float]]:
    return [((x + 0.5) * OVERSAMPLING, (y + 0.5) * OVERSAMPLING) for x, y in points_M2.tolist()]


def _entry(name: str, points_P2: Floats) -> str:
    """An image in dlib's XML."""
    low, high = points_P2.min(axis=0), points_P2.max(axis=0)
    left, top, width, height = np.round([*low, *(high - low)]).astype(int).tolist()
    parts = "".join(
        f"<part name='{n:02}' x='{x:.3f}' y='{y:.3f}'/>" for n, (x, y) in enumerate(points_P2.tolist())
    )
    box = f"<box top='{top}' left='{left}' width='{width}' height='{height}'>{parts}</box>"
    return f"<image file={quoteattr(name)}>{box}</image>"
