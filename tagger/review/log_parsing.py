"""A table of decisions as a log: exports of tagger, also after a spreadsheet saved them, and tables made by hand.

A row needs a label, a verdict, a reviewer, and a photo: its hash, or its file name. Everything else may be
missing. Rows that cannot be used are listed with the reason, all at once.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace

from tagger.arrays import NO, UNKNOWN, YES
from tagger.errors import TaggerError
from tagger.review.decision import Decision, LabelOperation, RecordedDecision, RecordedOperation
from tagger.review.decision_log import DecisionLog, Key, Row, key_of
from tagger.review.log_table import HASH_PREFIX, parse_key
from tagger.review.photo_identity import PhotoRow

VALUES = {"yes": YES, "no": NO, "unknown": UNKNOWN, "1": YES, "0": NO, "-1": UNKNOWN}
TRUE_WORDS = ("yes", "true", "1")
FindPhoto = Callable[[str], str | None]  # file name -> hash
ParseTime = Callable[[str], str]  # any spelling -> ISO 8601, UTC


@dataclass(frozen=True, kw_only=True)
class ParsedLog:
    """The log of a table, and the rows that cannot be used, as lines with row and reason."""

    log: DecisionLog
    problems: tuple[str, ...]
    photos: tuple[PhotoRow, ...] = ()  # what the table knows of pictures


@dataclass
class _Draft:
    """Rows of one kind on the way to a log."""

    rows: list[Row] = field(default_factory=list)
    undoes: dict[Key, Key] = field(default_factory=dict)  # of the undo rows
    positions: dict[Key, int] = field(default_factory=dict)  # how many decisions stand before the row


def parse_log(
    table: Iterable[tuple[int, Mapping[str, str]]], find_photo: FindPhoto, parse_time: ParseTime
) -> ParsedLog:
    """The log that the rows (number, cells by column) make. TaggerErrors of ``parse_time`` are problems of their row.

    >>> parse_log([], lambda file: None, str).log
    DecisionLog(decisions=(), operations=(), outside={})
    """
    drafts = {"decision": _Draft(), "label": _Draft()}
    problems = []
    all_cells = []
    for number, cells in table:
        all_cells.append(cells)
        entry = cells.get("entry", "") or "decision"
        try:
            if entry != "export":
                _take(drafts, entry, len(drafts["decision"].rows), cells, find_photo, parse_time)
        except TaggerError as error:
            problems.append(f"row {number}: {error}")
    photos = dict.fromkeys(row for cells in all_cells for row in _photo_rows(cells))
    return ParsedLog(log=_linked(drafts), problems=tuple(problems), photos=tuple(photos))


def _photo_rows(cells: Mapping[str, str]) -> Iterator[PhotoRow]:
    hash = cells.get("hash", "").strip().removeprefix(HASH_PREFIX)
    for picture in cells.get("picture", "").split() if hash else ():
        yield hash, picture.removeprefix(HASH_PREFIX), cells.get("file", "")


def _take(
    drafts: dict[str, _Draft],
    entry: str,
    position: int,
    cells: Mapping[str, str],
    find_photo: FindPhoto,
    parse_time: ParseTime,
) -> None:
    """Add a row to the draft of its kind; a second one with the same key is the same row."""
    if entry not in drafts:
        raise TaggerError(f"the column 'entry' says {entry!r}, not decision or label.")
    draft = drafts[entry]
    time = parse_time(cells.get("time", ""))
    key = _key(cells)
    if key in draft.positions:
        return
    undoes = _undoes(cells)
    if entry == "decision":
        row: Row = _decision(cells, key, time, len(draft.rows) + 1, find_photo)
    else:
        row = _operation(cells, key, time, len(draft.rows) + 1, position)
    draft.positions[key] = position
    draft.rows.append(row)
    if undoes is not None:
        draft.undoes[key] = undoes


def _key(cells: Mapping[str, str]) -> Key:
    """The key of a row; one made of its content where there is none, the same whenever it is read."""
    if text := cells.get("key", "").strip():
        if (key := parse_key(text)) is not None:
            return key
        raise TaggerError(f"the column 'key' says {text!r}, which is no key of a decision.")
    told = [
        cells.get(name, "") for name in ("file", "hash", "label", "verdict", "target", "reviewer", "time")
    ]
    return f"row-{hashlib.blake2b(repr(told).encode(), digest_size=12).hexdigest()}", 1


def _undoes(cells: Mapping[str, str]) -> Key | None:
    if cells.get("verdict", "").strip() != "undo":
        return None
    key = parse_key(cells.get("undoes", "").strip())
    if key is None:
        raise TaggerError("an undo needs the key of what it takes back, in the column 'undoes'.")
    return key


def _decision(
    cells: Mapping[str, str], key: Key, time: str, id: int, find_photo: FindPhoto
) -> RecordedDecision:
    verdict = cells.get("verdict", "").strip()
    checked = Decision(
        hash=_hash(cells, find_photo),
        label=cells.get("label", ""),
        verdict=verdict,
        before=VALUES.get(cells.get("before", "").strip().lower(), UNKNOWN),
        suggested=VALUES.get(cells.get("suggested", "").strip().lower()),
        doubt=_number(cells, "doubt"),
        run=cells.get("run", ""),
        reviewer=cells.get("reviewer", ""),
        seconds=_number(cells, "seconds"),
        client=key[0],
        seq=key[1],
        undoes=id if verdict == "undo" else None,  # a place holder; ``_linked`` has the right one
        blind=_flag(cells, "blind"),
        settles=_flag(cells, "settles"),
        source=cells.get("source", "").strip() or "import",
    )
    return RecordedDecision(**(asdict(checked) | {"id": _id(cells, id), "time": time}))


def _operation(cells: Mapping[str, str], key: Key, time: str, id: int, position: int) -> RecordedOperation:
    kind = cells.get("verdict", "").strip()
    checked = LabelOperation(
        kind=kind,
        label=cells.get("label", ""),
        target=cells.get("target", "") or None,
        reviewer=cells.get("reviewer", ""),
        client=key[0],
        seq=key[1],
        undoes=id if kind == "undo" else None,
    )
    after = _whole(cells.get("after", ""))
    return RecordedOperation(
        **(
            asdict(checked)
            | {"id": _id(cells, id), "time": time, "after": position if after is None else after}
        )
    )


def _hash(cells: Mapping[str, str], find_photo: FindPhoto) -> str:
    if text := cells.get("hash", "").strip():
        return text.removeprefix(HASH_PREFIX)
    file = cells.get("file", "")
    if not file.strip():
        raise TaggerError("there is neither a hash nor a file name of a photo.")
    found = find_photo(file)
    if found is None:
        raise TaggerError(f"the photo {file!r} is not in the run, and there is no hash.")
    return found


def _id(cells: Mapping[str, str], otherwise: int) -> int:
    found = _whole(cells.get("id", ""))
    return otherwise if found is None or found < 1 else found


def _whole(text: str) -> int | None:
    try:
        return int(float(text.replace(",", ".")))
    except (ValueError, OverflowError):
        return None


def _number(cells: Mapping[str, str], name: str) -> float | None:
    """A number, also with a decimal comma."""
    text = cells.get(name, "").strip()
    try:
        return float(text.replace(",", ".")) if text else None
    except ValueError:
        raise TaggerError(f"the column {name!r} says {text!r}, which is no number.") from None


def _flag(cells: Mapping[str, str], name: str) -> bool:
    return cells.get(name, "").strip().lower() in TRUE_WORDS


def _linked(drafts: dict[str, _Draft]) -> DecisionLog:
    """The log with ids that are unique, and undo rows that name the ids of what they take back."""
    decisions, operations = drafts["decision"], drafts["label"]
    unique = all(len({row.id for row in draft.rows}) == len(draft.rows) for draft in drafts.values())
    outside: dict[int, Key] = {}
    rows = _with_links(decisions, unique, outside)
    changed = _with_links(operations, unique, outside)
    if not unique:
        changed = [
            replace(row, after=operations.positions[key_of(row)])
            for row in changed
            if isinstance(row, RecordedOperation)
        ]
    return DecisionLog(
        decisions=tuple(sorted((row for row in rows if isinstance(row, RecordedDecision)), key=_by_id)),
        operations=tuple(sorted((row for row in changed if isinstance(row, RecordedOperation)), key=_by_id)),
        outside=outside,
    )


def _with_links(draft: _Draft, unique: bool, outside: dict[int, Key]) -> list[Row]:
    """The rows with their ids, or with their places where two exports use the same ids."""
    ids = {key_of(row): row.id if unique else place for place, row in enumerate(draft.rows, 1)}
    linked: list[Row] = []
    for row in draft.rows:
        undoes = None
        if (target := draft.undoes.get(key_of(row))) is not None:
            undoes = ids.get(target)
            if undoes is None:
                undoes = -1 - len(outside)
                outside[undoes] = target
        linked.append(type(row)(**(vars(row) | {"id": ids[key_of(row)], "undoes": undoes})))
    return linked


def _by_id(row: Row) -> int:
    return row.id
