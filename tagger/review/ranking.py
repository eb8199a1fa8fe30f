"""The current doubts and their order, learnt anew in the background as verdicts come in."""

import logging
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from tagger.suspects.order import review_order

log = logging.getLogger(__name__)


RECONSIDER_EVERY = 200  # verdicts


class Ranking:
    """``doubt_S`` of every suspect, ``order`` (positions, most doubtful first) and ``place_S`` (where each one is).

    After ``refit_every`` new verdicts the doubts are learnt from all of them. After ``RECONSIDER_EVERY``, every cell is
    first judged anew by ``reconsider(table, verdicts) -> table``, if that is given.
    """

    def __init__(
        self,
        suspects: pd.DataFrame,
        *,
        refit_every: int,
        learn: Callable[..., np.ndarray] | None,
        estimate: Callable[..., Any] | None,
        reconsider: Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame] | None = None,
    ):
        self._table, self._refit_every, self._learn, self._estimate = suspects, refit_every, learn, estimate
        self._reconsider, self._reconsidered = reconsider, 0
        self.num_refits, self._waiting = 0, 0
        self._thread: threading.Thread | None = None
        self._take(suspects["doubt"].to_numpy(np.float32))

    def heed(self, num_verdicts: int, verdicts: Callable[[], pd.DataFrame]) -> None:
        """Count new verdicts, and begin to learn from all of them when there are enough new ones."""
        self._waiting += num_verdicts
        if self._waiting < self._refit_every or (self._thread and self._thread.is_alive()):
            return
        self._waiting = 0
        self._thread = threading.Thread(target=self._refit, args=(verdicts(),), name="refit", daemon=True)
        self._thread.start()

    def estimate(self, doubt_S: np.ndarray, verdicts: pd.DataFrame, queue: np.ndarray) -> Any:
        """What ``tagger.suspects.estimate`` says about the errors left."""
        if self._estimate is None:
            from tagger import suspects

            self._estimate = suspects.estimate
        return self._estimate(self._table, doubt_S, verdicts, queue)

    def wait(self) -> None:
        """Return when no refit is under way."""
        if self._thread:
            self._thread.join()

    def _refit(self, verdicts: pd.DataFrame) -> None:
        try:
            if self._learn is None:
                from tagger import suspects

                self._learn = suspects.learn
            if self._reconsider and len(verdicts) - self._reconsidered >= RECONSIDER_EVERY:
                self._reconsidered = len(verdicts)
                self._table = self._reconsider(self._table, verdicts)
            self._take(np.asarray(self._learn(self._table, verdicts), np.float32))
        except Exception:  # reviewing goes on in the old order
            log.exception("The ranking could not be learnt from %d verdicts; the order stays.", len(verdicts))
        self.num_refits += 1

    def _take(self, doubt_S: np.ndarray) -> None:
        order = review_order(self._table, doubt_S)
        place_S = np.empty(len(order), np.int64)
        place_S[order] = np.arange(len(order))
        self.doubt_S, self.order, self.place_S = doubt_S, order, place_S
