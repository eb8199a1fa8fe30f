"""Review component in the browser: plain JavaScript files, joined into one script.

The texts of the card and of the grid stand in these files, those of the pages in ``ui/pages``.
"""

from functools import lru_cache
from importlib.resources import files
from typing import Any

SCRIPT_NAMES = (
    "dom",
    "outbox",
    "session",
    "photos",
    "doubt",
    "card",
    "details",
    "frames",
    "heat",
    "grid",
    "keys",
    "help",
    "review",
)


@lru_cache(maxsize=1)
def component_sources() -> tuple[str, str]:
    """(script, style) of the component. Each file is a piece of one module, in the order of ``SCRIPT_NAMES``."""
    folder = files("tagger.ui.component")
    script = "\n".join((folder / f"{name}.js").read_text("utf-8") for name in SCRIPT_NAMES)
    return script, (folder / "review.css").read_text("utf-8")


def declare_component() -> Any:
    """The component's mounting function: call it with ``key``, ``data``, ``on_ask_change``."""
    import streamlit as st

    script, style = component_sources()
    return st.components.v2.component("tagger.review", js=script, css=style)
