"""The bench of suspects on many noises (``suspects.py --suite``): one line of figures a row and seed.

All orders are made from the same out-of-fold probabilities: cleanlab's self-confidence, its confident
learning (the issues it names first, by self-confidence), ours, ours without each signal, and the limit: all
signals and the label, weighed by a logistic regression that knows which cells are wrong, cross-fitted.
"""

import json
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from suspect_rows import ROWS, Case, DataSet

from tagger.arrays import NO, YES, Floats
from tagger.suspects import (
    AnsweredPhotos,
    find_suspects,
    refit_doubt,
    rescore_suspects,
    review_order,
)
from tagger.suspects.cell_doubt import combine_signals
from tagger.suspects.evidence import Evidence, log_odds
from tagger.suspects.signals import Signal, build_signals

Bools = NDArray[np.bool_]
MIN_ERRORS, BATCH, RECONSIDERED, TABLE = 50, 20, 200, 60_000
MARKS, MOST_REVIEWS = (100, 300, 500), 1500
DRAWS = 100  # of the bootstrap
LIMIT_ROWS = 60_000


def run_suite(
    out: Path, backbone: str, seeds: list[int], parts: list[str], *, again: bool = False
) -> list[dict]:
    """The lines of all rows with any of ``parts`` in their names; those that are missing are computed and kept."""
    path = out / "suite.jsonl"
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []
    rows = [row for row in ROWS if any(part in row.name for part in parts)]
    asked = {(row.name, seed) for row in rows for seed in seeds}
    if again:
        lines = [line for line in lines if (line["row"], line["seed"]) not in asked]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    done = {(line["row"], line["seed"]) for line in lines}
    sets: dict[str, DataSet] = {}
    for seed in seeds:
        for row in (row for row in rows if (row.name, seed) not in done):
            data = sets.setdefault(row.data, DataSet(out, row.data, backbone))
            line = {"row": row.name, "seed": seed, "real": row.real, **measure(data.case(row, seed))}
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            lines.append(line)
            print(f"{row.name}, seed {seed}: {line['seconds']:.0f} s", flush=True)
    return [line for line in lines if (line["row"], line["seed"]) in asked]


def measure(case: Case) -> dict[str, object]:
    """The figures of one row."""
    began = perf_counter()
    evidence, labels_NK = case.evidence, case.evidence.labels_NK
    wrong_NK = labels_NK != case.truth_NK
    hashes = np.arange(len(labels_NK)).astype(str)
    found = find_suspects(evidence, hashes, hashes, limit=TABLE)
    ours_NK = np.nan_to_num(found.doubt.doubt_NK.astype(np.float64))
    fixed_NK = self_confidence(evidence)
    built = build_signals(evidence)
    scores = {"cleanlab": fixed_NK, "confident learning": confident_learning(evidence, fixed_NK)}
    scores |= {"ours": ours_NK, "limit": limit(evidence, built, wrong_NK)}
    scores |= {f"without {name}": without(evidence, built, name) for name in built}
    sides = {"both": labels_NK >= NO, "missing": labels_NK == NO, "spurious": labels_NK == YES}
    return {
        "errors": {side: int(wrong_NK[cells].sum()) for side, cells in sides.items()},
        "ap": {name: _by_side(score_NK, wrong_NK, sides) for name, score_NK in scores.items()},
        "interval": {side: ratio_interval(ours_NK, fixed_NK, wrong_NK, sides[side]) for side in sides},
        "per_label": {name: _by_label(scores[name], wrong_NK) for name in ("cleanlab", "ours")},
        "calibration": {side: calibration(ours_NK[sides[side]], wrong_NK[sides[side]]) for side in sides},
        "images": _images(ours_NK, fixed_NK, wrong_NK),
        "found": found_after(evidence, found.table, wrong_NK, fixed_NK),
        "seconds": perf_counter() - began,
    }


