"""Photos that belong together in a training: said when they are read, and joined with copies before the split."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tagger.commands.console.screen import Screen
from tagger.data.frame_order import FrameOrder, frame_order
from tagger.data.frame_windows import Frames, read_frames
from tagger.data.likely_groups import likely_groups
from tagger.data.related_images import Ids, joined, related_ids
from tagger.setting_sections import DataSettings
from tagger.text import counted


def tell_related(files: list[str], data: DataSettings, screen: Screen, *, in_order: bool = False) -> None:
    """What belongs together, or that names look so; how frames are ordered, where that matters (``in_order``).

    TaggerError where a setting cannot be followed.
    """
    found = related_ids(Path(data.path), files, data)
    for what, ids_N in found:
        sizes = np.bincount(ids_N[ids_N >= 0], minlength=1)
        sizes = sizes[sizes > 0]
        alone = int((ids_N < 0).sum())
        rest = f"; {counted(alone, 'photo')} of none" if alone else ""
        screen.say(
            f"By {what}: {counted(len(sizes), 'set')} of photos that belong together"
            f" (the largest: {counted(int(sizes.max(initial=0)), 'photo')}{rest})."
            " Each stays in one split and one fold."
        )
    if data.frame_column or in_order:
        screen.say(_order_text(frame_order(Path(data.path), files, data), files))
    if not found and data.split == "random":
        for guess in likely_groups(Path(data.path), files, data):
            screen.say(guess)


def _order_text(order: FrameOrder | None, files: list[str]) -> str:
    """How the frames are ordered, and where some are missing."""
    if order is None:
        return "Frames of a sequence are ordered by name."
    gaps = [f"{files[before]} and {files[after]}" for before, after in order.gaps()]
    missing = f"; {counted(len(gaps), 'gap')}, such as between {gaps[0]}" if gaps else ""
    return f"Frames of a sequence are ordered by {order.what}, usually {order.step:g} apart{missing}."


def related_groups(images: pd.DataFrame, group_N: NDArray[np.int64], data: DataSettings) -> Ids | None:
    """The set that each image belongs to, copies (``group_N``) joined in; None without a setting for it."""
    found = related_ids(Path(data.path), images["file"].tolist(), data)
    return joined(group_N, *(ids_N for _, ids_N in found)) if found else None


def with_frames(images: pd.DataFrame, data: DataSettings) -> pd.DataFrame:
    """The images with the columns ``sequence`` and ``place`` (from 0) where a setting says what is a sequence."""
    frames = read_frames(Path(data.path), images["file"].tolist(), data)
    return images if frames is None else images.assign(sequence=frames.sequence_N, place=frames.place_N)


def frames_of(images: pd.DataFrame) -> Frames | None:
    """The frames that a run keeps; None if it has none."""
    if "place" not in images:
        return None
    sequence_N = images["sequence"].to_numpy(np.int64)
    return Frames(sequence_N, images["place"].to_numpy(np.int64)).select(np.arange(len(images)))


def sets_of(images: pd.DataFrame) -> NDArray[np.int64] | None:
    """The sets that a run keeps; None if it has none."""
    return images["related"].to_numpy(np.int64) if "related" in images else None
