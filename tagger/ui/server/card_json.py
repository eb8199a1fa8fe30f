"""Conversion of cards to JSON for the page, and of the page's JSON (checked) to decisions and filters."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import NO, UNKNOWN, YES
from tagger.review import Card, Decision, NeighbourView, SuspectFilter
from tagger.ui.photo_previews import PhotoPreviews

MAX_NEIGHBOURS = 6
NUM_DIGIT_KEYS = 10  # labels that a digit can toggle
MAX_CHIPS = 60  # other labels that travel with a card; the photo's own page has all
MAX_NEIGHBOUR_LABELS = 12  # labels of a similar photo


def card_to_json(
    card: Card, columns: Mapping[str, int], hashes: NDArray[np.object_], previews: PhotoPreviews | None = None
) -> dict[str, Any]:
    """Card as JSON. ``columns``: the run's column of each label; ``previews``: put the photos inside."""
    near = card.neighbours[:MAX_NEIGHBOURS]
    labels = visible_labels(card, near)
    found: dict[str, Any] = {
        "position": card.position,
        "row": card.row,
        "k": columns.get(card.label, -1),
        "file": card.file,
        "hash": card.hash,
        "label": card.label,
        "given": card.given,
        "suggested": card.suggested,
        "direction": card.direction,
        "reason": card.reason,
        "doubt": None if card.doubt is None else float(card.doubt),
        "blind": card.blind,
        "group": card.group,
        "seen": card.seen,
        "labels": [
            {"name": name, "value": int(value), "verified": bool(verified)}
            for name, value, verified in labels
        ],
        "more": len(card.labels) - len(labels),
        "neighbours": [_neighbour_to_json(other, card.label, str(hashes[other.row])) for other in near],
    }
    if card.frames:
        found["frames"] = [
            {
                "row": one.row,
                "file": one.file,
                "hash": str(hashes[one.row]),
                "offset": one.offset,
                "has": one.value,
            }
            for one in card.frames
        ]
        found["run"] = [{"row": row, "hash": str(hashes[row])} for row in card.run]
    if previews is not None:
        found["src"] = previews.data_uri(card.file, card.hash, size=1024)
        for other in [*found["neighbours"], *found.get("frames", [])]:
            other["src"] = previews.data_uri(other["file"], other["hash"], size=128)
    return found


def _neighbour_to_json(other: NeighbourView, label: str, hash: str) -> dict[str, Any]:
    """Similar photo as JSON: whether it has the label that is asked for, and its first labels."""
    more = ["…"] if len(other.labels) > MAX_NEIGHBOUR_LABELS else []
    return {
        "row": other.row,
        "file": other.file,
        "hash": hash,
        "has": int(label in other.labels),
        "labels": [*other.labels[:MAX_NEIGHBOUR_LABELS], *more],
    }


def visible_labels(card: Card, near: Sequence[NeighbourView]) -> list[tuple[str, int, bool]]:
    """Labels of the card that the page shows; the digit keys are for the first ten beside the one asked for.

    Up to ten stay in the vocabulary's order, so that a digit always means the same label; of more, those
    that the photo has come first, then those of similar photos. The label that is asked for is always among
    them.
    """
    if len(card.labels) <= NUM_DIGIT_KEYS + 1:
        return list(card.labels)
    votes = Counter(name for other in near for name in other.labels)
    ordered = sorted(card.labels, key=lambda label: (label[1] != YES, -votes[label[0]]))
    return ordered[:MAX_CHIPS] + [label for label in ordered[MAX_CHIPS:] if label[0] == card.label]


def decision_from_json(row: Mapping[str, Any], reviewer: str) -> Decision:
    """Decision from a page's JSON. KeyError, TypeError, ValueError or TaggerError if it makes no sense."""
    undoes = row.get("undoes_seq")
    return Decision(
        hash=str(row["hash"]),
        label=str(row["label"]),
        verdict=str(row["verdict"]),
        before=_cell_value(row.get("before"), UNKNOWN),
        suggested=None if row.get("suggested") is None else _cell_value(row["suggested"], NO),
        doubt=None if row.get("doubt") is None else float(row["doubt"]),
        run=str(row.get("run") or ""),
        reviewer=str(row.get("reviewer") or reviewer),
        seconds=None if row.get("seconds") is None else min(max(float(row["seconds"]), 0.0), 86_400.0),
        client=str(row["client"]),
        seq=int(row["seq"]),
        undoes_seq=None if undoes is None else int(undoes),
        blind=row.get("blind") is True,
        settles=row.get("settles") is True,
        source=str(row.get("source") or "card"),
    )


def filter_from_json(data: Mapping[str, Any]) -> SuspectFilter:
    """Filter from a page's JSON; a word that is not text counts as none.

    >>> filter_from_json({"label": "sea", "direction": None, "decided": False}).label
    'sea'
    """
    words = {
        name: data[name]
        for name in ("label", "direction", "signal", "reviewer")
        if isinstance(data.get(name), str)
    }
    decided = data.get("decided", False)
    return SuspectFilter(
        **words,
        decided=decided if isinstance(decided, bool) else None,
        text=str(data.get("text") or ""),
        disputed=data.get("disputed") is True,
    )


def _cell_value(value: Any, otherwise: int) -> int:
    return int(value) if value in (UNKNOWN, NO, YES) else otherwise
