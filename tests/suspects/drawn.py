"""Drawn evidence with a known truth: images in clusters, labels by cluster, errors planted."""

from dataclasses import dataclass

import numpy as np

from tagger.arrays import Cells, sigmoid
from tagger.suspects import Evidence, nearest_images

NAMES = ("people", "baby", "sea", "car")


@dataclass(frozen=True)
class Drawn:
    """Evidence and the right labels behind it."""

    evidence: Evidence
    truth_NK: Cells


def draw(num: int = 900, *, noise: float = 0.1, seed: int = 0) -> Drawn:
    """Six kinds of images; ``baby`` implies ``people``; a share of *yes* is dropped and as many are added."""
    rng = np.random.default_rng(seed)
    kind_N = rng.integers(6, size=num)
    centre_CD = rng.normal(size=(6, 12))
    features_ND = centre_CD[kind_N] + rng.normal(size=(num, 12))
    shows_CK = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0], [1, 0, 1, 0]])
    truth_NK = shows_CK[kind_N].astype(np.int8)
    probs_NK = sigmoid(3 * (truth_NK - 0.5) + rng.normal(size=truth_NK.shape) * 1.5)
    labels_NK = truth_NK.copy()
    for k in range(len(NAMES)):
        yes, no = np.flatnonzero(truth_NK[:, k] == 1), np.flatnonzero(truth_NK[:, k] == 0)
        labels_NK[rng.permutation(yes)[: round(noise * len(yes))], k] = 0
        labels_NK[rng.permutation(no)[: round(noise * len(yes))], k] = 1
    group_N = np.arange(num)
    nearest_NM, similarity_NM = nearest_images(features_ND, group_N, num=15)
    evidence = Evidence(
        labels_NK=labels_NK,
        probs_NK=probs_NK,
        names=NAMES,
        fold_N=rng.integers(4, size=num),
        duplicate_group_N=group_N,
        nearest_NM=nearest_NM,
        similarity_NM=similarity_NM,
    )
    return Drawn(evidence, truth_NK)
