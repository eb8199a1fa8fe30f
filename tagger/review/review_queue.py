"""Filter of suspects, and the order of cards: suspects with blind audit cells among them."""

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

CARDS_PER_AUDIT = 10  # about so many cards from one blind card to the next


@dataclass(frozen=True, kw_only=True)
class SuspectFilter:
    """Which suspects a person wants to see. None: any. ``text`` is a part of the file name, in any case."""

    label: str | None = None
    direction: str | None = None
    signal: str | None = None
    reviewer: str | None = None  # only cells that this reviewer judged
    decided: bool | None = False
    text: str = ""
    disputed: bool = False


def is_suspect(table: pd.DataFrame) -> np.ndarray:
    """Which rows of a suspects table are suspects (bool): all but those at its end that are only there for the
    audit.

    >>> is_suspect(pd.DataFrame({"audit": [True, False, True, True]})).tolist()
    [True, True, False, False]
    """
    audit_S = table["audit"].to_numpy(bool)
    last = np.flatnonzero(~audit_S)[-1:].sum()
    return ~audit_S | (np.arange(len(audit_S)) < last)


def audit_plan(table: pd.DataFrame, run: str) -> tuple[np.ndarray, np.ndarray]:
    """The audit cells' positions in the random order in which everybody is asked them, and the cards before
    each.

    The order is the table's ``audit_order``, or drawn from the run's name; all reviewers judge the same
    cells.

    >>> positions, gaps = audit_plan(pd.DataFrame({"audit": [True, False, True], "audit_order": [1, -1, 0]}), "run")
    >>> positions.tolist(), len(gaps)
    ([2, 0], 2)
    """
    rng = np.random.default_rng(zlib.crc32(run.encode()))
    positions = rng.permutation(np.flatnonzero(table["audit"].to_numpy(bool)))
    if "audit_order" in table:
        positions = positions[np.argsort(table["audit_order"].to_numpy()[positions], kind="stable")]
    half = CARDS_PER_AUDIT // 2
    return positions, rng.integers(half - 1, CARDS_PER_AUDIT + half - 1, size=len(positions), endpoint=True)


def interleave_audit(
    ranked: Iterable[int], audits: Iterable[tuple[int, int]], *, since: int
) -> Iterator[tuple[int, bool]]:
    """(position, blind) one by one: the ranked ones in order, with audit cells between them.

    ``audits``: (position, number of cards before it) in order; ``since``: cards since the last blind one.
    When the ranked ones have run out, the audit cells follow one another. Whichever place of a cell comes
    first counts.

    >>> list(interleave_audit([5, 6, 7], [(9, 2), (8, 2)], since=1))
    [(5, False), (9, True), (6, False), (7, False), (8, True)]
    """
    given: set[int] = set()
    one = iter(ranked)
    other = iter(audits)
    position = next(one, None)
    audit = next(other, None)
    while position is not None or audit is not None:
        if audit is not None and audit[0] in given:
            audit = next(other, None)
        elif position is not None and position in given:
            position = next(one, None)
        elif audit is not None and (position is None or since >= audit[1]):
            given.add(audit[0])
            yield audit[0], True
            since = 0
            audit = next(other, None)
        elif position is not None:
            given.add(position)
            yield position, False
            since = since + 1
            position = next(one, None)
