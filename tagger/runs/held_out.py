"""Held-out probabilities of a run for any photos and labels."""

from collections.abc import Sequence

import numpy as np

from tagger.arrays import Floats
from tagger.runs.folder import RunFolder


def held_out_probs(run: RunFolder, hashes: Sequence[str], labels: Sequence[str]) -> Floats:
    """The probabilities (photos, labels) by networks that were not trained on the photo; NaN where the run has none."""
    probs_NK, _ = run.load_oof()
    row_of = {hash: n for n, hash in enumerate(run.load_images()["hash"])}
    column_of = {name: k for k, name in enumerate(run.load_labels())}
    rows_N = np.array([row_of.get(hash, -1) for hash in hashes], np.int64)
    columns_K = np.array([column_of.get(name, -1) for name in labels], np.int64)
    found_NK = np.asarray(probs_NK, float)[rows_N][:, columns_K]
    found_NK[rows_N < 0] = np.nan
    found_NK[:, columns_K < 0] = np.nan
    return found_NK
