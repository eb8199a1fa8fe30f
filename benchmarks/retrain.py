"""How much of what wrong labels cost does reviewing 5 % of the cells bring back? On ``data/photos``, held-out
ones.

    python benchmarks/retrain.py --out results/retrain --seeds 0 1 2
    python benchmarks/retrain.py --out results/retrain --seeds 0 1 2 --features RUN
    python benchmarks/retrain.py --out results/retrain --table

Each seed holds out 2,000 photos with their own labels. In the labels of the others errors are planted: of
each label's positives 20 % are dropped, and as many wrong ones are added as 15 % of them. ``quick`` is
trained on the wrong and on the right labels; ``tagger suspects`` ranks the cells; a truthful reviewer
settles 5 % of them, written to a real store, while the ranking learns after every 20 and all cells are
judged anew after every 200; ``tagger retrain``. The table gives mAP on the held-out photos and the share of
the gap that is closed. Lines that are in OUT/BACKBONE are not run again.

The reviews go in the app's order (``review_order``: likely errors, then rare labels); ``--by-doubt`` takes
doubt alone.

``--features RUN`` takes the cached features of any ``quick`` run on these photos instead of reading them:
the backbone is frozen, so that all trainings are those of heads, and take seconds. Photos: $TAGGER_SHARED
or ../shared.
"""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
from backbones import SHARED, add_backbone_option, backbone_settings

import tagger
from tagger.arrays import NO, YES, Cells
from tagger.commands.console.screen import Screen
from tagger.commands.retrain import retrain
from tagger.commands.suspects import load_evidence, suspects
from tagger.data import split_images
from tagger.review import Decision, Store
from tagger.runs import RunFolder
from tagger.scoring import mean_average_precision
from tagger.suspects import refit_doubt, rescore_suspects, review_order

PHOTOS = SHARED / "data/photos"
DROPPED, ADDED, REVIEWED, BATCH, RECONSIDERED = 0.20, 0.15, 0.05, 20, 200


def plant(truth_NK: Cells, rows: np.ndarray, rng: np.random.Generator) -> Cells:
    """The labels with errors in some rows."""
    labels_NK = truth_NK.copy()
    for k in range(truth_NK.shape[1]):
        yes, no = rows[truth_NK[rows, k] == YES], rows[truth_NK[rows, k] == NO]
        labels_NK[rng.choice(yes, round(DROPPED * len(yes)), replace=False), k] = NO
        labels_NK[rng.choice(no, round(ADDED * len(yes)), replace=False), k] = YES
    return labels_NK


class Photos:
    """The photos of one seed: their labels, right and wrong, and which are held out."""

    def __init__(self, seed: int, held_out: int, backbone: str):
        self.backbone = backbone
        self.seed, dataset = seed, tagger.read_dataset(PHOTOS)
        self.names, self.images, self.truth_NK = dataset.labels, dataset.images, dataset.labels_NK
        share = held_out / len(dataset.images)
        self.cut = split_images(
            self.truth_NK, self.images["hash"].tolist(), val=0.1, test=share, folds=5, seed=seed
        )
        self.held_N = self.cut.split == "test"
        rng = np.random.default_rng(seed)
        self.wrong_NK = plant(self.truth_NK, np.flatnonzero(~self.held_N), rng)

    def write(self, path: Path, labels_NK: Cells, rows: np.ndarray) -> Path:
        """``file,labels`` of some rows."""
        names = np.array(self.names, dtype=object)
        joined = ["|".join(names[labels_NK[row] == YES]) for row in rows]
        pd.DataFrame({"file": self.images["file"].iloc[rows], "labels": joined}).to_csv(path, index=False)
        return path

    def train(self, path: Path, labels_NK: Cells, features: RunFolder | None) -> RunFolder:
        """A ``quick`` run on these labels of the photos that are not held out, trained once."""
        run = RunFolder(path)
        if run.finished:
            return run
        shutil.rmtree(path, ignore_errors=True)
        if features is not None:
            return retrain(self.begin(path.with_name(f"{path.name}-base"), labels_NK, features), out=path,
                           store=f"sqlite:///{path}-none.db", screen=Screen())  # fmt: skip
        labels = self.write(path.with_suffix(".csv"), labels_NK, np.flatnonzero(~self.held_N))
        sets = [*backbone_settings(self.backbone), f"seed={self.seed}"]
        return tagger.train(PHOTOS, run=path, preset="quick", labels=labels, overrides=sets, screen=Screen())

    def begin(self, path: Path, labels_NK: Cells, features: RunFolder) -> RunFolder:
        """A run that has only features and labels yet, the held-out photos its test split."""
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(features.path, path)
        run, theirs = RunFolder(path), features.load_images()["file"]
        order = pd.Series(np.arange(len(theirs)), index=theirs)[self.images["file"]].to_numpy()
        run.save_embeddings(features.load_embeddings()[order])
        run.save_views(features.load_views()[:, order])
        run.save_images(self.images.assign(split=self.cut.split, fold=self.cut.fold))
        run.save_cells(labels_NK, self.names)
        run.save_oof(features.load_oof()[0][order], self.cut.fold)
        run.save_settings(features.load_settings().model_copy(update={"seed": self.seed}))
        (path / "suspects.parquet").unlink(missing_ok=True)
        return run

    def score(self, run: RunFolder, folder: Path) -> float:
        """mAP on the held-out photos with their own labels."""
        images, (probs_NK, fold_N) = run.load_images(), run.load_oof()
        if len(images) == len(self.images):
            return mean_average_precision(self.truth_NK[fold_N == -1], probs_NK[fold_N == -1])
        labels = self.write(folder / "held-out.csv", self.truth_NK, np.flatnonzero(self.held_N))
        return float(tagger.evaluate(PHOTOS, run, labels=labels)["overall"]["map"]["value"])

    def review(self, run: RunFolder, url: str, *, by_doubt: bool) -> dict[str, int]:
        """5 % of the cells that may teach, settled as they truly are, in the order that the ranking learns."""
        table, images = suspects(run, store=url), run.load_images()
        place = pd.Series(np.arange(len(self.images)), index=self.images["file"])
        columns = table["label"].map({name: k for k, name in enumerate(self.names)}).to_numpy()
        rows = place[images["file"].iloc[table["row"]]].to_numpy()
        truth_T, given_T = self.truth_NK[rows, columns], table["given"].to_numpy()
        evidence, open_T = load_evidence(run, url), ~self.held_N[rows]
        total = round(REVIEWED * int((~self.held_N).sum()) * len(self.names))
        told: list[int] = []
        doubt, current = table["doubt"].to_numpy(), table
        store = Store.open(url)
        while len(told) < total and open_T.any():
            order = np.argsort(-doubt, kind="stable") if by_doubt else review_order(table, doubt)
            batch = order[open_T[order]][: min(BATCH, total - len(told))]
            store.record([_decision(table, n, int(truth_T[n]), float(doubt[n]), run) for n in batch])
            open_T[batch] = False
            told += batch.tolist()
            verdicts = pd.DataFrame({"position": told, "wrong": (truth_T != given_T)[told]})
            doubt = refit_doubt(current, verdicts)
            if len(told) % RECONSIDERED == 0:
                current = rescore_suspects(evidence, table, verdicts)
        store.close()
        found = int((truth_T != given_T)[told].sum())
        return {"settled": len(told), "found": found, "errors": int((self.wrong_NK != self.truth_NK).sum())}


