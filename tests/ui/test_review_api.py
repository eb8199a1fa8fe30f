"""The app's own addresses: what they give to our page, and what they refuse to everybody else."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from reviewing import make_run
from starlette.testclient import TestClient

from tagger.ui.app_state import AppState, open_app_state
from tagger.ui.server.launch import build_app
from tagger.ui.server.security import MAX_BODY_BYTES, TOKEN_HEADER
from tagger.ui.streamlit_internals import separate_runtime


@pytest.fixture
def state(finished: Path, demo: Path, tmp_path: Path) -> Iterator[AppState]:
    """State of the app on a copy of the small run."""
    run = make_run(finished, demo, tmp_path, audit=20)
    opened = open_app_state(run.path, reviewer="ann")
    yield opened
    opened.store.close()


@pytest.fixture(autouse=True)
def own_runtime() -> Iterator[None]:
    """Streamlit allows one app a process; here each test has one, after another."""
    with separate_runtime():
        yield


@pytest.fixture
def client(state: AppState) -> Iterator[TestClient]:
    """A browser's view of the whole app, our page's token with it."""
    with TestClient(
        build_app(state), base_url="http://127.0.0.1:8501", headers={TOKEN_HEADER: state.token}
    ) as opened:
        yield opened


def ask(http: TestClient, **more: Any) -> dict[str, Any]:
    """One talk; the page is called c."""
    answer = http.post(
        "/tagger/review", json={"client": "c", "mode": "card", "count": 9, "decisions": []} | more
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def decide(card: dict[str, Any], seq: int, verdict: str = "yes", **more: Any) -> dict[str, Any]:
    """What the page would send."""
    words = {key: card[key] for key in ("hash", "label", "suggested", "doubt", "blind", "position")}
    return (
        words | {"client": "c", "seq": seq, "verdict": verdict, "before": card["given"], "run": "run"} | more
    )


# What our page gets


def test_cards_come_with_everything_the_page_shows(client: TestClient, state: AppState):
    card = ask(client)["cards"][0]
    assert card["direction"] in ("missing", "spurious")
    assert len(card["neighbours"]) == 6
    assert {label["name"] for label in card["labels"]} == set(state.run_labels)
    assert state.run_labels[card["k"]] == card["label"]


def test_cards_that_a_page_holds_are_stale_once_somebody_answers_about_their_photo(client: TestClient):
    cards = ask(client)["cards"]
    hold = [[card["position"], card["hash"], card["label"], card["seen"]] for card in cards]
    assert ask(client, hold=hold, count=0)["stale"] == []
    about = next(card for card in cards if not card["blind"])
    answer = decide(about, 1, client="d", reviewer="bob")
    ask(client, client="d", count=0, decisions=[answer])
    same = {card["position"] for card in cards if card["group"] == about["group"]}
    reply = ask(client, hold=hold, count=0)
    assert set(reply["stale"]) == same
    old_page = [entry[:3] for entry in hold]  # of the last version: it goes on as before
    assert ask(client, hold=old_page, count=0)["stale"] == []


def test_a_blind_card_tells_nothing(client: TestClient):
    cards = [card for seq in range(4) for card in ask(client, count=40, client=f"c{seq}")["cards"]]
    blind = [card for card in cards if card["blind"]]
    assert blind
    for card in blind:
        assert (card["doubt"], card["suggested"], card["neighbours"]) == (None, None, [])
        assert card["reason"] == "Please check."


def test_what_is_sent_again_is_recorded_once(client: TestClient, state: AppState):
    cards = ask(client)["cards"]
    sent = [decide(card, seq) for seq, card in enumerate(cards)]
    for upto in (3, 9, 9, 5):
        reply = ask(client, decisions=sent[:upto])
        assert [tuple(one) for one in reply["saved"]] == [("c", seq) for seq in range(upto)]
    assert [(one.client, one.seq) for one in state.store.decisions()] == [("c", seq) for seq in range(9)]


def test_an_undo_names_the_pages_own_number(client: TestClient, state: AppState):
    card = ask(client)["cards"][0]
    undo = decide(card, 2, "undo", undoes_seq=1)
    ask(
        client, decisions=[decide(card, 1), undo]
    )  # in one breath: the page has not heard of the first one's id
    first, second = state.store.decisions()
    assert second.undoes == first.id
    assert state.session.progress("ann").decided == 0


def held(cards: list[dict[str, Any]]) -> list[list[Any]]:
    """The page's words for the cards that it has."""
    return [[card["position"], card["hash"], card["label"]] for card in cards]


