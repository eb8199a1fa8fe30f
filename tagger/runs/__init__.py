"""The run folder: what a training leaves and every later command reads."""

from tagger.runs.atomic import disk_error, new_array, replacing, sweep, write_text
from tagger.runs.checkpoint import Checkpoint
from tagger.runs.finding import find_run, new_run_path, newest_unfinished
from tagger.runs.folder import RunFolder
from tagger.runs.lock import Busy, locked, output_lock
from tagger.runs.readable import load_array, readable

__all__ = [
    "Busy",
    "Checkpoint",
    "RunFolder",
    "disk_error",
    "find_run",
    "load_array",
    "locked",
    "new_array",
    "new_run_path",
    "newest_unfinished",
    "output_lock",
    "readable",
    "replacing",
    "sweep",
    "write_text",
]
