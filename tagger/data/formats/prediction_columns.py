"""Columns of a table of predictions: which hold labels, and which probabilities.

Usually ``labels`` joins the chosen ones by ``|``, and a column a label, named as the label, holds its
probability. With ``|`` in a name that cannot be read back. Then the labels are a list where the format has
lists; in CSV each label is a 0/1 column, and its probability is in a column ``probability of LABEL``.
"""

from collections.abc import Sequence

from tagger.errors import TaggerError

SEPARATOR = "|"
PROBABILITY_OF = "probability of "
LABEL_PREFIX = "label: "
TAKEN = ("file", "labels")  # the columns of every table of labels; a label may be called so all the same


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


def label_column(label: str) -> str:
    """The column of a label: its name, with ``label: `` before one that is another column's.

    >>> label_column("cat"), label_column("file"), label_column("label: file")
    ('cat', 'label: file', 'label: label: file')
    """
    return f"{LABEL_PREFIX}{label}" if _bare(label) in TAKEN else label


def label_of_column(column: str) -> str:
    """The label of a column, as ``label_column`` named it.

    >>> label_of_column("cat"), label_of_column("label: file"), label_of_column("label: cat")
    ('cat', 'file', 'label: cat')
    """
    return column.removeprefix(LABEL_PREFIX) if _bare(column) in TAKEN else column


def _bare(name: str) -> str:
    while name.startswith(LABEL_PREFIX):
        name = name.removeprefix(LABEL_PREFIX)
    return name


def is_probability_column(column: str, columns: Sequence[str]) -> bool:
    """Whether a column of a table with one 0/1 column a label holds a label's probability.

    >>> is_probability_column("probability of cat", ["cat"]), is_probability_column("probability of cat", ["dog"])
    (True, False)
    """
    return column.startswith(PROBABILITY_OF) and label_column(column.removeprefix(PROBABILITY_OF)) in columns
