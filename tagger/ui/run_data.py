"""Contents of a run, read once and cached for all pages and sessions."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from tagger.arrays import Cells, Floats
from tagger.runs import RunFolder
from tagger.scoring import LabelConstraints, Thresholds


@dataclass(frozen=True)
class RunData:
    """Parts of a run that pages show, N images and K labels. ``key`` names the run and its version, for caches."""

    key: tuple[str, int]
    names: tuple[str, ...]
    images: pd.DataFrame
    labels_NK: Cells
    probs_NK: Floats
    thresholds: Thresholds
    constraints: LabelConstraints  # groups and rules that decisions keep to
    metrics: dict[str, Any]
    history: pd.DataFrame
    evaluation_rows_N: np.ndarray  # for metrics and curves: the test split, or else the out-of-fold rows

    @cached_property
    def evaluation_data(self) -> tuple[Cells, Floats]:
        """Labels and probabilities of those rows."""
        return self.labels_NK[self.evaluation_rows_N], self.probs_NK[self.evaluation_rows_N]

    @property
    def evaluation_source(self) -> str:
        """The rows of ``evaluation_rows_N`` in words."""
        if (self.images["split"].to_numpy()[self.evaluation_rows_N] == "test").all():
            return "the test split, which no training has seen"
        return (
            "training and validation photos, each predicted by a model that had not seen it"
            " (there is no test split)"
        )

    @property
    def headline_metrics(self) -> dict[str, Any] | None:
        """``evaluate``'s table on the test split, or else on the validation split; None without either."""
        return self.metrics.get("test") or self.metrics.get("validation")


def run_data(run: RunFolder) -> RunData:
    """Data of the run; from memory, unless the run was written anew. TaggerError for a run that lacks a file."""
    return _read(str(run.path.absolute()), (run.path / "metrics.json").stat().st_mtime_ns)


@st.cache_resource(max_entries=3, show_spinner="Reading the run")
def _read(path: str, stamp: int) -> RunData:
    run = RunFolder(path)
    images, (probs_NK, _) = run.load_images(), run.load_oof()
    predicted_N = np.asarray(~np.isnan(probs_NK).any(axis=1))
    test_N = (images["split"] == "test").to_numpy(dtype=bool) & predicted_N
    return RunData(
        key=(path, stamp),
        names=run.load_labels(),
        images=images,
        labels_NK=run.load_cells(),
        probs_NK=probs_NK,
        thresholds=run.load_decision_rule()[0],
        constraints=run.load_constraints(),
        metrics=run.load_metrics(),
        history=run.load_history(),
        evaluation_rows_N=test_N if test_N.any() else predicted_N,
    )
