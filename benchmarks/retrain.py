"""How much of what wrong labels cost does reviewing 5 % of the cells bring back, through the whole pipeline?

    python benchmarks/retrain.py --out results/ --seeds 0 1 2 3 4
    python benchmarks/retrain.py --out results/ --table

Rows: ``photos`` with planted errors (of each label's positives 20 % are dropped, and as many wrong ones are
added as 15 % of them); ``objects``, people's own mistakes against a verified truth, every label that any of
three people gave, or that of the first alone. Each seed draws 3,000 photos and holds out all others with
their right labels.

A ``quick`` run on the wrong labels is split by these labels; ``tagger suspects`` ranks its cells; a truthful
reviewer settles 5 % of them in the order of the app, written to a real store, while the ranking learns after
every 20 and all cells are judged anew after every 200; ``tagger retrain``. The same on the right labels,
with the same split, is what can be reached. The table gives mAP on the held-out photos and the share of the
gap that is closed.

The backbone is frozen: its features are computed once for a data set and kept in OUT. Everything else is
done as by the commands. Lines that are in OUT/retrain.jsonl are not run again. ``--any-photo`` asks about the
run's own test photos like about all others. Photos: $TAGGER_SHARED or ../shared.
"""

import argparse
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from backbones import add_backbone_option
from scipy import stats
from suspect_rows import DataSet
from suspect_suite import reviewed

from tagger.arrays import NO, YES, Cells
from tagger.commands.console.screen import Screen
from tagger.commands.retrain import retrain
from tagger.commands.suspects import load_evidence, suspects
from tagger.data import Split, split_images
from tagger.model.tag_model import load_model
from tagger.review import Decision, Store
from tagger.runs import RunFolder
from tagger.scoring import mean_average_precision
from tagger.training.head.cross_fit import head_logits

ROWS = {
    "photos, planted": ("photos", None),
    "objects, three people": ("objects", "labels.csv"),
    "objects, one person": ("objects", "one_person.csv"),
}
DROPPED, ADDED, REVIEWED, NUM = 0.20, 0.15, 0.05, 3000


def plant(truth_NK: Cells, rows: np.ndarray, rng: np.random.Generator) -> Cells:
    """The labels with errors in some rows."""
    labels_NK = truth_NK.copy()
    for k in range(truth_NK.shape[1]):
        yes, no = rows[truth_NK[rows, k] == YES], rows[truth_NK[rows, k] == NO]
        labels_NK[rng.choice(yes, round(DROPPED * len(yes)), replace=False), k] = NO
        labels_NK[rng.choice(no, round(ADDED * len(yes)), replace=False), k] = YES
    return labels_NK


@dataclass(frozen=True)
class Photos:
    """The photos of one row and seed: their labels, right and wrong, which are held out, and the others' split."""

    data: DataSet
    truth_NK: Cells
    wrong_NK: Cells
    held_N: np.ndarray
    cut: Split
    seed: int

    @classmethod
    def draw(cls, data: DataSet, file: str | None, seed: int) -> "Photos":
        """``NUM`` photos, copies together, that are split by their wrong labels as ``tagger train`` splits them."""
        rng, truth_NK = np.random.default_rng(seed), data.truth()
        groups = rng.permutation(np.unique(data.group_N))
        sizes = pd.Series(data.group_N).value_counts()[groups].cumsum().to_numpy()
        held_N = ~np.isin(data.group_N, groups[sizes <= NUM])
        rows = np.flatnonzero(~held_N)
        wrong_NK = data.read(file, "labels") if file else plant(truth_NK, rows, rng)
        hashes, group_N = data.images["hash"].iloc[rows].tolist(), data.group_N[rows]
        cut = split_images(wrong_NK[rows], hashes, groups=group_N, val=0.1, test=0.1, folds=5, seed=seed)
        return cls(data, truth_NK, wrong_NK, held_N, cut, seed)

    def train(self, path: Path, labels_NK: Cells) -> RunFolder:
        """A ``quick`` run on these labels of the photos that are not held out."""
        shutil.rmtree(path, ignore_errors=True)
        base = self._begin(path.with_name(f"{path.name}-base"), labels_NK)
        return retrain(base, out=path, store=f"sqlite:///{path.resolve()}-none.db", screen=Screen())

    def _begin(self, path: Path, labels_NK: Cells) -> RunFolder:
        """A run that has only features and labels yet."""
        shutil.rmtree(path, ignore_errors=True)
        source, rows = self.data.run, np.flatnonzero(~self.held_N)
        shutil.copytree(source.path, path)
        run, images = RunFolder(path), self.data.images.iloc[rows].reset_index(drop=True)
        run.save_embeddings(source.load_embeddings()[rows])
        run.save_views(source.load_views()[:, rows])
        run.save_images(images.assign(split=self.cut.split, fold=self.cut.fold))
        run.save_cells(labels_NK[rows], self.data.names)
        run.save_oof(source.load_oof()[0][rows], self.cut.fold)
        run.save_settings(source.load_settings().model_copy(update={"seed": self.seed}))
        for name in ("suspects.parquet", "dynamics.npz", "neighbours.npz"):
            (path / name).unlink(missing_ok=True)
        return run

    def score(self, run: RunFolder) -> float:
        """mAP on the held-out photos with their right labels."""
        head = load_model(run.model_path, run.load_settings(), len(self.data.names)).head
        logits_NK = head_logits(head, self.data.run.load_views(), np.flatnonzero(self.held_N))
        return float(mean_average_precision(self.truth_NK[self.held_N], logits_NK))

    def review(self, run: RunFolder, url: str, *, any_photo: bool) -> dict[str, int]:
        """5 % of the cells, settled as they truly are, in the order that the app asks them in."""
        table, evidence = suspects(run, store=url), load_evidence(run, url)
        column = table["label"].map({name: k for k, name in enumerate(self.data.names)}).to_numpy()
        truth_NK, rows = self.truth_NK[~self.held_N], table["row"].to_numpy()
        truth_T = truth_NK[rows, column]
        wrong_T = truth_T != table["given"].to_numpy()
        teaches_T = None if any_photo else self.cut.split[rows] != "test"
        count = round(REVIEWED * truth_NK.size)
        told = reviewed(evidence, table, wrong_T, count, as_app=True, teaches_T=teaches_T)
        store = Store.open(url)
        store.record([_decision(table, n, int(truth_T[n]), run) for n in told])
        store.close()
        errors = int((self.wrong_NK != self.truth_NK)[~self.held_N].sum())
        return {"settled": len(told), "found": int(wrong_T[told].sum()), "errors": errors}


