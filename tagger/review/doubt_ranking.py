"""Current doubts of all suspects and their order, refitted in the background."""

import logging
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from tagger.suspects.review_priority import review_order

log = logging.getLogger(__name__)


RESCORE_EVERY = 200  # verdicts


class DoubtRanking:
    """``doubt_S`` of every suspect, ``order`` (positions, most doubtful first) and ``rank_S`` (where each one
    is).

    After ``refit_every`` new verdicts the doubts are learnt from all of them. After ``RESCORE_EVERY``,
    every cell is first judged anew by ``reconsider(table, verdicts) -> table``, if that is given.
    """

    def __init__(
        self,
        suspects: pd.DataFrame,
        *,
        refit_every: int,
        refit_doubt: Callable[..., np.ndarray] | None,
        estimate_errors: Callable[..., Any] | None,
        rescore: Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame] | None = None,
    ):
        self._table = suspects
        self._refit_every = refit_every
        self._refit_doubt = refit_doubt
        self._estimate_errors = estimate_errors
        self._rescore = rescore
        self._num_rescored = 0
        self.num_refits = 0
        self._num_new_verdicts = 0
        self._thread: threading.Thread | None = None
        self._set_doubt(suspects["doubt"].to_numpy(np.float32))

    def on_verdicts(self, num_verdicts: int, verdicts: Callable[[], pd.DataFrame]) -> None:
        """Count new verdicts, and begin to learn from all of them when there are enough new ones."""
        self._num_new_verdicts += num_verdicts
        if self._num_new_verdicts < self._refit_every or (self._thread and self._thread.is_alive()):
            return
        self._num_new_verdicts = 0
        self._thread = threading.Thread(target=self._refit, args=(verdicts(),), name="refit", daemon=True)
        self._thread.start()

    def estimate_errors(self, doubt_S: np.ndarray, verdicts: pd.DataFrame, queue: np.ndarray) -> Any:
        """What ``tagger.suspects.estimate_errors`` says about the errors left."""
        if self._estimate_errors is None:
            from tagger import suspects

            self._estimate_errors = suspects.estimate_errors
        return self._estimate_errors(self._table, doubt_S, verdicts, queue)

    def wait(self) -> None:
        """Return when no refit is under way."""
        if self._thread:
            self._thread.join()

    def _refit(self, verdicts: pd.DataFrame) -> None:
        try:
            if self._refit_doubt is None:
                from tagger import suspects

                self._refit_doubt = suspects.refit_doubt
            if self._rescore and len(verdicts) - self._num_rescored >= RESCORE_EVERY:
                self._num_rescored = len(verdicts)
                self._table = self._rescore(self._table, verdicts)
            self._set_doubt(np.asarray(self._refit_doubt(self._table, verdicts), np.float32))
        except Exception:  # reviewing goes on in the old order
            log.exception("The ranking could not be learnt from %d verdicts; the order stays.", len(verdicts))
        self.num_refits += 1

    def _set_doubt(self, doubt_S: np.ndarray) -> None:
        order = review_order(self._table, doubt_S)
        rank_S = np.empty(len(order), np.int64)
        rank_S[order] = np.arange(len(order))
        self.doubt_S = doubt_S
        self.order = order
        self.rank_S = rank_S
