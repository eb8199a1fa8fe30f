"""Sentences on how many of a label's values look wrong, for the labels with the most errors."""

import numpy as np

from tagger.arrays import NO, YES, Floats
from tagger.suspects.evidence import Evidence

MIN_TENTHS = 0.5  # of ten labels; fewer are not worth a sentence
MAX_SENTENCES = 5


def wrong_shares(evidence: Evidence, doubt_NK: Floats) -> tuple[str, ...]:
    """``About 4 in 10 `angry` labels look wrong``, by the doubts of cells that nobody has verified.

    At most ``MAX_SENTENCES``, those about the most labels first.
    """
    said: list[tuple[float, str]] = []
    for k, name in enumerate(evidence.names):
        positives = int((evidence.labels_NK[:, k] == YES).sum())
        for value in (YES, NO):
            cells_N = (evidence.labels_NK[:, k] == value) & np.isfinite(doubt_NK[:, k])
            expected = float(doubt_NK[cells_N, k].sum())
            tenths = 10 * expected / max(positives, 1)
            if tenths >= MIN_TENTHS:
                said.append((expected, _sentence(name, value, tenths)))
    return tuple(sentence for _, sentence in sorted(said, reverse=True)[:MAX_SENTENCES])


def _sentence(name: str, value: int, tenths: float) -> str:
    """One sentence.

    >>> _sentence("angry", YES, 4.2), _sentence("sad", NO, 0.7)
    ('About 4 in 10 `angry` labels look wrong', 'For 10 photos with `sad`, about 1 more seems to lack the label')
    """
    rounded = max(round(tenths), 1)
    if value == YES:
        return f"About {rounded} in 10 `{name}` labels look wrong"
    return f"For 10 photos with `{name}`, about {rounded} more {'seems' if rounded == 1 else 'seem'} to lack the label"
