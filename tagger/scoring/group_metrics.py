"""Accuracy, mean absolute error and confusion matrix within an exclusive or ordinal group.

Images count whose label in the group is known: one *yes*, or where an image may have none, all *no*. For an
ordinal group the distance between two labels is the number of steps from one to the other in the group's
order; it is taken to the likeliest label also where none was chosen. One-off accuracy allows a distance of
one step (so do the published figures on Adience age groups).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import NO, YES, Bools, Cells, Floats, Indices
from tagger.scoring.bootstrap import value_with_interval
from tagger.scoring.label_constraints import ExclusiveGroup
from tagger.scoring.metric_set import weighted_mean

NONE_CLASS = "(none)"
GROUP_METRICS = ("accuracy", "mean_absolute_error", "one_off_accuracy")  # the last two of ordinal groups


def true_classes(labels_NM: Cells, *, always: bool = False) -> Indices:
    """The place (0 ... M-1) of each image's label in the group, M for none; -1 where that is not known, or not
    one.

    With ``always`` there is no none: an image with every label *no* is one of which the label is not known.

    >>> true_classes(np.array([[0, 1, -1], [0, 0, 0], [0, -1, 0], [1, 1, 0]], np.int8)).tolist()
    [1, 3, -1, -1]
    """
    yes_NM = labels_NM == YES
    none_N = (labels_NM == NO).all(axis=1) & (not always)
    return np.where(yes_NM.sum(axis=1) == 1, yes_NM.argmax(axis=1), np.where(none_N, labels_NM.shape[1], -1))


def predicted_classes(chosen_NM: Bools) -> Indices:
    """The place of the one chosen label, M where there is none.

    >>> predicted_classes(np.array([[False, True], [False, False]])).tolist()
    [1, 2]
    """
    return np.where(chosen_NM.any(axis=1), chosen_NM.argmax(axis=1), chosen_NM.shape[1])


def confusion_matrix(true_N: Indices, chosen_N: Indices, num_classes: int) -> NDArray[np.int64]:
    """counts_CC: images by true class (row) and chosen class (column); those of unknown class (-1) are left out.

    >>> confusion_matrix(np.array([0, 1, -1]), np.array([1, 1, 0]), 2).tolist()
    [[0, 1], [0, 1]]
    """
    known = true_N >= 0
    pairs = true_N[known] * num_classes + chosen_N[known]
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


class GroupMetrics:
    """Decisions within one group made ready to be weighted; call it with ``weights_NB`` for name -> (B,).

    ``accuracy``; for an ordinal group also ``mean_absolute_error`` (in labels) and ``one_off_accuracy``,
    over images that have one of its labels. NaN where no image counts.

    >>> labels, probs = np.array([[1, 0, 0], [0, 0, 1]], np.int8), np.array([[0.2, 0.7, 0.1], [0.1, 0.2, 0.7]])
    >>> measure = GroupMetrics(ExclusiveGroup("age", (0, 1, 2), ordinal=True), labels, probs, probs > 0.5)
    >>> {name: values.tolist() for name, values in measure(np.ones((2, 1))).items()}
    {'accuracy': [0.5], 'mean_absolute_error': [0.5], 'one_off_accuracy': [1.0]}
    """

    def __init__(self, group: ExclusiveGroup, labels_NK: Cells, probs_NK: Floats, chosen_NK: Bools):
        columns = list(group.columns)
        self.group = group
        num = len(columns)
        self.true_N = true_classes(labels_NK[:, columns], always=group.always)
        self.chosen_N = predicted_classes(chosen_NK[:, columns])
        readable_N = ~np.isnan(probs_NK[:, columns]).any(axis=1)
        self.true_N = np.where(readable_N, self.true_N, -1)
        likeliest_N = np.nan_to_num(probs_NK[:, columns], nan=-1.0).argmax(axis=1)
        has_one_N = (self.true_N >= 0) & (self.true_N < num)
        away_N = np.abs(likeliest_N - self.true_N).astype(np.float64)
        self._values = {"accuracy": np.where(self.true_N >= 0, self.true_N == self.chosen_N, np.nan)}
        if group.ordinal:
            self._values["mean_absolute_error"] = np.where(has_one_N, away_N, np.nan)
            self._values["one_off_accuracy"] = np.where(has_one_N, away_N <= 1, np.nan)

    def __call__(self, weights_NB: Floats) -> dict[str, Floats]:
        return {name: weighted_mean(values_N, weights_NB) for name, values_N in self._values.items()}

    def row(self, names: Sequence[str], draws: dict[str, Floats]) -> dict[str, Any]:
        """What ``metrics.json`` holds of the group: labels, number of images, each metric's estimate, confusion."""
        classes = [names[k] for k in self.group.columns]
        if (
            not self.group.always or (self.chosen_N == len(classes)).any()
        ):  # a label may be chosen on no photo
            classes.append(NONE_CLASS)
        counts_CC = confusion_matrix(self.true_N, self.chosen_N, len(classes))
        values = self(np.ones((len(self.true_N), 1)))
        return {
            "kind": "ordinal" if self.group.ordinal else "exclusive",
            "num_images": int(counts_CC.sum()),
            **{name: value_with_interval(float(value[0]), draws.get(name)) for name, value in values.items()},
            "confusion": {"labels": classes, "counts": counts_CC.tolist()},
        }
