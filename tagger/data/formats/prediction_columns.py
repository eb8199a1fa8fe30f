"""Columns of a table of predictions: which hold labels, and which probabilities.

Usually ``labels`` joins the chosen ones by ``|``, and a column a label, named as the label, holds its
probability. With ``|`` in a name that cannot be read back. Then the labels are a list where the format has
lists; in CSV each label is a 0/1 column, and its probability is in a column ``probability of LABEL``.
"""

from collections.abc import Sequence

from tagger.errors import TaggerError

SEPARATOR = "|"
PROBABILITY_OF = "probability of "


def joins_safely(names: Sequence[str]) -> bool:
    """Whether labels joined by ``|`` can be taken apart again.

    >>> joins_safely(["cat", "a b"]), joins_safely(["cat", "a|b"])
    (True, False)
    """
    return not any(SEPARATOR in name for name in names)


def probability_columns(names: Sequence[str]) -> list[str]:
    """The columns of probabilities beside 0/1 columns. TaggerError if a label has the name of one of them.

    >>> probability_columns(["cat", "a|b"])
    ['probability of cat', 'probability of a|b']
    """
    columns = [f"{PROBABILITY_OF}{name}" for name in names]
    if taken := set(columns) & set(names):
        raise TaggerError(
            f"A label called {', '.join(map(repr, sorted(taken)))} would have the column of another label's"
            " probability. Rename it, or write lists: --format jsonl"
        )
    return columns


def is_probability_column(column: str, columns: Sequence[str]) -> bool:
    """Whether a column of a table with one 0/1 column a label holds a label's probability.

    >>> is_probability_column("probability of cat", ["cat"]), is_probability_column("probability of cat", ["dog"])
    (True, False)
    """
    return column.startswith(PROBABILITY_OF) and column.removeprefix(PROBABILITY_OF) in columns
