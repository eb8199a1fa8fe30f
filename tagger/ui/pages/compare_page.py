"""Page Compare: two runs of one folder, side by side."""

from pathlib import Path

import streamlit as st

from tagger.errors import TaggerError
from tagger.review import Store
from tagger.runs import RunFolder
from tagger.ui.markdown_escape import escape_markdown
from tagger.ui.pages.run_comparison import show_comparison


def show(run: RunFolder, store: Store) -> None:
    """The page: two runs to choose, and what changed from the first to the second."""
    st.title("Compare")
    runs = sibling_runs(run)
    if len(runs) < 2:
        st.info("There is only one run. Decide some suspects, then make another run on the Retrain page.")
        return
    paths = [str(other.path) for other in runs]
    before, after = _default_pair(run, runs)
    for key, path in (("compare before", before), ("compare after", after)):
        if st.session_state.get(key) not in paths:
            st.session_state[key] = path
    left, right = st.columns(2)
    chosen = [
        left.selectbox("Before", paths, format_func=_run_name, key="compare before"),
        right.selectbox("After", paths, format_func=_run_name, key="compare after"),
    ]
    if chosen[0] == chosen[1]:
        st.info("Both sides show the same run. Choose another run on one side.")
        return
    try:
        show_comparison(RunFolder(chosen[0]), RunFolder(chosen[1]))
    except TaggerError as error:
        st.warning(escape_markdown(error))


def sibling_runs(run: RunFolder) -> list[RunFolder]:
    """The finished runs in the same folder as this one, oldest first."""
    folder = run.path.absolute().parent
    found = [other for path in folder.iterdir() if (other := RunFolder(path)).exists and other.finished]
    return sorted(found, key=lambda other: (other.path / "metrics.json").stat().st_mtime_ns)


def _default_pair(run: RunFolder, runs: list[RunFolder]) -> tuple[str, str]:
    """This run and the newest one that was retrained from it; or the one that it was retrained from and itself."""
    here = run.path.absolute()
    children = [other for other in runs if _parent_path(other) == here]
    if children:
        return str(here), str(children[-1].path)
    parent = _parent_path(run)
    if parent is not None and parent in [other.path for other in runs]:
        return str(parent), str(here)
    others = [other for other in runs if other.path != here]
    return str(here), str(others[-1].path)


def _parent_path(run: RunFolder) -> Path | None:
    origin = run.load_metrics().get("retrained_from")
    return Path(origin) if isinstance(origin, str) else None


def _run_name(path: str) -> str:
    return Path(path).name