def test_cards_that_the_page_has_do_not_come_again(client: TestClient):
    first = ask(client)["cards"]
    second = ask(client, hold=held(first))["cards"]
    assert len({card["position"] for card in first + second}) == 18


def test_a_page_that_slept_hears_which_cards_went_to_somebody_else(client: TestClient, state: AppState):
    mine = ask(client)["cards"]
    assert ask(client, count=0, hold=held(mine))["lost"] == []
    state.store.release("c")  # its time has run out
    theirs = [card["position"] for card in ask(client, client="d", count=4)["cards"]]
    lost = ask(client, count=0, hold=held(mine))["lost"]
    assert lost
    assert set(lost) == {card["position"] for card in mine} & set(theirs)


def test_two_pages_do_not_get_the_same_card(client: TestClient):
    first = {card["position"] for card in ask(client)["cards"]}
    second = {card["position"] for card in ask(client, client="d")["cards"]}
    assert not first & second
    ask(client, release=True, mode="none")
    assert first & {card["position"] for card in ask(client, client="e")["cards"]}


def test_a_grid_holds_one_label_and_direction_and_goes_on_to_the_next(client: TestClient):
    seen, group, seq = [], None, 0
    while cards := ask(client, mode="grid", count=24, group=group)["cards"]:
        assert len({(card["label"], card["direction"]) for card in cards}) == 1
        group = {"label": cards[0]["label"], "direction": cards[0]["direction"]}
        seen += [card["position"] for card in cards]
        ask(client, mode="none", decisions=[decide(card, seq := seq + 1, source="grid") for card in cards])
    assert len(seen) == len(set(seen)) == 320


def test_the_filter_holds(client: TestClient, state: AppState):
    label = state.run_labels[2]
    cards = ask(client, filter={"label": label, "direction": "missing"})["cards"]
    assert cards
    assert {(card["label"], card["direction"]) for card in cards} == {(label, "missing")}
    assert "filter" in ask(client, filter={"text": "no such file"})["exhausted"][0]


def test_what_can_never_be_saved_is_refused_by_name_and_the_rest_is_saved(
    client: TestClient, state: AppState
):
    card = ask(client)["cards"][0]
    sent = [
        decide(card, 1) | {"hash": "0" * 32},
        decide(card, 2, "perhaps"),
        decide(card, 3, "undo", undoes_seq=77),
        decide(card, 4),
    ]
    reply = ask(client, decisions=sent)
    assert reply["saved"] == [["c", 4]]
    assert [one[1] for one in reply["refused"]] == [1, 2, 3]
    assert [one.seq for one in state.store.decisions()] == [4]


def test_without_routes_the_photos_come_inside(state: AppState):
    from tagger.ui.server.review_sync import sync_review

    payload = {"client": "c", "mode": "card", "count": 2, "decisions": []}
    card = sync_review(state, payload, embed=True)["cards"][0]
    assert card["src"].startswith("data:image/jpeg;base64,")


# Photos


def test_a_photo_is_a_small_jpeg_made_once_and_kept_by_the_browser(client: TestClient, state: AppState):
    hash = state.hashes[3]
    answer = client.get(f"/tagger/img/3?s=128&v={hash[:16]}")
    assert answer.headers["content-type"] == "image/jpeg"
    assert "immutable" in answer.headers["cache-control"]
    assert max(Image.open(io.BytesIO(answer.content)).size) <= 128
    kept = state.previews.root / ".tagger" / "previews" / hash[:2] / f"{hash}-128.jpg"
    assert kept.read_bytes() == answer.content


def test_an_address_with_another_hash_is_not_kept(client: TestClient):
    assert client.get("/tagger/img/3?s=128&v=000").headers["cache-control"] == "no-store"


