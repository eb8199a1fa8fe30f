"""The page Photos: look through them, find one, set all its labels, see and take back what was decided about it."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from tagger.arrays import YES
from tagger.errors import TaggerError
from tagger.review import Decision, ImageView, Recorded
from tagger.ui.author import sign
from tagger.ui.escape import escape
from tagger.ui.heat_choice import choose_map, heat_map
from tagger.ui.heat_overlay import overlay
from tagger.ui.pictures import Unseen
from tagger.ui.workplace import Workplace

MOST_FOUND = 50
MOST_STEPS = 40
MOST_SWITCHES = 120  # labels
ROWS, COLUMNS = 4, 6  # of the pages of small pictures
NAME_SHOWN, LABELS_SHOWN = 18, 4  # letters of a file name below one, and how many of its labels


def show(place: Workplace) -> None:
    """Draw the page: one photo, or as long as none is chosen all of them."""
    row = _chosen_row(place)
    if row is None:
        return
    view = place.desk.image(row)
    picture, side = st.columns([3, 2], gap="medium")
    with side:
        _labels(place, view)
        wanted = choose_map(view.hash, place.run_labels)
        _history(place, view)
    with picture:
        _picture(place, view, wanted)


def _picture(place: Workplace, view: ImageView, wanted: tuple[str, str] | None) -> None:
    """The photo; if that is wanted, with where the model sees a label, by a method, laid over it."""
    try:
        photo = place.pictures.preview(view.file, view.hash, size=1024)
        if wanted is not None:
            try:
                path = place.pictures.path(view.file)
                photo = overlay(photo, heat_map(place.run.path, path, view.hash, *wanted))
            except TaggerError as error:
                st.warning(f"There is no heat map: {escape(error)}")
        st.image(photo, width="stretch")
    except Unseen as error:
        st.warning(f"This photo cannot be shown: {escape(error)}")
    st.caption(escape(view.file))


def _chosen_row(place: Workplace) -> int | None:
    """The photo of the address (``?image=HASH``), or the one chosen among those found."""
    wanted = st.query_params.get("image")
    known = place.desk.row(wanted) if wanted else None
    default = place.desk.image(known).file if known is not None else ""
    words, hits = st.columns([2, 3], gap="medium")
    text = words.text_input("File name", value=default, key="find", placeholder="part of a file name").strip()
    rows = place.desk.search(text, MOST_FOUND) if text else []
    if not text:
        st.query_params.pop("image", None)
        _browse(place, hits)
        return None
    if not rows:
        st.info("No photo's name holds this.")
        return None
    files = {row: place.desk.image(row).file for row in rows}
    found, back = hits.columns([3, 1], gap="small", vertical_alignment="bottom")
    row = found.selectbox(f"{len(rows)} found", rows, format_func=files.__getitem__, key="found")
    back.button("All photos", key="all photos", on_click=_look_up, args=("",), width="stretch")
    st.query_params["image"] = place.desk.image(row).hash
    return row


def _look_up(file: str) -> None:
    """Show the photo of this name; all photos if it is empty."""
    st.session_state["find"] = file
    st.query_params.pop("image", None)


def _browse(place: Workplace, beside: Any) -> None:
    """All photos, or those that have a label now, as pages of small pictures."""
    labels, kept = [None, *place.desk.names], st.session_state.get("browsed")
    label = beside.selectbox(
        "Label",
        labels,
        index=labels.index(kept) if kept in labels else 0,  # a photo was looked at meanwhile, where the box is not
        format_func=lambda name: name or "Any label",
        key="browsed label",
        on_change=_turn,
        args=(0,),
    )
    st.session_state["browsed"] = label
    size, start = ROWS * COLUMNS, st.session_state.get("browsed from", 0)
    rows = place.desk.browse(label, start=start, limit=size + 1)
    if not rows and start:  # fewer have it now
        _turn(0)
        start, rows = 0, place.desk.browse(label, limit=size + 1)
    if not rows:
        st.info("No photo has this label." if label else "There are no photos.")
        return
    shown = rows[:size]
    for first in range(0, len(shown), COLUMNS):
        for column, row in zip(st.columns(COLUMNS, gap="small"), shown[first : first + COLUMNS], strict=False):
            with column, st.container(gap=None):
                _tile(place, row)
    earlier, text, later = st.columns([1, 4, 1], vertical_alignment="center")
    earlier.button("Earlier", key="earlier", disabled=not start, on_click=_turn, args=(start - size,), width="stretch")
    text.markdown(f":gray[Photos {start + 1:,} to {start + len(shown):,}]", text_alignment="center")
    later.button("Later", key="later", disabled=len(rows) <= size, on_click=_turn, args=(start + size,),
                 width="stretch")  # fmt: skip


def _turn(start: int) -> None:
    """Go to the page of small pictures that begins with this one."""
    st.session_state["browsed from"] = max(0, start)


def _tile(place: Workplace, row: int) -> None:
    """One small picture with its labels; the button below it opens the photo."""
    view = place.desk.image(row)
    try:
        st.image(place.pictures.preview(view.file, view.hash, size=256), width="stretch")
    except Unseen as error:
        st.caption(f"cannot be shown: {escape(error)}")
    name = view.file.rsplit("/", 1)[-1]
    short = name if len(name) <= NAME_SHOWN else f"{name[: NAME_SHOWN - 1]}…"
    st.button(escape(short), key=f"open {row}", help=escape(view.file), type="tertiary", on_click=_look_up,
              args=(view.file,))  # fmt: skip
    labels = [label.name for label in view.labels if label.current == YES]
    more = f" and {len(labels) - LABELS_SHOWN} more" if len(labels) > LABELS_SHOWN else ""
    st.caption(escape(", ".join(labels[:LABELS_SHOWN])) + more if labels else "no label")


def _labels(place: Workplace, view: ImageView) -> None:
    """All labels as switches; the key holds the last decision, so that a change from elsewhere shows."""
    key = f"labels {view.hash} {view.history[-1].id if view.history else 0}"
    names = [label.name for label in view.labels]
    chosen = [label.name for label in view.labels if label.current == YES]
    if len(names) <= MOST_SWITCHES:
        st.pills(
            "Labels",
            names,
            selection_mode="multi",
            default=chosen,
            format_func=escape,
            key=key,
            wrap=True,
            on_change=lambda: _edit(place, view, st.session_state[key]),
        )
    else:  # so many are searched, not read
        st.multiselect("Labels", names, chosen, key=key, on_change=lambda: _edit(place, view, st.session_state[key]))
    disputed = [label.name for label in view.labels if label.disputed]
    if disputed:
        st.caption(f"Reviewers differ on {escape(', '.join(disputed))}.")


def _edit(place: Workplace, view: ImageView, chosen: Sequence[str]) -> None:
    verdicts = {label.name: "yes" if label.name in chosen else "no" for label in view.labels}
    place.desk.record(
        [
            _decision(place, view.hash, label.name, verdicts[label.name], before=label.current, settles=label.disputed)
            for label in view.labels
            if (label.name in chosen) != (label.current == YES)
        ]
    )


def _decision(place: Workplace, hash: str, label: str, verdict: str, *, before: int, **more: Any) -> Decision:
    """What this page writes, about one cell."""
    return Decision(
        hash=hash,
        label=label,
        verdict=verdict,
        before=before,
        suggested=None,
        doubt=None,
        run=place.run.path.name,
        seconds=None,
        source="edit",
        **sign(),
        **more,
    )


def _history(place: Workplace, view: ImageView) -> None:
    """What was decided, newest first, each step with a button that takes it back."""
    if not view.history:
        st.caption("Nobody has decided anything about this photo yet.")
        return
    st.markdown("**History**")
    undone = {step.undoes for step in view.history if step.verdict == "undo"}
    for step in list(reversed(view.history))[:MOST_STEPS]:
        text, button = st.columns([4, 1], vertical_alignment="center")
        text.markdown(_sentence(step, step.id in undone))
        if step.verdict != "undo" and step.id not in undone:
            button.button("Undo", key=f"undo {step.id}", on_click=_take_back, args=(place, step))


def _sentence(step: Recorded, undone: bool) -> str:
    what = f"took back a decision on {step.label}" if step.verdict == "undo" else f"{step.label}: {step.verdict}"
    line = f"{escape(what)} :gray[{escape(step.reviewer)}, {escape(step.time[:16].replace('T', ' '))}]"
    return f"~~{line}~~" if undone else line


def _take_back(place: Workplace, step: Recorded) -> None:
    place.desk.record([_decision(place, step.hash, step.label, "undo", before=step.before, undoes=step.id)])