def _decision(table: pd.DataFrame, n: int, value: int, doubt: float, run: RunFolder) -> Decision:
    """What a truthful person says of a suspect."""
    row = table.iloc[n]
    return Decision(
        hash=row["hash"], label=row["label"], verdict="yes" if value == YES else "no", before=int(row["given"]),
        suggested=int(row["suggested"]), doubt=doubt, run=str(run.path), reviewer="truth", seconds=None,
        client="benchmark", seq=n,
    )  # fmt: skip


def run_once(
    seed: int, out: Path, features: RunFolder | None, held_out: int, backbone: str, *, by_doubt: bool
) -> dict[str, object]:
    """One seed, from planting to the share of the gap."""
    photos, folder = Photos(seed, held_out, backbone), out / f"seed-{seed}{'-features' if features else ''}"
    folder.mkdir(parents=True, exist_ok=True)
    noisy = photos.train(folder / "noisy", photos.wrong_NK, features)
    clean = photos.train(folder / "clean", photos.truth_NK, features)
    (folder / "review.db").unlink(missing_ok=True)
    url = f"sqlite:///{(folder / 'review.db').resolve()}"
    counts = photos.review(noisy, url, by_doubt=by_doubt)
    shutil.rmtree(folder / "reviewed", ignore_errors=True)
    after = retrain(noisy, out=folder / "reviewed", store=url, screen=Screen())
    scores = {
        name: photos.score(run, folder)
        for name, run in (("noisy", noisy), ("clean", clean), ("reviewed", after))
    }
    closed = (scores["reviewed"] - scores["noisy"]) / (scores["clean"] - scores["noisy"])
    compared = after.load_metrics()["comparison"]["overall"]["map"]
    return {
        **scores,
        "closed": closed,
        **counts,
        "way": after.load_metrics()["doubted"]["way"],
        "own_map": compared,
    }


def print_table(path: Path) -> None:
    """One row a seed and the share of the gap closed over all: the sum of gains by the sum of gaps."""
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    print("| seed | errors | reviewed | found | way | mAP noisy | reviewed | clean | gap closed |")
    print("|---|---|---|---|---|---|---|---|---|")
    for line in lines:
        numbers = " | ".join(f"{line[name]:.3f}" for name in ("noisy", "reviewed", "clean"))
        counts = f"{line['errors']:,} | {line['settled']:,} | {line['found']:,} | {line['way']}"
        print(
            f"| {line['seed']}{'' if line['full'] else ' (features)'} | {counts} | {numbers} | {line['closed']:.0%} |"
        )
    gain, gap = (sum(line[name] - line["noisy"] for line in lines) for name in ("reviewed", "clean"))
    print(f"Together {gain / gap:.0%} of the gap closed.")


def main() -> None:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--held-out", type=int, default=2000)
    parser.add_argument("--features", type=Path, default=None)
    add_backbone_option(parser)
    parser.add_argument("--by-doubt", action="store_true")
    parser.add_argument("--table", action="store_true")
    args = parser.parse_args()
    out = args.out / args.backbone
    out.mkdir(parents=True, exist_ok=True)
    results = out / "results.jsonl"
    done = [json.loads(line) for line in results.read_text("utf-8").splitlines()] if results.exists() else []
    for seed in [] if args.table else args.seeds:
        key = {
            "seed": seed,
            "full": args.features is None,
            "held_out": args.held_out,
            "by_doubt": args.by_doubt,
        }
        if any(all(line[name] == value for name, value in key.items()) for line in done):
            continue
        features = RunFolder(args.features) if args.features else None
        result = run_once(seed, out, features, args.held_out, args.backbone, by_doubt=args.by_doubt)
        with results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(key | result) + "\n")
    if not results.exists():
        parser.error(f"{results}: nothing has been measured yet")
    print_table(results)


if __name__ == "__main__":
    main()
