"""Which planted copies of photos are found, by their looks and by features, and how often is a pair no copy?

    python benchmarks/copies.py --out copies.json [--photos 2600] [--sheet false.jpg]

Half of the photos of ``data/photos`` (drawn at random) get one copy each, of one of the kinds below; all
lie in one folder. Recall is the share of copies that come into the group of their original; precision the
share of right pairs among all pairs in a group. Photos that have a copy already (1 % of them do: the same
picture from two uploads) are left out. Features: a backbone with ImageNet weights, mean of both views, as
``--preset quick`` keeps them; raw cosine and after standardising and principal components. ``--sheet``
shows wrong pairs, the most alike first.
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from backbones import SHARED, add_backbone_option, backbone_settings
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from data_tools.features import compute_features
from data_tools.image_measures import ImageMeasures, measure_images
from tagger.data import list_images, near_duplicate_groups
from tagger.data.images.embedding_duplicates import embedding_duplicate_groups
from tagger.model import new_backbone
from tagger.presets import load_settings
from tagger.suspects.nearest_neighbours import reduce_features

NEAR = (0.94, 0.96, 0.97)
RAW = (0.92, 0.94, 0.95, 0.96, 0.97, 0.98)
REDUCED = (0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


def cut(share: float, *, side: str = "right") -> Callable[[Image.Image], Image.Image]:
    """Cut so much of the width and height off: all at one corner, or evenly."""

    def apply(image: Image.Image) -> Image.Image:
        width, height = (round(length * (1 - share)) for length in image.size)
        left, top = ((image.width - width) // 2, (image.height - height) // 2) if side == "even" else (0, 0)
        return image.crop((left, top, left + width, top + height))

    return apply


def coarse(image: Image.Image) -> Image.Image:
    """Saved once more at a quality of 30."""
    file = BytesIO()
    image.save(file, "JPEG", quality=30)
    return Image.open(file).convert("RGB")


def turned(image: Image.Image) -> Image.Image:
    """Colours moved by a quarter of the circle, saturation up by half."""
    hue, saturation, value = ImageEnhance.Color(image).enhance(1.5).convert("HSV").split()
    return Image.merge("HSV", (hue.point(lambda h: (h + 64) % 256), saturation, value)).convert("RGB")


def captioned(image: Image.Image) -> Image.Image:
    """A bar with text over the lowest eighth."""
    copy, top = image.copy(), image.height * 7 // 8
    draw = ImageDraw.Draw(copy)
    draw.rectangle((0, top, image.width, image.height), fill="black")
    draw.text((4, top + 2), "holiday 2019", fill="white")
    return copy


KINDS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "re-encoded, quality 30": coarse,
    "half the size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "brighter by a quarter": lambda image: ImageEnhance.Brightness(image).enhance(1.25),
    "colours turned": turned,
    "grey": lambda image: ImageOps.grayscale(image).convert("RGB"),
    "mirrored": ImageOps.mirror,
    "white frame of 5 %": lambda image: ImageOps.expand(image, image.width // 20, "white"),
    "caption over an eighth": captioned,
    "cut evenly by 5 %": cut(0.05, side="even"),
    "cut at a corner by 10 %": cut(0.10),
    "cut at a corner by 20 %": cut(0.20),
    "mirrored, cut by 10 %": lambda image: ImageOps.mirror(cut(0.10)(image)),
    "turned by 5 degrees": lambda image: image.rotate(5, Image.Resampling.BICUBIC),
}


def plant(folder: Path, num: int) -> pd.DataFrame:
    """``file``, ``kind`` ("" for an original) and ``original`` of each image that is written to ``folder``."""
    rng = np.random.default_rng(0)
    source = SHARED / "data/photos"
    files = list(list_images(source).files)
    measures = measure_images(source, files)
    group_N = near_duplicate_groups(measures.thumbs_NTT, measures.colours_N3)
    single = np.flatnonzero(np.bincount(group_N, minlength=len(files))[group_N] == 1)
    rows, kinds = [], list(KINDS)
    for place, n in enumerate(rng.permutation(single)[:num].tolist()):
        image = Image.open(source / files[n]).convert("RGB")
        image.save(folder / f"{place:05d}.png")
        rows.append((f"{place:05d}.png", "", place))
        if place < num // 2:
            kind = kinds[place % len(kinds)]
            KINDS[kind](image).save(folder / f"{place:05d}-copy.jpg", quality=90)
            rows.append((f"{place:05d}-copy.jpg", kind, place))
    return pd.DataFrame(rows, columns=["file", "kind", "original"])


def judged(table: pd.DataFrame, group_N: NDArray[np.int64]) -> dict[str, Any]:
    """Recall by kind, precision over pairs, and the largest group."""
    is_copy = (table["kind"] != "").to_numpy()
    original = dict(zip(table.loc[~is_copy, "original"], group_N[~is_copy], strict=True))
    found = pd.Series(group_N[is_copy] == [original[n] for n in table.loc[is_copy, "original"]])
    pairs = pd.Series(group_N).value_counts()
    num_pairs, right = int((pairs * (pairs - 1) // 2).sum()), int(found.sum())
    recall = found.groupby(table.loc[is_copy, "kind"].to_numpy()).mean().to_dict()
    return {
        "recall": recall, "all": float(found.mean()), "precision": right / max(num_pairs, 1),
        "wrong": num_pairs - right, "largest": int(pairs.max()),
    }  # fmt: skip


def features(folder: Path, files: list[str], backbone_name: str) -> NDArray[np.float16]:
    """What a frozen backbone sees."""
    settings = load_settings("quick", backbone_settings(backbone_name))
    backbone = new_backbone(settings).eval()
    return compute_features(backbone, settings, folder, files, device=torch.device("cpu"))[0]


def unit(features_ND: NDArray[np.float16]) -> NDArray[np.float32]:
    """Rows of length 1."""
    vectors = np.asarray(features_ND, np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def ways(measures: ImageMeasures, features_ND: NDArray[np.float16]) -> dict[str, NDArray[np.int64]]:
    """Groups by each way of finding copies and each threshold."""
    near = {
        min_similarity: near_duplicate_groups(
            measures.thumbs_NTT, measures.colours_N3, min_similarity=min_similarity
        )
        for min_similarity in NEAR
    }
    found = {f"looks {min_similarity:.2f}": group_N for min_similarity, group_N in near.items()}
    raw_ND, reduced_NC = unit(features_ND), reduce_features(features_ND)
    found |= {
        f"raw features {min_similarity:.2f}": embedding_duplicate_groups(
            raw_ND, min_similarity=min_similarity
        )
        for min_similarity in RAW
    }
    found |= {
        f"features {min_similarity:.2f}": embedding_duplicate_groups(
            reduced_NC, min_similarity=min_similarity
        )
        for min_similarity in REDUCED
    }
    both = {
        f"looks and features {x:.2f}": embedding_duplicate_groups(
            reduced_NC, min_similarity=x, group_N=near[0.96]
        )
        for x in REDUCED
    }
    return found | both


def save_sheet(
    path: Path, folder: Path, table: pd.DataFrame, unit_ND: NDArray[np.float32], num: int = 24
) -> None:
    """The pairs of different photos that are most alike by features, side by side, with their cosines."""
    originals = np.flatnonzero(table["kind"] == "")
    cosines = np.tril(unit_ND[originals] @ unit_ND[originals].T, -1)
    order = np.argsort(cosines, axis=None)[::-1][:num]
    sheet = Image.new("RGB", (6 * 270, -(-num // 6) * 150), "white")
    for place, (a, b) in enumerate(zip(*np.unravel_index(order, cosines.shape), strict=True)):
        x, y = place % 6 * 270, place // 6 * 150
        for step, n in enumerate((a, b)):
            image = Image.open(folder / table["file"].iloc[originals[n]])
            sheet.paste(image.resize((128, 128)), (x + 130 * step, y))
        ImageDraw.Draw(sheet).text((x, y + 132), f"{cosines[a, b]:.3f}", fill="black")
    sheet.save(path)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=2600)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--sheet", type=Path)
    add_backbone_option(parser)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        table = plant(folder, args.photos)
        files = table["file"].tolist()
        features_ND = features(folder, files, args.backbone)
        results = {
            name: judged(table, groups)
            for name, groups in ways(measure_images(folder, files), features_ND).items()
        }
        if args.sheet is not None:
            save_sheet(args.sheet, folder, table, reduce_features(features_ND))
    shown = pd.DataFrame({name: {**row.pop("recall"), **row} for name, row in results.items()})
    print(shown.T.round(2).to_string())
    if args.out is not None:
        args.out.write_text(json.dumps(shown.to_dict(), indent=1), "utf-8")


if __name__ == "__main__":
    main()
