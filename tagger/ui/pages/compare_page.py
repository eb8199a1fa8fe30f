"""Page Compare: two runs of one folder, side by side."""

from pathlib import Path

import streamlit as st

from tagger.errors import TaggerError
from tagger.review import Store
from tagger.runs import RunFolder
from tagger.runs.lineage import children_of, parent_of, same_place
from tagger.runs.locate import finished_runs
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
    return finished_runs(run.path.absolute().parent)


def _default_pair(run: RunFolder, runs: list[RunFolder]) -> tuple[str, str]:
    """This run and the newest one that was retrained from it; or the one that it was retrained from and itself."""
    here = next((str(other.path) for other in runs if same_place(other.path, run.path)), str(run.path))
    others = [other for other in runs if not same_place(other.path, run.path)]
    if children := children_of(run, others):
        return here, str(children[-1].path)
    parent = parent_of(run)
    shown = [
        str(other.path) for other in others if parent is not None and same_place(other.path, parent.path)
    ]
    return (shown[0], here) if shown else (here, str(others[-1].path))


def _run_name(path: str) -> str:
    return Path(path).name
