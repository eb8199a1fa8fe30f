"""Sentences about the review's status: errors left, and why there is no card.

Plain text, for the sidebar and for an empty queue."""

from typing import TYPE_CHECKING

from tagger.review import SuspectFilter

if TYPE_CHECKING:  # it brings scikit-learn, 0.7 s that the app's start can do without
    from tagger.suspects import ErrorEstimate


def error_estimate_lines(estimate: "ErrorEstimate") -> tuple[str, str]:
    """What is left and what the next hundred will find, and whether one may stop and why.

    >>> from tagger.suspects import ErrorEstimate
    >>> lines = error_estimate_lines(ErrorEstimate(41, 25, 70, 12, 8, 18, False, "Too few were checked.", 9))
    >>> lines[0]
    'About 41 (25–70) wrong labels are left. The next 100 will show about 12 (8–18).'
    """
    left = (
        f"About {estimate.errors_left:,} ({estimate.errors_low:,}–{estimate.errors_high:,}) wrong labels are left."
        f" The next 100 will show about {estimate.next_hundred:,} ({estimate.next_low:,}–{estimate.next_high:,})."
    )
    return left, estimate.reason


def no_cards_text(chosen: SuspectFilter, left: int) -> tuple[str, str]:
    """A headline and advice for a page without a card.

    >>> no_cards_text(SuspectFilter(), 0)[0]
    'All done'
    """
    if chosen != SuspectFilter():
        return (
            "Nothing left with this filter",
            "Choose another label, direction or reason above, or clear the filter.",
        )
    if left > 0:
        return "Others are at work on the rest", "Cards come back here as soon as somebody gives them up."
    return (
        "All done",
        "Every suspect has a decision. Learn from them on the page Retrain, or settle the Disagreements.",
    )
