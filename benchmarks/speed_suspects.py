"""How long does finding suspects take, and how much memory, from features and probabilities to the ranked table?

    python benchmarks/speed_suspects.py --out suspects.json [--images 100000 1000000] [--rounds 3]

20 labels, 1,280 features an image (float16, from a file, as a run keeps them). Images lie in overlapping
clusters, labels go with clusters, 15 % of the *yes* are wrong, one image in fifty is a near-duplicate of
another, and dynamics are there, so that every signal has something to say. Each measurement is a process of
its own; memory is its greatest resident set, mapped files included. ``overlap`` is the share of the nearest
images found that an exact search finds too, of 500 images. Re-ranking is what the app does after every 20
verdicts (learn, order) and after every 200 (judge all cells anew), here with 2,000 verdicts and 100,000
suspects.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
from rounds import spread, table, write_json

LABELS, FEATURES, KINDS, PARTS = 20, 1280, 400, 5
LIMITS = {"seconds": {100_000: 10.0, 1_000_000: 60.0}, "gigabytes": {1_000_000: 3.0}, "again": {100_000: 1.0}}
CHUNK = 20_000


def make(folder: Path, num: int) -> None:
    """The arrays of a run of ``num`` images."""
    rng = np.random.default_rng(0)
    spectrum_D = (1 / np.sqrt(1 + np.arange(FEATURES))).astype(np.float32)
    centres = rng.standard_normal((KINDS, FEATURES), np.float32)
    shows = rng.random((KINDS, LABELS)) < rng.uniform(0.01, 0.4, LABELS)
    kind_N = rng.integers(KINDS, size=num)
    features = np.lib.format.open_memmap(folder / "features.npy", "w+", np.float16, (num, FEATURES))
    for at in range(0, num, CHUNK):
        kinds = kind_N[at : at + CHUNK]
        own = rng.standard_normal((len(kinds), FEATURES), np.float32)
        features[at : at + CHUNK] = (0.7 * centres[kinds] + own) * spectrum_D
    truth = shows[kind_N]
    labels = truth ^ (rng.random((num, LABELS), np.float32) < np.where(truth, 0.15, 0.02))
    logits = 5 * (truth - 0.6) + 1.5 * rng.standard_normal((num, LABELS), np.float32)
    group = np.arange(num)
    copies = rng.choice(np.arange(1, num), num // 50, replace=False)
    group[copies] = copies - 1
    np.savez(
        folder / "rest.npz",
        labels=labels.astype(np.int8),
        probs=(1 / (1 + np.exp(-logits))).astype(np.float32),
        dynamics=(1 / (1 + np.exp(-0.8 * logits))).astype(np.float32),
        group=group,
        part=rng.integers(PARTS, size=num),
    )


def measure(folder: Path) -> dict[str, float]:
    """Seconds and gigabytes of one whole search, and the seconds of the app's two kinds of re-ranking."""
    from tagger.suspects import (
        Evidence,
        find_suspects,
        nearest_images,
        refit_doubt,
        rescore_suspects,
        review_order,
    )

    features, rest = np.load(folder / "features.npy", mmap_mode="r"), np.load(folder / "rest.npz")
    labels, group = rest["labels"], rest["group"]
    names = tuple(f"label {k}" for k in range(LABELS))
    files = np.array([f"{n}.jpg" for n in range(len(labels))], dtype=object)
    begun = perf_counter()
    nearest, similarity = nearest_images(features, group)
    near = perf_counter() - begun
    evidence = Evidence(
        labels_NK=labels, probs_NK=rest["probs"], names=names, fold_N=rest["part"], duplicate_group_N=group,
        nearest_NM=nearest, similarity_NM=similarity, dynamics_NK=rest["dynamics"],
    )  # fmt: skip
    found = find_suspects(evidence, files, files).table
    taken = perf_counter() - begun
    peak = peak_gigabytes()
    rng = np.random.default_rng(0)
    verdicts = pd.DataFrame({"position": rng.permutation(len(found))[:2000]})
    verdicts["wrong"] = rng.random(len(verdicts)) < found["doubt"].to_numpy()[verdicts["position"]]
    begun = perf_counter()
    review_order(found, refit_doubt(found, verdicts))
    again = perf_counter() - begun
    begun = perf_counter()
    rescore_suspects(evidence, found, verdicts)
    anew = perf_counter() - begun
    return {
        "seconds": taken, "neighbours": near, "signals and doubt": taken - near, "gigabytes": peak, "again": again,
        "anew": anew, "overlap": overlap(features, group, nearest),
    }  # fmt: skip


def peak_gigabytes() -> float:
    """The greatest resident set of this process so far (Linux)."""
    line = next(
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")
    )
    return int(line.split()[1]) / 1e6


def overlap(features: np.ndarray, group: np.ndarray, nearest: np.ndarray) -> float:
    """The share of the nearest images that are among the exact ones, of 500 images."""
    from tagger.suspects.nearest_neighbours import reduce_features

    unit = reduce_features(features)
    some, shared = np.random.default_rng(1).choice(len(unit), min(500, len(unit)), replace=False), []
    for row in some:
        cosine = unit @ unit[row]
        cosine[group == group[row]] = -2
        exact = np.argpartition(-cosine, nearest.shape[1])[: nearest.shape[1]]
        shared.append(np.isin(nearest[row], exact).mean())
    return float(np.mean(shared))


def one(folder: Path) -> dict[str, float]:
    """``measure`` in a process of its own."""
    command = [sys.executable, __file__, "--measure", str(folder)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def show(num: int, rounds: list[dict[str, float]]) -> list[list[str]]:
    """The rows of the table about ``num`` images."""
    what = {
        "seconds": ("suspects, all signals", " s"), "neighbours": ("- nearest images", " s"),
        "signals and doubt": ("- signals, doubt, table", " s"), "gigabytes": ("memory", " GB"),
        "again": ("re-ranked after 20 verdicts", " s"), "anew": ("all cells anew after 200", " s"),
        "overlap": ("overlap with exact search", ""),
    }  # fmt: skip
    rows = []
    for key, (name, unit) in what.items():
        limit = LIMITS.get(key, {}).get(num)
        target = "" if limit is None else f"<= {limit:g}{unit}"
        rows.append([f"{num:,}", name, spread([found[key] for found in rounds], unit), target])
    return rows


def main() -> None:
    """Draw the data, measure in fresh processes, print the table, write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path)
    parser.add_argument("--images", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where drawn data are kept for the next time")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.measure)))
        return
    found: dict[int, list[dict[str, float]]] = {num: [] for num in args.images}
    with tempfile.TemporaryDirectory() as scratch:
        folders = {num: (args.folder or Path(scratch)) / str(num) for num in args.images}
        for num, folder in folders.items():
            if not (folder / "rest.npz").exists():
                folder.mkdir(parents=True, exist_ok=True)
                make(folder, num)
        for _ in range(args.rounds):
            for num, folder in folders.items():
                found[num].append(one(folder))
    print(
        table(
            ["images", "what", "median (range)", "target"],
            [row for n, r in found.items() for row in show(n, r)],
        )
    )
    if args.out:
        write_json(args.out, {"rounds": {str(num): rounds for num, rounds in found.items()}})


if __name__ == "__main__":
    main()