def ratio_interval(ours_NK: Floats, fixed_NK: Floats, wrong_NK: Bools, cells_NK: Bools) -> list[float] | None:
    """95 % bootstrap interval (photos drawn with replacement) of the ratio of average precisions."""
    if wrong_NK[cells_NK].sum() < MIN_ERRORS:
        return None
    row_C = np.nonzero(cells_NK)[0]
    orders = [np.argsort(-score_NK[cells_NK], kind="stable") for score_NK in (ours_NK, fixed_NK)]
    wrong_C = wrong_NK[cells_NK].astype(np.float64)
    rng, num = np.random.default_rng(0), len(wrong_NK)
    ratios = []
    for _ in range(DRAWS):
        weight_C = np.bincount(rng.integers(num, size=num), minlength=num)[row_C].astype(np.float64)
        ours, theirs = (weighted_precision(wrong_C[order], weight_C[order]) for order in orders)
        ratios.append(ours / theirs)
    return [float(bound) for bound in np.quantile(ratios, [0.025, 0.975])]


def weighted_precision(wrong_C: Floats, weight_C: Floats) -> float:
    """Average precision of cells in their order, each counted as often as its weight says.

    >>> weighted_precision(np.array([1.0, 0.0, 1.0]), np.array([1.0, 1.0, 1.0])) == (1 + 2 / 3) / 2
    True
    """
    hits_C = np.cumsum(wrong_C * weight_C)
    precision_C = hits_C / np.maximum(np.cumsum(weight_C), 1)
    return float((wrong_C * weight_C * precision_C).sum() / max(hits_C[-1], 1))


def _by_side(score_NK: Floats, wrong_NK: Bools, sides: dict[str, Bools]) -> dict[str, float | None]:
    """Average precision; None where fewer than ``MIN_ERRORS`` are wrong."""
    return {
        side: float(average_precision_score(wrong_NK[cells], score_NK[cells]))
        if wrong_NK[cells].sum() >= MIN_ERRORS
        else None
        for side, cells in sides.items()
    }


def _by_label(score_NK: Floats, wrong_NK: Bools) -> float | None:
    """Mean over labels with ten wrong cells of the average precision within each."""
    some = [k for k in range(wrong_NK.shape[1]) if wrong_NK[:, k].sum() >= 10]
    values = [float(average_precision_score(wrong_NK[:, k], score_NK[:, k])) for k in some]
    return float(np.mean(values)) if values else None


def self_confidence(evidence: Evidence) -> Floats:
    """cleanlab's self-confidence of each cell, turned round: high is doubtful."""
    probs_NK = evidence.probs_NK.astype(np.float64)
    return np.where(evidence.labels_NK == YES, 1 - probs_NK, probs_NK)


def confident_learning(evidence: Evidence, fixed_NK: Floats) -> Floats:
    """The issues of confident learning (``cleanlab.filter``, label by label) before all other cells."""
    from cleanlab.filter import find_label_issues

    score_NK = fixed_NK.copy()
    for k in range(score_NK.shape[1]):
        given_N, probs_N = evidence.labels_NK[:, k].astype(int), evidence.probs_NK[:, k].astype(np.float64)
        if 1 < given_N.sum() < len(given_N) - 1:
            pairs_N2 = np.stack([1 - probs_N, probs_N], axis=1)
            score_NK[:, k] += find_label_issues(given_N, pairs_N2, filter_by="confident_learning", n_jobs=1)
    return score_NK


def without(evidence: Evidence, built: dict[str, Signal], name: str) -> Floats:
    """Our doubts without one signal."""
    kept = {other: signal for other, signal in built.items() if other != name}
    return np.nan_to_num(combine_signals(evidence, kept, evidence.rankable_K(10)).doubt_NK.astype(np.float64))


def limit(evidence: Evidence, built: dict[str, Signal], wrong_NK: Bools) -> Floats:
    """What the signals could give: weights learnt on the truth, in each direction, cross-fitted."""
    columns = [signal.for_yes_NK for signal in built.values()]
    columns_NKF = np.stack([*columns, log_odds(evidence.probs_NK)], axis=2)
    score_NK = np.zeros(wrong_NK.shape)
    rng = np.random.default_rng(0)
    for value in (NO, YES):
        n, k = np.nonzero(evidence.labels_NK == value)
        own_CF = np.eye(wrong_NK.shape[1])[k]
        columns_CF = np.hstack([columns_NKF[n, k], own_CF])
        for fold in np.unique(evidence.fold_N):
            held_C = evidence.fold_N[n] == fold
            rest = np.flatnonzero(~held_C)
            rest = rest[rng.permutation(len(rest))[:LIMIT_ROWS]]
            if wrong_NK[n, k][rest].any():
                fitted = LogisticRegression(max_iter=300).fit(columns_CF[rest], wrong_NK[n, k][rest])
                score_NK[n[held_C], k[held_C]] = fitted.predict_proba(columns_CF[held_C])[:, 1]
    return score_NK


