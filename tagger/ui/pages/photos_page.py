"""Page Photos: one photo, its labels, its history with an undo of each decision; or all photos (``photo_grid``)."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from tagger.arrays import YES
from tagger.errors import TaggerError
from tagger.review import Decision, ImageView, RecordedDecision
from tagger.review.cell_state import effective_decisions
from tagger.ui.app_state import AppState
from tagger.ui.heat_overlay import overlay_heat_map
from tagger.ui.identity import next_signature
from tagger.ui.markdown_escape import escape_markdown
from tagger.ui.pages.heat_map_control import choose_heat_map, fetch_heat_map
from tagger.ui.pages.photo_grid import filter_of_address, open_photo, show_photo_grid
from tagger.ui.photo_previews import PhotoError

MAX_HISTORY_STEPS = 40
MAX_SWITCHES = 120  # labels


def show(app_state: AppState) -> None:
    """The page: the chosen photo, or all photos while none is chosen."""
    row = _chosen_row(app_state)
    if row is None:
        show_photo_grid(app_state)
        return
    _show_steps(app_state, row)
    view = app_state.session.image(row)
    photo, side = st.columns([3, 2], gap="medium")
    with side:
        _labels(app_state, view)
        wanted = choose_heat_map(app_state.run, view.hash, app_state.run_labels)
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
        st.image(photo, width="stretch", alt=view.file)
    except PhotoError as error:
        st.warning(f"This photo cannot be shown: {escape_markdown(error)}")
    st.caption(escape_markdown(view.file))


def _chosen_row(app_state: AppState) -> int | None:
    """The photo that the address names (``?image=HASH``); None for none, or for one that this run does not have."""
    wanted = st.query_params.get("image")
    row = app_state.session.row(wanted) if wanted else None
    if wanted and row is None:
        st.query_params.pop("image", None)
        st.warning("This photo is not in the run.")
    return row


def _show_steps(app_state: AppState, row: int) -> None:
    """Back to the photos, and to the ones before and after, in the order in which they were found."""
    rows = app_state.session.find(filter_of_address(app_state.session.names))
    at = rows.index(row) if row in rows else None
    back, before, place, after = st.columns([2, 1, 3, 1], vertical_alignment="center")
    back.button("All photos", key="all photos", on_click=open_photo, args=("",), icon=":material/arrow_back:")
    for column, text, other in (
        (before, "Previous", None if not at else at - 1),
        (after, "Next", None if at is None or at + 1 == len(rows) else at + 1),
    ):
        hash = "" if other is None else str(app_state.hashes[rows[other]])
        column.button(
            text, key=text.lower(), disabled=other is None, on_click=open_photo, args=(hash,), width="stretch",
            shortcut="Left" if text == "Previous" else "Right",
        )  # fmt: skip
    if at is not None:
        place.markdown(f":gray[Photo {at + 1:,} of {len(rows):,}]", text_alignment="center")


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
    kept = {step.id for step in effective_decisions(view.history)}
    for step in list(reversed(view.history))[:MAX_HISTORY_STEPS]:
        text, button = st.columns([4, 1], vertical_alignment="center")
        text.markdown(_sentence(step, step.verdict != "undo" and step.id not in kept))
        if step.id in kept:
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
