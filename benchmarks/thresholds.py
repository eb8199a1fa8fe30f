"""Which rule for per-label thresholds does best on images it has not seen?

    python benchmarks/thresholds.py runs/RUN     out-of-fold probabilities of a finished run
    python benchmarks/thresholds.py FILE.npz     probs (N, K) and labels (N, K; -1 unknown)
    python benchmarks/thresholds.py synthetic    labels and scores drawn anew each repeat

Options: [--repeats 200] [--aim f1].

Each repeat splits the images in halves at random and chooses thresholds on one half, and on half of that.
Printed are the means of macro-F1 and micro-F1 on the other half, how much macro-F1 gains over the best
shared threshold, and in how many repeats it gains at all.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.special import expit

from tagger.arrays import NO, UNKNOWN, YES, Cells, Floats, logit, sigmoid
from tagger.runs.folder import RunFolder
from tagger.scoring import (
    apply_thresholds,
    best_shared_threshold,
    choose_thresholds,
    confusion_counts,
    micro_macro_averages,
    parse_objective,
)
from tagger.scoring.best_thresholds import empirical_threshold, model_based_threshold
from tagger.scoring.bootstrap import image_weights
from tagger.scoring.calibration import fit_scale
from tagger.scoring.threshold_objective import ThresholdObjective

Problem = tuple[Cells, Floats]


def synthetic(rng: np.random.Generator, num_images: int = 8000, num_labels: int = 14) -> Problem:
    """Labels on 0.5 to 30 % of the images, of different difficulty; probabilities off by a scale and a bias a label."""
    shares_K = np.exp(rng.uniform(np.log(0.005), np.log(0.3), num_labels))
    labels_NK = (rng.random((num_images, num_labels)) < shares_K).astype(np.int8)
    distance_K = rng.uniform(1.3, 3.0, num_labels)
    wider_K = np.exp(rng.normal(0, 0.15, num_labels))
    signal_NK = rng.normal(size=labels_NK.shape) + labels_NK * distance_K * wider_K
    logits_NK = signal_NK * distance_K - distance_K**2 / 2 + logit(shares_K)
    scale_K, bias_K = np.exp(rng.normal(0, 0.25, num_labels)), rng.normal(0, 0.4, num_labels)
    return labels_NK, sigmoid(scale_K * logits_NK + bias_K)


def load(path: Path) -> Problem:
    """Labels and out-of-sample probabilities of a run folder or an npz file."""
    if path.is_dir():
        run = RunFolder(path)
        probs_NK, fold_N = run.load_oof()
        return run.load_cells()[fold_N >= 0], probs_NK[fold_N >= 0].astype(np.float64)
    with np.load(path) as stored:
        return stored["labels"], stored["probs"].astype(np.float64)


def smoothed(labels_N: Cells, logits_N: Floats, aim: ThresholdObjective, *, width: float = 0.3) -> float:
    """The best point of the utility curve after a logistic kernel has blurred every score."""
    grid_G = np.linspace(-6, 4, 201)
    tp_G, fp_G = (
        expit((logits_N[labels_N == side][:, None] - grid_G) / (0.6 * width)).sum(axis=0)
        for side in (YES, NO)
    )
    return float(grid_G[aim.utility(tp_G, fp_G, (labels_N == YES).sum(), (labels_N == NO).sum()).argmax()])


def rules(labels_NK: Cells, probs_NK: Floats, aim: ThresholdObjective) -> dict[str, Floats]:
    """Thresholds in log-odds (K,) by every rule."""
    num_labels = labels_NK.shape[1]
    weights_NB = np.hstack(list(image_weights(len(labels_NK), 60)))
    ones_N1 = weights_NB[:, :1] * 0 + 1
    known_NK = labels_NK != UNKNOWN
    centre = fit_scale(logit(probs_NK[known_NK], eps=1e-15), labels_NK[known_NK] == YES)
    yes_K = (labels_NK == YES).sum(axis=0)

    def each(rule: Callable[[Cells, Floats], float]) -> Floats:
        return np.array([rule(labels_NK[:, k], probs_NK[:, k]) for k in range(num_labels)])

    shared, micro = (
        logit(np.array(best_shared_threshold(labels_NK, probs_NK, aim, average=a)))
        for a in ("macro", "micro")
    )
    bagged = [
        empirical_threshold(labels_NK[:, k], probs_NK[:, k], aim, weights_NB) for k in range(num_labels)
    ]
    bag_K, var_K = np.array([c.value for c in bagged]), np.array([c.draws_B.var() for c in bagged])
    between = max(float(np.mean((bag_K - shared) ** 2 - var_K)), 0.01)

    def modelled(prior: float) -> Floats:
        return each(lambda y, p: model_based_threshold(y, p, aim, ones_N1, centre=centre, prior=prior).value)

    def towards(n0: float, own_K: Floats, other: Floats) -> Floats:
        return mix(yes_K / (yes_K + n0), own_K, other)

    models = {prior: modelled(prior) for prior in (0.001, 10, 50, 300)}
    both_K = towards(1000, bag_K, models[50])
    return {
        "best shared, macro": np.full(num_labels, shared),
        "best shared, micro": np.full(num_labels, micro),
        "argmax": each(lambda y, p: empirical_threshold(y, p, aim, ones_N1).value),
        "blurred argmax": each(lambda y, p: smoothed(y, logit(p), aim)),
        "bagged argmax": bag_K,
        "bagged argmax, median": np.array([np.median(c.draws_B) for c in bagged]),
        "bagged -> shared, empirical Bayes": mix(between / (between + var_K), bag_K, shared),
        **{f"bagged -> shared, {n0}": towards(n0, bag_K, shared) for n0 in (10, 25, 100)},
        **{f"model, prior {prior:g}": model_K for prior, model_K in models.items()},
        **{f"bagged -> model 50, {n0}": towards(n0, bag_K, models[50]) for n0 in (100, 300, 1000)},
        **{f"bagged -> model 50, 1000 -> shared, {n0}": towards(n0, both_K, shared) for n0 in (2, 5, 20)},
        "choose_thresholds": logit(choose_thresholds(labels_NK, probs_NK, aim).values_K),
    }


def mix(share: Floats, first: Floats, second: Floats) -> Floats:
    """``share`` of the first and the rest of the second."""
    return share * first + (1 - share) * second


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("problem", help="a run, an npz file with probs and labels, or 'synthetic'")
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--aim", default="f1")
    args = parser.parse_args()
    aim, started = parse_objective(args.aim), time.monotonic()
    stored = None if args.problem == "synthetic" else load(Path(args.problem))

    scores: dict[str, list[list[tuple[float, float]]]] = {}
    for repeat in range(args.repeats):
        rng = np.random.default_rng(repeat)
        labels, probs = synthetic(rng) if stored is None else stored
        order = rng.permutation(len(labels))
        half, quarter, test = order[: len(order) // 2], order[: len(order) // 4], order[len(order) // 2 :]
        for size, chosen_on in enumerate((half, quarter)):
            for name, cutoffs_K in rules(labels[chosen_on], probs[chosen_on], aim).items():
                values = micro_macro_averages(
                    confusion_counts(labels[test], apply_thresholds(probs[test], sigmoid(cutoffs_K)))
                )
                row = scores.setdefault(name, [[], []])
                row[size].append((float(values["macro_f1"]), float(values["micro_f1"])))

    print(f"{args.problem}, aim {aim}, {args.repeats} repeats, {time.monotonic() - started:.0f} s")
    print(f"{'':46s}{'chosen on a half':^32s}   {'chosen on a quarter':^32s}")
    print(f"{'rule':46s}" + "   ".join([f"{'macro':>6s} {'gain':>8s} {'wins':>6s} {'micro':>8s}"] * 2))
    base = np.array(scores["best shared, macro"])[:, :, 0]
    for name, row in scores.items():
        cells = []
        for size, pairs in enumerate(np.array(row)):
            macro, gain = pairs[:, 0], pairs[:, 0] - base[size]
            cells.append(
                f"{macro.mean():6.4f} {gain.mean():+8.4f} {(gain > 0).mean():6.0%} {pairs[:, 1].mean():8.4f}"
            )
        print(f"{name:46s}" + "   ".join(cells))


if __name__ == "__main__":
    main()
