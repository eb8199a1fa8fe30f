"""Escaping of CSV cells that a spreadsheet would run as formulas (OWASP, "CSV injection").

A cell that begins with ``= + - @``, a tab or a line end gets an apostrophe before it; so does a cell in which
such a sign follows apostrophes, so that removing one apostrophe restores every cell. Reports are escaped, and
begin with a byte order mark: without it Excel reads a CSV in the code page of its country, and ``café``
becomes ``cafÃ©``. Labels and predictions are data for programs and have neither.
"""

import re

import pandas as pd

BYTE_ORDER_MARK = "\ufeff"
_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")


def escape_formula(cell: str) -> str:
    """The text, escaped if a spreadsheet would run it as a formula.

    >>> escape_formula("=1+1"), escape_formula("'=x"), escape_formula("cat"), escape_formula("it's")
    ("'=1+1", "''=x", 'cat', "it's")
    """
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unescape_formula(cell: str) -> str:
    """The text that ``escape_formula`` escaped.

    >>> unescape_formula(escape_formula("'=x")), unescape_formula("'quoted'")
    ("'=x", "'quoted'")
    """
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def escape_formulas(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its texts and column names escaped; numbers stay numbers.

    >>> escape_formulas(pd.DataFrame({"file": ["-a.jpg"], "doubt": [-0.5]})).values.tolist()
    [["'-a.jpg", -0.5]]
    """
    safe = table.map(lambda cell: escape_formula(cell) if isinstance(cell, str) else cell)
    return safe.rename(columns=lambda name: escape_formula(str(name)))
