"""Page Retrain: start a retraining, watch it, compare its result."""

from datetime import datetime
from functools import partial
from pathlib import Path

import streamlit as st

from tagger.errors import TaggerError
from tagger.review import Store
from tagger.runs import MovedRun, RunFolder
from tagger.ui.command_job import CommandJob, JobStatus, job_status, load_job
from tagger.ui.markdown_escape import escape_markdown
from tagger.ui.pages.disagreements_page import num_disputed
from tagger.ui.pages.job_panel import dismiss_button, show_end, show_running
from tagger.ui.pages.run_comparison import show_comparison
from tagger.ui.retrain_job import retrain_command, start_job
from tagger.ui.run_switch import show_next_steps


def show(run: RunFolder, store: Store) -> None:
    """The page: the form to start a retraining, its progress, or its result."""
    st.title("Retrain")
    if message := st.session_state.pop("retrain message", None):
        st.error(escape_markdown(message))
    job = load_job(store)
    if job is None:
        _show_start_form(run, store)
        return
    status = job_status(job)
    if status.kind == "running":
        show_running(store, "retrain")
    else:
        _show_result(job, status, run, store)


def _show_start_form(run: RunFolder, store: Store) -> None:
    rows = store.decisions()
    verdicts = sum(row.verdict in ("yes", "no") for row in rows)
    st.write(
        f"Retraining makes a new run from this one and all decisions so far ({verdicts:,}). Decided labels count as"
        " right. Undecided suspects may count less, where that helps on validation photos. The test photos stay the"
        " same, so both runs can be compared. While it trains, you can review, close this page or stop the app."
    )
    if waiting := num_disputed(run, store):
        what = "1 label keeps" if waiting == 1 else f"{waiting:,} labels keep"
        st.warning(
            f"People differ: {what} the value from before the review until somebody answers on the page Disagreements."
        )
    if not verdicts:
        st.info("There is no decision yet. Decide some suspects on the Review page first.")
    names = {path.name for path in run.path.absolute().parent.iterdir()}
    st.session_state.setdefault("retrain name", _free_name(names))
    with st.form("begin retraining", border=False, enter_to_submit=False):
        left, right = st.columns([3, 1], vertical_alignment="bottom")
        left.text_input("Name of the new run", key="retrain name", max_chars=80)
        right.form_submit_button(
            "Start retraining",
            key="start retraining",
            type="primary",
            width="stretch",
            on_click=_start_retraining,
            args=(run, store),
            disabled=not verdicts,
        )


def _free_name(taken: set[str]) -> str:
    stem = f"{datetime.now():%Y-%m-%d-%H%M}-retrained"
    return next(name for n in range(1, 1000) if (name := stem if n == 1 else f"{stem}-{n}") not in taken)


def _start_retraining(run: RunFolder, store: Store) -> None:
    name = str(st.session_state["retrain name"]).strip()
    try:
        if not name or name != Path(name).name or name.startswith("."):
            raise TaggerError(f"{name!r} cannot be the name of a folder. Choose another name.")
        command = partial(retrain_command, data=run.data) if isinstance(run, MovedRun) else None
        out = run.path.absolute().parent / name
        start_job(run.path, out, store, now=datetime.now(), make_command=command)
    except (TaggerError, OSError) as error:
        st.session_state["retrain message"] = str(error)


def _resume(job: CommandJob, store: Store) -> None:
    try:
        start_job(Path(job.run), Path(job.out), store, now=datetime.now(), resume=True)
    except (TaggerError, OSError) as error:
        st.session_state["retrain message"] = str(error)


def _show_result(job: CommandJob, status: JobStatus, run: RunFolder, store: Store) -> None:
    name = escape_markdown(Path(job.out).name)
    if status.kind == "done":
        st.success(f"{name} is ready.")
        show_next_steps(RunFolder(job.out), store)
        try:
            show_comparison(RunFolder(job.run), RunFolder(job.out))
        except TaggerError as error:
            st.warning(escape_markdown(error))
    else:
        show_end(job, status, name)
    with st.container(horizontal=True):
        if status.kind != "done" and RunFolder(job.out).exists:
            st.button("Resume", type="primary", on_click=_resume, args=(job, store), key="resume retraining")
        dismiss_button(job, store, "Start another")
