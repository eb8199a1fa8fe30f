"""Grid of photos: found by name and labels, selected, labelled in one stroke. The filter stands in the address."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from tagger.arrays import YES
from tagger.review import Decision, PhotoFilter
from tagger.review.photo_finder import ORDERS
from tagger.text import counted
from tagger.ui.app_state import AppState
from tagger.ui.identity import next_signature
from tagger.ui.markdown_escape import escape_markdown
from tagger.ui.photo_previews import PhotoError

ROWS = 4
COLUMNS = 6
SIZE = ROWS * COLUMNS
MAX_NAME_LENGTH = 18  # letters of the file name below a tile
MAX_TILE_LABELS = 4
MAX_SELECTED = 20_000  # photos that are labelled in one stroke
SELECTED = "selected photos"
SELECTING = "selecting"
LAST = "last stroke"
ORDER_TITLES = {
    "run": "as in the run",
    "name": "by name",
    "doubt": "most doubtful first",
    "probability": "most probable first",
}


def filter_of_address(names: Sequence[str]) -> PhotoFilter:
    """The filter that the address names; labels that do not exist are left out."""
    query = st.query_params
    order = query.get("order", "run")
    return PhotoFilter(
        text=query.get("name", ""),
        having=tuple(label for label in query.get_all("with") if label in names),
        lacking=tuple(label for label in query.get_all("without") if label in names),
        unlabelled="nolabel" in query,
        order=order if order in ORDERS else "run",
    )


def open_photo(hash: str) -> None:
    """Show the photo of this hash; all photos if it is empty."""
    if hash:
        st.query_params["image"] = hash
    else:
        st.query_params.pop("image", None)


def show_photo_grid(app_state: AppState) -> None:
    """The filters, the photos that they leave, and what is done with the selected ones."""
    wanted = _filters(app_state)
    rows = app_state.session.find(wanted)
    _selection(app_state, rows)
    if not rows:
        st.info("No photo is like this.")
        return
    start = min(_start_of_address(), (len(rows) - 1) // SIZE * SIZE)
    shown = rows[start : start + SIZE]
    for first in range(0, len(shown), COLUMNS):
        for column, row in zip(
            st.columns(COLUMNS, gap="small"), shown[first : first + COLUMNS], strict=False
        ):
            with column, st.container(gap=None):
                _tile(app_state, row)
    _page_buttons(start, len(shown), len(rows))


def _filters(app_state: AppState) -> PhotoFilter:
    """The boxes of the filter; their values come from the address and go back there."""
    names = list(app_state.session.names)
    now = filter_of_address(names)
    text, having, lacking, order = st.columns([2, 3, 3, 2], vertical_alignment="bottom")
    values = {"name": now.text, "with": list(now.having), "without": list(now.lacking), "order": now.order}
    for key, value in values.items():
        st.session_state[f"photos {key}"] = value
    st.session_state["photos nolabel"] = now.unlabelled
    kept: dict[str, Any] = {"on_change": _keep_filter}
    text.text_input("File name", key="photos name", placeholder="part of a file name", **kept)
    having.multiselect("With the labels", names, key="photos with", placeholder="all of these", **kept)
    lacking.multiselect(
        "Without the labels", names, key="photos without", placeholder="none of these", **kept
    )
    order.selectbox("Order", list(ORDERS), key="photos order", format_func=ORDER_TITLES.__getitem__, **kept)
    st.checkbox("Without any label", key="photos nolabel", **kept)
    if now.order == "probability" and not (now.having or now.lacking):
        st.caption("Choose a label: the order is by its probability.")
    return now


def _keep_filter() -> None:
    """Put the filter into the address, so that a refresh, Back and a link keep it."""
    for key in ("name", "with", "without", "order"):
        value = st.session_state[f"photos {key}"]
        if value and value != "run":
            st.query_params[key] = value
        else:
            st.query_params.pop(key, None)
    if st.session_state["photos nolabel"]:
        st.query_params["nolabel"] = "1"
    else:
        st.query_params.pop("nolabel", None)
    _go_to(0)


def _start_of_address() -> int:
    text = st.query_params.get("from", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 9 else 0


def _go_to(start: int) -> None:
    """Go to the page of photos that begins with this one."""
    if start > 0:
        st.query_params["from"] = str(start)
    else:
        st.query_params.pop("from", None)


def _selection(app_state: AppState, rows: Sequence[int]) -> None:
    """The bar of the selected photos: select, add or remove a label, take the last stroke back."""
    st.session_state.setdefault(SELECTED, {})
    bar = st.container(horizontal=True, vertical_alignment="bottom")
    bar.toggle("Select photos", key=SELECTING, on_change=st.session_state[SELECTED].clear)
    if not st.session_state[SELECTING]:
        bar.markdown(f":gray[{counted(len(rows), 'photo')}]")
        return
    chosen: dict[str, bool] = st.session_state[SELECTED]
    start = min(_start_of_address(), max(0, len(rows) - 1) // SIZE * SIZE)
    bar.button("This page", on_click=_select, args=(app_state, rows[start : start + SIZE]), key="select page")
    bar.button(f"All {len(rows):,}", on_click=_select, args=(app_state, rows), key="select all")
    bar.button("None", on_click=chosen.clear, key="select none", disabled=not chosen)
    label = bar.selectbox(
        "Label", app_state.session.names, key="stroke label", index=None, placeholder="Label"
    )
    ready = bool(chosen) and label is not None
    for text, verdict in (("Add", "yes"), ("Remove", "no")):
        bar.button(
            f"{text} on {len(chosen):,}", key=f"stroke {verdict}", disabled=not ready, type="primary",
            on_click=_label_selected, args=(app_state, label, verdict),
        )  # fmt: skip
    _last_stroke(app_state)


def _select(app_state: AppState, rows: Sequence[int]) -> None:
    """Select these photos, too."""
    chosen = st.session_state[SELECTED]
    for row in rows[: MAX_SELECTED - len(chosen)]:
        chosen[str(app_state.hashes[row])] = True


def _label_selected(app_state: AppState, label: str, verdict: str) -> None:
    """Decide a label on all selected photos, in one transaction; those that are so already stay as they are."""
    wanted = YES if verdict == "yes" else 0
    decisions = []
    for hash in st.session_state[SELECTED]:
        row = app_state.session.row(hash)
        if row is None:
            continue
        cell = next(one for one in app_state.session.image(row).labels if one.name == label)
        if cell.current != wanted or cell.disputed:
            decisions.append(
                Decision(
                    hash=hash, label=label, verdict=verdict, before=cell.current, suggested=None, doubt=None,
                    run=app_state.run.path.name, seconds=None, source="edit", settles=cell.disputed, **next_signature(),
                )
            )  # fmt: skip
    ids = app_state.session.record(decisions)
    words = "added to" if verdict == "yes" else "removed from"
    same = len(st.session_state[SELECTED]) - len(decisions)
    st.session_state[LAST] = (
        label,
        f"{words} {counted(len(decisions), 'photo')}",
        same,
        list(zip(ids, decisions, strict=True)),
    )


def _last_stroke(app_state: AppState) -> None:
    """What the last stroke did, and a button that takes it back."""
    last = st.session_state.get(LAST)
    if last is None:
        return
    label, words, same, done = last
    text, button = st.columns([5, 1], vertical_alignment="center")
    more = f" {same:,} had it so already." if same else ""
    text.success(f"{escape_markdown(label)}: {words}.{more}")
    button.button("Undo", key="undo stroke", on_click=_undo_stroke, args=(app_state, done), disabled=not done)


def _undo_stroke(app_state: AppState, done: Sequence[tuple[int, Decision]]) -> None:
    """Take back all decisions of a stroke, in one transaction."""
    app_state.session.record(
        [
            Decision(
                hash=one.hash, label=one.label, verdict="undo", before=one.before, suggested=None, doubt=None,
                run=app_state.run.path.name, seconds=None, source="edit", undoes=id, **next_signature(),
            )
            for id, one in done
        ]
    )  # fmt: skip
    st.session_state.pop(LAST, None)


def _tile(app_state: AppState, row: int) -> None:
    """Tile of a photo with its labels; the button below it opens the photo, or the box selects it."""
    view = app_state.session.image(row)
    try:
        st.image(app_state.previews.preview(view.file, view.hash, size=256), width="stretch", alt=view.file)
    except PhotoError as error:
        st.caption(f"cannot be shown: {escape_markdown(error)}")
    name = view.file.rsplit("/", 1)[-1]
    short = escape_markdown(name if len(name) <= MAX_NAME_LENGTH else f"{name[: MAX_NAME_LENGTH - 1]}…")
    if st.session_state.get(SELECTING):
        key = f"select {row}"
        st.session_state[key] = view.hash in st.session_state[SELECTED]
        st.checkbox(short, key=key, help=escape_markdown(view.file), on_change=_toggle, args=(view.hash,))
    else:
        st.button(
            short, key=f"open {row}", help=escape_markdown(view.file), type="tertiary", on_click=open_photo,
            args=(view.hash,),
        )  # fmt: skip
    labels = [label.name for label in view.labels if label.current == YES]
    more = f" and {len(labels) - MAX_TILE_LABELS} more" if len(labels) > MAX_TILE_LABELS else ""
    st.caption(escape_markdown(", ".join(labels[:MAX_TILE_LABELS])) + more if labels else "no label")


def _toggle(hash: str) -> None:
    """Select the photo, or no longer."""
    chosen = st.session_state[SELECTED]
    if chosen.pop(hash, None) is None and len(chosen) < MAX_SELECTED:
        chosen[hash] = True


def _page_buttons(start: int, count: int, total: int) -> None:
    """Buttons to the previous and the next page, and where this one is."""
    previous, text, following = st.columns([1, 4, 1], vertical_alignment="center")
    click: dict[str, Any] = {"on_click": _go_to, "width": "stretch"}
    previous.button("Previous", key="earlier", disabled=not start, args=(start - SIZE,), **click)
    end = start + count
    text.markdown(f":gray[Photos {start + 1:,} to {end:,} of {total:,}]", text_alignment="center")
    following.button("Next", key="later", disabled=end >= total, args=(start + SIZE,), **click)
