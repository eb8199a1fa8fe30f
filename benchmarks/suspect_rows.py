"""The rows of the bench of suspects (``suspects.py --suite``): data set, kind of noise, rate, seed.

A data set's features come from one ``quick`` run, which is trained once and kept; for each row only heads
are trained anew on them, on the row's wrong labels, and their evidence is kept too.
"""

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from backbones import SHARED, backbone_settings
from suspect_noise import KINDS

import tagger
from tagger.arrays import Cells, Floats, sigmoid
from tagger.commands.console.screen import Screen
from tagger.commands.suspects import duplicate_group_ids
from tagger.config import Settings
from tagger.presets import load_settings
from tagger.runs import RunFolder
from tagger.suspects import Evidence, nearest_images
from tagger.training.head.cross_fit import cross_fit_heads, head_logits

FOLDS, TEST = 5, 0.1


@dataclass(frozen=True)
class Row:
    """One row: ``num`` photos of a data set (0: all), one component in ``keep`` of the features (1: all)."""

    data: str
    kind: str
    rate: float
    num: int = 4000
    keep: int = 1

    @property
    def name(self) -> str:
        """A name for tables and files."""
        rate = f" {self.rate:.0%}".replace("%", " %") if self.rate else ""
        few = f", {self.num:,} photos" if self.num not in (0, 4000) else ""
        return f"{self.data}, {self.kind}{rate}{few}{', poor network' if self.keep > 1 else ''}"

    @property
    def real(self) -> bool:
        """Are the mistakes people's own?"""
        return self.kind in ("three people", "one person")


ROWS = (
    *(Row("objects", kind, 0, 0) for kind in ("three people", "one person")),
    *(Row("objects", kind, 0, 2000) for kind in ("three people", "one person")),
    *(Row("objects", kind, 0, keep=40) for kind in ("three people", "one person")),
    *(Row("objects", "random", rate) for rate in (0.01, 0.05, 0.2, 0.4)),
    *(Row("objects", "look_alike", rate) for rate in (0.01, 0.05, 0.2, 0.4)),
    *(Row("objects", "confusion", rate) for rate in (0.05, 0.2, 0.4)),
    *(Row("objects", "swaps", rate) for rate in (0.05, 0.2)),
    *(Row("objects", kind, 0.2) for kind in ("missing", "spurious", "habit", "uneven")),
    Row("objects", "half", 0.45),
    Row("objects", "confusion", 0.2, keep=40),
    Row("objects", "none", 0),
    *(Row("photos", "random", rate) for rate in (0.01, 0.05, 0.2, 0.4)),
    *(Row("photos", "look_alike", rate) for rate in (0.05, 0.2, 0.4)),
    *(Row("photos", "confusion", rate) for rate in (0.05, 0.2)),
    *(Row("photos", kind, 0.2) for kind in ("missing", "spurious", "habit", "uneven")),
    Row("photos", "half", 0.45),
    Row("photos", "look_alike", 0.2, num=1000),
    Row("photos", "look_alike", 0.2, keep=40),
    Row("photos", "random", 0.2, keep=40),
    *(Row("faces", "neighbours", rate) for rate in (0.05, 0.2, 0.4)),
    *(Row("faces", "confusion", rate) for rate in (0.1, 0.3)),
    Row("faces", "random", 0.2),
    Row("faces", "look_alike", 0.2),
    Row("faces", "half", 0.45),
)


@dataclass(frozen=True)
class Case:
    """What a row gives: the evidence on wrong labels, and the right ones."""

    evidence: Evidence
    truth_NK: Cells


