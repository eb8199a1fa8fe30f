"""Sync between a page and the review session: decisions come in, the next cards go out.

The page sends a decision again until it learns that it was saved, so a request must have the same effect once and
twice. A decision that can never be saved (an unknown label, a photo of another run) is refused with the reason; with
any other failure the page keeps it and sends it again.
"""

from dataclasses import replace
from typing import Any

from tagger.errors import TaggerError
from tagger.review import Card, Decision, SuspectFilter
from tagger.ui.app_state import AppState
from tagger.ui.grid_groups import groups_to_try
from tagger.ui.review_status_text import no_cards_text
from tagger.ui.server.card_json import card_to_json, decision_from_json, filter_from_json

MAX_CARDS = 48
LEASE_SECONDS = 90.0
DecisionKey = tuple[str, int]  # (client, seq) of a decision
Refusal = tuple[str, int, str]  # the same, and why


def sync_review(app_state: AppState, payload: dict[str, Any], *, embed: bool = False) -> dict[str, Any]:
    """Reply to the page: saved and refused (client, seq), cards, progress. ``embed`` puts the photos inside.

    ValueError, TypeError or KeyError if the payload makes no sense; TaggerError if the store cannot be
    reached.
    """
    app_state = _asked_run(app_state, payload.get("run"))
    client = str(payload["client"])
    reviewer = str(payload.get("reviewer") or app_state.reviewer)
    saved, refused = ingest_decisions(app_state, payload.get("decisions", []))
    if payload.get("release"):
        app_state.store.release(client)
    reply: dict[str, Any] = {"saved": saved, "refused": refused, "cards": [], "lost": [], "exhausted": None}
    if payload.get("mode") not in ("card", "grid"):
        return reply
    chosen = filter_from_json(payload.get("filter") or {})
    held = payload.get("hold", [])
    hold = {(str(hash), str(label)): int(position) for position, hash, label, *_ in held}
    exclude = [*hold.values(), *(int(position) for position in payload.get("exclude", []))]
    cards: list[Card] = []
    if count := min(int(payload.get("count", 0)), MAX_CARDS):
        if payload["mode"] == "card":
            cards = app_state.session.next_cards(client, reviewer, chosen, count=count, exclude=exclude)
        else:
            cards = _grid_cards(
                app_state, client, reviewer, chosen, payload.get("group"), count=count, exclude=exclude
            )
    if hold and not cards:  # else just renewed; cards that came back by an undo, or slept, get theirs
        kept = set(app_state.store.lease(client, hold, count=len(hold), seconds=LEASE_SECONDS))
        reply["lost"] = [position for cell, position in hold.items() if cell not in kept]
    columns = {label: k for k, label in enumerate(app_state.run_labels)}
    embedded = app_state.previews if embed else None
    reply["cards"] = [card_to_json(card, columns, app_state.hashes, embedded) for card in cards]
    reply["stale"] = app_state.session.stale(
        (int(position), str(hash), int(seen)) for position, hash, _, *rest in held for seen in rest[:1]
    )
    progress = app_state.session.progress(reviewer)
    reply["progress"] = {"decided": progress.decided, "found": progress.found, "left": progress.left}
    if not cards and not hold:
        reply["exhausted"] = no_cards_text(chosen, progress.left)
    return reply


def _asked_run(app_state: AppState, name: object) -> AppState:
    """The state on the run that a page names; this one where that run is not there any more."""
    try:
        return app_state.on_run(name if isinstance(name, str) else None)
    except TaggerError:
        return app_state


def ingest_decisions(
    app_state: AppState, rows: list[dict[str, Any]]
) -> tuple[list[DecisionKey], list[Refusal]]:
    """Record decisions: (client, seq) of what is in the store now, and of what never can be, with the reason."""
    refused = []
    good = []
    for row in rows:
        try:
            decision = decision_from_json(row, app_state.reviewer)
            shown_by = (
                app_state,
                _asked_run(app_state, decision.run),
            )  # a page may have changed its run meanwhile
            if all(one.session.row(decision.hash) is None for one in shown_by):
                raise TaggerError("its photo is not in this run")
            good.append(decision)
        except (TaggerError, KeyError, TypeError, ValueError, OverflowError) as error:
            refused.append((str(row.get("client")), int(row.get("seq", 0)), str(error)))
    try:
        app_state.session.record(good)  # one transaction
    except TaggerError:
        app_state.store.last_id()  # raises if the store is away: then the page keeps all and asks again
        return _record_one_by_one(app_state, good, refused)
    return [(decision.client, decision.seq) for decision in good], refused


def _record_one_by_one(
    app_state: AppState, good: list[Decision], refused: list[Refusal]
) -> tuple[list[DecisionKey], list[Refusal]]:
    """Record each alone, when one of them cannot be written (an undo of nothing): the others must be."""
    saved = []
    for decision in good:
        try:
            app_state.session.record([decision])
            saved.append((decision.client, decision.seq))
        except TaggerError as error:
            refused.append((decision.client, decision.seq, str(error)))
    return saved, refused


def _grid_cards(
    app_state: AppState,
    client: str,
    reviewer: str,
    chosen: SuspectFilter,
    group: dict[str, str] | None,
    *,
    count: int,
    exclude: list[int],
) -> list[Card]:
    """Cards of one label and direction: the page's group as long as it has some, else the next with any."""
    for label, direction in groups_to_try(
        app_state.groups, group, label=chosen.label, direction=chosen.direction
    ):
        narrowed = replace(chosen, label=label, direction=direction)
        cards = app_state.session.grid(client, reviewer, narrowed, count=count, exclude=exclude)
        if cards:
            return cards
    return []
