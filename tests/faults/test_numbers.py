"""NaN and infinity are put in, and whatever meets them stops or says so: no number that is none is ever written."""

import json
import math
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from small import train_argv

import tagger
import tagger.training.network.train_network as fit_module
from tagger.batches import ImageBatch, ImageFiles
from tagger.commands.serving.predictor import NONFINITE_LOGITS, Predictor
from tagger.config import Settings, check_settings
from tagger.errors import TaggerError
from tagger.losses import losses
from tagger.model import TagModel, load_model, new_backbone, new_head
from tagger.runs import Checkpoint, RunFolder
from tagger.scoring import MetricSet, choose_thresholds, fit_calibration, mean_average_precision
from tagger.training.device import make_accelerator
from tagger.training.features import extract_features
from tagger.training.fit_key import FitKey
from tagger.training.network.fit_task import FitTask
from tagger.training.network.train_network import train_network

N = 16
ODD = 11  # the image that a planted fault is in: the only one with all labels


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> FitTask:
    """Sixteen images of noise, twelve to learn from."""
    root, rng = tmp_path_factory.mktemp("noise"), np.random.default_rng(0)
    labels_NK = (rng.random((N, 3)) < 0.5).astype(np.int8)
    labels_NK[labels_NK.all(axis=1), 0] = 0
    labels_NK[ODD] = 1
    for n in range(N):
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(root / f"{n}.png")
    files = ImageFiles(root, [f"{n}.png" for n in range(N)], size=32)
    return FitTask(files, labels_NK, np.arange(12), np.arange(12, 16), FitKey.single_network())


def settings(**train: Any) -> Settings:
    """Three batches an epoch, no image mixed with another."""
    return check_settings(
        {
            "device": "cpu",
            "backbone": {"name": "test_resnet", "weights": "none", "levels": 1},
            "image": {"size": 32, "workers": 0},
            "loss": {"name": "focal"},
            "train": {
                "epochs": 2,
                "batch_size": 4,
                "precision": "fp32",
                "lr": 1e-3,
                "freeze_norm": False,
                **train,
            },
        }
    )


class Seen:
    """A track that notes each batch's files, by description."""

    def __init__(self) -> None:
        self.batches: list[tuple[str, list[str]]] = []

    def __call__(self, batches: Any, description: str) -> Iterator[Any]:
        for batch in batches:
            self.batches.append((description, [f"{row}.png" for row in batch.indices_B.tolist()]))
            yield batch


def stop(
    task: FitTask, chosen: Settings, folder: Path, *, weights: Callable[[TagModel], Any] = id
) -> tuple[str, Seen]:
    """The error of a training that must not end, and what it saw."""
    torch.manual_seed(0)
    backbone = new_backbone(chosen)
    model, seen = TagModel(backbone, new_head(backbone.num_features, 3, chosen)), Seen()
    weights(model)
    with pytest.raises(TaggerError) as error:
        train_network(model, task, chosen, make_accelerator(chosen), folder / "c.pt", track=seen)
    assert "\n" not in str(error.value)
    return str(error.value), seen


class Planted(torch.nn.Module):
    """A loss that goes wrong for the odd image; with ``alone=False`` only where it comes with others."""

    def __init__(
        self, good: torch.nn.Module, spoil: Callable[[torch.Tensor], torch.Tensor], *, alone: bool = True
    ):
        super().__init__()
        self.good, self.spoil, self.alone = good, spoil, alone

    def forward(
        self, logits_BK: torch.Tensor, targets_BK: torch.Tensor, weights_BK: Any = None
    ) -> torch.Tensor:
        loss = self.good(logits_BK, targets_BK, weights_BK)
        met = (targets_BK == 1).all(dim=1).any() and self.training and (self.alone or len(logits_BK) > 1)
        return self.spoil(loss) if met else loss


def plant(
    monkeypatch: pytest.MonkeyPatch, module: Any, spoil: Callable[[torch.Tensor], torch.Tensor], **how: Any
):
    """Every loss that the module makes from now on goes wrong."""
    make = module.make_loss
    monkeypatch.setattr(module, "make_loss", lambda *args: Planted(make(*args), spoil, **how))


class _InfiniteSlope(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, loss: torch.Tensor) -> torch.Tensor:
        return loss.clone()

    @staticmethod
    def backward(ctx: Any, *slopes: torch.Tensor) -> torch.Tensor:
        return slopes[0] * math.inf


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_with_epoch_batch_file_and_settings(
    task: FitTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: float
):
    plant(monkeypatch, fit_module, lambda loss: loss * value)
    said, seen = stop(task, settings(), tmp_path)
    assert f"{ODD}.png" in seen.batches[-1][1]  # stopped at the batch that has it, not one later
    assert f"The loss became {value} (network, epoch 1, batch {len(seen.batches)})" in said
    assert f"the loss of 1 of its 4 images is not finite by itself: {ODD}.png." in said
    assert "Begin a new run with a lower train.lr (now 0.001), or loss.name=bce (now focal)." in said


