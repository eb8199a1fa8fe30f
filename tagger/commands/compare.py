"""``tagger compare``: the metrics of two runs on test images that neither has trained on.

Loads no torch: the app calls it too. The cells compared: where a run has an evaluation mask of its test split
(a retrained one does, see ``retrain``), the cells of the mask with their labels; else the cells on whose
label both runs agree.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tagger.arrays import UNKNOWN, Cells, Floats
from tagger.commands.console.screen import Screen
from tagger.commands.steps.related_photos import sets_of
from tagger.data.known_hashes import known_hashes
from tagger.errors import TaggerError, did_you_mean
from tagger.runs import RunFolder, find_run
from tagger.scoring import paired_table
from tagger.text import counted, shortlist

HEADLINE_METRICS = (
    "map",
    "micro_f1",
    "macro_f1",
    "micro_precision",
    "micro_recall",
    "exact_match",
    "calibration_error",
)


@dataclass(frozen=True)
class ComparedRun:
    """One run to compare: labels, probabilities and thresholds of its test images, by hash."""

    path: Path
    names: tuple[str, ...]
    row_of: dict[str, int]  # hash -> row, test images only
    trained_on: frozenset[str]  # hashes of train and val
    labels_NK: Cells
    eval_mask_NK: np.ndarray | None
    probs_NK: Floats
    thresholds_K: Floats
    num_decisions: float
    related_N: np.ndarray | None  # sets of images that belong together, of all rows

    @classmethod
    def from_run(cls, run: RunFolder, others: pd.DataFrame | None = None) -> "ComparedRun":
        """What ``run`` holds; TaggerError if a file is missing.

        A photo whose picture is among ``others``, the images of another run, has the hash that it has there.
        """
        images = run.load_images()
        test_N = (images["split"] == "test").to_numpy()
        known = images["hash"] if others is None else known_hashes(images, others)
        hashes = known.to_numpy(dtype=str)
        row_of = {str(hashes[row]): int(row) for row in np.flatnonzero(test_N)[::-1]}
        return cls(
            path=run.path,
            names=run.load_labels(),
            row_of=row_of,
            trained_on=frozenset(hashes[~test_N].tolist()),
            labels_NK=run.load_cells(),
            eval_mask_NK=run.load_eval_mask(),
            probs_NK=run.load_oof()[0],
            thresholds_K=run.load_decision_rule()[0].values_K,
            num_decisions=_num_decisions(run),
            related_N=sets_of(images),
        )

    def related_rows(self, hashes: list[str]) -> np.ndarray | None:
        """The sets of these test images; None if the run has none."""
        return None if self.related_N is None else self.related_N[[self.row_of[h] for h in hashes]]

    def select(self, hashes: list[str], names: list[str]) -> tuple[Cells, Cells, Floats, Floats]:
        """(labels, labels under the evaluation mask, probabilities, thresholds) of images and labels, in order."""
        column_of = {name: k for k, name in enumerate(self.names)}
        at = np.ix_([self.row_of[h] for h in hashes], [column_of[name] for name in names])
        labels_NK = self.labels_NK[at]
        eval_labels_NK = (
            labels_NK if self.eval_mask_NK is None else np.where(self.eval_mask_NK[at], labels_NK, UNKNOWN)
        )
        return labels_NK, eval_labels_NK.astype(np.int8), self.probs_NK[at], self.thresholds_K[at[1][0]]


def _num_decisions(run: RunFolder) -> float:
    """How many decisions a run knows of; one that is being written knows the most."""
    return run.load_metrics().get("decisions", {}).get("number", 0) if run.finished else float("inf")


def compare(
    run_a: str | Path | RunFolder, run_b: str | Path | RunFolder, *, draws: int = 1000
) -> dict[str, Any]:
    """Run b against run a: {"overall", "per_label", "num_images", "num_cells", "notes"}.

    "overall" holds for each metric {"a", "b", "difference", "low", "high"}: b minus a on the same cells,
    with a paired 95 % bootstrap interval over images. "per_label" holds for each label such a row for
    ``average_precision``, ``f1``, ``precision`` and ``recall`` (no interval below 10 images with it), and
    "positives". "groups", where both runs know one, holds such rows of its accuracy and, if it is ordinal,
    of its distances. Undefined values are None. Images are matched by hash, labels by name. TaggerError if
    no test image or no label is common.
    """
    runs = [run if isinstance(run, RunFolder) else find_run(run) for run in (run_a, run_b)]
    a, b = ComparedRun.from_run(runs[0]), ComparedRun.from_run(runs[1], runs[0].load_images())
    names, hashes, notes = _common_labels(a, b), *_common_images(a, b)
    labels_a, eval_labels_a, probs_a, thresholds_a = a.select(hashes, names)
    labels_b, eval_labels_b, probs_b, thresholds_b = b.select(hashes, names)
    cells_NK, more = _eval_cells((labels_a, eval_labels_a, a), (labels_b, eval_labels_b, b))
    if not (cells_NK != UNKNOWN).any():
        raise TaggerError(
            f"{a.path} and {b.path}: no label of their common test photos is known, so they cannot be compared."
        )
    constraints = runs[0].load_constraints(names), runs[1].load_constraints(names)
    table = paired_table(
        cells_NK,
        probs_a,
        thresholds_a,
        probs_b,
        thresholds_b,
        names,
        constraints,
        draws=draws,
        related_N=b.related_rows(hashes),
    )
    scores = [table["overall"]["map"][side] for side in ("a", "b")]
    own = [note for run, score in zip(runs, scores, strict=True) if (note := own_score_note(run, score))]
    return {
        **table,
        "num_images": int((cells_NK != UNKNOWN).any(axis=1).sum()),
        "num_cells": int((cells_NK != UNKNOWN).sum()),
        "notes": [*_one_sided_labels(a, b), *notes, *more, *own],
    }


def own_score_note(run: RunFolder, score: float | None) -> str:
    """A note for a run whose own mAP, as its model card has it, is another than the one in a comparison; else empty."""
    metrics = (run.load_metrics().get("test") if run.finished else None) or {}
    own = metrics.get("overall", {}).get("map", {}).get("value")
    if own is None or score is None or abs(own - score) < 0.0005:
        return ""
    return (
        f"{run.path.name} has mAP {own:.3f} on its model card, where all labels of its own test count, and"
        f" {score:.3f} here, where only those labels count that both runs can be compared on."
    )


def _common_labels(a: ComparedRun, b: ComparedRun) -> list[str]:
    names = [name for name in b.names if name in a.names]
    if not names:
        hint = next((h for name in b.names if (h := did_you_mean(name, a.names))), "")
        raise TaggerError(f"{a.path} and {b.path} have no label in common.{hint}")
    return names


def _one_sided_labels(a: ComparedRun, b: ComparedRun) -> list[str]:
    """A note for the labels that only one run knows."""
    pairs = ((a, b), (b, a))
    found = [(side, [repr(name) for name in side.names if name not in other.names]) for side, other in pairs]
    return [f"Only {side.path} knows {shortlist(only)}: not compared." for side, only in found if only]


def _common_images(a: ComparedRun, b: ComparedRun) -> tuple[list[str], list[str]]:
    """(hashes that are test images of both, sorted; notes)."""
    hashes = sorted(a.row_of.keys() & b.row_of.keys())
    lines = []
    for side, other in ((a, b), (b, a)):
        seen = len(side.row_of.keys() & other.trained_on)
        absent = len(side.row_of) - len(hashes) - seen
        if seen:
            lines.append(
                f"Left out: {counted(seen, 'test photo')} of {side.path} that {other.path} was trained on."
            )
        if absent:
            verb = "is" if absent == 1 else "are"
            photos = counted(absent, "test photo")
            lines.append(f"Left out: {photos} of {side.path} that {verb} not in {other.path}.")
    if not hashes:
        have = "; ".join([f"{side.path} has no test split" for side in (a, b) if not side.row_of] or lines)
        raise TaggerError(
            f"{a.path} and {b.path} share no test photo ({have.rstrip('.')})."
            " Compare a run with one that `tagger retrain` made of it, which keeps the test split; or measure both"
            " with `tagger evaluate` on other labelled photos."
        )
    return hashes, lines


def _eval_cells(
    one: tuple[Cells, Cells, ComparedRun], two: tuple[Cells, Cells, ComparedRun]
) -> tuple[Cells, list[str]]:
    """(the labels to evaluate on, -1 outside the evaluation mask; notes)."""
    if any(side.eval_mask_NK is not None for _, _, side in (one, two)):
        last = (
            two if two[2].eval_mask_NK is not None and two[2].num_decisions >= one[2].num_decisions else one
        )
        last = last if last[2].eval_mask_NK is not None else two
        cells_NK = last[1].copy()
        for labels_NK, eval_labels_NK, side in (one, two):  # left out by either: left out
            if side.eval_mask_NK is not None:
                cells_NK[(labels_NK != UNKNOWN) & (eval_labels_NK == UNKNOWN)] = UNKNOWN
        left_out = int(((last[0] != UNKNOWN) & (cells_NK == UNKNOWN)).sum())
        note = (
            f"{counted(left_out, 'label')} left out: a model chose them for review, so they would favour it."
        )
        return cells_NK, [note] if left_out else []
    cells_NK = np.where(one[0] == two[0], one[0], UNKNOWN).astype(np.int8)
    differing = int(((one[0] != two[0]) & (one[0] != UNKNOWN) & (two[0] != UNKNOWN)).sum())
    note = f"{counted(differing, 'label')} left out: the two runs' labels differ there."
    return cells_NK, [note] if differing else []


def show_comparison(result: dict[str, Any], screen: Screen, *, first: str, second: str) -> None:
    """The comparison as tables: overall, then per label, the largest differences first."""
    compared = f"{counted(result['num_images'], 'test photo')}, {counted(result['num_cells'], 'cell')}"
    rows = [[_metric_title(name), *_table_row(result["overall"][name])] for name in HEADLINE_METRICS]
    for group, metrics in result.get("groups", {}).items():
        rows += [[f"{group}: {_metric_title(name)}", *_table_row(row)] for name, row in metrics.items()]
    head = ["before", "after"] if (first, second) == ("before", "after") else [first, second]
    screen.table(f"On {compared}", ["", *head, "difference", "95 % interval"], rows)
    screen.say()
    lines = sorted(
        result["per_label"].items(), key=lambda item: -abs(item[1]["average_precision"]["difference"] or 0)
    )
    screen.label_table(
        "Average precision per label",
        ["label", "photos", *head, "difference", "95 % interval"],
        [[name, row["positives"], *_table_row(row["average_precision"])] for name, row in lines],
        rest="tagger compare --out FILE has all",
    )
    for note in result["notes"]:
        screen.say(note)
    names = ("the previous run", "the new run") if head == ["before", "after"] else (first, second)
    screen.say(difference_sentence(result["overall"]["map"], *names))


def difference_sentence(row: dict[str, Any], first: str, second: str) -> str:
    """One sentence on the difference in mAP, the second run minus the first.

    >>> difference_sentence({"a": 0.5, "b": 0.6, "difference": 0.1, "low": 0.05, "high": 0.15}, "x", "y")
    'mAP +0.100 (95 % interval +0.050 to +0.150): y is better than x.'
    >>> difference_sentence({"a": 0.5, "b": 0.51, "difference": 0.01, "low": -0.05, "high": 0.15}, "x", "y")
    'mAP +0.010 (95 % interval -0.050 to +0.150): too close to call on these photos.'
    """
    if row["difference"] is None or row["low"] is None:
        return "mAP cannot be compared: no label has both a photo with it and one without."
    if row["low"] == row["high"] == 0:
        word = "no difference"
    else:
        word = (
            f"{second} is better than {first}"
            if row["low"] > 0
            else f"{second} is worse than {first}"
            if row["high"] < 0
            else "too close to call on these photos"
        )
    return f"mAP {row['difference']:+.3f} (95 % interval {row['low']:+.3f} to {row['high']:+.3f}): {word}."


def _metric_title(name: str) -> str:
    return "mAP" if name == "map" else name.replace("_", " ")


def _table_row(row: dict[str, Any]) -> list[float | str | None]:
    difference = None if row["difference"] is None else f"{row['difference']:+.3f}"
    interval_text = "" if row["low"] is None else f"{row['low']:+.3f} to {row['high']:+.3f}"
    return [row["a"], row["b"], difference, interval_text]
