"""How would photos be tagged without tagger? By PyTorch's own loader, and by fastai, with the very same network.

Both get what their documentation shows: as many worker processes as there are cores, batches of 64,
resizing and scaling to 0..1 by torchvision or fastai. Normalisation is inside the network. ``shared`` is
the folder of real photos and weights, where there is one, and ``make_run`` a run that was trained on some
of them.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from backbones import SHARED, backbone_settings
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

import tagger
from tagger.commands.serving.predictor import Predictor, load
from tagger.model import TagModel, load_model
from tagger.runs import RunFolder

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
BATCH = 64


def make_run(folder: Path, backbone: str, *, size: int, num: int, views: int) -> RunFolder:
    """`quick` on some of the shared photos."""
    data, photos = folder / "labelled", SHARED / "data/photos"
    (data / "images").mkdir(parents=True)
    lines = (photos / "labels.csv").read_text("utf-8").splitlines()[: num + 1]
    (data / "labels.csv").write_text("\n".join(lines), "utf-8")
    for line in lines[1:]:
        name = line.split(",")[0]
        shutil.copy(photos / "images" / name, data / "images" / name)
    sets = [f"image.size={size}", f"image.tta_hflip={'true' if views == 2 else 'false'}"]
    sets += backbone_settings(backbone)
    return tagger.train(data, run=folder / "run", preset="quick", overrides=sets)


def plain_network(run: RunFolder) -> TagModel:
    """The run's network as it is loaded: nothing folded, contiguous memory."""
    found = load(run)
    return load_model(run.model_path, found.settings, len(found.labels))


class Photos(Dataset[torch.Tensor]):
    """Photos as the tutorial of torchvision reads them."""

    def __init__(self, files: Sequence[Path], size: int):
        resize = transforms.Resize((size, size), transforms.InterpolationMode.BICUBIC)
        self.files, self.transform = files, transforms.Compose([resize, transforms.ToTensor()])

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> torch.Tensor:
        with Image.open(self.files[index]) as image:
            return self.transform(image.convert("RGB"))


@torch.inference_mode()
def with_plain_loader(
    network: TagModel, files: Sequence[Path], size: int, *, views: int = 1
) -> NDArray[np.float32]:
    """Logits (N, K) of the files."""
    found = []
    for images in DataLoader(Photos(files, size), batch_size=BATCH, num_workers=CORES):
        logits = network(images)
        found.append(logits if views == 1 else (logits + network(images.flip(-1))) / 2)
    return torch.cat(found).numpy()


def fastai_learner(network: TagModel, files: Sequence[Path], size: int, num_labels: int) -> Any:
    """A fastai Learner for the network; ImportError where there is no fastai."""
    from fastai.vision import all as vision

    vocab = [str(k) for k in range(num_labels)]
    block = vision.DataBlock(
        blocks=(vision.ImageBlock, vision.MultiCategoryBlock(vocab=vocab)),
        get_y=lambda file: [vocab[0]],
        item_tfms=vision.Resize(size, method="squish"),
    )
    loaders = block.dataloaders(list(files[:BATCH]), bs=BATCH, num_workers=CORES, device=torch.device("cpu"))
    return vision.Learner(loaders, network, loss_func=vision.BCEWithLogitsLossFlat())


def with_fastai(learner: Any, files: Sequence[Path]) -> NDArray[np.float32]:
    """Probabilities (N, K) of the files."""
    with learner.no_bar(), learner.no_logging():
        found = learner.get_preds(dl=learner.dls.test_dl(list(files), num_workers=CORES, bs=BATCH))
    return found[0].numpy()


def same_cells(tagger_: Predictor, logits_NK: NDArray[np.float32], probs_NK: NDArray[np.float64]) -> float:
    """The share of cells with the same answer, of a plain network's logits and of a tagger's probabilities."""
    plain_NK = tagger_.calibration.apply(1 / (1 + np.exp(-logits_NK.astype(np.float64))))
    names = [list(tagger_.chosen_labels(chosen)) for chosen in (plain_NK, probs_NK)]
    differing = sum(len(set(one) ^ set(other)) for one, other in zip(*names, strict=True))
    return 1 - differing / probs_NK.size
