"""Sequences of frames from recorded gestures of a fingertip: one bright point on each frame, in the order recorded.

The recordings are ``point_history.csv`` of Kazuhito Takahashi's hand-gesture-recognition-using-mediapipe (Apache 2.0):
a row is a class and 16 points x, y relative to the first, as shares of a picture of 960 x 540 pixels. Rows of one
recording overlap by 15 points; put together they are one stream, which is one sequence here. A single frame says
little: the gesture is in the motion.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tagger.errors import TaggerError

GESTURES = ("stop", "clockwise", "counter-clockwise", "move")
PICTURE = np.array([960, 540])  # pixels, of which the recorded numbers are shares
POINTS = 16  # of a row
SAME = 1e-6  # two rows go on with each other if their steps are equal but for rounding
LABELS_TOML = 'labels = [{names}]\n\n[groups.gesture]\nkind = "exclusive"\nlabels = [{names}]\n'


@dataclass(frozen=True)
class Stream:
    """One recording without a gap: its gesture and its points (P, 2) in pixels, about their middle."""

    gesture: int
    points_P2: NDArray[np.float64]


def read_streams(path: Path) -> list[Stream]:
    """The streams of a file of recordings, in its order. TaggerError if it is no such file."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = np.array([[float(cell) for cell in row] for row in csv.reader(file) if row])
        points_NP2 = rows[:, 1:].reshape(len(rows), POINTS, 2) * PICTURE
    except (OSError, ValueError, IndexError) as error:
        raise TaggerError(f"{path}: no recordings of a fingertip, 33 numbers a row ({error}).") from None
    return list(_join(rows[:, 0].astype(int), points_NP2))


def _join(gesture_N: NDArray[np.int64], points_NP2: NDArray[np.float64]) -> Iterator[Stream]:
    """Rows that overlap, put together."""
    steps_NS2 = np.diff(points_NP2, axis=1)
    goes_on_N = np.abs(steps_NS2[:-1, 1:] - steps_NS2[1:, :-1]).max((1, 2)) < SAME * PICTURE.max()
    goes_on_N &= gesture_N[:-1] == gesture_N[1:]
    for rows in np.split(np.arange(len(gesture_N)), np.flatnonzero(~goes_on_N) + 1):
        steps = np.concatenate([steps_NS2[rows[0]], steps_NS2[rows[1:], -1]])
        points = np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])
        yield Stream(int(gesture_N[rows[0]]), points - (points.min(0) + points.max(0)) / 2)


def draw_frame(
    point_2: NDArray[np.float64], size: int, scale: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """A frame (size, size, 3): a bright point, spread over a pixel or two, on a dark noisy ground.

    ``scale`` is the width of the frame in recorded pixels; a point beyond it is drawn at the rim. The noise keeps
    frames of different recordings from being copies of each other.
    """
    at = np.clip(point_2 / scale + 0.5, 0.03, 0.97) * size - 0.5
    far = (np.arange(size)[:, None] - at[1]) ** 2 + (np.arange(size)[None, :] - at[0]) ** 2
    ground = rng.normal(40, 12, (size, size))
    grey = np.clip(ground + 215 * np.exp(-far / 1.2), 0, 255)
    return np.repeat(grey.astype(np.uint8)[:, :, None], 3, axis=2)


def draw_gestures(source: str | Path, out: str | Path, *, size: int = 32, seed: int = 0) -> Path:
    """Write the recordings in ``source`` to ``out`` as frames, with a table and groups; TaggerError if it is in use.

    ``labels.csv`` has ``file``, ``labels`` (the gesture), ``clip`` and ``frame``.
    """
    out = Path(out)
    if out.exists() and any(out.iterdir()):
        raise TaggerError(f"{out}: this exists already. Name a new folder, or remove this one")
    streams = read_streams(Path(source))
    scale = float(np.percentile([2 * np.abs(one.points_P2).max() for one in streams], 90))
    rng = np.random.default_rng(seed)
    out.mkdir(parents=True, exist_ok=True)
    with (out / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["file", "labels", "clip", "frame"])
        for number, stream in enumerate(streams):
            for frame, point_2 in enumerate(stream.points_P2):
                name = f"clip{number:03}_{frame:04}.png"
                Image.fromarray(draw_frame(point_2, size, scale, rng)).save(out / name)
                table.writerow([name, GESTURES[stream.gesture], f"clip{number:03}", frame])
    names = ", ".join(f'"{GESTURES[n]}"' for n in sorted({stream.gesture for stream in streams}))
    (out / "labels.toml").write_text(LABELS_TOML.format(names=names), encoding="utf-8")
    return out
