"""Reading of a data set with progress on the screen."""

from pathlib import Path

from tagger.data import Dataset, list_images, read_dataset
from tagger.data.images.listing import check_folder
from tagger.progress import Track, no_track, progress_callback
from tagger.sections import ReadOptions


def read_with_progress(
    root: str | Path,
    labels: str | Path | None = None,
    *,
    read_options: ReadOptions | None = None,
    track: Track = no_track,
) -> Dataset:
    """The data set, as ``tagger.read_dataset`` reads it, with progress while images are hashed."""
    total = len(list_images(check_folder(root)).files)
    progress = progress_callback(track, total, "Reading images")
    return read_dataset(root, labels, read_options=read_options, progress=progress)
