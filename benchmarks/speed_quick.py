"""What does `tagger train --preset quick` cost beside running the backbone over the photos?

    python benchmarks/speed_quick.py --out speed_quick.json [--photos 8000] [--sample 512]

The whole command (listing, hashing, decoding, features of both views, heads for every fold, thresholds,
metrics, plots, model card; without Python's imports) against the bare forward pass: the same timm network,
precision, size and views as plain PyTorch does them, on float images in memory. The bare pass runs over
``--sample`` photos, before the command, after it and, where it takes its first batch, in between; its
median rate counts for all. Target: at most 1.3 times. Photos and weights: $TAGGER_SHARED or ../shared;
without them drawn photos and random weights.
"""

import argparse
import csv
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from backbones import SHARED, add_backbone_option, backbone_settings
from PIL import Image
from rounds import spread, table, write_json
from speed_train import LABELS

import tagger
from tagger.commands.console.screen import Screen
from tagger.config import Settings
from tagger.model import new_backbone
from tagger.presets import load_settings
from tagger.training.device import make_accelerator, pick_precision


def make_photos(folder: Path, num: int) -> None:
    """``num`` photos of 128 px with labels that their colours decide in part."""
    found = sorted((SHARED / "data/photos/images").glob("*.jpg"))
    rng, rows = np.random.default_rng(0), []
    for n in range(num):
        if found:
            content = found[n % len(found)].read_bytes()
            (folder / f"{n}.jpg").write_bytes(
                content + n.to_bytes(4, "big")
            )  # no two files alike: none counts as a copy
        else:
            drawn = Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
            drawn.resize((128, 128)).save(folder / f"{n}.jpg", quality=90)
        rows.append([f"{n}.jpg", "|".join(f"label {k}" for k in range(LABELS) if rng.random() < 0.2)])
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["file", "labels"], *rows])


class Bare:
    """The forward pass alone, on one sample of photos."""

    def __init__(self, settings: Settings, num: int):
        device, size = make_accelerator(settings).device, settings.image.size
        self.device, self.batch = device, settings.train.batch_size
        self.backbone = new_backbone(settings).to(device).to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        self.dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(pick_precision(settings))
        images = torch.rand(num, 3, size, size, device=device).contiguous(memory_format=torch.channels_last)
        self.views = [images, images.flip(-1).contiguous(memory_format=torch.channels_last)]
        self.views = self.views if settings.image.tta_hflip else self.views[:1]
        self.seconds_a_photo: list[float] = []

    @torch.inference_mode()
    def run(self) -> None:
        """Take the time once more."""
        begun = time.perf_counter()
        with torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype is not None):
            for view in self.views:
                for images in view.split(self.batch):
                    last = self.backbone(images)
        float(last.sum())
        self.seconds_a_photo.append((time.perf_counter() - begun) / len(self.views[0]))


class Stages(Screen):
    """Tells nothing, and notes how long what it tracks takes; the bare pass runs where the features begin."""

    def __init__(self, bare: Bare):
        super().__init__(quiet=True)
        self.bare, self.seconds, self.apart = bare, dict[str, float](), 0.0

    def track(self, items, description):  # type: ignore[no-untyped-def]
        """The items."""
        begun = time.perf_counter()
        if description == "features":
            self.bare.run()
            self.apart = time.perf_counter() - begun
        begun = time.perf_counter()
        yield from items
        self.seconds[description] = time.perf_counter() - begun


def main() -> None:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--photos", type=int, default=8000)
    parser.add_argument("--sample", type=int, default=512)
    add_backbone_option(parser)
    args = parser.parse_args()
    sets = backbone_settings(args.backbone, random_if_absent=True)
    bare = Bare(load_settings("quick", sets), args.sample)
    bare.run()  # not counted: the first pass makes the kernels
    bare.seconds_a_photo.clear()
    bare.run()
    screen = Stages(bare)
    with tempfile.TemporaryDirectory() as folder:
        make_photos(Path(folder), args.photos)
        begun = time.perf_counter()
        tagger.train(folder, run=Path(folder, "run"), preset="quick", overrides=sets, screen=screen)
        whole = time.perf_counter() - begun - screen.apart
    bare.run()
    alone = float(np.median(bare.seconds_a_photo)) * args.photos
    stages = {**screen.seconds, "all else": whole - sum(screen.seconds.values())}
    rows = [["bare forward pass", f"{alone:.1f}", "1", ""], ["tagger train --preset quick", f"{whole:.1f}"]]
    rows[1] += [f"{whole / alone:.2f}", "<= 1.3"]
    rows += [
        [f"  {name}", f"{seconds:.1f}", f"{seconds / alone:.2f}", ""] for name, seconds in stages.items()
    ]
    print(table([f"{args.photos:,} photos", "seconds", "ratio", "target"], rows))
    print(f"\nbare, a photo: {spread([1000 * seconds for seconds in bare.seconds_a_photo], ' ms')}")
    write_json(
        args.out, {"photos": args.photos, "bare": bare.seconds_a_photo, "whole": whole, "stages": stages}
    )


if __name__ == "__main__":
    main()
