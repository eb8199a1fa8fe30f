"""The run that a person's page shows: any finished one of the folder that is on the same photos.

Each page has its own; it stands in the address, so that a refresh and a shared link keep it.
"""

from pathlib import Path

import streamlit as st

from tagger.errors import TaggerError
from tagger.review import Store
from tagger.runs import RunFolder
from tagger.runs.choice import choose_by_person, load_choice, runs_folder_of
from tagger.runs.locate import finished_runs
from tagger.ui.app_state import AppState
from tagger.ui.command_job import dismiss_job
from tagger.ui.markdown_escape import escape_markdown

SHOWN = "shown run"  # in the state of the page; "": the run that the app was opened on
GO_TO_REVIEW = "go to review"
KEPT = {"reviewer", SHOWN, GO_TO_REVIEW}  # all else on a page belongs to the run that was shown


def shown_state(first: AppState) -> AppState:
    """The state on the run that the page shows; ``first`` is the one that the app was opened on."""
    name = str(st.session_state.setdefault(SHOWN, st.query_params.get("run", "")))
    try:
        with st.spinner("Opening the run", show_time=True):
            state = first.on_run(name)
    except (TaggerError, OSError) as error:
        st.session_state[SHOWN] = ""
        st.warning(escape_markdown(f"{name} cannot be shown: {error}"))
        state = first
    if state is first:
        st.query_params.pop("run", None)
    else:
        st.query_params["run"] = name
    return state


def choose_shown_run(app_state: AppState) -> None:
    """The box in the sidebar that changes the run, where there are several."""
    names = [run.path.name for run in finished_runs(app_state.run.path.absolute().parent)]
    if len(names) < 2:
        return
    name = app_state.run.path.absolute().name
    chosen = chosen_name(app_state.run)
    st.session_state["run box"] = name if name in names else names[-1]
    st.selectbox(
        "Run",
        names[::-1],
        key="run box",
        format_func=lambda one: f"{one} (chosen)" if one == chosen else one,
        on_change=lambda: show_run(st.session_state["run box"]),
        help="A run is one training: a model and its results. Decisions are the same in all runs on these photos."
        " The chosen run is the one that commands use.",
    )


def show_run(name: str, *, review: bool = False) -> None:
    """Show another run from the next drawing on, and the Review page if asked."""
    for key in [key for key in st.session_state if key not in KEPT]:
        del st.session_state[key]  # filters name labels of the former run
    st.session_state[SHOWN] = name
    st.session_state[GO_TO_REVIEW] = review


def wants_review() -> bool:
    """Whether the Review page is to be shown now; once."""
    return bool(st.session_state.pop(GO_TO_REVIEW, False))


def chosen_name(run: RunFolder) -> str | None:
    """The name of the chosen run in the folder of this one; None if none is, or if nobody can tell."""
    place = runs_folder_of(run.path)
    try:
        choice = load_choice(place[0]) if place is not None else None
    except (TaggerError, OSError):
        return None
    return None if choice is None else choice.chosen_run


def show_next_steps(out: RunFolder, store: Store) -> None:
    """Buttons below a finished retraining: go on with the new run; choose it, where another is the chosen one."""
    name = out.path.name
    place = runs_folder_of(out.path)
    chosen = chosen_name(out)
    if place is not None:
        st.write(_choice_text(name, chosen))
    with st.container(horizontal=True):
        st.button("Go on with the new run", type="primary", key="go on", on_click=_go_on, args=(name, store))
        if place is not None and chosen != name:
            st.button("Make it the chosen run", key="choose run", on_click=_choose, args=place)


def _choice_text(name: str, chosen: str | None) -> str:
    if chosen == name:
        return "The new run is the chosen one: `tagger predict` and other commands use it."
    if chosen is None:
        return "No run is chosen: `tagger predict` and other commands use the newest one."
    return f"{escape_markdown(chosen)} stays the chosen run, which `tagger predict` and other commands use."


def _go_on(name: str, store: Store) -> None:
    dismiss_job(store)
    show_run(name, review=True)


def _choose(folder: Path, name: str) -> None:
    try:
        choose_by_person(folder, name)
    except (TaggerError, OSError) as error:
        st.session_state["retrain message"] = str(error)
