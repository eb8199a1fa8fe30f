"""Oracle reviewer: answers suspects from known true labels, through the app's review session."""

from collections.abc import Mapping, Set
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tagger.commands.suspects import make_rescorer
from tagger.review import Card, Decision, DoubtModel, ReviewedRun, ReviewSession, Store, default_url
from tagger.runs import RunFolder

CARDS_AT_ONCE = 20


@dataclass(frozen=True)
class ReviewCount:
    """The number of cells reviewed, and of those whose given label was wrong."""

    asked: int
    wrong: int


def answer_suspects(
    run: RunFolder,
    truth: Mapping[str, Set[str]],
    count: int,
    *,
    store: str | None = None,
    reviewer: str = "truth",
) -> ReviewCount:
    """Answer the first ``count`` cards of the review queue from ``truth`` (file -> its true labels).

    The decisions are recorded in the review store, in the order of the queue, which adapts to them.
    """
    url = store or default_url(Path(run.load_settings().data.path))
    with closing(Store.open(url)) as opened:
        reviewed = ReviewedRun(
            name=run.path.name,
            suspects=run.load_suspects(),
            images=run.load_images(),
            labels_NK=run.load_cells(),
            labels=run.load_labels(),
            neighbours=run.load_neighbours(),
        )
        session = ReviewSession(reviewed, opened, doubt_model=DoubtModel(rescore=make_rescorer(run, url)))
        asked = wrong = 0
        while asked < count:
            cards = session.next_cards("truthful", reviewer, count=min(CARDS_AT_ONCE, count - asked))
            if not cards:
                break
            decisions = []
            for seq, card in enumerate(cards, start=asked):
                right = card.label in truth[card.file]
                wrong += right != bool(card.given)
                decisions.append(_decision(card, right, run=run.path.name, reviewer=reviewer, seq=seq))
            session.record(decisions)
            session.wait()
            asked += len(cards)
        return ReviewCount(asked, wrong)


def _decision(card: Card, right: bool, *, run: str, reviewer: str, seq: int) -> Decision:
    """The decision that gives a card its true value."""
    return Decision(
        hash=card.hash,
        label=card.label,
        verdict="yes" if right else "no",
        before=card.given,
        suggested=card.suggested,
        doubt=card.doubt,
        run=run,
        reviewer=reviewer,
        seconds=None,
        client="truthful",
        seq=seq,
        blind=card.blind,
    )