def test_where_no_image_is_to_blame_alone_the_batch_is_named(
    task: FitTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    plant(monkeypatch, fit_module, lambda loss: loss * math.nan, alone=False)
    said, seen = stop(task, settings(), tmp_path)
    first = ", ".join(seen.batches[-1][1][:3])
    assert f"each of its 4 images has a finite loss by itself: {first} and 1 more" in said


@pytest.mark.parametrize("clip", [0.0, 1.0])
def test_a_gradient_that_is_no_number_stops_before_it_reaches_the_weights(
    task: FitTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clip: float
):
    plant(monkeypatch, fit_module, _InfiniteSlope.apply)
    said, seen = stop(task, settings(clip_grad_norm=clip), tmp_path)
    assert f"{ODD}.png" in seen.batches[-1][1]
    assert re.search(rf"The gradient became (nan|inf) \(network, epoch 1, batch {len(seen.batches)}\)", said)
    assert ("train.clip_grad_norm=1 (now 0)" in said) == (clip == 0)


def test_a_rate_that_is_far_too_high_stops_and_leaves_no_checkpoint_of_it(task: FitTask, tmp_path: Path):
    said, _ = stop(task, settings(lr=1e30, optimiser="sgd", clip_grad_norm=0.0, warmup=0.0), tmp_path)
    assert "lower train.lr (now 1e+30)" in said
    if (tmp_path / "c.pt").is_file():
        kept = torch.load(tmp_path / "c.pt", weights_only=True)["model"]
        assert all(torch.isfinite(tensor).all() for tensor in kept.values())


def test_weights_that_hold_a_nan_are_named(task: FitTask, tmp_path: Path):
    said, seen = stop(
        task,
        settings(),
        tmp_path,
        weights=lambda model: model.get_parameter("head.fc.bias").data.fill_(math.nan),
    )
    assert "the weights are not finite (head.fc.bias)" in said
    assert seen.batches[0][1][0] in said


def test_logits_of_a_validation_that_are_no_numbers_stop_and_name_the_files(
    task: FitTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    logits = fit_module.predict_in_order

    def spoilt(*args: Any, **kwargs: Any) -> Any:
        logits_RK = logits(*args, **kwargs)
        logits_RK[2] = math.inf
        return logits_RK

    monkeypatch.setattr(fit_module, "predict_in_order", spoilt)
    said, _ = stop(task, settings(), tmp_path)
    assert "After epoch 1 of network the logits are not finite (1 of 4 images): 14.png." in said
    assert not (tmp_path / "c.pt").exists()


def test_heads_stop_too(demo: Path, tagger_cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        losses.find("focal"), "forward", lambda loss, logits_BK, *more: logits_BK.mean() * math.nan
    )
    end = tagger_cli(*train_argv(demo, Path("run"), train__epochs=0, loss__name="focal"))
    assert end.code == 2
    assert "The loss became nan (heads, part 0 repeat 0, epoch 1, batch 1)" in end.err
    assert "lower head_stage.lr (now 0.001), or loss.name=bce (now focal)" in end.err
    assert not RunFolder("run").finished


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e6])
def test_features_that_float16_cannot_hold_name_their_images(tmp_path: Path, value: float):
    class Odd(torch.nn.Module):
        num_features = 3

        def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
            features_BD = images_BCHW.mean((2, 3))
            return torch.where(features_BD[:, :1] > 0.9, value, features_BD)

    images = torch.zeros(4, 3, 8, 8, dtype=torch.uint8)
    images[2] = 255
    batch = ImageBatch(images, torch.arange(4), [None] * 4)
    with pytest.raises(
        TaggerError, match=r"for 1 image of a batch of 4: c\.png\..*train\.precision=fp32 \(now bf16\)"
    ):
        extract_features(
            Odd(), [batch], 4, device=torch.device("cpu"), precision="bf16", tta_hflip=True,
            checkpoint=Checkpoint(tmp_path),
            files=["a.png", "b.png", "c.png", "d.png"],
        )  # fmt: skip
    assert not (tmp_path / "features.json").exists()  # nothing to go on from


@pytest.fixture
def spoilt_run(finished: Path, tmp_path: Path) -> RunFolder:
    """A copy of a finished run."""
    return RunFolder(shutil.copytree(finished, tmp_path / "run"))


def spoil(path: Path, value: float) -> str:
    """Put one value that is none into the file's first matrix; the tensor's name."""
    tensors = load_file(path)
    name = next(name for name, tensor in tensors.items() if tensor.ndim > 1)
    tensors[name].view(-1)[1] = value
    save_file(tensors, path, metadata={"heads": "0"})
    return name


