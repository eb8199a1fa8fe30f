"""Page Write labels: the corrected labels, or tags for photos, in any format, by a command beside the app."""

from datetime import datetime
from pathlib import Path

import pandas as pd
import streamlit as st

from tagger.errors import TaggerError
from tagger.review import Store
from tagger.runs import RunFolder
from tagger.runs.moved_run import data_folder
from tagger.ui.command_job import PARTLY, CommandJob, JobStatus, job_status, load_job, log_tail, start_command
from tagger.ui.markdown_escape import escape_markdown
from tagger.ui.pages.disagreements_page import num_disputed
from tagger.ui.pages.job_panel import dismiss_button, show_end, show_running
from tagger.ui.server.launch import is_local
from tagger.ui.write_request import SIDECARS, TITLES, WriteRequest, changes_path, suffix_of, write_job

KINDS = {"apply": "Corrected labels", "predict": "Tags for photos"}
MOST_DOWNLOAD_BYTES = 200_000_000
MOST_CHANGES_SHOWN = 500
MESSAGE = "write message"


def show(run: RunFolder, store: Store) -> None:
    """The page: for each of both commands a form, its progress, or its result."""
    st.title("Write labels")
    if message := st.session_state.pop(MESSAGE, None):
        st.error(escape_markdown(message))
    for tab, kind in zip(st.tabs(list(KINDS.values())), KINDS, strict=True):
        with tab:
            _show_kind(kind, run, store)


def _show_kind(kind: str, run: RunFolder, store: Store) -> None:
    job = load_job(store, kind)
    if job is None:
        _form(kind, run, store)
        return
    status = job_status(job)
    if status.kind == "running":
        show_running(store, kind)
    else:
        _result(job, status, store)


def _form(kind: str, run: RunFolder, store: Store) -> None:
    """What to write, and where to."""
    _explain(kind, run, store)
    formats = list(TITLES)
    chosen = st.selectbox("Format", formats, format_func=TITLES.__getitem__, key=f"{kind} format")
    photos = out = ""
    replace = False
    local = _local()
    if kind == "predict" and local:
        photos = st.text_input(
            "Folder of photos", key="predict photos", placeholder=str(data_folder(run)),
            help="Its whole path on this machine. Empty: the photos of this run, those without labels too.",
        )  # fmt: skip
    if chosen not in SIDECARS:
        name = f"{'corrected' if kind == 'apply' else 'predictions'}{suffix_of(chosen)}"
        default = str(Path.cwd() / name) if local else name
        what = "File" if suffix_of(chosen) else "New folder"
        out = st.text_input(f"{what} to write", value=default, key=f"{kind} out {chosen}")
        if suffix_of(chosen):
            replace = st.checkbox("Replace the file if it is there", key=f"{kind} replace {chosen}")
    else:
        st.info(
            "Sidecars are written beside the photos. Where one exists, labels are added to it; only what tagger"
            " wrote itself, or what somebody decided as *no*, is taken off. `tagger untag` takes them back."
        )
    request = WriteRequest(kind, chosen, out, replace, photos)
    st.button("Write", type="primary", key=f"start {kind}", on_click=_start, args=(request, run, store))


def _explain(kind: str, run: RunFolder, store: Store) -> None:
    if kind == "predict":
        st.write("The model of this run tags photos: each label whose probability reaches its threshold.")
        return
    verdicts = sum(row.verdict in ("yes", "no") for row in store.decisions())
    st.write(
        f"Your labels with all decisions so far ({verdicts:,}), as a new file. Your label files stay as they are."
        " A list of the changes is written beside it."
    )
    if waiting := num_disputed(run, store):
        what = "1 label keeps" if waiting == 1 else f"{waiting:,} labels keep"
        st.warning(
            f"People differ: {what} the value from before the review until somebody answers on the page Disagreements."
        )


def _local() -> bool:
    """Whether only this machine reaches the app; then paths may be named."""
    return is_local(str(st.get_option("server.address") or "0.0.0.0"))


def _start(request: WriteRequest, run: RunFolder, store: Store) -> None:
    try:
        start_command(write_job(request, run, Path.cwd(), local=_local()), store, now=datetime.now())
    except (TaggerError, OSError) as error:
        st.session_state[MESSAGE] = str(error)


def _result(job: CommandJob, status: JobStatus, store: Store) -> None:
    out = Path(job.out)
    if status.kind in ("done", "partly"):
        where = "in " if out.is_dir() else ""
        st.success(f"Written: {where}{escape_markdown(out)}")
        if status.kind == "partly":
            st.warning(f"Something was left out; its last words name it (exit status {PARTLY}).")
        st.code(log_tail(job, lines=16) or "Nothing was said.", language=None, wrap_lines=True)
        _show_files(job, out)
    else:
        show_end(job, status, escape_markdown(out.name))
    dismiss_button(job, store, "Write something else")


def _show_files(job: CommandJob, out: Path) -> None:
    """The changes as a table, and what was written as a download."""
    changes = changes_path(out)
    if job.kind == "apply" and changes.is_file():
        try:
            table = pd.read_csv(changes, dtype=str, keep_default_na=False, nrows=MOST_CHANGES_SHOWN + 1)
        except (OSError, ValueError):
            return
        more = len(table) > MOST_CHANGES_SHOWN
        st.markdown(
            f"**Changes** :gray[{'the first ' if more else ''}{min(len(table), MOST_CHANGES_SHOWN):,}]"
        )
        st.dataframe(table[:MOST_CHANGES_SHOWN], hide_index=True, height=min(420, 38 + 35 * len(table)))
    with st.container(horizontal=True):
        for path in (out, changes):
            if path.is_file() and path.stat().st_size <= MOST_DOWNLOAD_BYTES:
                st.download_button(f"Download {escape_markdown(path.name)}", path.read_bytes, path.name)