@pytest.mark.parametrize("end", ["img/80", "img/-1", "img/..%2f..%2fetc", "img/0.png", "img/labels.csv", ""])
def test_there_is_no_photo_but_the_runs(client: TestClient, end: str):
    answer = client.get(f"/tagger/{end}")
    assert answer.headers.get("content-type") != "image/jpeg"
    assert answer.status_code in (400, 404) or "<title>" in answer.text  # or Streamlit's own page


@pytest.mark.parametrize("size", ["x", "-5", "999999999", "128"])
def test_no_size_is_larger_than_the_largest(client: TestClient, size: str):
    answer = client.get(f"/tagger/img/0?s={size}")
    assert answer.status_code in (200, 404)


def test_a_photo_that_leads_out_of_the_data_folder_is_not_shown(
    client: TestClient, state: AppState, tmp_path: Path
):
    secret = tmp_path / "secret.jpg"
    Image.new("RGB", (8, 8)).save(secret)
    path = state.previews.root / state.session.image(5).file
    path.unlink()
    path.symlink_to(secret)
    assert client.get("/tagger/img/5").status_code == 404


def test_a_file_that_is_no_photo_is_not_shown(client: TestClient, state: AppState):
    path = state.previews.root / state.session.image(6).file
    path.write_bytes(b"<svg onload='alert(1)'/>")
    assert client.get("/tagger/img/6").status_code == 404


def test_a_photo_in_the_cache_is_gone_with_its_file(client: TestClient, state: AppState):
    assert client.get("/tagger/img/7").status_code == 200
    (state.previews.root / state.session.image(7).file).unlink()
    assert client.get("/tagger/img/7").status_code == 404


# Strangers


def test_nothing_is_written_without_the_token(client: TestClient, state: AppState):
    for headers in ({TOKEN_HEADER: ""}, {TOKEN_HEADER: "x" * 32}, {TOKEN_HEADER: "ü"}):
        raw = {name: value.encode() for name, value in headers.items()}
        assert client.post("/tagger/review", json={}, headers=raw).status_code == 403
    assert state.store.last_id() == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
    ],
)
def test_other_sites_get_nothing_even_with_the_token(client: TestClient, headers: dict[str, str]):
    assert client.post("/tagger/review", json={}, headers=headers).status_code == 403
    assert client.get("/tagger/img/0", headers=headers).status_code == 403


def test_another_name_for_this_machine_is_refused(client: TestClient):
    for path in ("/tagger/img/0", "/", "/_stcore/health"):
        assert client.get(path, headers={"host": "evil.example"}).status_code == 400


def test_a_long_body_is_refused_whatever_its_length_says(client: TestClient):
    assert client.post("/tagger/review", content=b" " * (MAX_BODY_BYTES + 1)).status_code == 413

    def parts() -> Iterator[bytes]:
        for _ in range(MAX_BODY_BYTES // 1000 + 2):
            yield b" " * 1000

    assert client.post("/tagger/review", content=parts()).status_code == 413


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"nonsense", b"\xff", b'{"client": 1, "mode": "card", "count": "x"}', b"null"]
)
def test_nonsense_is_not_understood_and_does_no_harm(client: TestClient, body: bytes):
    assert client.post("/tagger/review", content=body).status_code == 400
    assert ask(client)["cards"]


def test_every_answer_carries_the_policy(client: TestClient):
    for path in ("/", "/tagger/img/0", "/tagger/img/999", "/_stcore/health"):
        policy = client.get(path).headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe-eval" not in policy


def test_beyond_this_machine_everything_needs_the_key(state: AppState):
    app = build_app(state, host="0.0.0.0", key="the-key")
    with TestClient(app, base_url="http://photos.example:8501", follow_redirects=False) as client:
        for path in ("/", "/tagger/img/0", "/_stcore/health", "/?token=wrong"):
            assert client.get(path).status_code == 401
        moved = client.get("/?token=the-key&image=x")
        assert (moved.status_code, moved.headers["location"]) == (303, "/?image=x")
        assert "httponly" in moved.headers["set-cookie"].lower()
        assert client.get("/tagger/img/0").status_code == 200  # the cookie is enough from now on


def test_the_token_outlives_a_restart(state: AppState):
    again = open_app_state(state.run.path)
    assert again.token == state.token
    assert len(again.token) >= 24
    again.store.close()
