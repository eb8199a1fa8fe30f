"""Page Photos: browse and find photos, set their labels, see and undo decisions."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from tagger.arrays import YES
from tagger.errors import TaggerError
from tagger.review import Decision, ImageView, RecordedDecision
from tagger.ui.app_state import AppState
from tagger.ui.heat_overlay import overlay_heat_map
from tagger.ui.identity import next_signature
from tagger.ui.markdown_escape import escape_markdown
from tagger.ui.pages.heat_map_control import choose_heat_map, fetch_heat_map
from tagger.ui.photo_previews import PhotoError

MAX_FOUND = 50
MAX_HISTORY_STEPS = 40
MAX_SWITCHES = 120  # labels
GRID_ROWS = 4
GRID_COLUMNS = 6
MAX_NAME_LENGTH = 18  # letters of the file name below a tile
MAX_TILE_LABELS = 4


def show(app_state: AppState) -> None:
    """The page: the chosen photo, or all photos while none is chosen."""
    row = _chosen_row(app_state)
    if row is None:
        return
    view = app_state.session.image(row)
    photo, side = st.columns([3, 2], gap="medium")
    with side:
        _labels(app_state, view)
        wanted = choose_heat_map(view.hash, app_state.run_labels)
        _history(app_state, view)
    with photo:
        _show_photo(app_state, view, wanted)


def _show_photo(app_state: AppState, view: ImageView, wanted: tuple[str, str] | None) -> None:
    """The photo, with the heat map of a label (``wanted``: label and method) over it."""
    try:
        photo = app_state.previews.preview(view.file, view.hash, size=1024)
        if wanted is not None:
            try:
                path = app_state.previews.path(view.file)
                photo = overlay_heat_map(photo, fetch_heat_map(app_state.run.path, path, view.hash, *wanted))
            except TaggerError as error:
                st.warning(f"There is no heat map: {escape_markdown(error)}")
        st.image(photo, width="stretch")
    except PhotoError as error:
        st.warning(f"This photo cannot be shown: {escape_markdown(error)}")
    st.caption(escape_markdown(view.file))


def _chosen_row(app_state: AppState) -> int | None:
    """The photo of the address (``?image=HASH``), or the one chosen among those found."""
    wanted = st.query_params.get("image")
    known = app_state.session.row(wanted) if wanted else None
    default = app_state.session.image(known).file if known is not None else ""
    words, hits = st.columns([2, 3], gap="medium")
    text = words.text_input("File name", value=default, key="find", placeholder="part of a file name").strip()
    rows = app_state.session.search(text, MAX_FOUND) if text else []
    if not text:
        st.query_params.pop("image", None)
        _browse(app_state, hits)
        return None
    if not rows:
        st.info("No file name contains this text.")
        return None
    files = {row: app_state.session.image(row).file for row in rows}
    found, back = hits.columns([3, 1], gap="small", vertical_alignment="bottom")
    row = found.selectbox(f"{len(rows)} found", rows, format_func=files.__getitem__, key="found")
    back.button("All photos", key="all photos", on_click=_open_photo, args=("",), width="stretch")
    st.query_params["image"] = app_state.session.image(row).hash
    return row


def _open_photo(file: str) -> None:
    """Show the photo of this name; all photos if it is empty."""
    st.session_state["find"] = file
    st.query_params.pop("image", None)


def _browse(app_state: AppState, beside: Any) -> None:
    """All photos, or those that have a label now, as pages of tiles."""
    label = _label_filter(app_state, beside)
    size = GRID_ROWS * GRID_COLUMNS
    start = st.session_state.get("browsed from", 0)
    rows = app_state.session.browse(label, start=start, limit=size + 1)
    if not rows and start:  # fewer have it now
        _go_to_page(0)
        start = 0
        rows = app_state.session.browse(label, limit=size + 1)
    if not rows:
        st.info("No photo has this label." if label else "There are no photos.")
        return
    shown = rows[:size]
    _tiles(app_state, shown)
    _page_buttons(start, len(shown), more=len(rows) > size)


def _label_filter(app_state: AppState, beside: Any) -> str | None:
    """The label whose photos are shown; None for all photos."""
    labels = [None, *app_state.session.names]
    kept = st.session_state.get("browsed")  # the box forgets it while a single photo is shown
    label = beside.selectbox(
        "Label",
        labels,
        index=labels.index(kept) if kept in labels else 0,
        format_func=lambda name: name or "Any label",
        key="browsed label",
        on_change=_go_to_page,
        args=(0,),
    )
    st.session_state["browsed"] = label
    return label


def _tiles(app_state: AppState, rows: Sequence[int]) -> None:
    """Grid of photos."""
    for first in range(0, len(rows), GRID_COLUMNS):
        columns = st.columns(GRID_COLUMNS, gap="small")
        for column, row in zip(columns, rows[first : first + GRID_COLUMNS], strict=False):
            with column, st.container(gap=None):
                _tile(app_state, row)


def _page_buttons(start: int, count: int, *, more: bool) -> None:
    """Buttons to the previous and the next page of tiles, and where this one is."""
    size = GRID_ROWS * GRID_COLUMNS
    previous, text, following = st.columns([1, 4, 1], vertical_alignment="center")
    click: dict[str, Any] = {"on_click": _go_to_page, "width": "stretch"}
    previous.button("Previous", key="earlier", disabled=not start, args=(start - size,), **click)
    text.markdown(f":gray[Photos {start + 1:,} to {start + count:,}]", text_alignment="center")
    following.button("Next", key="later", disabled=not more, args=(start + size,), **click)


def _go_to_page(start: int) -> None:
    """Go to the page of tiles that begins with this photo."""
    st.session_state["browsed from"] = max(0, start)


def _tile(app_state: AppState, row: int) -> None:
    """Tile of a photo with its labels; the button below it opens the photo."""
    view = app_state.session.image(row)
    try:
        st.image(app_state.previews.preview(view.file, view.hash, size=256), width="stretch")
    except PhotoError as error:
        st.caption(f"cannot be shown: {escape_markdown(error)}")
    name = view.file.rsplit("/", 1)[-1]
    short = name if len(name) <= MAX_NAME_LENGTH else f"{name[: MAX_NAME_LENGTH - 1]}…"
    st.button(
        escape_markdown(short),
        key=f"open {row}",
        help=escape_markdown(view.file),
        type="tertiary",
        on_click=_open_photo,
        args=(view.file,),
    )
    labels = [label.name for label in view.labels if label.current == YES]
    more = f" and {len(labels) - MAX_TILE_LABELS} more" if len(labels) > MAX_TILE_LABELS else ""
    st.caption(escape_markdown(", ".join(labels[:MAX_TILE_LABELS])) + more if labels else "no label")


def _labels(app_state: AppState, view: ImageView) -> None:
    """Labels as switches; the key holds the last decision, so that a change from elsewhere shows."""
    key = f"labels {view.hash} {view.history[-1].id if view.history else 0}"
    names = [label.name for label in view.labels]
    chosen = [label.name for label in view.labels if label.current == YES]
    if len(names) <= MAX_SWITCHES:
        st.pills(
            "Labels",
            names,
            selection_mode="multi",
            default=chosen,
            format_func=escape_markdown,
            key=key,
            wrap=True,
            on_change=lambda: _record_labels(app_state, view, st.session_state[key]),
        )
    else:  # too many to look through
        st.multiselect(
            "Labels",
            names,
            chosen,
            key=key,
            on_change=lambda: _record_labels(app_state, view, st.session_state[key]),
        )
    disputed = [label.name for label in view.labels if label.disputed]
    if disputed:
        st.caption(f"Reviewers disagree on {escape_markdown(', '.join(disputed))}.")


def _record_labels(app_state: AppState, view: ImageView, chosen: Sequence[str]) -> None:
    verdicts = {label.name: "yes" if label.name in chosen else "no" for label in view.labels}
    app_state.session.record(
        [
            _decision(
                app_state,
                view.hash,
                label.name,
                verdicts[label.name],
                before=label.current,
                settles=label.disputed,
            )
            for label in view.labels
            if (label.name in chosen) != (label.current == YES)
        ]
    )


def _decision(
    app_state: AppState, hash: str, label: str, verdict: str, *, before: int, **more: Any
) -> Decision:
    """Decision of this page about one cell."""
    return Decision(
        hash=hash,
        label=label,
        verdict=verdict,
        before=before,
        suggested=None,
        doubt=None,
        run=app_state.run.path.name,
        seconds=None,
        source="edit",
        **next_signature(),
        **more,
    )


def _history(app_state: AppState, view: ImageView) -> None:
    """Decisions on the photo, newest first, each with a button that undoes it."""
    if not view.history:
        st.caption("There is no decision about this photo yet.")
        return
    st.markdown("**History**")
    undone = {step.undoes for step in view.history if step.verdict == "undo"}
    for step in list(reversed(view.history))[:MAX_HISTORY_STEPS]:
        text, button = st.columns([4, 1], vertical_alignment="center")
        text.markdown(_sentence(step, step.id in undone))
        if step.verdict != "undo" and step.id not in undone:
            button.button("Undo", key=f"undo {step.id}", on_click=_undo, args=(app_state, step))


def _sentence(step: RecordedDecision, undone: bool) -> str:
    what = f"undid a decision on {step.label}" if step.verdict == "undo" else f"{step.label}: {step.verdict}"
    time = step.time[:16].replace("T", " ")
    line = f"{escape_markdown(what)} :gray[{escape_markdown(f'{step.reviewer}, {time}')}]"
    return f"~~{line}~~" if undone else line


def _undo(app_state: AppState, step: RecordedDecision) -> None:
    app_state.session.record(
        [_decision(app_state, step.hash, step.label, "undo", before=step.before, undoes=step.id)]
    )
