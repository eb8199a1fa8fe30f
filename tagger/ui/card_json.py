"""How do cards travel to the page, and decisions back? Pure translation, with nothing taken on trust."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import NO, UNKNOWN, YES
from tagger.review import Card, Decision, Filter, NeighbourView
from tagger.ui.pictures import Pictures

SHOWN_NEIGHBOURS = 6
DIGITS = 10  # labels that a digit can toggle
MOST_CHIPS = 60  # other labels that travel with a card; the photo's own page has all
MOST_NAMED = 12  # labels of a similar photo


def card_json(
    card: Card, columns: Mapping[str, int], hashes: NDArray[np.object_], pictures: Pictures | None = None
) -> dict[str, Any]:
    """What the page needs of a card. ``columns``: the run's column of each label; ``pictures``: put them inside."""
    near = card.neighbours[:SHOWN_NEIGHBOURS]
    labels = in_view(card, near)
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
        "labels": [{"name": name, "value": int(value), "verified": bool(verified)} for name, value, verified in labels],
        "more": len(card.labels) - len(labels),
        "neighbours": [
            {
                "row": other.row,
                "file": other.file,
                "hash": str(hashes[other.row]),
                "has": int(card.label in other.labels),
                "labels": [*other.labels[:MOST_NAMED], *("…" for _ in other.labels[MOST_NAMED:][:1])],
            }
            for other in near
        ],
    }
    if pictures is not None:
        found["src"] = pictures.data_uri(card.file, card.hash, size=1024)
        for other in found["neighbours"]:
            other["src"] = pictures.data_uri(other["file"], other["hash"], size=128)
    return found


def in_view(card: Card, near: Sequence[NeighbourView]) -> list[tuple[str, int, bool]]:
    """The card's labels, such that the first ten that are not asked for are the likely ones; of very many the likely.

    Up to ten stay in the vocabulary's order, so that a digit always means the same label; of more, those that the
    photo has come first, then those of similar photos. The label that is asked for is always among them.
    """
    if len(card.labels) <= DIGITS + 1:
        return list(card.labels)
    votes = Counter(name for other in near for name in other.labels)
    ordered = sorted(card.labels, key=lambda label: (label[1] != YES, -votes[label[0]]))
    return ordered[:MOST_CHIPS] + [label for label in ordered[MOST_CHIPS:] if label[0] == card.label]


def read_decision(row: Mapping[str, Any], reviewer: str) -> Decision:
    """The decision in a page's words. KeyError, TypeError, ValueError or TaggerError if it makes no sense."""
    undoes = row.get("undoes_seq")
    return Decision(
        hash=str(row["hash"]),
        label=str(row["label"]),
        verdict=str(row["verdict"]),
        before=_cell(row.get("before"), UNKNOWN),
        suggested=None if row.get("suggested") is None else _cell(row["suggested"], NO),
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


def read_filter(tree: Mapping[str, Any]) -> Filter:
    """The filter in a page's words; a word that is not text counts as none.

    >>> read_filter({"label": "sea", "direction": None, "decided": False}).label
    'sea'
    """
    words = {
        name: tree[name] for name in ("label", "direction", "signal", "reviewer") if isinstance(tree.get(name), str)
    }
    decided = tree.get("decided", False)
    return Filter(
        **words,
        decided=decided if isinstance(decided, bool) else None,
        text=str(tree.get("text") or ""),
        disputed=tree.get("disputed") is True,
    )


def _cell(value: Any, otherwise: int) -> int:
    return int(value) if value in (UNKNOWN, NO, YES) else otherwise
