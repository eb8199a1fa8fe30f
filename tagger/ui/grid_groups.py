"""Groups of suspects in the grid, by label and direction, and their order: a page of it asks one question."""

from collections.abc import Iterator, Sequence

import pandas as pd

GridGroup = tuple[str, str]  # (label, "missing" or "spurious")


def ordered_groups(suspects: pd.DataFrame) -> tuple[GridGroup, ...]:
    """Groups of the suspects, (label, direction), those with the most doubt in all first.

    >>> ordered_groups(pd.DataFrame({"label": ["a", "b", "b"], "direction": ["missing"] * 3, "doubt": [0.9, 0.5, 0.6]}))
    (('b', 'missing'), ('a', 'missing'))
    """
    sums = suspects.groupby(["label", "direction"], observed=True)["doubt"].sum().sort_values(ascending=False)
    return tuple((str(label), str(direction)) for label, direction in sums.index)


def groups_to_try(
    groups: Sequence[GridGroup], latest: dict[str, str] | None, *, label: str | None, direction: str | None
) -> Iterator[GridGroup]:
    """Groups to try, the latest first, then the others in order; only of ``label`` and ``direction`` if given.

    >>> groups, latest = [("a", "missing"), ("b", "missing")], {"label": "b", "direction": "missing"}
    >>> list(groups_to_try(groups, latest, label=None, direction=None))
    [('b', 'missing'), ('a', 'missing')]
    """
    first = [(str(latest.get("label")), str(latest.get("direction")))] if latest else []
    for group in dict.fromkeys([*(one for one in first if one in groups), *groups]):
        if label in (None, group[0]) and direction in (None, group[1]):
            yield group
