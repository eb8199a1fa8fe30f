"""Controls for a heat map (label and method), and the map from the model worker.

The same choice on every page, kept while the person is here."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from tagger.runs.report.overlay import METHOD_TITLES
from tagger.ui.worker_client import shared_worker

NO_MAP = "No heat map"
DEFAULT_METHOD = next(iter(METHOD_TITLES))
METHOD_KEY = "heat method"
MAPS_KEY = "heat maps"  # of the session, beside the widgets: those are forgotten when a page is left


def choose_heat_map(key: str, labels: Sequence[str]) -> tuple[str, str] | None:
    """The label and the method of the heat map that is wanted, from two controls; None for no map."""
    options = [NO_MAP, *labels]
    label = st.selectbox(
        "Show where the model sees", range(len(options)), format_func=options.__getitem__, key=f"heat {key}"
    )
    return (options[label], _choose_method(f"{METHOD_KEY} {key}")) if label else None


def _choose_method(key: str) -> str:
    """What was chosen last, anywhere, is where a new control starts."""
    kept = str(st.session_state.get(METHOD_KEY, DEFAULT_METHOD))
    if st.session_state.get(key) is None:  # also when the chosen one was clicked again
        st.session_state[key] = kept

    def keep() -> None:
        st.session_state[METHOD_KEY] = st.session_state[key] or kept

    st.segmented_control(
        "Way",
        list(METHOD_TITLES),
        format_func=METHOD_TITLES.__getitem__,
        key=key,
        on_change=keep,
        label_visibility="collapsed",
    )
    return str(st.session_state[key])


def fetch_heat_map(run: Path, path: Path, name: str, label: str, method: str) -> bytes:
    """The grey PNG of the worker; asked for once in a session. ``name`` tells the photo from others.

    TaggerError as of ``WorkerClient.fetch_heat_map``.
    """
    known: dict[str, bytes] = st.session_state.setdefault(MAPS_KEY, {})
    key = hashlib.blake2b("\n".join((str(run), name, label, method)).encode("utf-8", "replace")).hexdigest()
    if key not in known:
        with st.spinner("Asking the model (the first time, it is loaded)"):
            known[key] = shared_worker(run.absolute()).heat_map(path, label, method=method)
    return known[key]
