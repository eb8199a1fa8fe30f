"""A data code from random weights: classes that exclude each other are told apart by the untrained network."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tagger.batches import ImageFiles
from tagger.config import Settings, check_settings
from tagger.data import Vocabulary
from tagger.heads import ECOCHead
from tagger.training.fit_key import FitKey
from tagger.training.network.fit_task import FitTask
from tagger.training.network.model_init import init_model

NAMES = ("blue", "navy", "red", "rose")
COLOURS = {"blue": (30, 60, 230), "navy": (20, 40, 190), "red": (230, 40, 30), "rose": (200, 20, 40)}


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> FitTask:
    """Four classes, each photo has one; two are bluish, two reddish."""
    root, rng = tmp_path_factory.mktemp("colours"), np.random.default_rng(0)
    for n in range(40):
        pixels = np.array(COLOURS[NAMES[n % 4]]) + rng.integers(-20, 20, (32, 32, 3))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(root / f"{n}.png")
    files = ImageFiles(root, [f"{n}.png" for n in range(40)], size=32)
    labels_NK = np.eye(4, dtype=np.int8)[np.arange(40) % 4]
    vocabulary = Vocabulary(NAMES, {"colour": {"kind": "exclusive", "labels": list(NAMES)}}, ())
    return FitTask(
        files, labels_NK, np.arange(32), np.arange(32, 40), FitKey.single_network(), vocabulary=vocabulary
    )


def chosen(backbone: str, **head: object) -> Settings:
    return check_settings(
        {
            "device": "cpu",
            "backbone": {"name": backbone, "weights": "none", "levels": 1},
            "image": {"size": 32, "workers": 0},
            "head": {"name": "ecoc", **head},
        }
    )


@pytest.mark.parametrize("code", ["auto", "data"])
@pytest.mark.parametrize("backbone", ["test_resnet", "test_vit", "mobilenetv3_small_100"])
def test_the_first_bit_divides_classes_by_their_looks(backbone: str, code: str, task: FitTask):
    head = init_model(task, chosen(backbone, code=code), None).head
    assert isinstance(head, ECOCHead)
    assert (head.kind, head.level) == ("data", False)
    side = np.sign(head.code_words()[:, 0].numpy())
    assert side.tolist() in ([1, 1, -1, -1], [-1, -1, 1, 1])


def test_making_the_code_leaves_the_rest_of_the_start_as_it_is(task: FitTask, tmp_path: Path):
    with_code, plain = (
        init_model(task, chosen("test_resnet", code=code), None) for code in ("data", "dense-random")
    )
    for (name, one), other in zip(
        with_code.backbone.state_dict().items(), plain.backbone.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other), name
    assert with_code.backbone.training == plain.backbone.training
