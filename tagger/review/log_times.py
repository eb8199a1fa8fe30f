"""Times of an imported table, as tagger wrote them or as a spreadsheet spelled them anew.

``04/05/2026`` is the 4th of May or the 5th of April. The other dates of the file tell which (one with a 13th
does); where none does, the person is asked.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from tagger.errors import TaggerError

DAY_FIRST, MONTH_FIRST = "day-first", "month-first"
ORDERS = (DAY_FIRST, MONTH_FIRST)
SPELLED = re.compile(
    r"(?P<first>\d{1,2})(?P<mark>[./-])(?P<second>\d{1,2})[./-](?P<year>\d{4}|\d{2})"
    r"(?:[ ,T]+(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?:[:.](?P<second_of>\d{2})(?:[.,]\d+)?)?"
    r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?)?"
)


def date_order(texts: Iterable[str], given: str | None = None) -> str | None:
    """Whether dates name the day or the month first; None where nothing tells.

    >>> date_order(["04/05/2026 10:00", "17/05/2026 11:00"]), date_order(["5/17/26 1:00 PM"]), date_order(["4/5/26"])
    ('day-first', 'month-first', None)
    """
    if given is not None:
        return given
    for text in texts:
        if (found := SPELLED.fullmatch(text.strip())) is not None:
            if found["mark"] == "." or int(found["first"]) > 12:
                return DAY_FIRST
            if int(found["second"]) > 12:
                return MONTH_FIRST
    return None


def parse_time(text: str, order: str | None, otherwise: str) -> str:
    """The time as ISO 8601 in UTC with microseconds; ``otherwise`` where there is none.

    A time without a zone is taken for UTC, as tagger writes it. TaggerError if it cannot be read.

    >>> parse_time("2026-11-20T12:00:00+01:00", None, ""), parse_time("20.11.2026 12:00", "day-first", "")
    ('2026-11-20T11:00:00.000000+00:00', '2026-11-20T12:00:00.000000+00:00')
    """
    text = text.strip()
    if not text:
        return otherwise
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = _spelled(text, order)
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    return found.astimezone(UTC).isoformat(timespec="microseconds")


def _spelled(text: str, order: str | None) -> datetime:
    found = SPELLED.fullmatch(text)
    if found is None:
        raise TaggerError(f"the time {text!r} cannot be read. Write it as 2026-11-20 12:00:00.")
    if order is None:
        raise TaggerError(
            f"the time {text!r}: the day and the month cannot be told apart. Give --dates day-first or month-first."
        )
    first, second, year = int(found["first"]), int(found["second"]), int(found["year"])
    day, month = (first, second) if order == DAY_FIRST else (second, first)
    hour = int(found["hour"] or 0)
    if half := found["half"]:
        hour = hour % 12 + (12 if half[0] in "pP" else 0)
    try:
        return datetime(
            year + 2000 if year < 100 else year, month, day, hour, int(found["minute"] or 0),
            int(found["second_of"] or 0), tzinfo=UTC,
        )  # fmt: skip
    except ValueError:
        raise TaggerError(f"the time {text!r} is no date. Write it as 2026-11-20 12:00:00.") from None
