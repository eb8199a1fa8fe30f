"""A command that runs beside the app: its progress with the time left, how to stop it, and its last words."""

from pathlib import Path

import streamlit as st

from tagger.review import Store
from tagger.ui.command_job import CommandJob, JobStatus, dismiss_job, job_status, load_job, log_tail, stop_job
from tagger.ui.markdown_escape import escape_markdown

REFRESH_SECONDS = 2
MESSAGES = 6
DOING = {"retrain": "Training", "apply": "Writing", "predict": "Tagging photos:"}


@st.fragment(run_every=REFRESH_SECONDS)
def show_running(store: Store, kind: str) -> None:
    """Progress of the running job of this kind, refreshed every other second; the page is drawn anew at its end."""
    job = load_job(store, kind)
    status = job_status(job) if job is not None else None
    if job is None or status is None or status.kind != "running":
        st.rerun()
    with st.container(border=True):
        name = escape_markdown(Path(job.out).name)
        st.markdown(f"**{DOING[kind]} {name}** · since {escape_markdown(job.begun)}")
        st.progress(status.share or 0.0, text=escape_markdown(status.progress.text))
        for line in status.messages[-MESSAGES:]:
            st.caption(escape_markdown(line))
        if job.stopped:
            st.caption("Stopping after the current step.")
        st.button("Stop", on_click=stop_job, args=(job, store), disabled=job.stopped, key=f"stop {kind}")
    st.caption("It continues when you leave this page, close the browser or restart the app.")


def show_end(job: CommandJob, status: JobStatus, name: str) -> None:
    """How a job ended that wrote no result, with the end of its log."""
    if status.kind == "stopped":
        st.warning(f"{name} was stopped.")
    else:
        st.error(f"{name} failed. The end of its log:")
    st.code(log_tail(job) or "The log is empty.", language=None, wrap_lines=True)
    st.caption(escape_markdown(f"Full log: {job.log_path}"))


def dismiss_button(job: CommandJob, store: Store, text: str) -> None:
    """Button that forgets a job that has ended."""
    st.button(text, on_click=dismiss_job, args=(store, job.kind), key=f"dismiss {job.kind}")
