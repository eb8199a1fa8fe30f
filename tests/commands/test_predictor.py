"""A run's tagger: however many threads or processes read and compute, the same labels as the plain network gives."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from untrained import make_run

from tagger.arrays import sigmoid
from tagger.batches import load_image
from tagger.commands.serving.predictor import MAX_WORKERS, Predictor, load
from tagger.model import TagModel


@pytest.fixture
def tagger(tmp_path: Path) -> Predictor:
    """A run of random weights that looks at mirror images too."""
    return load(make_run(tmp_path, "image.tta_hflip=true"))


@pytest.fixture
def photos(tmp_path: Path) -> tuple[Path, list[str]]:
    """Forty photos of many sizes, JPEG and PNG, of which two cannot be read."""
    folder, rng = tmp_path / "many", np.random.default_rng(0)
    folder.mkdir()
    files = [f"{number}.{'png' if number % 3 else 'jpg'}" for number in range(40)]
    for number, file in enumerate(files):
        pixels = rng.integers(0, 256, (20 + number, 90 - number, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / file)
    (folder / files[7]).write_bytes(b"")
    (folder / files[39]).write_text("no image")
    return folder, files


def one_by_one(tagger: Predictor, folder: Path, files: list[str]) -> np.ndarray:
    """Probabilities (N, K) by the plain network, an image and a view at a time; NaN where an image is unreadable."""
    size, rows = tagger.settings.image.size, []
    for file in files:
        if file in ("7.png", "39.jpg"):
            rows.append(np.full(len(tagger.labels), np.nan))
            continue
        pixels = torch.from_numpy(load_image(folder / file, size=size)).permute(2, 0, 1)[None] / 255
        with torch.no_grad():
            views = [tagger.model(view)[0].double().numpy() for view in (pixels, pixels.flip(-1))]
        rows.append(tagger.calibration.apply(sigmoid(np.mean(views, axis=0))[None])[0])
    return np.array(rows)


@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")  # a machine with one core
@pytest.mark.parametrize("how", ["lanes", "one lane", "processes"])
def test_tags_are_those_of_the_plain_network(
    tagger: Predictor, photos: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch, how: str
):
    threads = {"lanes": 3, "one lane": 1, "processes": MAX_WORKERS + 1}[how]
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    folder, files = photos
    found, expected = tagger.predict_probs(folder, files), one_by_one(tagger, folder, files)
    np.testing.assert_allclose(found.probs_NK, expected, atol=1e-5)
    assert list(tagger.chosen_labels(found.probs_NK)) == list(tagger.chosen_labels(expected))
    assert found.reasons == {7: "0 bytes", 39: "not an image"}


def test_the_plain_model_stays_for_gradients(tagger: Predictor, photos: tuple[Path, list[str]]):
    tagger.predict_probs(photos[0], photos[1][:3])
    assert tagger.inference_model is not tagger.model
    norms = [
        sum(isinstance(m, torch.nn.BatchNorm2d) for m in net.modules())
        for net in (tagger.model, tagger.inference_model)
    ]
    assert norms[0] > 0 == norms[1]
    assert all(parameter.requires_grad for parameter in tagger.model.parameters())
    assert isinstance(tagger.model, TagModel)
