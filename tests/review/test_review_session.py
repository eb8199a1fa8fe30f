"""The review session asks each reviewer the right cells in the right order, and no two the same at once."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tagger.data import LabelGroup, Rule
from tagger.errors import TaggerError
from tagger.review import (
    Card,
    Decision,
    DoubtModel,
    LabelOperation,
    PhotoFilter,
    ReviewedRun,
    ReviewSession,
    Store,
    SuspectFilter,
    default_url,
    doubt_ranking,
)
from tagger.review.review_queue import interleave_audit
from tagger.review.settled_cells import settled_sentence

NAMES = ("sea", "lake", "dog")
N, K = 60, 3
WORD = {0: "no", 1: "yes"}


@dataclass
class Place:
    """A review session with 100 suspects and 24 audit cells, 6 of them suspects too, over 60 images."""

    store: Store
    table: pd.DataFrame
    images: pd.DataFrame
    labels_NK: np.ndarray
    seq: int = 0
    rules: tuple[Rule, ...] = ()
    groups: dict[str, LabelGroup] = field(default_factory=dict)

    def session(self, **model) -> ReviewSession:
        near = np.stack([(np.arange(N) + step) % N for step in (1, 2)], 1), np.full((N, 2), 0.9, np.float16)
        near[0][0, 1] = -1
        run = ReviewedRun(
            name="r",
            suspects=self.table,
            images=self.images,
            labels_NK=self.labels_NK,
            labels=NAMES,
            neighbours=near,
            rules=self.rules,
            groups=self.groups,
        )
        fakes = {"refit": lambda table, verdicts: table["doubt"].to_numpy(), "refit_every": 10**9}
        return ReviewSession(run, self.store, doubt_model=DoubtModel(**(fakes | model)))

    def say(self, card: Card, verdict: str, reviewer: str = "ann", **more) -> Decision:
        self.seq += 1
        about = {"hash": card.hash, "label": card.label, "before": card.given, "suggested": card.suggested}
        about |= {"doubt": card.doubt, "run": "r", "seconds": 1.0, "client": reviewer, "blind": card.blind}
        return Decision(**about, verdict=verdict, reviewer=reviewer, seq=self.seq, **more)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    rng = np.random.default_rng(3)
    labels_NK = rng.integers(0, 2, (N, K)).astype(np.int8)
    images = pd.DataFrame(
        {"file": [f"Trip{n % 4}/{n:03d}.jpg" for n in range(N)], "hash": [f"h{n}" for n in range(N)]}
    )
    cells = rng.permutation(N * K)[:118]
    row, column = cells // K, cells % K
    given = labels_NK[row, column]
    audit = np.arange(118) >= 100
    audit[rng.choice(100, 6, replace=False)] = True
    table = pd.DataFrame(
        {
            "file": images["file"].to_numpy()[row],
            "hash": images["hash"].to_numpy()[row],
            "label": np.array(NAMES, object)[column],
            "given": given,
            "suggested": 1 - given,
            "doubt": np.linspace(0.99, 0.0, 118).astype(np.float32),
            "direction": np.where(given == 1, "spurious", "missing"),
            "reason": "18 of its 25 nearest images differ",
            "row": row.astype(np.int32),
            "audit": audit,
            "audit_order": np.where(audit, rng.permutation(118), -1),
            "main_signal": rng.choice(["neighbours", "rules"], 118),
        }
    )
    store = Store.open(default_url(tmp_path))
    yield Place(store, table, images, labels_NK)
    store.close()


def answer_all(
    place: Place, session: ReviewSession, reviewer: str, verdict: str = "yes", limit: int = 500
) -> list[Card]:
    """All cards that a reviewer gets, one after the other, the next ones fetched ahead."""
    asked: list[Card] = []
    held: list[Card] = []
    while len(asked) < limit:
        held += session.next_cards(
            reviewer, reviewer, count=4 - len(held), exclude=[card.position for card in held]
        )
        if not held:
            return asked
        asked.append(held.pop(0))
        session.record([place.say(asked[-1], verdict, reviewer)])
    raise AssertionError("the queue has no end")


def test_suspects_come_by_doubt_with_every_audit_cell_blind_between_them(place: Place):
    asked = answer_all(place, place.session(), "ann")
    assert sorted(card.position for card in asked) == list(range(118))
    ranked = [card.position for card in asked if not card.blind]
    assert ranked == sorted(ranked)
    blind = [at for at, card in enumerate(asked) if card.blind]
    assert 6 <= sum(at < 100 for at in blind) <= 14
    assert {card.position for card in asked if card.blind} >= set(range(100, 118))
    assert min(np.diff([at for at in blind if at < 100])) >= 5
    order = place.table["audit_order"].to_numpy()[[asked[at].position for at in blind]]
    assert order.tolist() == sorted(order)


def test_every_reviewer_is_asked_the_same_audit_cells_but_only_open_suspects(place: Place):
    session = place.session()
    first = answer_all(place, session, "ann")
    second = answer_all(place, session, "bob")
    assert all(card.blind for card in second)
    assert {card.position for card in second} == set(np.flatnonzero(place.table["audit"]))
    assert {card.position for card in first if card.blind} <= {card.position for card in second}


def test_a_blind_card_leads_nobody(place: Place):
    card = next(card for card in answer_all(place, place.session(), "ann") if card.blind)
    assert (card.suggested, card.direction, card.doubt, card.signal, card.neighbours) == (
        None,
        None,
        None,
        None,
        (),
    )
    assert {name: value for name, value, _ in card.labels}[card.label] == -1
    assert "nearest" not in card.reason


def test_a_card_shows_the_labels_as_they_are_now(place: Place):
    session = place.session()
    (card,) = session.next_cards("t", "ann", count=1)
    row = card.row
    assert [value for _, value, _ in card.labels] == place.labels_NK[row].tolist()
    assert [view.row for view in card.neighbours] == ([1] if row == 0 else [(row + 1) % N, (row + 2) % N])
    other = next(name for name in NAMES if name != card.label)
    now = 1 - place.labels_NK[row, NAMES.index(other)]
    session.record([replace(place.say(session.card(row, other), WORD[int(now)]), source="edit")])
    assert (other, now, True) in session.card(row, card.label).labels
    left = session.card((row - 1) % N, "sea").neighbours[0]
    assert (other in left.labels) == bool(now)
    shown = next(view for view in session.image(row).labels if view.name == other)
    assert (shown.given, shown.current, shown.verified) == (1 - now, now, True)
    assert [row.label for row in session.image(row).history] == [other]


def test_skipped_comes_last_and_unsure_not_again_but_for_others(place: Place):
    session = place.session()
    first, second = session.next_cards("a", "ann", count=2)
    session.record([place.say(first, "skip"), place.say(second, "unsure")])
    assert first.position not in {card.position for card in session.next_cards("a", "ann", count=20)}
    place.store.release("a")
    assert {first.position, second.position} <= {
        card.position for card in session.next_cards("b", "bob", count=20)
    }
    place.store.release("b")
    everything = session.next_cards("a", "ann", SuspectFilter(), count=200)
    ranked = [card.position for card in everything if not card.blind]
    assert ranked[-1] == first.position
    assert second.position not in ranked


def test_an_undone_decision_is_asked_again_at_its_place(place: Place):
    session = place.session()
    (card,) = session.next_cards("a", "ann", count=1)
    (id,) = session.record([place.say(card, "yes")])
    assert session.progress("ann").decided == 1
    assert session.next_cards("a", "ann", count=1)[0].position != card.position
    session.record([place.say(card, "undo", undoes=id)])
    assert session.progress("ann").decided == 0
    assert session.next_cards("a", "ann", count=1)[0].position == card.position


def test_two_clients_never_hold_the_same_cell_in_card_or_grid(place: Place):
    session, other_process = place.session(), place.session()
    narrowed = SuspectFilter(label="sea", direction="missing")
    held = session.next_cards("a", "ann", count=10) + other_process.next_cards("b", "bob", count=10)
    held += session.grid("c", "cat", narrowed, count=9) + other_process.grid("d", "dan", narrowed, count=99)
    cells = [(card.hash, card.label) for card in held]
    assert len(set(cells)) == len(cells) > 20


def test_decisions_of_another_process_are_taken_in(place: Place):
    session, other = place.session(), place.session()
    (card,) = other.next_cards("b", "bob", count=1)
    other.record([place.say(card, "yes", "bob")])
    assert session.next_cards("a", "ann", count=1)[0].position != card.position
    assert session.progress("ann").decided == 1


def test_the_grid_goes_on_after_a_tile_and_holds_one_label_and_direction(place: Place):
    session = place.session()
    narrowed = SuspectFilter(label="sea", direction="missing")
    first = session.grid("a", "ann", narrowed, count=4)
    second = session.grid("a", "ann", narrowed, count=99, after=first[-1].position)
    table = place.table
    wanted = (table["label"] == "sea") & (table["direction"] == "missing") & ~table["audit"]
    assert [card.position for card in first + second] == np.flatnonzero(wanted).tolist()
    session.record([place.say(card, WORD[card.suggested or 0], source="grid") for card in first])
    assert session.grid("a", "ann", narrowed, count=4)[0].position == second[0].position
    with pytest.raises(TaggerError, match="one label"):
        session.grid("a", "ann", SuspectFilter(label="sea"), count=4)


@pytest.mark.parametrize(
    ("filter", "column", "value"),
    [
        (SuspectFilter(label="dog"), "label", "dog"),
        (SuspectFilter(direction="spurious"), "direction", "spurious"),
        (SuspectFilter(signal="rules"), "main_signal", "rules"),
        (SuspectFilter(text="trip1/"), "file", "Trip1/"),
    ],
)
def test_a_filter_shows_what_it_says(place: Place, filter: SuspectFilter, column: str, value: str):
    found = [card.position for card in place.session().next_cards("a", "ann", filter, count=500)]
    wanted = place.table[column].str.contains(value, regex=False)[:100]
    assert found == np.flatnonzero(wanted).tolist()


def test_the_decided_can_be_seen_again_by_reviewer(place: Place):
    session = place.session()
    cards = session.next_cards("a", "ann", count=3)
    session.record([place.say(cards[0], "yes"), place.say(cards[1], "no"), place.say(cards[2], "yes", "bob")])
    shown = session.next_cards("a", "ann", SuspectFilter(decided=True), count=9)
    assert [card.position for card in shown] == [card.position for card in cards]
    shown = session.next_cards("a", "cat", SuspectFilter(decided=True, reviewer="bob"), count=9)
    assert [card.position for card in shown] == [cards[2].position]
    assert len(session.next_cards("a", "ann", SuspectFilter(decided=None), count=500)) == 100


def test_a_disagreement_has_its_own_queue_until_it_is_settled(place: Place):
    session = place.session()
    (card,) = session.next_cards("a", "ann", count=1)
    row, label = next((n, name) for n in range(N) for name in NAMES if session.position(f"h{n}", name) < 0)
    plain = session.card(row, label)
    for one in (card, plain):
        session.record([place.say(one, "yes", "ann"), place.say(one, "no", "bob")])
    found = session.disagreements()
    assert [(one.hash, one.label, one.verdicts) for one in found] == [
        (one.hash, one.label, (("ann", "yes"), ("bob", "no"))) for one in (card, plain)
    ]
    assert card.position not in {one.position for one in session.next_cards("a", "cat", count=30)}
    assert [
        one.position for one in session.next_cards("a", "cat", SuspectFilter(disputed=True), count=9)
    ] == [
        card.position,
        plain.position,
    ]
    session.record([place.say(card, "yes", "cat", settles=True, source="disagreement")])
    assert [one.position for one in session.disagreements()] == [plain.position]
    assert session.progress("cat").disputed == 1


def test_progress_counts_what_was_found_wrong(place: Place):
    session = place.session()
    cards = session.next_cards("a", "ann", SuspectFilter(label="sea"), count=4)
    for at, card in enumerate(cards):
        session.record([place.say(card, WORD[1 - card.given if at < 3 else card.given])])
    progress = session.progress("ann")
    assert (progress.decided, progress.mine, progress.found, progress.left) == (4, 4, 3, 96)
    assert session.progress("bob").mine == 0
    sea = progress.per_label[0]
    assert (sea.label, sea.decided, sea.found) == ("sea", 4, 3)


def test_the_queue_learns_from_verdicts_in_the_background(place: Place):
    seen = []

    def refit_doubt(table: pd.DataFrame, verdicts: pd.DataFrame) -> np.ndarray:
        seen.append(verdicts)
        return table["doubt"].to_numpy()[::-1].copy()

    session = place.session(refit=refit_doubt, refit_every=3)
    cards = session.next_cards("a", "ann", count=3)
    for card in cards:
        session.record([place.say(card, WORD[1 - card.given])])
    session.wait()
    (verdicts,) = seen
    assert verdicts["position"].tolist() == [0, 1, 2]
    assert verdicts["wrong"].all()
    assert not verdicts["blind"].any()
    place.store.release("a")
    assert session.next_cards("a", "ann", count=1)[0].position == 99


def test_every_cell_is_judged_anew_after_many_verdicts(place: Place, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doubt_ranking, "RESCORE_EVERY", 4)
    asked = []

    def rescore(table: pd.DataFrame, verdicts: pd.DataFrame) -> pd.DataFrame:
        asked.append(len(verdicts))
        return table.assign(doubt=table["doubt"].to_numpy()[::-1].copy())

    session = place.session(rescore=rescore, refit_every=2)
    cards = session.next_cards("a", "ann", count=8)
    for card in cards:
        session.record([place.say(card, WORD[1 - card.given])])
        session.wait()
    assert asked == [4, 8]
    place.store.release("a")
    left = set(range(100)) - {card.position for card in cards}
    assert session.next_cards("a", "ann", count=1)[0].position == min(left)  # turned round twice


def test_reviewing_goes_on_when_learning_fails(place: Place, caplog: pytest.LogCaptureFixture):
    def refit_doubt(table: pd.DataFrame, verdicts: pd.DataFrame) -> np.ndarray:
        raise ValueError("singular")

    session = place.session(refit=refit_doubt, refit_every=1)
    (card,) = session.next_cards("a", "ann", count=1)
    session.record([place.say(card, "yes")])
    session.wait()
    assert "the order stays" in caplog.text
    assert session.next_cards("a", "ann", count=1)[0].position == 1


def test_the_estimate_is_asked_about_the_undecided_in_their_order(place: Place):
    session = place.session(
        estimate_errors=lambda table, doubt, verdicts, queue: (len(table), verdicts, queue.tolist())
    )
    (card,) = session.next_cards("a", "ann", count=1)
    session.record([place.say(card, "no")])
    size, verdicts, queue = session.estimate_errors()
    assert size == 118
    assert verdicts["position"].tolist() == [0]
    assert queue == list(range(1, 100))


def test_names_after_operations_are_used_everywhere(place: Place):
    session = place.session()
    (card,) = session.next_cards("a", "ann", SuspectFilter(label="sea"), count=1)
    session.record([place.say(card, "yes")])
    who = {"reviewer": "ann", "client": "x"}
    place.store.record_operation(LabelOperation(kind="rename", label="sea", target="ocean", seq=1, **who))
    place.store.record_operation(LabelOperation(kind="merge", label="lake", target="dog", seq=2, **who))
    place.store.record_operation(LabelOperation(kind="add", label="boat", seq=3, **who))
    session.poll()
    assert session.names == ("ocean", "dog", "boat")
    assert session.progress("ann").decided == 1
    asked = session.next_cards("a", "ann", SuspectFilter(label="ocean"), count=99)
    assert {one.label for one in asked} == {"ocean"}
    assert card.position not in {one.position for one in asked}
    assert session.next_cards("a", "ann", SuspectFilter(label="lake"), count=9) == []
    assert session.card(card.row, "sea").label == "ocean"
    boat = session.card(card.row, "boat")
    assert (boat.given, boat.labels[2]) == (-1, ("boat", -1, False))
    session.record([replace(place.say(boat, "yes"), source="edit")])
    assert session.card(card.row, "boat").labels[2] == ("boat", 1, True)


def test_what_is_not_there_is_said_in_words(place: Place):
    session = place.session()
    with pytest.raises(TaggerError, match="Did you mean 'lake'"):
        session.card(0, "lakes")
    with pytest.raises(TaggerError, match="no image 60"):
        session.image(60)


def test_search_finds_parts_of_file_names(place: Place):
    assert place.session().find(PhotoFilter(text="TRIP3/0"))[:3] == (3, 7, 11)
    exact = place.session().image(11).file
    assert place.session().find(PhotoFilter(text=exact))[0] == 11


def test_photos_are_found_by_their_present_labels_in_any_order(place: Place):
    session = place.session()
    rng = np.random.default_rng(0)
    names = session.names
    for row in range(0, 60, 3):
        card = session.card(row, names[row % len(names)])
        session.record([replace(place.say(card, "yes" if row % 2 else "no"), source="edit")])
    views = [session.image(row) for row in range(60)]
    has = {(view.row, label.name): label.current == 1 for view in views for label in view.labels}
    for _ in range(200):
        drawn = rng.permutation(len(names))[: rng.integers(0, 4)]
        cut = int(rng.integers(0, len(drawn) + 1))
        having, lacking = (tuple(names[k] for k in part) for part in (drawn[:cut], drawn[cut:]))
        unlabelled = bool(rng.integers(2)) and not having
        order = str(rng.choice(["run", "name", "doubt"]))
        found = session.find(PhotoFilter(having=having, lacking=lacking, unlabelled=unlabelled, order=order))
        expected = {
            view.row
            for view in views
            if all(has[view.row, name] for name in having)
            and not any(has[view.row, name] for name in lacking)
            and not (unlabelled and any(has[view.row, name] for name in names))
        }
        assert set(found) == expected
        if order != "doubt":
            key = (lambda row: views[row].file) if order == "name" else (lambda row: row)
            assert list(found) == sorted(expected, key=key)
    assert session.find(PhotoFilter(having=("no such label",))) == ()


def test_by_probability_the_most_probable_photos_come_first(place: Place):
    session = place.session()
    name = session.names[0]
    found = session.find(PhotoFilter(lacking=(name,), order="probability"))
    probs = [next(one.probability for one in session.image(row).labels if one.name == name) for row in found]
    known = [-1.0 if prob is None else prob for prob in probs]
    assert known == sorted(known, reverse=True)


def test_decisions_on_images_of_another_run_do_no_harm(place: Place):
    session = place.session()
    (card,) = session.next_cards("a", "ann", count=1)
    stray = replace(place.say(card, "yes"), hash="elsewhere", label="cat")
    session.record([stray, replace(stray, seq=1000, reviewer="bob", verdict="no")])
    assert session.disagreements() == []
    assert session.progress("ann").decided == 0


def test_blind_cards_follow_one_another_when_nothing_else_is_left():
    assert list(interleave_audit([], [(3, 9), (1, 9)], since=0)) == [(3, True), (1, True)]


def test_a_label_renamed_by_another_process_is_handed_out_under_its_new_name(place: Place):
    session = place.session()
    rename = LabelOperation(kind="rename", label="sea", target="ocean", reviewer="bob", client="x", seq=1)
    place.store.record_operation(rename)
    cards = session.next_cards("a", "ann", count=30)
    assert "ocean" in {card.label for card in cards}
    assert "sea" not in {card.label for card in cards}


def test_a_grid_is_full_although_others_decided_some_of_it_meanwhile(place: Place):
    session, other = place.session(), place.session()
    narrowed = SuspectFilter(label="sea", direction="missing")
    theirs = other.grid("b", "bob", narrowed, count=3)
    other.record([place.say(card, "yes", "bob", source="grid") for card in theirs])
    ours = session.grid("a", "ann", narrowed, count=3)
    assert len(ours) == 3
    assert not {card.position for card in ours} & {card.position for card in theirs}


def test_the_other_labels_of_an_answered_photo_are_judged_anew_before_the_next_card(place: Place) -> None:
    asked = []

    def rejudge(table: pd.DataFrame, doubt: np.ndarray, verdicts: pd.DataFrame) -> np.ndarray:
        asked.append(verdicts["position"].tolist())
        rows = table["row"].to_numpy()
        return np.where(np.isin(rows, rows[verdicts["position"]]), 0.0, doubt)

    session = place.session(prepare_rejudge=lambda: rejudge)
    rows = place.table["row"].to_numpy()
    first = next(p for p in range(90) if (rows[p + 1 : 100] == rows[p]).any())
    others = np.flatnonzero(
        (rows == rows[first]) & (np.arange(len(rows)) != first) & (np.arange(len(rows)) < 100)
    )
    plain = SuspectFilter(text="Trip")
    card = next(c for c in session.next_cards("a", "ann", plain, count=100) if c.position == first)
    session.record([place.say(card, "no")])
    session.wait()
    order = [c.position for c in session.next_cards("a", "ann", plain, count=100)]
    assert [first] in asked
    assert set(order[-len(others) :]) == set(others)


def test_a_card_made_before_an_answer_about_its_photo_or_a_copy_is_stale(place: Place) -> None:
    place.images["group"] = np.arange(N)
    first, copy, other = place.table["row"].drop_duplicates().tolist()[:3]
    place.images.loc[copy, "group"] = first
    session = place.session()

    def held(row: int) -> tuple[int, str, int]:
        card = session.card(row, "sea")
        return card.position, card.hash, card.seen

    before = [held(row) for row in (first, copy, other)]
    assert session.stale(before) == []
    session.record([place.say(session.card(first, "dog"), "no")])
    assert session.stale(before) == [before[0][0], before[1][0]]
    assert session.stale([held(row) for row in (first, copy, other)]) == []
    assert session.card(first, "sea").group == session.card(copy, "sea").group


def test_until_answers_are_understood_other_photos_are_asked_first(place: Place) -> None:
    ready = threading.Event()

    def prepare() -> object:
        ready.wait(60)
        return lambda table, doubt, verdicts: doubt

    rows = place.table["row"].to_numpy()
    twice = int(pd.Series(rows[:100]).value_counts().index[0])
    session = place.session(prepare_rejudge=prepare)
    try:
        on_photo = [int(at) for at in np.flatnonzero(rows[:100] == twice)]
        session.record([place.say(session.card(twice, place.table["label"][on_photo[0]]), "yes")])
        asked = [card.row for card in session.next_cards("c", "ann", SuspectFilter(text="/"), count=100)]
        assert asked[-(len(on_photo) - 1) :] == [twice] * (len(on_photo) - 1)
        assert twice not in asked[: -(len(on_photo) - 1)]
    finally:
        ready.set()
        session.wait()
    again = session.next_cards("d", "ann", SuspectFilter(text="/"), count=100)
    assert again == []  # all are held by the first client
    session.store.release("c")
    order = [card.position for card in session.next_cards("d", "ann", SuspectFilter(text="/"), count=100)]
    assert order == sorted(order)


def test_likely_errors_of_test_photos_come_after_those_that_a_retraining_learns_from(place: Place) -> None:
    test_N = np.arange(N) % 3 == 0
    place.images["split"] = np.where(test_N, "test", "train")
    asked = [
        card.position for card in place.session().next_cards("c", "ann", SuspectFilter(text="/"), count=100)
    ]
    row, doubt = place.table["row"].to_numpy(), place.table["doubt"].to_numpy()
    likely = np.flatnonzero(doubt[:100] >= 0.15)
    expected = [
        *likely[~test_N[row[likely]]],
        *likely[test_N[row[likely]]],
        *np.flatnonzero(doubt[:100] < 0.15),
    ]
    assert asked == expected


def everything(session: ReviewSession, client: str) -> list[Card]:
    session.store.release(client)
    return session.next_cards(client, "ann", SuspectFilter(text="/"), count=200)


def test_what_a_rule_settles_is_offered_and_not_asked_and_comes_back_with_an_undo(place: Place) -> None:
    place.rules = (Rule("lake", "sea"),)
    session = place.session()
    table = place.table.iloc[:100]
    rows = table["row"][table["label"] == "lake"].tolist()
    row = next(one for one in rows if place.labels_NK[one, 1] == 1)
    asked = {(card.row, card.label) for card in everything(session, "c")}
    assert (row, "lake") in asked
    assert session.settled() == []
    (id,) = session.record([place.say(session.card(row, "sea"), "no")])
    (offer,) = session.settled()
    assert (offer.hash, offer.label, offer.given, offer.value) == (f"h{row}", "lake", 1, 0)
    assert offer.because == ("sea", 0)
    assert settled_sentence([offer]) == "Settled by your answers: 1 label, 1 of them changes"
    now = {(card.row, card.label) for card in everything(session, "c")}
    assert asked - now == {(row, "lake")} | ({(row, "sea")} & asked)
    assert len(session.store.decisions()) == 1  # nothing is written without the person
    session.record([place.say(session.card(row, "sea"), "undo", undoes=id)])
    assert session.settled() == []
    assert {(card.row, card.label) for card in everything(session, "c")} == asked


def test_a_person_who_answered_is_not_overruled_and_a_contradiction_is_left_to_people(place: Place) -> None:
    place.rules = (Rule("lake", "sea"), Rule("dog", "lake"))
    session = place.session()
    row = int(np.flatnonzero(place.labels_NK[:, 2] == 0)[0])
    session.record([place.say(session.card(row, "dog"), "yes")])
    follows = {cell.label: cell.value for cell in session.settled()}
    assert set(follows) <= {"sea", "lake"}
    assert set(follows.values()) <= {1}
    assert {name for k, name in ((0, "sea"), (1, "lake")) if place.labels_NK[row, k] == 0} <= set(follows)
    session.record([place.say(session.card(row, "sea"), "no")])  # against both rules
    assert session.settled() == []


def test_of_an_exclusive_group_one_yes_settles_the_others(place: Place) -> None:
    place.groups = {"water": LabelGroup(kind="exclusive", labels=["sea", "lake"])}
    session = place.session()
    row = int(np.flatnonzero((place.labels_NK[:, 0] == 0) & (place.labels_NK[:, 1] == 1))[0])
    session.record([place.say(session.card(row, "sea"), "yes")])
    assert [(cell.label, cell.value) for cell in session.settled()] == [("lake", 0)]


def test_a_reason_that_an_answer_has_corrected_gives_way_to_the_answer(place: Place) -> None:
    place.images["group"] = np.arange(N)
    counts = place.table["row"][:100].value_counts()
    row = int(counts.index[counts >= 2][0])
    on_photo = np.flatnonzero(place.table["row"][:100] == row)
    place.table.loc[on_photo, "main_signal"] = "rules"
    first, second = place.table["label"][on_photo[:2]]
    session = place.session()
    right, wrong = (
        WORD[value] for value in (place.table["given"][on_photo[0]], place.table["suggested"][on_photo[0]])
    )
    reason = session.card(row, second).reason
    (id,) = session.record([place.say(session.card(row, first), right)])
    assert session.card(row, second).reason == reason  # it is as the reason has it
    session.record([place.say(session.card(row, first), "undo", undoes=id)])
    session.record([place.say(session.card(row, first), wrong)])
    answers = f"Judged anew by the answers about this photo: `{first}` {wrong}"
    assert session.card(row, second).reason == answers
