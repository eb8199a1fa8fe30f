"""The Try it page: the worker's answers as labels and bars, a heat map over the photo, bad files in words."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image
from reviewing import texts
from streamlit.testing.v1 import AppTest

from tagger.explain import explanations
from tagger.runs import RunFolder
from tagger.runs.report.overlay import METHOD_TITLES, blend
from tagger.ui.charts.probability_charts import probability_chart, probability_table
from tagger.ui.heat_overlay import overlay_uri
from tagger.ui.worker_client import ImageTags


class FakeWorker:
    """Answers at once: every label at 0.9 but the first; a map that is bright on the left."""

    asked = 0
    methods: ClassVar[list[str]] = []

    def __init__(self, names: tuple[str, ...]):
        self.names = names

    def predict(self, paths: Sequence[Path]) -> list[ImageTags]:
        type(self).asked += len(paths)
        probs = (0.0, *[0.9] * (len(self.names) - 1))
        return [
            ImageTags(probs, None)
            if path.read_bytes()[:2] == b"\xff\xd8"
            else ImageTags(None, "not an image")
            for path in paths
        ]

    def heat_map(self, path: Path, label: str, *, method: str) -> bytes:
        assert path.is_file()
        self.methods.append(method)
        file = io.BytesIO()
        Image.fromarray(np.array([[255, 0]], np.uint8)).save(file, "PNG")
        return file.getvalue()


@pytest.fixture
def worker(finished: Path, monkeypatch: pytest.MonkeyPatch) -> type[FakeWorker]:
    """A worker that needs no process."""
    fake = FakeWorker(RunFolder(finished).load_labels())
    monkeypatch.setattr("tagger.ui.pages.try_page.shared_worker", lambda run: fake)
    monkeypatch.setattr("tagger.ui.pages.heat_map_control.shared_worker", lambda run: fake)
    FakeWorker.asked = 0
    FakeWorker.methods.clear()
    return FakeWorker


def page(path: str) -> None:
    """A script that is the page."""
    from tagger.runs import RunFolder
    from tagger.ui.pages.try_page import show

    show(RunFolder(path), None)  # type: ignore[arg-type]  # it needs no store


def photo(name: str = "a.jpg") -> tuple[str, bytes, str]:
    """An upload."""
    file = io.BytesIO()
    Image.new("RGB", (40, 20), "white").save(file, "JPEG")
    return name, file.getvalue(), "image/jpeg"


def open_page(run: Path, uploads: list[tuple[str, bytes, str]]) -> AppTest:
    """The page with these files dropped on it."""
    app = AppTest.from_function(page, kwargs={"path": str(run)}, default_timeout=60).run()
    assert "No photo yet" in texts(app.info)
    app.file_uploader(key="try images").set_value(uploads).run()
    assert not app.exception, app.exception
    return app


def test_labels_are_shown_and_the_model_is_asked_once_for_each_image(
    finished: Path, worker: type[FakeWorker]
):
    app = open_page(finished, [photo(), photo("![x](http:b).jpg"), ("bad.jpg", b"nothing", "image/jpeg")])
    names = RunFolder(finished).load_labels()
    badges = " ".join(f":blue-badge[{name}]" for name in names[1:])
    assert [text.value for text in app.markdown if "badge" in text.value] == [badges, badges]
    assert "could not be read" in texts(app.warning)
    assert any("\\!\\[x" in caption.value for caption in app.caption)
    assert worker.asked == 2  # the same bytes twice are one image
    app.selectbox(key="heat 0").set_value(2).run()
    assert not app.exception
    assert worker.asked == 2


def test_the_method_of_the_heat_map_is_chosen_kept_and_asked_for_once(
    finished: Path, worker: type[FakeWorker]
):
    app = open_page(finished, [photo(), photo("b.jpg")])
    assert worker.methods == []
    app.selectbox(key="heat 0").set_value(1).run()
    method = "heat method 0"
    app.button_group(key=method).set_value("saliency").run()
    app.button_group(key=method).set_value(None).run()  # the chosen one clicked again: it stays
    assert app.session_state[method] == "saliency"
    app.selectbox(key="heat 1").set_value(1).run()
    assert app.session_state["heat method 1"] == "saliency"  # the other photo begins with it
    app.button_group(key=method).set_value("grad_cam").run()
    assert not app.exception, app.exception
    assert worker.methods == ["grad_cam", "saliency"]
    assert set(METHOD_TITLES) == set(explanations.names())


def test_more_images_than_fit_are_named(finished: Path, worker: type[FakeWorker]):
    app = open_page(finished, [photo(f"{n}.jpg") for n in range(14)])
    assert "first 12 of 14" in texts(app.warning)
    assert len(app.selectbox) == 12


def test_the_overlay_glows_where_the_map_is_bright():
    _, jpeg, _ = photo()
    file = io.BytesIO()
    Image.fromarray(np.array([[255, 255, 0, 0]], np.uint8)).save(file, "PNG")
    uri = overlay_uri(jpeg, file.getvalue())
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))), dtype=int)
    assert shown.shape == (20, 40, 3)
    warm = shown[..., 0] - shown[..., 2]
    assert warm[:, :8].mean() > 100
    assert abs(warm[:, 32:]).mean() < 20


def test_a_map_of_nothing_dims_evenly():
    photo_HWC = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    np.testing.assert_allclose(blend(photo_HWC, np.zeros((4, 4))), 0.55 * photo_HWC, atol=0.51)


def test_chosen_labels_come_first_whatever_their_probability():
    table = probability_table(["a", "b", "c"], [0.3, 0.9, 0.2], np.array([0.1, 0.95, 0.1]))
    assert table["label"].tolist() == ["a", "c", "b"]
    assert probability_chart(table).to_dict()["layer"][0]["mark"]["type"] == "bar"
