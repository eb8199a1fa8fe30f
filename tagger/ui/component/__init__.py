"""The card and the grid in the browser: plain JavaScript files, joined into the one script that Streamlit mounts."""

from functools import lru_cache
from importlib.resources import files
from typing import Any

SCRIPTS = ("dom", "outbox", "session", "photos", "card", "details", "heat", "grid", "keys", "help", "review")


@lru_cache(maxsize=1)
def sources() -> tuple[str, str]:
    """(script, style) of the component. Each file is a piece of one module, in the order of ``SCRIPTS``."""
    folder = files("tagger.ui.component")
    script = "\n".join((folder / f"{name}.js").read_text("utf-8") for name in SCRIPTS)
    return script, (folder / "review.css").read_text("utf-8")


def declare() -> Any:
    """The mounting command: ``declare()(key=..., data=..., on_ask_change=...)``."""
    import streamlit as st

    script, style = sources()
    return st.components.v2.component("tagger.review", js=script, css=style)
