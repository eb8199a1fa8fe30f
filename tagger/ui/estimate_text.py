"""How much is left, in a sentence that a person can act on? Plain text, for the sidebar and for an empty queue."""

from typing import TYPE_CHECKING

from tagger.review import Filter

if TYPE_CHECKING:  # it brings scikit-learn, 0.7 s that the app's start can do without
    from tagger.suspects import Estimate


def estimate_lines(estimate: "Estimate") -> tuple[str, str]:
    """What is left and what the next hundred will find, and whether one may stop and why.

    >>> from tagger.suspects import Estimate
    >>> lines = estimate_lines(Estimate(41, 25, 70, 12, 8, 18, False, "Too few were checked.", 9))
    >>> lines[0]
    'About 41 (25–70) wrong labels are left. The next 100 will show about 12 (8–18).'
    """
    left = (
        f"About {estimate.errors_left:,} ({estimate.errors_low:,}–{estimate.errors_high:,}) wrong labels are left."
        f" The next 100 will show about {estimate.next_hundred:,} ({estimate.next_low:,}–{estimate.next_high:,})."
    )
    return left, estimate.reason


def exhausted_text(chosen: Filter, left: int) -> tuple[str, str]:
    """A headline and advice for a page without a card.

    >>> exhausted_text(Filter(), 0)[0]
    'All done'
    """
    if chosen != Filter():
        return "Nothing left with this filter", "Choose another label, direction or reason above, or clear the filter."
    if left > 0:
        return "Others are at work on the rest", "Cards come back here as soon as somebody gives them up."
    return "All done", "Every suspect has a decision. Learn from them on the page Retrain, or settle the Disagreements."
