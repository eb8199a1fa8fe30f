"""Phrases of messages: counts with a noun, lists of names cut to a length."""

from collections.abc import Sequence

MAX_SHOWN = 10
MAX_NAME = 60


def counted(number: int, noun: str) -> str:
    """``1 image``, ``1,200 images``.

    >>> counted(1, "image"), counted(1200, "image")
    ('1 image', '1,200 images')
    """
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def quoted(names: Sequence[str], most: int = 20) -> str:
    """``'a', 'b' and 3 more``; very long names, which damaged files may hold, are cut.

    >>> quoted(["a", "b" * 90], 20)[:20]
    "'a', 'bbbbbbbbbbbbbb"
    """
    return shortlist(
        [repr(name if len(name) <= MAX_NAME else name[:MAX_NAME] + "...") for name in names], most
    )


def shortlist(items: Sequence[str], most: int = MAX_SHOWN) -> str:
    """``a, b and 3 more``.

    >>> shortlist(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more


def minutes(seconds: float) -> str:
    """``20 s``, ``10.0 min``.

    >>> minutes(20), minutes(600)
    ('20 s', '10.0 min')
    """
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.1f} min"
