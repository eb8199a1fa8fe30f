"""The frames about a card: those before and after, and the run that one answer settles."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tagger.review import Decision, DoubtModel, ReviewedRun, ReviewSession, Store, SuspectFilter, default_url
from tagger.review.frame_strips import MOST_OF_A_RUN, CellOfFrame, FrameStrips, run_about, shown_frames
from tagger.ui.server.card_json import card_to_json

FILES = np.array([f"{n}.jpg" for n in range(8)], object)


def strips() -> FrameStrips:
    """Two sequences, of five and two frames, mixed in the table, and a photo alone."""
    return FrameStrips(
        pd.DataFrame({"sequence": [4, 9, 4, 4, 9, 4, 4, 2], "place": [4, 1, 0, 2, 0, 1, 3, 0]})
    )


def test_frames_stand_in_their_order_and_stay_within_their_sequence():
    assert strips().span(3) == (2, 5, 3, 6, 0)
    assert strips().span(1) == (4, 1)
    assert strips().span(7) == ()
    assert FrameStrips(pd.DataFrame({"file": ["a"]})).span(0) == ()


def test_a_long_sequence_shows_only_what_is_near():
    long = FrameStrips(pd.DataFrame({"sequence": np.zeros(1000, int), "place": np.arange(1000)}))
    assert long.span(500) == tuple(range(500 - MOST_OF_A_RUN, 501 + MOST_OF_A_RUN))


def test_two_frames_each_way_are_shown_with_the_label_that_they_have():
    cells = {row: CellOfFrame(int(row % 2), False) for row in range(8)}
    found = shown_frames(2, strips().span(2), cells, FILES)
    assert [(one.row, one.offset, one.value) for one in found] == [(5, 1, 1), (3, 2, 1)]
    assert [one.offset for one in shown_frames(3, strips().span(3), cells, FILES)] == [-2, -1, 1, 2]
    assert shown_frames(7, (), {}, FILES) == []


def test_a_run_ends_where_a_frame_says_something_else_or_a_person_decided():
    span = tuple(range(6))
    cells = {n: CellOfFrame(value, False) for n, value in enumerate([0, 1, 1, 1, 1, 0])}
    assert run_about(2, span, cells) == [1, 3, 4]
    assert run_about(0, span, cells) == []
    assert run_about(2, span, cells | {3: CellOfFrame(1, True)}) == [1]


@pytest.fixture
def session(tmp_path: Path) -> ReviewSession:
    """Ten frames of one sequence; the label is on frames 3 to 6, and one of these is a suspect."""
    images = pd.DataFrame(
        {
            "file": [f"clip_{n}.jpg" for n in range(10)],
            "hash": [f"h{n}" for n in range(10)],
            "sequence": 0,
            "place": np.arange(10),
        }
    )
    labels_NK = np.isin(np.arange(10), range(3, 7)).astype(np.int8)[:, None]
    suspects = pd.DataFrame(
        {
            "file": ["clip_4.jpg"], "hash": ["h4"], "label": ["pain"], "given": np.int8([1]), "suggested": np.int8([0]),
            "doubt": np.float32([0.9]), "direction": ["spurious"], "reason": ["because"], "row": np.int32([4]),
            "audit": [False], "stratum": np.int16([0]), "stratum_size": np.int32([0]), "weight": np.float32([1]),
            "main_signal": ["flicker"],
        }
    )  # fmt: skip
    run = ReviewedRun(name="r", suspects=suspects, images=images, labels_NK=labels_NK, labels=("pain",))
    model = DoubtModel(refit=lambda table, verdicts: table["doubt"].to_numpy(), refit_every=10**9)
    return ReviewSession(run, Store.open(default_url(tmp_path)), doubt_model=model)


def test_a_card_has_its_frames_and_its_run_and_a_decision_in_between_ends_it(session: ReviewSession):
    (card,) = session.next_cards("a", "ann", SuspectFilter(), count=1)
    assert [(one.offset, one.value) for one in card.frames] == [(-2, 0), (-1, 1), (1, 1), (2, 1)]
    assert card.run == (3, 5, 6)
    sent = card_to_json(card, {"pain": 0}, np.array([f"h{n}" for n in range(10)], object))
    assert sent["frames"][0] == {"row": 2, "file": "clip_2.jpg", "hash": "h2", "offset": -2, "has": 0}
    assert sent["run"][0] == {"row": 3, "hash": "h3"}
    about = {
        "label": "pain",
        "verdict": "yes",
        "before": 1,
        "run": "r",
        "reviewer": "ann",
        "client": "b",
        "seq": 1,
    }
    session.record([Decision(hash="h5", source="edit", suggested=None, doubt=None, seconds=None, **about)])
    session.store.release("a")
    (card,) = session.next_cards("c", "ann", SuspectFilter(), count=1)
    assert card.run == (3,)
    session.store.close()
