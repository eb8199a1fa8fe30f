"""Frames of a bright bar that moves left or right: no single frame says which, the order does."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

NUM_CLIPS, NUM_FRAMES, SIZE = 30, 8, 32


def draw_clips(folder: Path, *, clips: int = NUM_CLIPS, seed: int = 0) -> Path:
    """``clips`` sequences in ``folder``, half of them each way, with a table and an exclusive group."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    with (folder / "labels.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "labels"])
        for clip in range(clips):
            way = ("left", "right")[clip % 2]
            xs = np.linspace(4, 25, NUM_FRAMES) + rng.uniform(-3, 3)
            for frame, x in enumerate(xs if way == "right" else xs[::-1]):
                noise = rng.integers(0, 160, (SIZE, SIZE, 1), dtype=np.uint8)  # or frames would be copies
                pixels = np.repeat(noise, 3, axis=2)
                pixels[8:24, max(int(x), 0) : int(x) + 4] = 255
                name = f"clip{clip:02}_{frame}.png"
                Image.fromarray(pixels).save(folder / name)
                table.writerow([name, way])
    groups = '[groups.way]\nkind = "exclusive"\nlabels = ["left", "right"]\n'
    (folder / "labels.toml").write_text(groups)
    return folder


OPTIONS = {
    "train__epochs": 0,
    "image__tta_hflip": False,
    "data__sequences": "name",
    "head_stage__epochs": 5,
    "sequence__length": 4,
    "sequence__grid": 4,
    "sequence__level": 3,
    "sequence__hidden": 16,
    "sequence__epochs": 30,
    "sequence__batch_size": 32,
    "sequence__lr": 0.01,
}
