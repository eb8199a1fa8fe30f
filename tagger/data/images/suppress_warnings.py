"""Thread-safe suppression of Python warnings while images are decoded.

``warnings.catch_warnings`` puts the filters of the whole process back when its block ends: of two threads,
the one that began second may so keep warnings off for good. Here the first to come turns them off and the
last to go puts them back.
"""

import os
import threading
import warnings


class SuppressWarnings:
    """``with quiet:`` nothing warns, in any thread, until all such blocks have ended.

    >>> quiet = SuppressWarnings()
    >>> with quiet, quiet: warnings.warn("not heard")
    """

    def __init__(self) -> None:
        self._reset()
        if hasattr(os, "register_at_fork"):  # a process forked by another thread's block is not in that block
            os.register_at_fork(after_in_child=self._reset)

    def __enter__(self) -> None:
        with self.lock:
            if self.depth == 0:
                self.saved_filters = warnings.catch_warnings()
                self.saved_filters.__enter__()
                warnings.simplefilter("ignore")
            self.depth += 1

    def __exit__(self, *error: object) -> None:
        with self.lock:
            self.depth -= 1
            if self.depth == 0:
                self.saved_filters.__exit__(None, None, None)

    def _reset(self) -> None:
        self.lock = threading.Lock()
        self.depth = 0
