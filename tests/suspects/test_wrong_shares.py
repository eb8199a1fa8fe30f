"""A person is told how many of a label's values look wrong."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from drawn import draw

from tagger.suspects import find_suspects, refit_doubt
from tagger.suspects.wrong_shares import suspect_shares, wrong_shares


def test_the_labels_with_the_most_errors_come_first_and_clean_ones_are_not_named() -> None:
    evidence = draw(400).evidence
    labels_NK = np.zeros((400, 4), np.int8)
    labels_NK[:200, 0] = labels_NK[:100, 1] = labels_NK[:, 2] = 1
    doubt_NK = np.zeros((400, 4))
    doubt_NK[:200, 0] = 0.4
    doubt_NK[100:300, 1] = 0.15
    doubt_NK[:, 2] = np.nan  # verified
    assert wrong_shares(replace(evidence, labels_NK=labels_NK), doubt_NK) == (
        "Perhaps 4 in 10 `people` labels look wrong (1 to 8)",
        "For 10 photos with `baby`, perhaps 3 more seem to lack the label (0 to 11)",
    )


def test_suspects_say_how_many_labels_look_wrong() -> None:
    drawn = draw(1200, noise=0.3)
    names = np.arange(1200).astype(str)
    shares = find_suspects(drawn.evidence, names, names).shares
    assert 1 <= len(shares) <= 5
    assert any("in 10 `people` labels look wrong" in sentence for sentence in shares)


@pytest.mark.parametrize("num_answers", [0, 20, 100])
def test_the_interval_holds_the_truth_while_answers_come(num_answers: int) -> None:
    """Doubts that are all off by one unknown shift, learnt from as many answers on the most doubtful."""
    rng, held, widths = np.random.default_rng(num_answers), 0, []
    for _ in range(60):
        doubt_C = rng.beta(1, 2, 400).astype(np.float32)
        odds_C = np.log(doubt_C / (1 - doubt_C)) + rng.normal(0, 0.8)
        wrong_C = rng.random(400) < 1 / (1 + np.exp(-odds_C))
        table = pd.DataFrame({"doubt": doubt_C, "label": "angry", "given": 1, "direction": "spurious"})
        table["positives"] = len(table)
        told = np.argsort(-doubt_C)[:num_answers]
        decided = pd.DataFrame({"position": told, "wrong": wrong_C[told]})
        (share,) = suspect_shares(table, refit_doubt(table, decided), decided)
        left = np.delete(wrong_C, told)
        truth = left.sum() / (400 - wrong_C[told].sum())
        held += share.low <= truth <= share.high
        widths.append(share.high - share.low)
    assert held >= 54  # 95 in 100 are meant; 9 in 10 is what sixty draws can tell
    assert np.mean(widths) < {0: 0.8, 20: 0.65, 100: 0.35}[num_answers]


def test_answers_make_the_sentence_surer_and_count_what_they_corrected() -> None:
    table = pd.DataFrame({"label": "angry", "given": [1] * 300, "positives": 300, "doubt": np.float32(0.4)})
    none = pd.DataFrame({"position": [], "wrong": []}).astype({"position": int, "wrong": bool})
    (before,) = suspect_shares(table, table["doubt"].to_numpy(), none)
    assert before.sentence == "Perhaps 4 in 10 `angry` labels look wrong (1 to 8)"
    told = pd.DataFrame({"position": np.arange(100), "wrong": np.arange(100) < 50})
    (after,) = suspect_shares(table, table["doubt"].to_numpy(), told)
    assert after.share == pytest.approx(200 * 0.4 / 250)
    assert after.sentence == "About 3 in 10 `angry` labels look wrong (2 to 4)"


def test_nothing_is_said_of_a_table_that_does_not_know_how_many_photos_have_a_label() -> None:
    table = pd.DataFrame({"label": ["angry"], "given": [1], "doubt": [0.4]})
    assert suspect_shares(table, np.array([0.4]), pd.DataFrame({"position": [], "wrong": []})) == []
