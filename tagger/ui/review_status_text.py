"""Sentences about the review's status: errors left, and why there is no card. Plain text, no Markdown."""

from dataclasses import replace
from typing import TYPE_CHECKING

from tagger.review import ReviewSession, SuspectFilter

if TYPE_CHECKING:  # it brings scikit-learn, 0.7 s that the app's start can do without
    from tagger.suspects import ErrorEstimate

MAX_SHARE_LINES = 3  # where no label is chosen


def error_estimate_lines(estimate: "ErrorEstimate") -> tuple[str, str]:
    """Two sentences: the wrong labels left and in the next hundred cards; the reason to stop or to go on.

    >>> from tagger.suspects import ErrorEstimate
    >>> lines = error_estimate_lines(ErrorEstimate(41, 25, 70, 12, 8, 18, False, "Too few were checked.", 9))
    >>> lines[0]
    'About 41 (25–70) wrong labels are left. The next 100 cards hold about 12 (8–18).'
    """
    left = (
        f"About {estimate.errors_left:,} ({estimate.errors_low:,}–{estimate.errors_high:,}) wrong labels are left."
        f" The next 100 cards hold about {estimate.next_hundred:,} ({estimate.next_low:,}–{estimate.next_high:,})."
    )
    return left, estimate.reason


def share_lines(session: ReviewSession, label: str | None) -> tuple[str, ...]:
    """Sentences on how many of a label's values look wrong; without a label, on those with the most errors."""
    from tagger.suspects.wrong_shares import suspect_shares, worth_saying

    shares = suspect_shares(session.suspects, *session.doubts())
    named = [replace(share, label=name) for share in shares if (name := session.current_name(share.label))]
    if label is None or not named:
        return worth_saying(named, limit=MAX_SHARE_LINES)
    return worth_saying(share for share in named if share.label == label) or (
        f"Few `{label}` labels look wrong.",
    )


def no_cards_text(chosen: SuspectFilter, left: int) -> tuple[str, str]:
    """Headline and advice for a page without a card.

    >>> no_cards_text(SuspectFilter(), 0)[0]
    'All done'
    """
    if chosen != SuspectFilter():
        return (
            "Nothing left with this filter",
            "Choose another label, kind of error or reason above, or clear the filter.",
        )
    if left > 0:
        return (
            "Remaining cards are held by other reviewers",
            "A card comes back when its reviewer leaves it undecided.",
        )
    return (
        "All done",
        "Every suspect has a decision. Next: retrain on these decisions (page Retrain), or settle the disagreements.",
    )
