"""Reading of a data set with progress on the screen."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tagger.commands.console.reading_report import reading_lines
from tagger.commands.console.screen import Screen
from tagger.data import Dataset, list_images, read_dataset
from tagger.data.images.file_stats import file_stats, select_stats
from tagger.data.images.listing import check_folder
from tagger.data.reading_summary import summarise_reading
from tagger.progress import Track, no_track, progress_callback
from tagger.setting_sections import DataSettings, ReadOptions
from tagger.text import counted


def read_with_progress(
    root: str | Path,
    labels: str | Path | None = None,
    *,
    read_options: ReadOptions | None = None,
    track: Track = no_track,
) -> Dataset:
    """The data set, as ``tagger.read_dataset`` reads it, with progress while images are hashed."""
    pairs = read_options.pairs if read_options else "raw"
    total = len(list_images(check_folder(root), pairs).files)
    progress = progress_callback(track, total, "Reading images")
    return read_dataset(root, labels, read_options=read_options, progress=progress)


def read_with_file_stats(data: DataSettings, *, track: Track) -> tuple[Dataset, NDArray[np.int64]]:
    """The data set of the settings, and the stats of each image's file from before it was hashed (N, F)."""
    listed = list_images(data.path, data.pairs).files
    stats_MF = file_stats(data.path, listed)
    dataset = read_with_progress(data.path, data.labels or None, read_options=data, track=track)
    return dataset, select_stats(dataset.images["file"].tolist(), listed, stats_MF)


def tell_dataset(dataset: Dataset, screen: Screen) -> None:
    """Show which labels were read, the problems in them, and how many photos they do not mention."""
    screen.say(dataset.source)
    for line in reading_lines(summarise_reading(dataset)):
        screen.say(line)
    if dataset.problems:
        screen.say(f"{counted(len(dataset.problems), 'problem')} in the data:")
        screen.say_list(dataset.problems)
    if dataset.unlisted:
        left_out = counted(len(dataset.unlisted), "photo")
        screen.say(f"{left_out} that the labels do not mention: left out. `tagger predict` can tag them.")
