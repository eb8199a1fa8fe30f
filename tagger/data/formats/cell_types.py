"""Cells of tables that are more than text: lists, and what is neither a name nor a list of names."""


class ListCell(str):
    """A cell that was a list: ``parts``. Its text joins them by ``|``, which the parts may hold themselves."""

    parts: tuple[str, ...]

    def __new__(cls, parts: tuple[str, ...]) -> "ListCell":
        """A cell of these parts."""
        cell = super().__new__(cls, "|".join(parts))
        cell.parts = parts
        return cell


class NonTextCell(str):
    """A cell of JSON or Parquet that is neither a name nor a list of names: null, an object, a list of lists."""
