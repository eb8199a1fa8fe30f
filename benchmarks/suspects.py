"""Are planted label errors found, and how many more than by cleanlab's scores on the same probabilities?

    python benchmarks/suspects.py --out results/ --seeds 0 1 2
    python benchmarks/suspects.py --out results/ --kind hard --seeds 0 1 2
    python benchmarks/suspects.py --out results/ --suite --seeds 0 1 2 [--rows "one person" "faces, half"]

``--suite`` runs the bench of many noises (``suspect_rows.py``), people's own mistakes among them; what is
done is kept in OUT/BACKBONE/suite.jsonl and not done again; ``--again`` does it again.

Otherwise errors are planted in the labels of ``data/photos``: of each label's positives 20 % are dropped, and as many
wrong ones are added as 15 % of its positives. ``random``: anywhere. ``hard``: positives are dropped where a
model trained on the clean labels is least sure (small objects), wrong ones are added where it comes close
to them (look-alikes). ``quick`` is trained on the wrong labels (kept in OUT/BACKBONE, not trained again),
``tagger suspects`` ranks the cells, and a truthful reviewer goes through them. The ranking learns after
every 20 answers, and all cells are judged anew after every 200, as in the app. Photos' own errors count as
right here, for both sides. Photos: $TAGGER_SHARED or ../shared. Ratios have 95 % intervals over seeds (t)
when there are several.
"""

import argparse
import json
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
from backbones import SHARED, add_backbone_option, backbone_settings
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import average_precision_score
from suspect_suite import run_suite
from suspect_suite_table import print_suite

import tagger
from tagger.arrays import NO, YES, Cells, Floats
from tagger.commands.console.screen import Screen
from tagger.commands.suspects import load_evidence, suspects
from tagger.runs import RunFolder
from tagger.suspects import (
    Evidence,
    estimate_errors,
    find_suspects,
    refit_doubt,
    rescore_suspects,
    review_order,
)

NOBODY = "sqlite:///no-decisions.db"  # a file that is not there, in a folder that is: no decisions
DROPPED, ADDED, BATCH, RECONSIDERED, DRAWS = 0.20, 0.15, 20, 200, 20


def plant(truth_NK: Cells, probs_NK: Floats | None, rng: np.random.Generator) -> Cells:
    """Labels with errors; with probabilities, where those are least sure."""
    labels_NK = truth_NK.copy()
    for k in range(truth_NK.shape[1]):
        yes, no = np.flatnonzero(truth_NK[:, k] == YES), np.flatnonzero(truth_NK[:, k] == NO)
        drop_share = np.ones(len(yes)) if probs_NK is None else 1.02 - probs_NK[yes, k]
        add_share = np.ones(len(no)) if probs_NK is None else _alike(probs_NK[no, k])
        num_dropped, num_added = round(DROPPED * len(yes)), round(ADDED * len(yes))
        labels_NK[rng.choice(yes, num_dropped, replace=False, p=drop_share / drop_share.sum()), k] = NO
        labels_NK[rng.choice(no, num_added, replace=False, p=add_share / add_share.sum()), k] = YES
    return labels_NK


def _alike(probs_N: Floats) -> Floats:
    """More for look-alikes; nothing for cells so probable that the photo may well show the label."""
    return np.where(probs_N < 0.5, probs_N + 1e-4, 1e-9)


def trained(out: Path, name: str, labels: Path, seed: int, backbone: str) -> RunFolder:
    """A ``quick`` run on these labels, trained once."""
    run = RunFolder(out / name)
    if not run.finished:
        tagger.train(
            SHARED / "data/photos",
            run=None if run.exists else run.path,
            preset="quick",
            labels=labels,
            overrides=[*backbone_settings(backbone), f"seed={seed}"],
            screen=Screen(),
        )
    return run


def read_truth(run: RunFolder) -> Cells:
    """The photos' own labels, in the run's order of images and labels."""
    table = pd.read_csv(SHARED / "data/photos/labels.csv", keep_default_na=False).set_index("file")["labels"]
    names = run.load_labels()
    rows = [table[file.removeprefix("images/")].split("|") for file in run.load_images()["file"]]
    return np.array([[name in row for name in names] for row in rows], dtype=np.int8)


def write_labels(path: Path, run: RunFolder, labels_NK: Cells) -> None:
    """``file,labels``."""
    names = np.array(run.load_labels(), dtype=object)
    files = run.load_images()["file"].str.removeprefix("images/")
    joined = ["|".join(names[labels_K == YES]) for labels_K in labels_NK]
    pd.DataFrame({"file": files, "labels": joined}).to_csv(path, index=False)


