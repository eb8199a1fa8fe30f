"""Phrases of messages: counts with a noun, lists of names cut to a length, options as they are typed."""

import shlex
from collections.abc import Mapping, Sequence

MAX_SHOWN = 10
MAX_NAME = 60
MAX_OPTION = 500  # characters of a setting that is shown


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


def set_options(chosen: Mapping[str, str]) -> str:
    """Settings of reading as they are typed; a very long value is replaced by NAME.

    >>> set_options({"file_column": "my id", "label_separator": " "})
    "--set 'data.file_column=my id' --set data.label_separator=space"
    """
    return " ".join(
        f"--set {shlex.quote(f'data.{key}={_typed(key, value)}')}" for key, value in chosen.items()
    )


def _typed(key: str, value: str) -> str:
    if len(value) > MAX_OPTION:
        return "NAME"
    words = {" ": "space", "\t": "tab", "\n": "newline", ",": "comma", ";": "semicolon", "|": "bar"}
    if key == "label_separator":
        return words.get(value, value)
    return value
