"""One talk between a page and the desk: what the page has decided comes in, what it shall show next goes out.

The page may say the same thing twice (it does, until it hears that it was saved), so nothing here may depend on being
asked once. What can never be saved (an unknown label, a photo of another run) is refused by name; anything else that
fails leaves the decision in the page's hands.
"""

from dataclasses import replace
from typing import Any

from tagger.errors import TaggerError
from tagger.review import Card, Decision, Filter
from tagger.ui.card_json import card_json, read_decision, read_filter
from tagger.ui.estimate_text import exhausted_text
from tagger.ui.groups import groups_in_turn
from tagger.ui.workplace import Workplace

MOST_CARDS = 48
LEASE_SECONDS = 90.0
Key = tuple[str, int]  # (client, seq) of a decision
Refusal = tuple[str, int, str]  # the same, and why


def exchange(place: Workplace, payload: dict[str, Any], *, embed: bool = False) -> dict[str, Any]:
    """What the page gets back: saved and refused (client, seq), cards, progress. ``embed`` puts the photos inside.

    ValueError, TypeError or KeyError if the payload makes no sense; TaggerError if the store cannot be reached.
    """
    client, reviewer = str(payload["client"]), str(payload.get("reviewer") or place.reviewer)
    saved, refused = take_in(place, payload.get("decisions", []))
    if payload.get("release"):
        place.store.release(client)
    reply: dict[str, Any] = {"saved": saved, "refused": refused, "cards": [], "lost": [], "exhausted": None}
    if payload.get("mode") not in ("card", "grid"):
        return reply
    chosen = read_filter(payload.get("filter") or {})
    hold = {(str(hash), str(label)): int(position) for position, hash, label in payload.get("hold", [])}
    exclude = [*hold.values(), *(int(position) for position in payload.get("exclude", []))]
    cards: list[Card] = []
    if count := min(int(payload.get("count", 0)), MOST_CARDS):
        if payload["mode"] == "card":
            cards = place.desk.next_cards(client, reviewer, chosen, count=count, exclude=exclude)
        else:
            cards = _grid_cards(place, client, reviewer, chosen, payload.get("group"), count=count, exclude=exclude)
    if (
        hold and not cards
    ):  # else the leases were renewed just now; cards that came back by an undo, or slept, get theirs
        kept = set(place.store.lease(client, hold, count=len(hold), seconds=LEASE_SECONDS))
        reply["lost"] = [position for cell, position in hold.items() if cell not in kept]
    places = {label: k for k, label in enumerate(place.run_labels)}
    embedded = place.pictures if embed else None
    reply["cards"] = [card_json(card, places, place.hashes, embedded) for card in cards]
    progress = place.desk.progress(reviewer)
    reply["progress"] = {"decided": progress.decided, "found": progress.found, "left": progress.left}
    if not cards and not hold:
        reply["exhausted"] = exhausted_text(chosen, progress.left)
    return reply


def take_in(place: Workplace, rows: list[dict[str, Any]]) -> tuple[list[Key], list[Refusal]]:
    """(client, seq) of what is in the store now, and of what never can be, with the reason."""
    refused, good = [], []
    for row in rows:
        try:
            decision = read_decision(row, place.reviewer)
            if place.desk.row(decision.hash) is None:
                raise TaggerError("its photo is not in this run")
            good.append(decision)
        except (TaggerError, KeyError, TypeError, ValueError, OverflowError) as error:
            refused.append((str(row.get("client")), int(row.get("seq", 0)), str(error)))
    try:
        place.desk.record(good)  # one transaction
    except TaggerError:
        place.store.last_id()  # raises if the store is away: then the page keeps all and asks again
        return _one_by_one(place, good, refused)
    return [(decision.client, decision.seq) for decision in good], refused


def _one_by_one(place: Workplace, good: list[Decision], refused: list[Refusal]) -> tuple[list[Key], list[Refusal]]:
    """One of them cannot be written (an undo of nothing): it must not keep back the others."""
    saved = []
    for decision in good:
        try:
            place.desk.record([decision])
            saved.append((decision.client, decision.seq))
        except TaggerError as error:
            refused.append((decision.client, decision.seq, str(error)))
    return saved, refused


def _grid_cards(
    place: Workplace,
    client: str,
    reviewer: str,
    chosen: Filter,
    group: dict[str, str] | None,
    *,
    count: int,
    exclude: list[int],
) -> list[Card]:
    """Cards of one label and direction: the page's group as long as it has some, else the next with any."""
    for label, direction in groups_in_turn(place.groups, group, label=chosen.label, direction=chosen.direction):
        narrowed = replace(chosen, label=label, direction=direction)
        cards = place.desk.grid(client, reviewer, narrowed, count=count, exclude=exclude)
        if cards:
            return cards
    return []
