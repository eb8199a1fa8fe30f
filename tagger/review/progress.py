"""How far the review is, by label."""

import numpy as np

from tagger.review.cards import LabelProgress, Progress
from tagger.review.ledger import Ledger


def progress(ledger: Ledger, open_S: np.ndarray, reviewer: str) -> Progress:
    """Counts of what people decided and of the suspects ``open_S`` (bool) that are left, in the current labels."""
    left = dict.fromkeys(ledger.vocabulary.names, 0)
    labels, counts = np.unique(ledger.code_S[open_S], return_counts=True)
    for code, number in zip(labels.tolist(), counts.tolist(), strict=True):
        name = ledger.vocabulary.resolve(ledger.kinds[code])
        if name in left:
            left[name] += number
    rows = [
        LabelProgress(label=name, decided=ledger.num_decided[name], found=ledger.num_found[name], left=number)
        for name, number in left.items()
    ]
    return Progress(
        decided=sum(row.decided for row in rows),
        mine=len(ledger.marks(reviewer).cells),
        found=sum(row.found for row in rows),
        left=int(open_S.sum()),
        disputed=len(ledger.disputed),
        per_label=tuple(rows),
    )