class DataSet:
    """A data set with its features, nearest photos, right labels, and what a model of these thinks."""

    def __init__(self, out: Path, name: str, backbone: str):
        self.out, self.name = out, name
        folder = SHARED / "data" / {"objects": "human_errors"}.get(name, name)
        self.settings = load_settings("quick", backbone_settings(backbone))
        self.run = _features(out / f"features-{name}", folder, backbone)
        self.images = self.run.load_images()
        self.files = self.images["file"].str.removeprefix("images/").to_numpy()
        self.group_N = duplicate_group_ids(self.images)
        self.names = self.run.load_labels()
        self.folder = folder

    def read(self, path: str, column: str) -> Cells:
        """The cells of a label file, in the run's order."""
        table = pd.read_csv(self.folder / path, keep_default_na=False).set_index("file")[column]
        rows = [set(table[file].split("|")) for file in self.files]
        return np.array([[name in row for name in self.names] for row in rows], dtype=np.int8)

    def truth(self) -> Cells:
        """The right labels."""
        return (
            self.read("truth.csv", "right") if self.name == "objects" else self.read("labels.csv", "labels")
        )

    def case(self, row: Row, seed: int) -> Case:
        """The row's evidence, computed once."""
        path = self.out / "cases" / f"{row.name} {seed}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            arrays = self._compute(row, seed)
            partial = path.with_suffix(".part.npz")
            np.savez(partial, **arrays)
            partial.rename(path)
        with np.load(path) as kept:
            arrays = dict(kept)
        truth_NK = arrays.pop("truth_NK")
        return Case(Evidence(names=self.names, **arrays), truth_NK)

    def _compute(self, row: Row, seed: int) -> dict[str, np.ndarray]:
        rng = np.random.default_rng([seed, zlib.crc32(row.name.encode())])
        count = min(row.num or len(self.files), len(self.files))
        rows = np.sort(np.random.default_rng(seed).permutation(len(self.files))[:count])
        views_VND = self.run.load_views()[:, rows, :: row.keep]
        truth_NK = self.truth()[rows]
        group_N = self.group_N[rows]
        fold_N = _folds(group_N, seed)
        labels_NK = self._given(row, rows, truth_NK, fold_N, rng)
        probs_NK, dynamics_NK = _out_of_fold(views_VND, labels_NK, fold_N, self.settings)
        nearest_NM, similarity_NM = nearest_images(views_VND.mean(0, dtype=np.float32), group_N)
        return {
            "labels_NK": labels_NK,
            "probs_NK": probs_NK.astype(np.float16).astype(np.float32),
            "dynamics_NK": dynamics_NK,
            "fold_N": fold_N,
            "duplicate_group_N": group_N,
            "nearest_NM": nearest_NM,
            "similarity_NM": similarity_NM,
            "truth_NK": truth_NK,
        }

    def _given(
        self, row: Row, rows: np.ndarray, truth_NK: Cells, fold_N: np.ndarray, rng: np.random.Generator
    ) -> Cells:
        if row.real:
            file = {"three people": "labels.csv", "one person": "one_person.csv"}[row.kind]
            return self.read(file, "labels")[rows]
        return KINDS[row.kind](truth_NK, self._clean_probs()[rows], row.rate, rng)

    def _clean_probs(self) -> Floats:
        """What a model of the right labels thinks, out of fold."""
        path = self.out / f"clean-{self.name}.npy"
        if not path.exists():
            fold_N = _folds(self.group_N, 0)
            np.save(path, _out_of_fold(self.run.load_views()[:], self.truth(), fold_N, self.settings)[0])
        return np.load(path).astype(np.float64)


def _features(path: Path, folder: Path, backbone: str) -> RunFolder:
    run = RunFolder(path)
    if not run.finished:
        tagger.train(
            folder,
            run=None if run.exists else path,
            preset="quick",
            labels=folder / "labels.csv",
            overrides=backbone_settings(backbone),
            screen=Screen(),
        )
    return run


def _folds(group_N: np.ndarray, seed: int) -> np.ndarray:
    """Random folds, copies together; a tenth in none, as the test split."""
    rng = np.random.default_rng([seed, 7])
    place_N = np.unique(group_N, return_inverse=True)[1]
    fold_G = rng.integers(0, FOLDS, place_N.max() + 1)
    fold_G[rng.random(len(fold_G)) < TEST] = -1
    return fold_G[place_N]


def _out_of_fold(
    views_VND: np.ndarray, labels_NK: Cells, fold_N: np.ndarray, settings: Settings
) -> tuple[Floats, Floats]:
    """(probabilities, their mean over the epochs), as ``tagger train --preset quick`` computes them."""
    heads = cross_fit_heads(views_VND, labels_NK, fold_N, settings, track=lambda items, _: items)
    logits_NK, test = heads.logits_NK.copy(), np.flatnonzero(fold_N < 0)
    logits_NK[test] = head_logits(heads.head, views_VND, test)
    return sigmoid(logits_NK), heads.dynamics.mean_NK
