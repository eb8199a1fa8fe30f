"""Thread-safe suppression of Python warnings while images are decoded.

``warnings.catch_warnings`` restores the filters of the whole process when its block ends: of two threads, the
one that began second may switch warnings off for good. Here the first block switches them off and the last
one restores them.
"""

import os
import threading
import warnings


class SuppressWarnings:
    """Context manager: no warnings are shown, in any thread, until all its blocks have ended.

    >>> suppress = SuppressWarnings()
    >>> with suppress, suppress: warnings.warn("not shown")
    """

    def __init__(self) -> None:
        self._reset()
        if hasattr(os, "register_at_fork"):  # a forked process is not inside another thread's block
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