def _decision(table: pd.DataFrame, n: int, value: int, run: RunFolder) -> Decision:
    """What a truthful person says of a suspect."""
    row = table.iloc[n]
    return Decision(
        hash=row["hash"], label=row["label"], verdict="yes" if value == YES else "no", before=int(row["given"]),
        suggested=int(row["suggested"]), doubt=float(row["doubt"]), run=str(run.path), reviewer="truth",
        seconds=None, client="benchmark", seq=n,
    )  # fmt: skip


def run_once(photos: Photos, folder: Path, *, any_photo: bool) -> dict[str, object]:
    """One row and seed, from wrong labels to the share of the gap."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    noisy = photos.train(folder / "noisy", photos.wrong_NK)
    clean = photos.train(folder / "clean", photos.truth_NK)
    url = f"sqlite:///{(folder / 'review.db').resolve()}"
    counts = photos.review(noisy, url, any_photo=any_photo)
    after = retrain(noisy, out=folder / "reviewed", store=url, screen=Screen())
    scores = {"noisy": photos.score(noisy), "reviewed": photos.score(after), "clean": photos.score(clean)}
    way = after.load_metrics()["doubted"]["way"]
    shutil.rmtree(folder)
    closed = (scores["reviewed"] - scores["noisy"]) / (scores["clean"] - scores["noisy"])
    return {**scores, "closed": closed, **counts, "way": way}


def print_table(lines: list[dict]) -> None:
    """One line a row: means over the seeds, and the share of the gap with its 95 % t interval."""
    print(
        "| row | seeds | errors | reviewed | found | mAP wrong labels | after reviewing | right labels | gap closed |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name in dict.fromkeys(line["row"] for line in lines):
        rows = pd.DataFrame([line for line in lines if line["row"] == name])
        mean = rows.mean(numeric_only=True)
        counts = " | ".join(f"{mean[key]:,.0f}" for key in ("errors", "settled", "found"))
        scores = " | ".join(f"{mean[key]:.3f}".lstrip("0") for key in ("noisy", "reviewed", "clean"))
        print(f"| {name} | {len(rows)} | {counts} | {scores} | {_with_interval(rows['closed'].to_numpy())} |")


def _with_interval(values: np.ndarray) -> str:
    """The mean and its 95 % interval, in percent."""
    if len(values) < 2:
        return f"{values.mean():.0%}".replace("%", " %")
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return f"{100 * values.mean():.0f} % ({100 * (values.mean() - half):.0f} to {100 * (values.mean() + half):.0f})"


def main() -> None:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--only", default="", help="rows whose name has this in it")
    parser.add_argument(
        "--any-photo", action="store_true", help="ask about test photos like about all others"
    )
    parser.add_argument("--table", action="store_true", help="only print what has been measured")
    add_backbone_option(parser)
    args = parser.parse_args()
    path = args.out / ("retrain-any-photo.jsonl" if args.any_photo else "retrain.jsonl")
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []
    done = {(line["row"], line["seed"]) for line in lines}
    for seed in [] if args.table else args.seeds:
        for name, (data, file) in ROWS.items():
            if args.only in name and (name, seed) not in done:
                photos = Photos.draw(DataSet(args.out, data, args.backbone), file, seed)
                result = run_once(photos, args.out / "retrain-work", any_photo=args.any_photo)
                lines.append({"row": name, "seed": seed, **result})
                with path.open("a", encoding="utf-8") as out:
                    out.write(json.dumps(lines[-1]) + "\n")
    if not lines:
        parser.error(f"{path}: nothing has been measured yet")
    print_table(lines)


if __name__ == "__main__":
    main()
