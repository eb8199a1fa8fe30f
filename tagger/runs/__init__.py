"""Run folders: what a training writes and every later command reads."""

from tagger.runs.atomic import atomic_write, create_memmap, disk_error, remove_leftovers, write_text
from tagger.runs.checkpoint import Checkpoint
from tagger.runs.folder import RunFolder
from tagger.runs.locate import find_run, new_run_path, newest_unfinished
from tagger.runs.located_run import LocatedRun, locate_run
from tagger.runs.lock import BusyError, locked, output_lock
from tagger.runs.moved_run import MovedRun, data_folder, is_absent, with_data
from tagger.runs.read_errors import load_array, wrap_read_errors

__all__ = [
    "BusyError",
    "Checkpoint",
    "LocatedRun",
    "MovedRun",
    "RunFolder",
    "atomic_write",
    "create_memmap",
    "data_folder",
    "disk_error",
    "find_run",
    "is_absent",
    "load_array",
    "locate_run",
    "locked",
    "new_run_path",
    "newest_unfinished",
    "output_lock",
    "remove_leftovers",
    "with_data",
    "wrap_read_errors",
    "write_text",
]
