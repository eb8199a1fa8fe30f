"""Page Try it: predictions and heat maps for uploaded photos."""

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from tagger.errors import TaggerError
from tagger.review import Store
from tagger.runs import RunFolder
from tagger.ui.charts.probability_charts import probability_chart, probability_table
from tagger.ui.charts.style import show_chart
from tagger.ui.heat_overlay import jpeg_data_uri, overlay_uri
from tagger.ui.markdown_escape import escape_markdown
from tagger.ui.pages.heat_map_control import choose_heat_map, fetch_heat_map
from tagger.ui.photo_previews import PhotoError, encode_preview
from tagger.ui.run_data import RunData, run_data
from tagger.ui.worker_client import ImageTags, shared_worker

MAX_IMAGES = 12
MAX_MEGABYTES = 20
PHOTO_WIDTH = 460  # pixels, where there is room
TYPES = ["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "avif"]


def show(run: RunFolder, store: Store) -> None:
    """The page: a field to drop photos on, and a card for each photo."""
    st.title("Try it")
    st.caption(
        f"Drop up to {MAX_IMAGES} photos. The model on this machine reads them."
        " They are not stored and not sent anywhere."
    )
    uploads: Any = st.file_uploader(
        "Photos", type=TYPES, accept_multiple_files=True, max_upload_size=MAX_MEGABYTES, key="try images",
        label_visibility="collapsed",
    )  # fmt: skip
    data = run_data(run)
    if not uploads:
        st.info("No photo yet. Drag photos onto the field above, or use its button.")
        return
    if len(uploads) > MAX_IMAGES:
        st.warning(
            f"The first {MAX_IMAGES} of {len(uploads)} photos are shown. For a folder: tagger predict FOLDER"
        )
    images = [(str(upload.name), bytes(upload.getvalue())) for upload in uploads[:MAX_IMAGES]]
    try:
        tags = _predict(run, [content for _, content in images])
    except TaggerError as error:
        st.error(escape_markdown(error))
        return
    for index, ((name, content), found) in enumerate(zip(images, tags, strict=True)):
        _card(run, data, index, name, content, found)


def _card(run: RunFolder, data: RunData, index: int, name: str, content: bytes, tags: ImageTags) -> None:
    with st.container(border=True, key=f"tried {index}"):
        if tags.probs is None:
            st.warning(f"{escape_markdown(name)} could not be read: {escape_markdown(tags.reason)}")
            return
        table = probability_table(data.names, tags.probs, data.thresholds.values_K, data.constraints)
        left, right = st.columns([2, 3])
        with right:
            chosen = [f":blue-badge[{escape_markdown(label)}]" for label in table[table["chosen"]]["label"]]
            st.markdown(" ".join(chosen) or "*No label reaches its threshold.*")
            show_chart(probability_chart(table), alt_text="Probability of each label and its threshold")
            wanted = choose_heat_map(run, str(index), list(table["label"]))
        with left:
            try:
                photo = encode_preview(content, size=1024)
            except PhotoError as unseen:
                st.caption(escape_markdown(f"The photo cannot be shown: {unseen}"))
                return
            uri = jpeg_data_uri(photo)
            if wanted is not None:
                try:
                    uri = overlay_uri(photo, _fetch_heat_map(run, content, *wanted))
                except TaggerError as error:
                    st.warning(escape_markdown(error))
            st.image(uri, width=PHOTO_WIDTH, alt=name)
            st.caption(escape_markdown(name))


def _predict(run: RunFolder, contents: Sequence[bytes]) -> list[ImageTags]:
    """Predictions of the images, in order; those made before in this session are not made again."""
    known: dict[str, ImageTags] = st.session_state.setdefault("tried", {})
    keys = [_key(run, content) for content in contents]
    new = {key: content for key, content in zip(keys, contents, strict=True) if key not in known}
    if new:
        with (
            st.spinner("Predicting. The first time, the model is loaded."),
            _temporary_files(list(new.values())) as paths,
        ):
            known.update(zip(new, shared_worker(run.path.absolute()).predict(paths), strict=True))
    return [known[key] for key in keys]


def _fetch_heat_map(run: RunFolder, content: bytes, label: str, method: str) -> bytes:
    with _temporary_files([content]) as paths:
        return fetch_heat_map(run.path, paths[0], _key(run, content), label, method)


def _key(run: RunFolder, content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16, key=str(run.path.absolute()).encode()[-64:]).hexdigest()


class _temporary_files:
    """Temporary files with these contents, under names of our own, while the worker reads them."""

    def __init__(self, contents: Sequence[bytes]):
        self.contents = contents

    def __enter__(self) -> list[Path]:
        self.folder = tempfile.TemporaryDirectory(prefix="tagger-try-")
        paths = [Path(self.folder.name) / f"{n}" for n in range(len(self.contents))]
        for path, content in zip(paths, self.contents, strict=True):
            path.write_bytes(content)
        return paths

    def __exit__(self, *error: object) -> None:
        self.folder.cleanup()
