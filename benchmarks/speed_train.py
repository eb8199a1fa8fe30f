"""How fast does the training loop feed its network? Images a second, against the bare step and against fastai.

    python benchmarks/speed_train.py --out speed_train.json [--rounds 5] [--batches 6] [--shares 0.5 0] [--skip fastai]

One backbone (`--backbone`) at 128 px, batches of 64, the augmentation of `standard`, 14 labels. Cases, which
take turns in one process:

* tagger: an epoch of `fit` from the cache of decoded images: augmentation, averaged weights, clipping and
  schedule.
* bare: forward pass, loss, backward pass and optimiser step of the same timm network, precision, memory
  order and loss as plain PyTorch does them, on float images in memory.
* bare, in fewer passes: the same, with the network as `fit` computes it
  (tagger/training/network/fused_training.py): what the loop itself costs.
* fastai: ImageDataLoaders over JPEG files of 128 px, aug_transforms(), fit_one_cycle, float32; after its
  first batch.
* fastai, tuned: channels-last, and autocast to the precision of the others by a callback (its own bf16 is
  for GPUs).

`--shares`: shares of the network's stages that keep their weights; 0.5 is `standard`, with 0 everything
learns. Photos and weights: $TAGGER_SHARED or ../shared; without them drawn photos and random weights
(statistics are kept).
"""

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from backbones import SHARED, add_backbone_option, backbone_settings
from PIL import Image
from rounds import alternate, ratio_interval, spread, table, write_json
from torch import nn

from tagger.batches import CachedImages
from tagger.config import Settings
from tagger.data import label_stats
from tagger.losses import losses
from tagger.model import TagModel, new_backbone, new_head
from tagger.presets import load_settings
from tagger.training.device import make_accelerator, pick_precision
from tagger.training.fit_key import FitKey
from tagger.training.inference import to_float
from tagger.training.network.fit_task import FitTask
from tagger.training.network.optimiser import BATCH_NORMS, frozen_parameters, make_optimiser, parameter_groups
from tagger.training.network.train_network import _NetworkTrainer
from tagger.training.network.train_step import TrainStep
from tagger.training.objective import Objective, make_step_context

SIZE, LABELS = 128, 14
TARGETS = {"bare": ">= 0.95", "bare, in fewer passes": ">= 0.95", "fastai": ">= 1.7", "fastai, tuned": ""}


class Photos:
    """``num`` photos as JPEG files of 128 px and as the pixels in them, with random labels."""

    def __init__(self, folder: Path, num: int):
        found = sorted((SHARED / "data/photos/images").glob("*.jpg"))[:num]
        rng = np.random.default_rng(0)
        self.folder, self.files = folder, [f"{n}.jpg" for n in range(num)]
        for n, file in enumerate(self.files):
            drawn = Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
            image = Image.open(found[n % len(found)]).convert("RGB") if found else drawn
            image.resize((SIZE, SIZE)).save(folder / file, quality=90)
        opened = [np.asarray(Image.open(folder / file)) for file in self.files]
        self.pixels = np.ascontiguousarray(np.stack(opened).transpose(0, 3, 1, 2))
        self.labels_NK = (rng.random((num, LABELS)) < 0.2).astype(np.int8)


def settings_of(backbone: str, share: float, batch: int) -> Settings:
    """`standard` at 128 px, with so much of the network frozen."""
    sets = [
        f"image.size={SIZE}",
        f"train.freeze_share={share}",
        f"train.batch_size={batch}",
        "train.freeze_norm=true",
    ]
    named = backbone_settings(backbone, random_if_absent=True)
    return load_settings("standard", [*sets, *named])


def new_model(settings: Settings) -> TagModel:
    """The network that all cases but fastai's train."""
    torch.manual_seed(0)
    backbone = new_backbone(settings)
    return TagModel(backbone, new_head(backbone.num_features, LABELS, settings))


def tagger_case(settings: Settings, photos: Photos) -> tuple[Callable[[], float], _NetworkTrainer]:
    """An epoch of the real loop, and the loop."""
    rows = np.arange(len(photos.files))
    task = FitTask(
        CachedImages(photos.pixels, photos.files, rows),
        photos.labels_NK,
        rows,
        rows[:8],
        FitKey.single_network(),
    )
    loop = _NetworkTrainer(new_model(settings), task, settings, make_accelerator(settings), None)  # type: ignore[arg-type]

    def images_a_second() -> float:
        begun = time.perf_counter()
        loop.train_epoch(1, lambda batches, _: batches)
        return len(rows) / (time.perf_counter() - begun)

    return images_a_second, loop


