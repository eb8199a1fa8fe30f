"""A log as a table of texts, as it is exported: a row for each decision and each label operation, in one order.

Everything is there, so an export into an empty store gives the same log. Cells are words (``yes``, not ``1`` or
``TRUE``, which spreadsheets translate), a hash has the name of its algorithm before it (32 digits alone could be
a number), and rows name each other by keys that no spreadsheet changes.
"""

from collections.abc import Collection, Iterator, Mapping

from tagger.arrays import NO, UNKNOWN, YES
from tagger.review.decision import RecordedDecision
from tagger.review.decision_log import DecisionLog, Key, Row, key_of, undone_ids

COLUMNS = (
    "entry",  # "decision", or "label" for a change of the vocabulary
    "id",
    "time",
    "reviewer",
    "file",
    "label",
    "verdict",  # of an entry "label": add, rename, merge or undo
    "target",  # the new name of a renamed label, or the label that it was merged into
    "undone",  # "yes" if an undo takes it back
    "undoes",  # the key of what an undo takes back
    "before",
    "suggested",
    "doubt",
    "seconds",
    "run",
    "blind",
    "settles",
    "source",
    "hash",
    "key",
    "after",  # of an entry "label": the id of the last decision before it
    "picture",  # the hash of the photo's picture alone, by which a file with other metadata is the same photo
)
HASH_PREFIX = "blake2b:"
VALUE_WORDS = {YES: "yes", NO: "no", UNKNOWN: "unknown", None: ""}


def log_rows(
    log: DecisionLog, files: Mapping[str, str], pictures: Mapping[str, Collection[str]] | None = None
) -> Iterator[dict[str, str]]:
    """A row of ``COLUMNS`` for each row of the log; ``files`` has the photo of a hash, where it is known.

    ``pictures`` has the hashes of its pictures.

    >>> list(log_rows(DecisionLog(), {}))
    []
    """
    undone = undone_ids(log.decisions), undone_ids(log.operations)
    keys = {row.id: key_of(row) for row in log.decisions}, {row.id: key_of(row) for row in log.operations}
    for row in log.in_order():
        if isinstance(row, RecordedDecision):
            cells = _decision_cells(row, files, (pictures or {}).get(row.hash, ()))
        else:
            cells = {
                "entry": "label",
                "verdict": row.kind,
                "target": row.target or "",
                "after": str(row.after),
            }
        kind = int(cells["entry"] == "label")
        undoes = keys[kind].get(row.undoes or 0)
        shared = {
            "id": str(row.id),
            "time": row.time,
            "reviewer": row.reviewer,
            "label": row.label,
            "undone": "yes" if row.id in undone[kind] else "no",
            "undoes": "" if undoes is None else key_text(undoes),
            "key": key_text(key_of(row)),
        }
        yield dict.fromkeys(COLUMNS, "") | cells | shared


def _decision_cells(
    row: RecordedDecision, files: Mapping[str, str], pictures: Collection[str]
) -> dict[str, str]:
    return {
        "entry": "decision",
        "file": files.get(row.hash, ""),
        "verdict": row.verdict,
        "before": VALUE_WORDS[row.before],
        "suggested": VALUE_WORDS[row.suggested],
        "doubt": "" if row.doubt is None else repr(row.doubt),
        "seconds": "" if row.seconds is None else repr(row.seconds),
        "run": row.run,
        "blind": "yes" if row.blind else "no",
        "settles": "yes" if row.settles else "no",
        "source": row.source,
        "hash": HASH_PREFIX + row.hash,
        "picture": " ".join(HASH_PREFIX + picture for picture in sorted(pictures)),
    }


def key_text(key: Key) -> str:
    """A key as text.

    >>> key_text(("tab#1", 7))
    'tab#1#7'
    """
    return f"{key[0]}#{key[1]}"


def parse_key(text: str) -> Key | None:
    """The key that ``key_text`` wrote; None if it is none.

    >>> parse_key("tab#1#7"), parse_key("7"), parse_key("#7"), parse_key("tab#x")
    (('tab#1', 7), None, None, None)
    """
    client, mark, seq = text.rpartition("#")
    try:
        return (client, int(seq)) if mark and client.strip() else None
    except ValueError:
        return None


def label_of(row: Row) -> str:
    """What a row is about, in words for a person."""
    if isinstance(row, RecordedDecision):
        return f"{row.label!r} of photo {row.hash[:12]} ({row.verdict}, {row.reviewer})"
    target = f" to {row.target!r}" if row.target else ""
    return f"change of labels: {row.kind} {row.label!r}{target} ({row.reviewer})"
