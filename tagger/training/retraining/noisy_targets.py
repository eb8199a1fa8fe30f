"""Training targets for doubted cells: four strategies, and the choice of one by validation.

A doubted cell is one whose label is probably wrong.

Targets made from the run's own out-of-fold probabilities leak: the probabilities carry what their models
saw of the held-out part. On photos with planted errors out-of-fold mAP rose by .028 and held-out mAP not at
all. So for every held-out part the doubt comes from teachers that have not seen that part either. Of the
suspects only the number of wrong cells is used, as even the list of cells would leak. Teachers and the
compared heads train for a third of the epochs.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import UNKNOWN, YES, Cells, Floats, Indices, logit, sigmoid
from tagger.config import Settings
from tagger.data import EMPTY_VOCABULARY, Vocabulary
from tagger.progress import Track
from tagger.scoring import mean_average_precision
from tagger.training.head.cross_fit import fit_head, head_logits
from tagger.training.targets import TrainingTargets

STRATEGIES = ("trust", "smooth", "relabel", "leave-out")
DOUBT_THRESHOLD = 0.3  # a cell of this doubt or more is doubted: it is left out, and no validation counts it
MIN_MAP_GAIN = 0.003  # mAP by which a strategy has to beat trust: about the noise of one held-out part


def soft_targets(labels_NK: Cells, doubt_NK: Floats, strategy: str) -> Floats:
    """targets_NK (float32, -1 is ignored) for labels that are wrong with probability ``doubt_NK``.

    ``trust`` takes the labels as they are; ``smooth`` the probability that it is yes; ``relabel`` turns
    those that are more likely wrong than right; ``leave-out`` drops those of doubt ``DOUBT_THRESHOLD`` and
    more.

    >>> labels_NK, doubt_NK = np.array([[1, 0, -1]], np.int8), np.array([[0.25, 0.75, 0.0]])
    >>> [soft_targets(labels_NK, doubt_NK, strategy).tolist()[0] for strategy in STRATEGIES]
    [[1.0, 0.0, -1.0], [0.75, 0.75, -1.0], [1.0, 1.0, -1.0], [1.0, -1.0, -1.0]]
    """
    targets_NK = labels_NK.astype(np.float32)
    known_NK = labels_NK != UNKNOWN
    changed_NK = {
        "trust": targets_NK,
        "smooth": np.where(labels_NK == YES, 1 - doubt_NK, doubt_NK),
        "relabel": np.where(doubt_NK > 0.5, 1 - targets_NK, targets_NK),
        "leave-out": np.where(doubt_NK >= DOUBT_THRESHOLD, UNKNOWN, targets_NK),
    }[strategy]
    return np.where(known_NK, changed_NK, targets_NK).astype(np.float32)


def calibrate_doubt(labels_NK: Cells, probs_NK: Floats, prior_NK: Floats) -> Floats:
    """doubt_NK: how likely each cell is wrong, by ``probs_NK`` (of *yes*), as many in all as ``prior_NK``
    expects.

    Cells whose prior is NaN are beyond doubt. Missing and spurious ones are matched apart, each by one
    shift of the log-odds: the prior's sum is kept, its order is not.

    >>> labels_NK, prior_NK = np.zeros((2, 1), np.int8), np.full((2, 1), 0.25)
    >>> calibrate_doubt(labels_NK, np.array([[0.5], [0.5]]), prior_NK).round(3).tolist()
    [[0.25], [0.25]]
    """
    doubt_NK = np.zeros(labels_NK.shape)
    for value in (0, 1):
        cells = np.isfinite(prior_NK) & (labels_NK == value) & np.isfinite(probs_NK)
        if not (prior_NK[cells] > 0).any():
            continue
        odds = logit(np.where(value == YES, 1 - probs_NK[cells], probs_NK[cells]).astype(np.float64))
        low = -40.0
        high = 40.0
        wanted = prior_NK[cells].mean()
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if sigmoid(odds + middle).mean() < wanted else (low, middle)
        doubt_NK[cells] = sigmoid(odds + low)
    return doubt_NK


def reduced_epochs(settings: Settings) -> Settings:
    """The settings of teachers and of heads that are compared: a third of the epochs.

    >>> reduced_epochs(Settings()).head_stage.epochs
    10
    """
    epochs = math.ceil(settings.head_stage.epochs / 3)
    return settings.model_copy(
        update={"head_stage": settings.head_stage.model_copy(update={"epochs": epochs})}
    )


@dataclass(frozen=True)
class NoisyTargets:
    """Makes training targets while some rows are held out.

    ``prior_NK`` is the suspects' doubt, 0 for cells that are none, NaN for those that people decided.
    """

    views_VND: NDArray[np.float16]
    labels_NK: Cells
    prior_NK: Floats
    weights_NK: Floats | None
    fold_N: Indices
    settings: Settings
    vocabulary: Vocabulary = EMPTY_VOCABULARY

    def targets(self, strategy: str, held_out: Indices) -> TrainingTargets:
        """Targets of a strategy, and weights; the labels of held-out rows have no influence on them."""
        doubt_NK = (
            np.zeros(self.labels_NK.shape) if strategy == "trust" else self.cross_fitted_doubt(held_out)
        )
        return TrainingTargets.from_labels(
            self.labels_NK, soft_targets(self.labels_NK, doubt_NK, strategy), self.weights_NK
        )

    def cross_fitted_doubt(self, held_out: Indices) -> Floats:
        """doubt_NK of all other training rows, each by a teacher that saw neither it nor the held-out rows."""
        learns_N = self.fold_N >= 0
        settings = reduced_epochs(self.settings)
        learns_N[held_out] = False
        half_N = np.cumsum(learns_N) % 2
        probs_NK = np.full(self.labels_NK.shape, np.nan)
        for half in (0, 1):
            rows = np.flatnonzero(learns_N & (half_N != half))
            others = np.flatnonzero(learns_N & (half_N == half))
            if len(rows) and len(others):
                targets = TrainingTargets.from_labels(self.labels_NK, None, self.weights_NK)
                teacher, _ = fit_head(
                    self.views_VND, self.labels_NK, rows, others, settings,
                    name=f"teacher {half}", targets=targets, vocabulary=self.vocabulary,
                )  # fmt: skip
                probs_NK[others] = sigmoid(head_logits(teacher, self.views_VND, others))
        return calibrate_doubt(self.labels_NK, probs_NK, np.where(learns_N[:, None], self.prior_NK, np.nan))

    def choose_strategy(self, *, track: Track) -> tuple[str, dict[str, float]]:
        """(the best strategy, mAP by strategy), validated on one part; ``trust`` alone where nothing is doubted.

        Validation counts only the cells that a person verified and those that are not doubted. Another
        strategy has to beat ``trust`` by ``MIN_MAP_GAIN``.
        """
        if not (self.prior_NK > 0).any():
            return "trust", {}
        held_out = np.flatnonzero(self.fold_N == 0)
        rows = np.flatnonzero(self.fold_N > 0)
        doubt_NK = self.cross_fitted_doubt(held_out)
        scores = {}
        settings = reduced_epochs(self.settings)
        validation_labels_NK = np.where(self.prior_NK >= DOUBT_THRESHOLD, UNKNOWN, self.labels_NK).astype(
            np.int8
        )[held_out]
        for strategy in track(list(STRATEGIES), "strategies for doubted cells"):
            targets = TrainingTargets.from_labels(
                self.labels_NK, soft_targets(self.labels_NK, doubt_NK, strategy), self.weights_NK
            )
            head, _ = fit_head(
                self.views_VND, self.labels_NK, rows, held_out, settings,
                name="way", targets=targets, vocabulary=self.vocabulary,
            )  # fmt: skip
            scores[strategy] = float(
                mean_average_precision(validation_labels_NK, head_logits(head, self.views_VND, held_out))
            )
        best = max(scores, key=lambda strategy: scores[strategy] - MIN_MAP_GAIN * (strategy != "trust"))
        return (best if np.isfinite(scores["trust"]) else "trust"), scores
