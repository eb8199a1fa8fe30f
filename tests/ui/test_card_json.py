"""What travels with a card where there are very many labels: the likely ones, and how many more there are."""

from dataclasses import replace

import numpy as np
import pytest

from tagger.review import Card, NeighbourView
from tagger.ui.server.card_json import MAX_CHIPS, MAX_NEIGHBOUR_LABELS, card_to_json, visible_labels

NAMES = [f"label {k:04d}" for k in range(5000)]


@pytest.fixture
def card() -> Card:
    """Of 5,000 labels the photo has three late ones; the one that is asked for is neither there nor near."""
    near = [
        NeighbourView(row=1, file="b.jpg", similarity=0.9, labels=tuple(NAMES[3000:3030])),
        NeighbourView(row=2, file="c.jpg", similarity=0.8, labels=(NAMES[3005],)),
    ]
    has = {4000, 4001, 4002}
    return Card(
        position=7, row=0, file="a.jpg", hash="aa", label=NAMES[4900], given=0, suggested=1, direction="missing",
        reason="", doubt=0.9, signal="neighbours", blind=False, neighbours=tuple(near),
        labels=tuple((name, int(k in has), False) for k, name in enumerate(NAMES)),
            group=0, seen=0,
    )  # fmt: skip


def test_of_very_many_labels_the_likely_ones_travel_and_the_one_asked_for(card: Card):
    sent = card_to_json(card, {}, np.array(["aa", "bb", "cc"], object))
    names = [label["name"] for label in sent["labels"]]
    assert names[:4] == [*NAMES[4000:4003], NAMES[3005]]  # those it has, then what most similar photos have
    assert set(NAMES[3000:3030]) < set(names)
    assert names[-1] == card.label
    assert (len(names), sent["more"]) == (MAX_CHIPS + 1, 5000 - MAX_CHIPS - 1)
    assert sent["neighbours"][0]["labels"] == [*NAMES[3000 : 3000 + MAX_NEIGHBOUR_LABELS], "…"]
    assert sent["neighbours"][1]["labels"] == [NAMES[3005]]
    assert sent["neighbours"][0]["has"] == 0


def test_few_labels_all_travel_in_their_order(card: Card):
    few = replace(card, labels=card.labels[:11], label=NAMES[3])
    assert visible_labels(few, few.neighbours) == list(card.labels[:11])
    assert card_to_json(few, {}, np.array(["aa", "bb", "cc"], object))["more"] == 0
