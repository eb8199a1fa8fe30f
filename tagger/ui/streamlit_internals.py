"""Streamlit's internals: every name of Streamlit that is not in its public API and that the app relies on.

No other file of ``tagger`` or of its tests imports from ``streamlit.runtime`` or reads Streamlit's own files.
``tests/ui/test_streamlit_internals.py`` says in words what breaks when one of them changes. Where a public way
appears, take it and delete the entry:

* Uploads in memory: ``st.file_uploader`` bounds one file; there is no public count of all of them.
* Upload address: there is no public name of it.
* Text of index.html: ``st.App`` has no hook for the one inline script that a content policy must allow.
* One app a process: there is no public way to end the runtime of an ``st.App``; tests need several.
* A folder ``pages`` beside the entry script is taken for pages: ours may not lie there; there is no option against it.
* Class names of the page's frame: ``st.container(key=...)`` gives a public class to our own parts only.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import streamlit
from streamlit.runtime import Runtime

UPLOAD_PATH = re.compile(r"/_stcore/upload_file/([^/]+)/[^/]+")  # group 1: the page (a browser session)

# Streamlit leaves six rems above the first line; a photo needs the room. Nothing a person wrote goes in here.
LAYOUT_CSS = """
<style>
.stMainBlockContainer { padding: 4.4rem 1.6rem 0.5rem; max-width: none; }
.stMainBlockContainer > .stVerticalBlock { gap: 0.6rem; }
[data-testid="stSidebarUserContent"] { padding-top: 0; }
[data-testid="stCaptionContainer"] { color: inherit; opacity: 0.78; }
[data-testid^="stBaseButton-primary"]:not(:disabled) { color: light-dark(#ffffff, #10151c); }
@media (max-width: 768px) {
  .stMainBlockContainer { padding: 3.9rem 0.75rem 0.5rem; }
  .stMainBlockContainer > .stVerticalBlock { gap: 0.3rem; }
  .st-key-filters .stHorizontalBlock { flex-wrap: nowrap; gap: 0.4rem; }
  .st-key-filters .stColumn { min-width: 0; flex: 1 1 0; }
}
</style>
"""


def uploads_by_page() -> dict[str, list[int]]:
    """Sizes in bytes of the uploads that are kept in memory, by page (a browser session of Streamlit)."""
    if not Runtime.exists():
        return {}
    kept = getattr(Runtime.instance().uploaded_file_mgr, "file_storage", {})
    return {page: [len(file.data) for file in list(files.values())] for page, files in list(kept.items())}


def index_html() -> str:
    """Text of the page that Streamlit serves; empty if there is no such file."""
    path = Path(streamlit.__file__).parent / "static" / "index.html"
    return path.read_text("utf-8") if path.is_file() else ""


@contextmanager
def separate_runtime() -> Iterator[None]:
    """Room for one more ``st.App`` in this process, for tests: Streamlit allows one a process."""
    kept = Runtime._instance
    Runtime._instance = None
    try:
        yield
    finally:
        Runtime._instance = kept