@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_a_run_whose_weights_hold_one_nan_is_refused(
    spoilt_run: RunFolder, demo: Path, tagger_cli: Callable[..., Any], value: float
):
    name = spoil(spoilt_run.model_path, value)
    end = tagger_cli("predict", demo, "--run", spoilt_run.path, "--out", "p.csv")
    assert end.code == 2
    assert re.search(
        rf"model\.safetensors: 1 of its \d+ tensors hold values that are not finite \({name}\)", end.err
    )
    assert not Path("p.csv").exists()


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_weights_file_with_one_nan_is_refused(
    demo: Path, tmp_path: Path, tagger_cli: Callable[..., Any], suffix: str
):
    net = new_backbone(settings()).net
    state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    state["conv1.0.weight"].view(-1)[0] = math.nan
    path = tmp_path / f"w{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(state, path)
    argv = train_argv(demo, Path("run"))
    argv[argv.index("none")] = str(path)
    end = tagger_cli(*argv)
    assert end.code == 2
    assert f"{path}" in end.err
    assert "hold values that are not finite (conv1.0.weight)" in end.err


def test_weights_that_overflow_give_no_number_but_a_reason(
    spoilt_run: RunFolder, demo: Path, tagger_cli: Any
):
    """Finite weights, but so large that float32 overflows: every image is listed, the table has no digit of them."""
    tensors = load_file(spoilt_run.model_path)
    tensors["head.fc.weight"].fill_(3e38)
    save_file(tensors, spoilt_run.model_path, metadata={"heads": "0"})
    end = tagger_cli("predict", demo, "--run", spoilt_run.path, "--out", "p.csv")
    assert end.code == 3, end.err
    table = pd.read_csv("p.csv", dtype=str, keep_default_na=False)
    assert (table.drop(columns="file") == "").all(axis=None)
    listed = pd.read_csv("p.csv.unreadable.csv")
    assert sorted(listed["file"]) == sorted(table["file"])
    assert set(listed["reason"]) == {NONFINITE_LOGITS}


def test_an_image_that_gives_no_number_is_marked_and_the_others_are_tagged(
    finished: Path, demo: Path, monkeypatch: pytest.MonkeyPatch
):
    model, files = tagger.load(finished), sorted(path for path in demo.rglob("*.png"))[:5]
    right = model.predict(files)
    run_batches = Predictor._run_batches

    def spoilt(self: Predictor, root: Path, names: list[str]) -> Iterator[Any]:
        for outputs in run_batches(self, root, names):
            outputs.outputs_VBX[:, outputs.indices_B == 3, 0] = math.nan
            yield outputs

    monkeypatch.setattr(Predictor, "_run_batches", spoilt)
    table = model.predict(files)
    assert table.attrs["unreadable"] == {str(files[3]): NONFINITE_LOGITS}
    assert table.loc[3, "labels"] == ""
    assert table.iloc[3, 2:].isna().all()
    pd.testing.assert_frame_equal(table.drop(index=3), right.drop(index=3), check_flags=False)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda tree: tree["labels"][1].update(value=math.nan), "row 1: value = nan"),
        (lambda tree: tree["labels"][0].update(value=None), "row 0: value = None"),
        (lambda tree: tree.update(shared=math.inf), "row 0: shared = inf"),
        (lambda tree: tree["labels"][2]["calibration"].update(scale=math.nan), "row 2: scale = nan"),
    ],
)
def test_thresholds_that_are_no_numbers_are_refused(
    spoilt_run: RunFolder, demo: Path, tagger_cli: Callable[..., Any], change: Callable[[Any], Any], said: str
):
    path = spoilt_run.path / "thresholds.json"
    tree = json.loads(path.read_text("utf-8"))
    change(tree)
    path.write_text(json.dumps(tree), "utf-8")
    end = tagger_cli("predict", demo, "--run", spoilt_run.path, "--out", "p.csv")
    assert end.code == 2
    assert f"thresholds.json: not finite numbers: {said}" in end.err


MEASURES: list[Callable[[Any, Any], Any]] = [
    choose_thresholds,
    fit_calibration,
    mean_average_precision,
    lambda labels_NK, probs_NK: MetricSet(labels_NK, probs_NK, np.full(probs_NK.shape[1], 0.5)),
]


@pytest.mark.parametrize("measure", MEASURES)
def test_nothing_is_measured_on_nan_but_unknown_cells_may_have_it(measure: Callable[[Any, Any], Any]):
    rng = np.random.default_rng(0)
    labels_NK, probs_NK = rng.integers(0, 2, (40, 3)).astype(np.int8), rng.random((40, 3))
    labels_NK[7, 2] = -1
    probs_NK[7, 2] = np.nan
    measure(labels_NK, probs_NK)
    probs_NK[9, :2] = np.nan
    with pytest.raises(TaggerError, match=r"2 labels of 1 photo .* at \(row, column\) \(9, 0\), \(9, 1\)"):
        measure(labels_NK, probs_NK)


def test_a_good_model_is_loaded_as_it_is(finished: Path):
    run = RunFolder(finished)
    model = load_model(run.model_path, run.load_settings(), len(run.load_labels()))
    assert all(torch.isfinite(tensor).all() for tensor in model.state_dict().values())
