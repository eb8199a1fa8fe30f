"""How is a text put into a CSV that people open in a spreadsheet, so that it is never run as a formula?

A cell that begins with ``= + - @``, a tab or a line end gets an apostrophe before it (OWASP, "CSV injection"), and so
does one in which such a sign follows apostrophes, so that taking one away again gives back exactly what was there.
Reports are written so; labels and predictions are data for programs and stay as they are.
"""

import re

import pandas as pd

_RUNS = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")


def guarded(cell: str) -> str:
    """The text as no spreadsheet runs it.

    >>> guarded("=1+1"), guarded("'=x"), guarded("cat"), guarded("it's")
    ("'=1+1", "''=x", 'cat', "it's")
    """
    return f"'{cell}" if _RUNS.match(cell) else cell


def unguarded(cell: str) -> str:
    """What ``guarded`` was given.

    >>> unguarded(guarded("'=x")), unguarded("'quoted'")
    ("'=x", "'quoted'")
    """
    return cell[1:] if cell.startswith("'") and _RUNS.match(cell) else cell


def guarded_table(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its texts, and the names of its columns, guarded; numbers stay numbers.

    >>> guarded_table(pd.DataFrame({"file": ["-a.jpg"], "doubt": [-0.5]})).values.tolist()
    [["'-a.jpg", -0.5]]
    """
    safe = table.map(lambda cell: guarded(cell) if isinstance(cell, str) else cell)
    return safe.rename(columns=lambda name: guarded(str(name)))
