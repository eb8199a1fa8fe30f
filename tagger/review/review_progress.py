"""Progress of the review, by label."""

import numpy as np

from tagger.review.decision_index import DecisionIndex
from tagger.review.views import LabelProgress, ReviewProgress


def progress(index: DecisionIndex, open_S: np.ndarray, reviewer: str) -> ReviewProgress:
    """Counts of what people decided and of the suspects ``open_S`` (bool) that are left, in the current labels."""
    left = dict.fromkeys(index.vocabulary.names, 0)
    labels, counts = np.unique(index.label_code_S[open_S], return_counts=True)
    for code, number in zip(labels.tolist(), counts.tolist(), strict=True):
        name = index.vocabulary.resolve(index.label_names[code])
        if name in left:
            left[name] += number
    rows = [
        LabelProgress(label=name, decided=index.num_decided[name], found=index.num_found[name], left=number)
        for name, number in left.items()
    ]
    return ReviewProgress(
        decided=sum(row.decided for row in rows),
        mine=len(index.reviewer_state(reviewer).cells),
        found=sum(row.found for row in rows),
        left=int(open_S.sum()),
        disputed=len(index.disputed),
        per_label=tuple(rows),
    )
