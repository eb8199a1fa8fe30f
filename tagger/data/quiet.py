"""How are a library's warnings kept quiet while several threads use it?

``warnings.catch_warnings`` puts the filters of the whole process back when its block ends: of two threads, the one that
began second may so keep warnings off for good. Here the first to come turns them off and the last to go puts them back.
"""

import os
import threading
import warnings


class Quiet:
    """``with quiet:`` nothing warns, in any thread, until all such blocks have ended.

    >>> quiet = Quiet()
    >>> with quiet, quiet: warnings.warn("not heard")
    """

    def __init__(self) -> None:
        self._begin()
        if hasattr(os, "register_at_fork"):  # a process forked by another thread's block is not in that block
            os.register_at_fork(after_in_child=self._begin)

    def __enter__(self) -> None:
        with self.lock:
            if self.depth == 0:
                self.kept = warnings.catch_warnings()
                self.kept.__enter__()
                warnings.simplefilter("ignore")
            self.depth += 1

    def __exit__(self, *error: object) -> None:
        with self.lock:
            self.depth -= 1
            if self.depth == 0:
                self.kept.__exit__(None, None, None)

    def _begin(self) -> None:
        self.lock, self.depth = threading.Lock(), 0