def review(
    evidence: Evidence, table: pd.DataFrame, wrong_T: NDArray[np.bool_], fixed_C: NDArray[np.bool_]
) -> dict[str, object]:
    """Errors found after as many reviews as there are errors, learning, not learning and by cleanlab's fixed order."""
    total = int(fixed_C.sum())
    doubt, decided, slowest = table["doubt"].to_numpy(), np.zeros(len(table), bool), 0.0
    told: list[int] = []
    current = table
    while len(told) < min(total, len(table)):
        order = review_order(table, doubt)
        batch = order[~decided[order]][: min(BATCH, total - len(told))]
        decided[batch] = True
        told += batch.tolist()
        began = perf_counter()
        verdicts = pd.DataFrame({"position": told, "wrong": wrong_T[told]})
        doubt = refit_doubt(current, verdicts)
        slowest = max(slowest, perf_counter() - began)
        if len(told) % RECONSIDERED == 0:
            current = rescore_suspects(evidence, table, verdicts)
    return {
        "learning": int(wrong_T[told].sum()) / total,
        "fixed": int(wrong_T[:total].sum()) / total,
        "cleanlab": int(fixed_C[:total].sum()) / total,
        "slowest_refit_s": slowest,
    }


def honesty(run: RunFolder, evidence: Evidence, wrong_NK: NDArray[np.bool_]) -> dict[str, object]:
    """The estimate after 450 reviews and 50 blind ones, and what is true, for ``DRAWS`` draws of the audit slice."""
    files, hashes = (run.load_images()[name].to_numpy() for name in ("file", "hash"))
    column = {name: k for k, name in enumerate(evidence.names)}
    rows = []
    for seed in range(DRAWS):
        table = find_suspects(evidence, files, hashes, seed=seed).table
        wrong_T = wrong_NK[table["row"].to_numpy(), table["label"].map(column).to_numpy()]
        audit = table.index[table["audit"]].to_numpy()
        audit = audit[np.argsort(table["audit_order"].to_numpy()[audit])][:50]
        ranked = np.setdiff1d(np.flatnonzero(~table["audit"]), audit)
        position = np.concatenate([ranked[:450], audit])
        verdicts = pd.DataFrame(
            {"position": position, "wrong": wrong_T[position], "blind": np.arange(500) >= 450}
        )
        doubt = refit_doubt(table, verdicts)
        order = review_order(table, doubt)
        queue = order[np.isin(order, ranked[450:])]
        said = estimate_errors(table, doubt, verdicts, queue)
        left, soon = int(wrong_NK.sum() - wrong_T[position].sum()), int(wrong_T[queue[:100]].sum())
        rows.append(
            (said.errors_low, said.errors_left, said.errors_high, left, said.next_low, said.next_high, soon)
        )
    low, middle, high, left, soon_low, soon_high, soon = np.array(rows, float).T
    return {
        "errors_left": [low.mean(), middle.mean(), high.mean()],
        "errors_left_truth": left.mean(),
        "errors_left_inside": float(((low <= left) & (left <= high)).mean()),
        "next_hundred_inside": float(((soon_low <= soon) & (soon <= soon_high)).mean()),
    }


def image_scores(
    labels_NK: Cells, probs_NK: Floats, cell_doubt_NK: Floats, wrong_NK: NDArray[np.bool_]
) -> dict[str, float]:
    """Average precision of image-level scores (is any label of the image wrong?): cleanlab's and ours."""
    from cleanlab.multilabel_classification.rank import get_label_quality_scores

    given = [np.flatnonzero(labels_K == YES).tolist() for labels_K in labels_NK]
    wrong_N = wrong_NK.any(axis=1)
    out = {}
    for name, method in {"ema": "exponential_moving_average", "softmin": "softmin"}.items():
        aggregator = {"method": method}
        scores = get_label_quality_scores(
            given, probs_NK, method="self_confidence", aggregator_kwargs=aggregator
        )
        out[f"cleanlab_{name}"] = float(average_precision_score(wrong_N, 1 - scores))
    any_wrong = 1 - np.exp(np.log1p(-np.clip(cell_doubt_NK, 0, 0.999999)).sum(axis=1))
    out["tagger"] = float(average_precision_score(wrong_N, any_wrong))
    return out


