"""The same seed gives the same bytes, whoever reads the images; another seed gives others.

The number of torch's threads is not among the promises to the bit: sums are split by it, and training is
chaotic. What a network gives for an image is: each batch is one thread's, and the number of them changes
nothing.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small import options
from torture import record_torture

import tagger
from tagger.runs import RunFolder

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")  # more processes than cores
MADE_BY_LEARNING = (
    "model.safetensors",
    "oof.npz",
    "embeddings.npy",
    "thresholds.json",
    "metrics.json",
    "history.csv",
)
WAYS: dict[str, dict[str, Any]] = {
    "from nothing": {},
    "heads": {"head_stage__enabled": True, "train__epochs": 0},
    "cross-fitted": {"head_stage__enabled": True, "train__fold_models": 2},
}


def train(demo: Path, folder: Path, **chosen: Any) -> RunFolder:
    """A small run."""
    return tagger.train(demo, run=folder, backbone="test_resnet", weights="none", overrides=options(**chosen))


def read(run: RunFolder) -> dict[str, bytes]:
    """The files that learning made."""
    return {name: (run.path / name).read_bytes() for name in MADE_BY_LEARNING}


def differing(one: dict[str, bytes], two: dict[str, bytes]) -> list[str]:
    """The names of the files that are not the same."""
    return [name for name in one if one[name] != two[name]]


@pytest.mark.parametrize("way", WAYS)
def test_the_same_seed_gives_the_same_bytes_whoever_reads_the_images(way: str, demo: Path, tmp_path: Path):
    first = read(train(demo, tmp_path / "a", **WAYS[way]))
    torch.manual_seed(99)  # the state of the world does not matter
    np.random.seed(99)
    assert differing(first, read(train(demo, tmp_path / "b", image__workers=2, **WAYS[way]))) == []


def test_another_seed_gives_other_weights_and_probabilities(demo: Path, finished: Path, tmp_path: Path):
    other = read(train(demo, tmp_path / "run", seed=1))
    assert {"model.safetensors", "oof.npz"} <= set(differing(read(RunFolder(finished)), other))


def test_a_run_from_random_weights_holds_the_network_that_was_judged(demo: Path, tmp_path: Path):
    """Features are cached before the final network is put together: it has to be the same one."""
    run = train(demo, tmp_path / "run", **WAYS["heads"])
    images, (probs_NK, _) = run.load_images(), run.load_oof()
    test = np.flatnonzero(images["split"] == "test")
    again = tagger.load(run).predict_probs(demo, images["file"].iloc[test].tolist())
    np.testing.assert_allclose(again.probs_NK, probs_NK[test], atol=5e-3)  # features are kept in float16


@pytest.fixture
def threads() -> Iterator[None]:
    """Torch's number of threads is given back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def predictions(run: Path, folder: Path, out: Path, *, threads: int, workers: int) -> bytes:
    """The bytes of a prediction by so many threads and reading processes."""
    torch.set_num_threads(threads)
    settings = RunFolder(run).load_settings()
    image, train = (
        settings.image.model_copy(update={"workers": workers}),
        settings.train.model_copy(update={"batch_size": 10}),
    )
    chosen = settings.model_copy(update={"image": image, "train": train})
    RunFolder(run).save_settings(chosen)
    tagger.predict(folder, run=run, out=out)
    return out.read_bytes()


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(("number", "workers"), [(2, 0), (4, 0), (1, 2)])
def test_a_prediction_has_the_same_bytes_however_many_compute_and_read(
    demo: Path, finished: Path, tmp_path: Path, number: int, workers: int
):
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    one = predictions(run, demo, tmp_path / "one.csv", threads=1, workers=0)
    assert one == predictions(run, demo, tmp_path / "many.csv", threads=number, workers=workers)


@pytest.mark.torture
@pytest.mark.usefixtures("threads")
def test_every_number_of_workers_and_threads(demo: Path, tmp_path: Path):
    """Same bytes for 0, 1 and 4 workers; for other numbers of threads probabilities of a short training, nearly."""
    apart = 0.0
    for way in ("from nothing", "cross-fitted"):
        chosen = WAYS[way]
        torch.set_num_threads(1)
        base = train(demo, tmp_path / f"{way} base", **chosen)
        for workers in (1, 4):
            other = train(demo, tmp_path / f"{way} {workers}", image__workers=workers, **chosen)
            assert differing(read(base), read(other)) == [], (way, workers)
        torch.set_num_threads(2)
        probs_NK = train(demo, tmp_path / f"{way} threads", **chosen).load_oof()[0]
        apart = max(apart, float(np.abs(probs_NK - base.load_oof()[0]).max()))
    assert apart < 1e-3
    record_torture(
        "same bytes for 0, 1 and 4 reading processes", trainings=8, largest_by_threads=f"{apart:.0e}"
    )
