"""Whoever presses Enter without looking leaves no more wrong cells than there were, at any noise.

Enter changes a label only where its doubt is one half or more (``ui/component/doubt.js``; the browser's own answers are
compared with that rule in ``tests/ui/test_review_browser.py``).
"""

import numpy as np
import pytest
from drawn import NAMES, draw

from tagger.suspects import find_suspects

LIKELY = 0.5


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("noise", [0.0, 0.02, 0.1, 0.3])
def test_blind_enter_never_hurts_and_still_helps(noise, seed):
    drawn = draw(noise=noise, seed=seed)
    num = len(drawn.truth_NK)
    names = np.array([f"{n}" for n in range(num)])
    table = find_suspects(drawn.evidence, names, names).table
    cards = table[~table["audit"]].head(500)
    rows = cards["file"].to_numpy(dtype=int)
    columns = np.array([NAMES.index(label) for label in cards["label"]])
    wrong = drawn.evidence.labels_NK[rows, columns] != drawn.truth_NK[rows, columns]
    changed = cards["doubt"].to_numpy() >= LIKELY
    before = int((drawn.evidence.labels_NK != drawn.truth_NK).sum())
    after = before - int((changed & wrong).sum()) + int((changed & ~wrong).sum())
    assert after <= before
    if noise >= 0.1:
        assert after <= 0.85 * before