def run_once(out: Path, kind: str, seed: int, backbone: str) -> dict[str, object]:
    """Plant, train, rank, review."""
    clean = trained(out, "clean", SHARED / "data/photos/labels.csv", 0, backbone)
    labels_file = out / f"{kind}-{seed}.csv"
    probs_NK, _ = clean.load_oof()
    if not labels_file.exists():
        rng = np.random.default_rng(seed)
        labels_NK = plant(read_truth(clean), None if kind == "random" else probs_NK.astype(np.float64), rng)
        write_labels(labels_file, clean, labels_NK)
    run = trained(out, f"{kind}-{seed}", labels_file, seed, backbone)
    began = perf_counter()
    table = suspects(run, store=NOBODY, limit=1_000_000)
    seconds = perf_counter() - began
    truth_NK, labels_NK = read_truth(run), run.load_cells()
    probs_NK, _ = run.load_oof()
    column = {name: k for k, name in enumerate(run.load_labels())}
    row_T, k_T = table["row"].to_numpy(), table["label"].map(column).to_numpy()
    wrong_NK = labels_NK != truth_NK
    fixed_NK = np.where(labels_NK == YES, 1 - probs_NK, probs_NK)
    doubt_NK = np.zeros(labels_NK.shape)
    doubt_NK[row_T, k_T] = table["doubt"]

    def precision(score_NK: Floats, cells_NK: NDArray[np.bool_]) -> float:
        return float(average_precision_score(wrong_NK[cells_NK], score_NK[cells_NK]))

    evidence = load_evidence(run, NOBODY)
    everything = np.ones(labels_NK.shape, bool)
    wrong_T = wrong_NK[row_T, k_T]
    fixed_order = np.argsort(-fixed_NK.ravel(), kind="stable")
    return {
        "errors": int(wrong_NK.sum()),
        "seconds": seconds,
        "ap": {
            side: {"tagger": precision(doubt_NK, cells), "cleanlab": precision(fixed_NK, cells)}
            for side, cells in (
                ("both", everything),
                ("missing", labels_NK == NO),
                ("spurious", labels_NK == YES),
            )
        },
        "found": review(evidence, table, wrong_T, wrong_NK.ravel()[fixed_order]),
        "estimate": honesty(run, evidence, wrong_NK),
        "images": image_scores(labels_NK, probs_NK.astype(np.float64), doubt_NK, wrong_NK),
    }


def interval(values: list[float]) -> str:
    """Mean and 95 % t interval."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return f"{mean:.3f}"
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return f"{mean:.3f} ({mean - half:.3f} to {mean + half:.3f})"


def _row(name: str, ours: list[float], theirs: list[float]) -> None:
    ratio = [a / b for a, b in zip(ours, theirs, strict=True)]
    print(f"| {name} | {interval(ours)} | {interval(theirs)} | {interval(ratio)} |")


def print_table(lines: list[dict]) -> None:
    """What matters, per kind, as Markdown."""
    for kind in dict.fromkeys(line["kind"] for line in lines):
        rows = [line for line in lines if line["kind"] == kind]
        print(f"\n{kind}: {len(rows)} seeds, about {np.mean([r['errors'] for r in rows]):,.0f} errors\n")
        print("| | tagger | cleanlab | ratio |\n|---|---|---|---|")
        for side in ("both", "missing", "spurious"):
            ours, theirs = ([r["ap"][side][who] for r in rows] for who in ("tagger", "cleanlab"))
            _row(f"average precision, {side}", ours, theirs)
        for how in ("learning", "fixed"):
            ours, theirs = ([r["found"][who] for r in rows] for who in (how, "cleanlab"))
            _row(f"found after as many reviews as errors, {how}", ours, theirs)
        for who in ("ema", "softmin"):
            ours, theirs = (
                [r["images"]["tagger"] for r in rows],
                [r["images"][f"cleanlab_{who}"] for r in rows],
            )
            _row(f"images, average precision against {who}", ours, theirs)
        for r in rows:
            print(f"seed {r['seed']}: {json.dumps(r['estimate'])}")
        print(f"slowest refit {max(r['found']['slowest_refit_s'] for r in rows):.2f} s")


def main() -> None:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kind", choices=("random", "hard"), default="random")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    add_backbone_option(parser)
    parser.add_argument("--again", action="store_true", help="rank again on the kept runs")
    parser.add_argument("--suite", action="store_true", help="the bench of many noises instead")
    parser.add_argument(
        "--rows",
        nargs="+",
        default=[""],
        metavar="TEXT",
        help="with --suite: rows with any TEXT in their names",
    )
    args = parser.parse_args()
    out = args.out / args.backbone
    out.mkdir(parents=True, exist_ok=True)
    if args.suite:
        print_suite(run_suite(out, args.backbone, args.seeds, args.rows, again=args.again))
        return
    results = out / "results.jsonl"
    lines = [json.loads(line) for line in results.read_text("utf-8").splitlines()] if results.exists() else []
    for seed in args.seeds:
        if args.again:
            lines = [line for line in lines if (line["kind"], line["seed"]) != (args.kind, seed)]
        if not any((line["kind"], line["seed"]) == (args.kind, seed) for line in lines):
            lines.append({"kind": args.kind, "seed": seed, **run_once(out, args.kind, seed, args.backbone)})
            results.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    print_table(lines)


if __name__ == "__main__":
    main()
