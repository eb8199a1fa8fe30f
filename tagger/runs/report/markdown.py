"""Markdown for the model card: tables, label names, numbers and intervals."""

from collections.abc import Mapping
from typing import Any


def table(columns: list[str], rows: list[list[str]]) -> str:
    """A table; the columns between the first and the last are numbers, to the right."""
    rule = ["---", *(["---:"] * (len(columns) - 2)), "---"]
    return "\n".join("| " + " | ".join(row) + " |" for row in [columns, rule, *rows])


def escape(text: str) -> str:
    """A label name that Markdown shows as it is, on one line.

    >>> escape("a|b *c*")
    'a\\\\|b \\\\*c\\\\*'
    """
    for mark in "\\`*_{}[]()#+-!|<>~$":
        text = text.replace(mark, "\\" + mark)
    return " ".join(text.split())


def format_value(row: Mapping[str, Any]) -> str:
    """The value of a metric with its interval, without that."""
    return format_number(row["value"])


def format_number(value: float | None) -> str:
    """Three decimals; a dash for what is undefined."""
    return "-" if value is None or value != value else f"{value:.3f}"


def format_interval(row: Mapping[str, Any], *, sign: bool = False) -> str:
    """``(0.81-0.86)``, with ``sign`` ``(-0.010 to +0.020)``; nothing where there is no interval."""
    if row["low"] is None:
        return ""
    return f"({row['low']:+.3f} to {row['high']:+.3f})" if sign else f"({row['low']:.2f}-{row['high']:.2f})"
