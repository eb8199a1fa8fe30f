"""Controls for a heat map (label and method), and the map from the model worker.

The method is the same on every page and is kept for the session."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from tagger.runs import RunFolder
from tagger.runs.report.overlay import METHOD_TITLES, offered_methods
from tagger.ui.worker_client import shared_worker

NO_MAP = "No heat map"
DEFAULT_METHOD = next(iter(METHOD_TITLES))
METHOD_KEY = "heat method"
MAPS_KEY = "heat maps"  # of the session, beside the widgets: those are forgotten when a page is left


def choose_heat_map(run: RunFolder, key: str, labels: Sequence[str]) -> tuple[str, str] | None:
    """Label and method of the run's heat map that is wanted, from two controls; None for no map."""
    options = [NO_MAP, *labels]
    label = st.selectbox(
        "Show where the model sees", range(len(options)), format_func=options.__getitem__, key=f"heat {key}"
    )
    if not label:
        return None
    return options[label], _choose_method(f"{METHOD_KEY} {key}", offered_methods(run.load_settings()))


def _choose_method(key: str, titles: dict[str, str]) -> str:
    """The method; a new control starts with the one chosen last, on any page."""
    kept = str(st.session_state.get(METHOD_KEY, DEFAULT_METHOD))
    kept = kept if kept in titles else DEFAULT_METHOD  # chosen with a run that has more
    if st.session_state.get(key) is None:  # also when the chosen one was clicked again
        st.session_state[key] = kept

    def keep() -> None:
        st.session_state[METHOD_KEY] = st.session_state[key] or kept

    st.segmented_control(
        "Method",
        list(titles),
        format_func=titles.__getitem__,
        key=key,
        on_change=keep,
        label_visibility="collapsed",
    )
    return str(st.session_state[key])


def fetch_heat_map(run: Path, path: Path, name: str, label: str, method: str) -> bytes:
    """The worker's grey PNG; asked for once in a session. ``name`` identifies the photo.

    TaggerError as of ``WorkerClient.heat_map``.
    """
    known: dict[str, bytes] = st.session_state.setdefault(MAPS_KEY, {})
    key = hashlib.blake2b("\n".join((str(run), name, label, method)).encode("utf-8", "replace")).hexdigest()
    if key not in known:
        with st.spinner("Making the heat map. The first time, the model is loaded."):
            known[key] = shared_worker(run.absolute()).heat_map(path, label, method=method)
    return known[key]
