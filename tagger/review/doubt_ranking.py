"""Current doubts of all suspects and their order, refitted in the background."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tagger.suspects.review_priority import review_order

log = logging.getLogger(__name__)

RESCORE_EVERY = 200  # verdicts


Rejudge = Callable[[pd.DataFrame, np.ndarray, pd.DataFrame], np.ndarray]


def _refit_doubt(table: pd.DataFrame, verdicts: pd.DataFrame) -> np.ndarray:
    from tagger import suspects  # here, because the app starts without scikit-learn

    return suspects.refit_doubt(table, verdicts)


def _estimate_errors(
    table: pd.DataFrame, doubt_S: np.ndarray, verdicts: pd.DataFrame, queue: np.ndarray
) -> Any:
    from tagger import suspects

    return suspects.estimate_errors(table, doubt_S, verdicts, queue)


@dataclass(frozen=True)
class DoubtModel:
    """Functions that learn from verdicts (by default those of ``tagger.suspects``), and how often they are called.

    ``refit(table, verdicts)`` gives the doubts of all suspects; it is called after ``refit_every`` new verdicts.
    ``rescore(table, verdicts)`` gives the table with every cell scored anew; it is called before a refit, after
    ``RESCORE_EVERY`` verdicts. ``estimate_errors(table, doubt, verdicts, queue)`` gives the errors left.
    ``prepare_rejudge()`` gives a function ``(table, doubt, verdicts)`` to the doubts of answered photos' other labels;
    it is called at the first verdict, the function after every one.
    """

    refit: Callable[[pd.DataFrame, pd.DataFrame], np.ndarray] = _refit_doubt
    estimate_errors: Callable[[pd.DataFrame, np.ndarray, pd.DataFrame, np.ndarray], Any] = _estimate_errors
    rescore: Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame] | None = None
    prepare_rejudge: Callable[[], Rejudge] | None = None
    refit_every: int = 20  # verdicts


class DoubtRanking:
    """``doubt_S`` of every suspect, ``order`` (positions, most doubtful first) and ``rank_S`` (place of each one).

    ``table``: the suspects, scored anew from time to time.
    """

    def __init__(self, suspects: pd.DataFrame, model: DoubtModel, *, teaches_S: np.ndarray | None = None):
        """``teaches_S``: whether a retraining learns from the suspect's photo."""
        self.table = suspects
        self._model = model
        self._teaches_S = teaches_S
        self._num_rescored = 0
        self.num_refits = 0
        self._num_new_verdicts = 0
        self._thread: threading.Thread | None = None
        self._rejudge: Rejudge | None = None
        self._preparing: threading.Thread | None = None
        self._rescored_positions = np.zeros(0, np.int64)
        self._learnt_S = suspects["doubt"].to_numpy(np.float32)
        self._set_doubt(self._learnt_S)

    def on_verdicts(self, num_verdicts: int, verdicts: Callable[[], pd.DataFrame]) -> None:
        """Judge the answered photos' other labels anew; start a refit to all verdicts when enough are new."""
        if num_verdicts:
            self._answer(verdicts)
        self._num_new_verdicts += num_verdicts
        if self._num_new_verdicts < self._model.refit_every or (self._thread and self._thread.is_alive()):
            return
        self._num_new_verdicts = 0
        self._thread = threading.Thread(target=self._refit, args=(verdicts(),), name="refit", daemon=True)
        self._thread.start()

    @property
    def preparing(self) -> bool:
        """Whether what judges the photos of first answers anew is still being read."""
        return self._preparing is not None and self._preparing.is_alive()

    def estimate_errors(self, doubt_S: np.ndarray, verdicts: pd.DataFrame, queue: np.ndarray) -> Any:
        """How many errors are left (``DoubtModel.estimate_errors``)."""
        return self._model.estimate_errors(self.table, doubt_S, verdicts, queue)

    def wait(self) -> None:
        """Return when no refit is under way."""
        for thread in (self._preparing, self._thread):
            if thread:
                thread.join()

    def _refit(self, verdicts: pd.DataFrame) -> None:
        try:
            rescore = self._model.rescore
            if rescore and len(verdicts) - self._num_rescored >= RESCORE_EVERY:
                self._num_rescored = len(verdicts)
                self.table = rescore(self.table, verdicts)
                self._rescored_positions = verdicts["position"].to_numpy(np.int64)
            self._learnt_S = np.asarray(self._model.refit(self.table, verdicts), np.float32)
            self._set_doubt(self._rejudged(verdicts))
        except Exception:  # reviewing goes on in the old order
            log.exception("The ranking could not be learnt from %d verdicts; the order stays.", len(verdicts))
        self.num_refits += 1

    def _answer(self, verdicts: Callable[[], pd.DataFrame]) -> None:
        """Rejudge after new verdicts, or prepare to: reading the evidence takes seconds."""
        if self._rejudge is not None:
            doubt_S = self._rejudged(verdicts())
            if not np.array_equal(doubt_S, self.doubt_S):
                self._set_doubt(doubt_S)
        elif self._model.prepare_rejudge and self._preparing is None:
            self._preparing = threading.Thread(
                target=self._prepare, args=(verdicts,), name="rejudge", daemon=True
            )
            self._preparing.start()

    def _prepare(self, verdicts: Callable[[], pd.DataFrame]) -> None:
        assert self._model.prepare_rejudge
        try:
            self._rejudge = self._model.prepare_rejudge()
            self._set_doubt(self._rejudged(verdicts()))
        except Exception:  # reviewing goes on; doubts change with the next refit only
            log.exception("The doubts of answered photos cannot be judged anew.")

    def _rejudged(self, verdicts: pd.DataFrame) -> np.ndarray:
        """The doubts last learnt, with what the verdicts since the last rescoring say about their own photos."""
        if self._rejudge is None:
            return self._learnt_S
        new = verdicts[~verdicts["position"].isin(self._rescored_positions)]
        return np.asarray(self._rejudge(self.table, self._learnt_S, new), np.float32)

    def _set_doubt(self, doubt_S: np.ndarray) -> None:
        order = review_order(self.table, doubt_S, teaches_S=self._teaches_S)
        rank_S = np.empty(len(order), np.int64)
        rank_S[order] = np.arange(len(order))
        self.doubt_S = doubt_S
        self.order = order
        self.rank_S = rank_S
