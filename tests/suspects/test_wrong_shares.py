"""A person is told how many of a label's values look wrong."""

from dataclasses import replace

import numpy as np
from drawn import draw

from tagger.suspects import find_suspects
from tagger.suspects.wrong_shares import wrong_shares


def test_the_labels_with_the_most_errors_come_first_and_clean_ones_are_not_named() -> None:
    evidence = draw(400).evidence
    labels_NK = np.zeros((400, 4), np.int8)
    labels_NK[:200, 0] = labels_NK[:100, 1] = labels_NK[:, 2] = 1
    doubt_NK = np.zeros((400, 4))
    doubt_NK[:200, 0] = 0.4
    doubt_NK[100:300, 1] = 0.15
    doubt_NK[:, 2] = np.nan  # verified
    assert wrong_shares(replace(evidence, labels_NK=labels_NK), doubt_NK) == (
        "About 4 in 10 `people` labels look wrong",
        "For 10 photos with `baby`, about 3 more seem to lack the label",
    )


def test_suspects_say_how_many_labels_look_wrong() -> None:
    drawn = draw(1200, noise=0.3)
    names = np.arange(1200).astype(str)
    shares = find_suspects(drawn.evidence, names, names).shares
    assert 1 <= len(shares) <= 5
    assert any("in 10 `people` labels look wrong" in sentence for sentence in shares)
