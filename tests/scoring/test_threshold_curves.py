"""A label at every threshold: the same numbers as counting at each threshold on its own."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tagger.scoring import apply_thresholds, confusion_counts, f_beta, precision, recall
from tagger.scoring.threshold_curves import threshold_curve

CELLS = st.lists(
    st.tuples(st.sampled_from([-1, 0, 1]), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0])), max_size=20
)


@given(cells=CELLS, thresholds=st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_each_point_is_what_counting_gives(cells: list[tuple[int, float]], thresholds: list[float]):
    labels_N = np.array([label for label, _ in cells], dtype=np.int8)
    probs_N = np.array([prob for _, prob in cells], dtype=np.float64)
    curve = threshold_curve(labels_N, probs_N, np.array(thresholds))
    for t, threshold in enumerate(thresholds):
        chosen = apply_thresholds(probs_N[:, None], threshold)
        counts = confusion_counts(labels_N[:, None], chosen)
        measured = (labels_N == 0).any()  # without a no, nothing can be chosen wrongly
        np.testing.assert_array_equal(curve.precision_T[t], precision(counts)[0] if measured else np.nan)
        np.testing.assert_array_equal(curve.recall_T[t], recall(counts)[0])
        np.testing.assert_array_equal(curve.f1_T[t], f_beta(counts)[0] if measured else np.nan)
        assert curve.chosen_T[t] == (chosen[:, 0] & (labels_N != -1)).sum()
