"""Page My work: the last decisions, each step with an undo, and how fast this session goes."""

from datetime import datetime
from math import ceil

import streamlit as st

from tagger.review import Decision, RecordedDecision, WorkStep, work_session, work_steps
from tagger.review.cell_state import effective_decisions
from tagger.review.doubt_reliability import doubt_reliability
from tagger.ui.app_state import AppState
from tagger.ui.charts.overview_charts import doubt_chart
from tagger.ui.charts.style import show_chart
from tagger.ui.identity import next_signature, reviewer
from tagger.ui.job_progress import duration
from tagger.ui.markdown_escape import escape_markdown
from tagger.ui.photo_previews import PhotoError

NUM_READ = 5_000  # decisions, the newest
STEPS_A_PAGE = 20
PHOTOS_A_STEP = 8
GOALS = (50, 100, 200, 500, 1000)
WORDS = {"yes": "yes", "no": "no", "unsure": "not sure", "skip": "skipped"}


def show(app_state: AppState) -> None:
    """The page: this session, then the steps, newest first."""
    st.title("My work")
    everybody = st.toggle("Show everybody's", key="everybody")
    newest = app_state.store.newest_decisions(NUM_READ, None if everybody else reviewer())
    steps = work_steps(newest)
    if not steps:
        st.info("There is no decision yet. Answer some cards on the page Review.")
        return
    if not everybody:
        _show_session(newest)
    start = min(st.session_state.get("work from", 0), (len(steps) - 1) // STEPS_A_PAGE * STEPS_A_PAGE)
    for step in steps[start : start + STEPS_A_PAGE]:
        _show_step(app_state, step)
    _page_buttons(start, len(steps), cut=len(newest) == NUM_READ)
    _show_reliability(app_state)


def _show_session(newest: list[RecordedDecision]) -> None:
    """Speed, and the way to the goal that the person set."""
    session = work_session(newest)
    goal = _goal_of_address()
    options = sorted({0, *GOALS, goal})
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    goal = right.selectbox(
        "Goal of this session",
        options,
        index=options.index(goal),
        format_func=lambda one: f"{one:,} decisions" if one else "none",
        key="goal",
        on_change=_keep_goal,
    )
    speed = session.per_minute
    words = f"{session.count:,} decided in this session"
    words += f" · {speed:.0f} a minute" if speed is not None and speed >= 1 else ""
    if goal and session.count < goal:
        if speed:
            words += f" · about {duration((goal - session.count) / speed * 60)} to the goal"
        left.progress(session.count / goal, text=words)
    else:
        left.markdown(f"{words}{' · goal reached' if goal else ''}")


def _goal_of_address() -> int:
    """The goal that the address names; 0 for none, or for what is no goal."""
    text = str(st.query_params.get("goal", ""))
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 6 else 0


def _show_reliability(app_state: AppState) -> None:
    """How sure the suggestions are: said against found, by everybody's answers so far."""
    st.subheader("How sure the suggestions are")
    table = doubt_reliability(app_state.store.newest_decisions(NUM_READ))
    if table.empty:
        st.caption("Ten answers on cards that are about equally doubtful are needed first.")
        return
    show_chart(doubt_chart(table), alt_text="Share of labels found wrong by the share that was said")
    st.caption(
        "Of cards that say 3 in 10 are wrong, about 3 in 10 should turn out wrong. Then the dots lie on the line."
        f" From the last {table['answers'].sum():,} answers on cards that showed a suggestion; bars are 95 % intervals."
    )


def _keep_goal() -> None:
    """Put the goal into the address, so that a refresh keeps it."""
    if goal := st.session_state["goal"]:
        st.query_params["goal"] = str(goal)
    else:
        st.query_params.pop("goal", None)


def _show_step(app_state: AppState, step: WorkStep) -> None:
    """One step: its photos, what was said, who and when, and a button that takes it back."""
    with st.container(border=True):
        photos, text, button = st.columns([2, 5, 1], vertical_alignment="center")
        _show_photos(app_state, step, photos)
        text.markdown(_sentence(app_state, step))
        if step.is_undone:
            button.caption("undone")
        else:
            first = step.decisions[0]
            button.button(
                "Undo", key=f"undo step {first.id}", on_click=_undo, args=(app_state, step), width="stretch"
            )


def _show_photos(app_state: AppState, step: WorkStep, column: st.delta_generator.DeltaGenerator) -> None:
    rows = list(dict.fromkeys(app_state.session.row(one.hash) for one in step.decisions))
    shown = [row for row in rows if row is not None][:PHOTOS_A_STEP]
    pictures = []
    files = []
    for row in shown:
        view = app_state.session.image(row)
        try:
            pictures.append(app_state.previews.preview(view.file, view.hash, size=256))
            files.append(view.file)
        except PhotoError:
            continue
    if pictures:
        column.image(pictures, width=84 if len(pictures) == 1 else 56, alt=files)


def _sentence(app_state: AppState, step: WorkStep) -> str:
    """What was said. One decision names its photo; several are counted."""
    first = step.decisions[0]
    when = f"{datetime.fromisoformat(first.time).astimezone():%Y-%m-%d %H:%M}"
    by = f":gray[{escape_markdown(f'{first.reviewer}, {when}')}]"
    if len(step.decisions) == 1:
        row = app_state.session.row(first.hash)
        file = app_state.session.image(row).file if row is not None else "a photo that is not in this run"
        what = f"**{escape_markdown(first.label)}**: {WORDS.get(first.verdict, first.verdict)}"
        return f"{_struck(what, step)}  \n:gray[{escape_markdown(file)}]  \n{by}"
    return f"{_struck(counted_verdicts(step.decisions), step)}  \n{by}"


def _struck(text: str, step: WorkStep) -> str:
    some = (
        f" :gray[({step.undone} of {len(step.decisions)} undone)]"
        if step.undone > 0 and not step.is_undone
        else ""
    )
    return f"~~{text}~~" if step.is_undone else text + some


def counted_verdicts(decisions: tuple[RecordedDecision, ...]) -> str:
    """How often each answer was given, by label, as text for the page."""
    counts: dict[tuple[str, str], int] = {}
    for one in decisions:
        counts[one.label, one.verdict] = counts.get((one.label, one.verdict), 0) + 1
    parts = [
        f"**{escape_markdown(label)}**: {WORDS.get(verdict, verdict)} on {count:,} photo{'' if count == 1 else 's'}"
        for (label, verdict), count in counts.items()
    ]
    more = f", and {len(parts) - 4} more" if len(parts) > 4 else ""
    return ", ".join(parts[:4]) + more


def _undo(app_state: AppState, step: WorkStep) -> None:
    """Take back what is left of a step, in one stroke."""
    photos = {one.hash for one in step.decisions}
    kept = {one.id for hash in photos for one in effective_decisions(app_state.store.history(hash))}
    app_state.session.record(
        [
            Decision(
                hash=one.hash, label=one.label, verdict="undo", before=one.before, suggested=None, doubt=None,
                run=app_state.run.path.name, seconds=None, source="edit", undoes=one.id, **next_signature(),
            )
            for one in step.decisions
            if one.id in kept
        ]
    )  # fmt: skip


def _page_buttons(start: int, count: int, *, cut: bool) -> None:
    """Buttons to newer and older steps, and where this page is."""
    newer, text, older = st.columns([1, 4, 1], vertical_alignment="center")
    end = min(start + STEPS_A_PAGE, count)
    newer.button("Newer", disabled=not start, on_click=_go, args=(start - STEPS_A_PAGE,), width="stretch")
    last = f"{count:,}{'+' if cut else ''}"
    page = start // STEPS_A_PAGE + 1
    pages = ceil(count / STEPS_A_PAGE)
    text.markdown(
        f":gray[{start + 1:,} to {end:,} of {last} steps · page {page} of {pages}]", text_alignment="center"
    )
    older.button("Older", disabled=end >= count, on_click=_go, args=(start + STEPS_A_PAGE,), width="stretch")


def _go(start: int) -> None:
    st.session_state["work from"] = max(0, start)
