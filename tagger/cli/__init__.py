"""The ``tagger`` command line: the options of each command, and one call. Heavy imports wait for the call.

A file for each section of ``tagger --help``. Exit codes: ``tagger/exit_codes.py``.
"""

import gc
import sys

from tagger.cli import decisions, reviewing, runs, tagging, training, upkeep
from tagger.cli.base import app
from tagger.cli.tagging import PREDICT_FORMATS
from tagger.exit_codes import exit_code_of, force_exit_on_ctrl_c

__all__ = [
    "PREDICT_FORMATS",
    "app",
    "decisions",
    "main",
    "reviewing",
    "runs",
    "tagging",
    "training",
    "upkeep",
]


def main() -> None:
    """The entry point: run a command; an error becomes one line and an exit code."""
    gc.set_threshold(50_000, 20, 50)  # else loading torch collects a million objects again and again
    with force_exit_on_ctrl_c():
        sys.exit(exit_code_of(lambda: app(standalone_mode=False, prog_name="tagger")))