def calibration(doubt_C: Floats, wrong_C: Bools) -> dict[str, float] | None:
    """Of the 3 T most doubtful cells, in ten bins of equal count: expected and largest error; sum of doubts by T."""
    total = int(wrong_C.sum())
    if total < MIN_ERRORS:
        return {"sum": float(doubt_C.sum()), "errors": total} if len(doubt_C) else None
    top = np.array_split(np.argsort(-doubt_C)[: 3 * total], 10)
    off = [abs(float(doubt_C[cells].mean() - wrong_C[cells].mean())) for cells in top]
    return {"ece": float(np.mean(off)), "worst": max(off), "sum": float(doubt_C.sum()), "errors": total}


def _images(ours_NK: Floats, fixed_NK: Floats, wrong_NK: Bools) -> dict[str, float] | None:
    """Average precision of whole images: ours, and the best of cleanlab's two ways to pool its scores."""
    wrong_N = wrong_NK.any(axis=1)
    if not MIN_ERRORS <= wrong_N.sum() < len(wrong_N):
        return None
    any_wrong_N = -np.log1p(-ours_NK.clip(0, 1 - 1e-9)).sum(axis=1)
    ranked_NK = np.sort(1 - fixed_NK, axis=1)[:, ::-1]
    moving_N = ranked_NK[:, 0]
    for score_N in ranked_NK.T[1:]:
        moving_N = 0.8 * score_N + 0.2 * moving_N
    weights_NK = np.exp(fixed_NK / 0.1)
    softmin_N = ((1 - fixed_NK) * weights_NK).sum(axis=1) / weights_NK.sum(axis=1)
    theirs = max(float(average_precision_score(wrong_N, -score_N)) for score_N in (moving_N, softmin_N))
    return {"ours": float(average_precision_score(wrong_N, any_wrong_N)), "cleanlab": theirs}


def found_after(
    evidence: Evidence, table: pd.DataFrame, wrong_NK: Bools, fixed_NK: Floats
) -> dict[str, dict[str, int]]:
    """Errors found after 100, 300, 500 and T reviews."""
    column = {name: k for k, name in enumerate(evidence.names)}
    wrong_T = wrong_NK[table["row"].to_numpy(), table["label"].map(column).to_numpy()]
    total = min(int(wrong_NK.sum()), len(table), MOST_REVIEWS)
    marks = sorted({*MARKS, total} - {0})
    fixed_C = wrong_NK.ravel()[np.argsort(-fixed_NK.ravel(), kind="stable")]
    order = review_order(table, table["doubt"].to_numpy())
    ways = {"cleanlab": fixed_C, "ours": wrong_T[order]}
    for way in ("learn", "app"):
        ways[way] = wrong_T[reviewed(evidence, table, wrong_T, marks[-1], as_app=way == "app")]
    return {way: {str(mark): int(in_order[:mark].sum()) for mark in marks} for way, in_order in ways.items()}


def reviewed(
    evidence: Evidence,
    table: pd.DataFrame,
    wrong_T: Bools,
    count: int,
    *,
    as_app: bool,
    teaches_T: Bools | None = None,
) -> list[int]:
    """Positions in the order in which a truthful reviewer is asked, learning from verdicts.

    ``as_app``: also with all doubts computed again from time to time, and answered photos judged anew.
    ``teaches_T``: whether a retraining learns from the photo; all of them, if it is not given.
    """
    doubt, decided_T = table["doubt"].to_numpy(), np.zeros(len(table), bool)
    told: list[int] = []
    current, num_rescored = table, 0
    photos = AnsweredPhotos(evidence) if as_app else None
    while len(told) < min(count, len(table)):
        order = review_order(table, doubt, teaches_S=teaches_T)
        batch = order[~decided_T[order]][: min(BATCH, count - len(told))]
        decided_T[batch] = True
        told += batch.tolist()
        verdicts = pd.DataFrame({"position": told, "wrong": wrong_T[told]})
        if as_app and len(told) % RECONSIDERED == 0:
            current, num_rescored = rescore_suspects(evidence, table, verdicts), len(told)
        doubt = refit_doubt(current, verdicts)
        if photos is not None:
            doubt = photos.rejudged(current, doubt, verdicts[num_rescored:])
    return told
