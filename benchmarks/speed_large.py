"""How fast are 12-megapixel photos tagged, and are their labels those of full decoding?

    python benchmarks/speed_large.py --out speed_large.json [--images 120] [--rounds 3] [--run RUN] [--folder KEPT]

Each photo is a real one enlarged to 4000 x 3000 pixels, with noise as of a sensor, saved as JPEG of quality
90 (about 4 MB). `tagger predict` lets the decoder shrink it to no less than twice the side that the network
sees; the plain loader (benchmarks/plain_tagging.py) decodes all of it and resizes with antialiasing; both
use all cores and the same network, one view a photo. Then the labels of both are compared, cell by cell.
Photos: $TAGGER_SHARED or ../shared.
"""

import argparse
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from backbones import SHARED, add_backbone_option
from PIL import Image
from plain_tagging import CORES, make_run, plain_network, same_cells, with_plain_loader
from rounds import alternate, ratio_interval, spread, table, write_json
from speed_predict import rate

from tagger.commands.predict import predict
from tagger.commands.serving.predictor import load

WIDTH, HEIGHT = 4000, 3000


def enlarge(photo: Path, target: Path) -> None:
    """The photo with 12 megapixels and noise, as JPEG."""
    if target.exists():
        return
    rng = np.random.default_rng(int.from_bytes(photo.name.encode()[-7:]))
    with Image.open(photo) as image:
        large = np.asarray(image.convert("RGB").resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)).astype(
            np.int16
        )
    noise = rng.normal(0, 6, (HEIGHT, WIDTH, 1)).astype(np.int16)
    Image.fromarray((large + noise).clip(0, 255).astype(np.uint8)).save(target, quality=90)


def main() -> None:
    """Make the photos, measure, compare the labels, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--images", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--run", type=Path)
    add_backbone_option(parser)
    parser.add_argument("--folder", type=Path, help="keep the large photos here")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos = args.folder or folder / "large"
        photos.mkdir(parents=True, exist_ok=True)
        chosen = sorted((SHARED / "data/photos/images").glob("*.jpg"))[-args.images :]
        files = [photos / photo.name for photo in chosen]
        with ProcessPoolExecutor(CORES) as pool:
            list(pool.map(enlarge, chosen, files))
        found = load(args.run or make_run(folder, args.backbone, size=128, num=1500, views=1))
        plain, size, out = plain_network(found.run), found.settings.image.size, folder / "tags.csv"
        views = 2 if found.settings.image.tta_hflip else 1
        kept: dict[str, np.ndarray] = {}

        def with_tagger() -> float:
            return rate(
                lambda: predict(photos, run=found.run.path, out=out, on_existing="overwrite"), len(files)
            )

        def with_others() -> float:
            return rate(
                lambda: kept.update(plain=with_plain_loader(plain, files, size, views=views)), len(files)
            )

        rates = alternate({"tagger": with_tagger, "plain loader": with_others}, args.rounds)
        predictions = found.predict_probs(photos, [file.name for file in files])
        same = same_cells(found, kept["plain"], predictions.probs_NK)
        megabytes = float(np.mean([file.stat().st_size for file in files])) / 1e6
    ratio = ratio_interval(rates["tagger"], rates["plain loader"])
    rows = [
        ["tagger", spread(rates["tagger"]), "", ""],
        ["plain loader", spread(rates["plain loader"]), ratio, ">= 3"],
    ]
    print(
        f"{len(files)} photos of {WIDTH} x {HEIGHT} pixels, {megabytes:.1f} MB each, for a network of {size} px\n"
    )
    print(table(["case", "images/s (range)", "tagger / case", "target"], rows))
    print(f"\ncells with the same answer: {same:.2%} of {predictions.probs_NK.size:,} (target >= 99.50%)")
    write_json(args.out, {"images_a_second": rates, "same_cells": same, "megabytes": megabytes, **vars(args)})


if __name__ == "__main__":
    main()