def bare_case(settings: Settings, photos: Photos, network: nn.Module | None = None) -> Callable[[], float]:
    """The step alone; of a ``network`` that computes in fewer passes, or of a plain one."""
    accelerator = make_accelerator(settings)
    device, batch = accelerator.device, settings.train.batch_size
    model = network or new_model(settings).to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = make_optimiser(parameter_groups(model, settings.train), settings.train)  # type: ignore[arg-type]
    learner = TrainStep(model, Objective(losses.build("bce", label_stats(photos.labels_NK)), []))  # type: ignore[arg-type]
    learner.to(device).train()
    for norm in [module for module in learner.modules() if isinstance(module, BATCH_NORMS)]:
        norm.eval()
    images = to_float(torch.from_numpy(photos.pixels), device)
    targets = torch.from_numpy(photos.labels_NK).float().to(device)
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(pick_precision(settings))
    generator = torch.Generator()

    def images_a_second() -> float:
        begun = time.perf_counter()
        for at in range(0, len(images), batch):
            with torch.autocast(device.type, dtype=dtype, enabled=dtype is not None):
                step = make_step_context(targets[at : at + batch], 0.5, generator)
                loss = learner(images[at : at + batch], targets[at : at + batch], None, step)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        loss.item()
        return len(images) / (time.perf_counter() - begun)

    return images_a_second


def fastai_case(settings: Settings, photos: Photos, *, tuned: bool) -> Callable[[], float]:
    """An epoch of fastai; ImportError where it is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fastai.callback.core import Callback
        from fastai.vision import all as fv

    class Clock(Callback):  # type: ignore[misc]
        """The time from the first batch's end to the last one's: starting its workers does not count."""

        def after_batch(self) -> None:
            now = time.perf_counter()
            if self.training and self.iter == 0:
                self.begun = now
            elif self.training:
                self.seconds, self.done = now - self.begun, self.iter

    class Autocast(Callback):  # type: ignore[misc]
        """Mixed precision on a processor."""

        def before_batch(self) -> None:
            self.context = torch.autocast(
                "cpu", dtype=torch.bfloat16, enabled=pick_precision(settings) == "bf16"
            )
            self.context.__enter__()

        def after_loss(self) -> None:
            self.context.__exit__(None, None, None)

    names = np.array([f"l{k}" for k in range(LABELS)])
    labels = dict(zip(photos.files, photos.labels_NK, strict=True))
    block = fv.DataBlock(
        (fv.ImageBlock, fv.MultiCategoryBlock(vocab=list(names))),
        get_y=lambda path: names[labels[path.name] == 1].tolist(),
        splitter=fv.IndexSplitter([0]),
        batch_tfms=[*fv.aug_transforms(), fv.Normalize.from_stats(*fv.imagenet_stats)],
    )
    paths = [photos.folder / file for file in [*photos.files, photos.files[0]]]  # one more, to validate on
    loaders = block.dataloaders(paths, bs=settings.train.batch_size)
    options = {key: value for key, value in settings.backbone.options.items() if key == "pad_type"}
    net = timm.create_model(settings.backbone.name, num_classes=LABELS, **options)
    if tuned:
        net = net.to(memory_format=torch.channels_last)
    learner = fv.Learner(loaders, net, loss_func=fv.BCEWithLogitsLossFlat(), opt_func=fv.Adam, cbs=[Clock()])
    if tuned:
        learner.add_cb(Autocast())
    for name in frozen_parameters(new_model(settings).backbone, settings.train.freeze_share):
        net.get_parameter(name).requires_grad_(False)

    def images_a_second() -> float:
        with learner.no_bar(), learner.no_logging():
            learner.fit_one_cycle(1)
        clock = learner.clock
        return clock.done * settings.train.batch_size / clock.seconds

    return images_a_second


def measure(settings: Settings, photos: Photos, skip: list[str], rounds: int) -> dict[str, list[float]]:
    """Images a second of each case in each round."""
    ours, loop = tagger_case(settings, photos)
    cases = {
        "tagger": ours,
        "bare": bare_case(settings, photos),
        "bare, in fewer passes": bare_case(settings, photos, loop.unwrapped),
    }
    try:
        for name in ("fastai", "fastai, tuned"):
            cases[name] = fastai_case(settings, photos, tuned=name != "fastai")
    except ImportError as error:
        print(f"Without fastai, which is not installed ({error}): pip install 'retagger[benchmarks]'")
    try:
        return alternate({name: case for name, case in cases.items() if name not in skip}, rounds)
    finally:
        loop.release()


def report(found: dict[str, list[float]]) -> str:
    """The rates and what tagger's is to each."""
    rows = [["tagger", spread(found["tagger"]), "", ""]]
    for name, rates in found.items():
        if name != "tagger":
            rows.append([name, spread(rates), str(ratio_interval(found["tagger"], rates)), TARGETS[name]])
    return table(["training", "images/s", "tagger is", "target"], rows)


def main() -> None:
    """Measure, print a table a share, write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=6)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.5, 0.0])
    add_backbone_option(parser)
    parser.add_argument("--skip", nargs="*", default=[], choices=list(TARGETS))
    args = parser.parse_args()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        photos = Photos(Path(folder), args.batches * args.batch)
        for share in args.shares:
            found[f"{share:g}"] = measure(
                settings_of(args.backbone, share, args.batch), photos, args.skip, args.rounds
            )
            print(f"\n{share:.0%} of the network kept as it is:\n\n{report(found[f'{share:g}'])}", flush=True)
    write_json(args.out, {"settings": vars(args), "images_per_second": found})


if __name__ == "__main__":
    main()
