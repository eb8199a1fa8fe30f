"""Labels of several annotators as one, where they differ by the majority, or by how reliable each is."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from data_tools.relabel import AnnotatorLabels, stack_annotators
from tagger.arrays import NO, UNKNOWN, YES, Cells, Floats
from tagger.errors import TaggerError, did_you_mean
from tagger.review.agreement import cohen_kappa
from tagger.scoring.votes import weigh_votes

WAYS = ("unknown", "majority", "reliability")


@dataclass(frozen=True)
class WeighedAnnotators:
    """The merged labels, and how reliable each annotator is."""

    labels_NK: Cells
    people: pd.DataFrame  # annotator, labels, sensitivity, specificity
    kappa: float  # of all pairs of annotators pooled; NaN where chance explains all


def check_way(way: str) -> None:
    """TaggerError if there is no such way to decide.

    >>> check_way("majority")
    """
    if way not in WAYS:
        raise TaggerError(
            f"--on-disagreement {way}: there is no such way.{did_you_mean(way, WAYS)} Available: {', '.join(WAYS)}"
        )


def weigh_annotators(
    parts: Sequence[AnnotatorLabels], *, annotators: Sequence[str], way: str, probs_NK: Floats | None = None
) -> WeighedAnnotators:
    """The labels of ``merge_labels``' files and labels, where annotators differ decided by ``way``.

    ``probs_NK``: a model's held-out probabilities (NaN: unknown), of the same rows and columns. Where every annotator
    gives each photo exactly one label, so does the result. As many yes as no under ``majority``: unknown.

    >>> one, other = (["a"], ["cat"], np.array([[1]], np.int8)), (["a"], ["cat"], np.array([[0]], np.int8))
    >>> weigh_annotators([one, other], annotators=["Ann", "Bo"], way="majority").labels_NK.tolist()
    [[-1]]
    """
    said_PNK = stack_annotators(parts)[2]
    num_people, num_images, num_labels = said_PNK.shape
    label_C = np.tile(np.arange(num_labels), num_images)
    probs_C = None if probs_NK is None else probs_NK.reshape(-1)
    found = weigh_votes(said_PNK.reshape(num_people, -1), label_C, num_labels, probs_C)
    known_NK = (said_PNK != UNKNOWN).any(axis=0)
    share_NK = (said_PNK == YES).sum(axis=0) / np.maximum((said_PNK != UNKNOWN).sum(axis=0), 1)
    belief_NK = share_NK if way == "majority" else found.probs_C.reshape(num_images, num_labels)
    labels_NK = _one_each(belief_NK) if _single_choice(said_PNK) else _by_half(belief_NK)
    return WeighedAnnotators(
        labels_NK=np.where(known_NK, labels_NK, UNKNOWN).astype(np.int8),
        people=_people(annotators, said_PNK, found.probs_C.reshape(num_images, num_labels)),
        kappa=_pooled_kappa(said_PNK),
    )


def _single_choice(said_PNK: Cells) -> bool:
    """Whether every annotator gives exactly one label to each photo that he or she knows."""
    known_PN = (said_PNK != UNKNOWN).any(axis=2)
    whole_PN = (said_PNK != UNKNOWN).all(axis=2)
    one_PN = (said_PNK == YES).sum(axis=2) == 1
    return bool(said_PNK.shape[2] > 1 and (one_PN & whole_PN)[known_PN].all() and known_PN.any())


def _one_each(belief_NK: Floats) -> Cells:
    """The most probable label of each photo; unknown where several are equally probable."""
    best_N = belief_NK.max(axis=1, keepdims=True)
    best_NK = belief_NK == best_N
    alone_N = best_NK.sum(axis=1, keepdims=True) == 1
    return np.where(best_NK, np.where(alone_N, YES, UNKNOWN), NO).astype(np.int8)


def _by_half(belief_NK: Floats) -> Cells:
    return np.where(belief_NK == 0.5, UNKNOWN, np.where(belief_NK > 0.5, YES, NO)).astype(np.int8)


def _people(annotators: Sequence[str], said_PNK: Cells, belief_NK: Floats) -> pd.DataFrame:
    rows = []
    for name, said_NK in zip(annotators, said_PNK, strict=True):
        known_NK = said_NK != UNKNOWN
        yes, no = belief_NK[known_NK].sum(), (1 - belief_NK[known_NK]).sum()
        sensitivity = belief_NK[said_NK == YES].sum() / yes if yes > 0 else None
        specificity = (1 - belief_NK[said_NK == NO]).sum() / no if no > 0 else None
        rows.append([name, int(known_NK.sum()), sensitivity, specificity])
    return pd.DataFrame(rows, columns=["annotator", "labels", "sensitivity", "specificity"])


def _pooled_kappa(said_PNK: Cells) -> float:
    counts_4 = np.zeros(4)
    for one_NK, other_NK in combinations(said_PNK, 2):
        both_NK = (one_NK != UNKNOWN) & (other_NK != UNKNOWN)
        counts_4 += np.bincount(2 * one_NK[both_NK] + other_NK[both_NK], minlength=4)
    return float(cohen_kappa(counts_4)) if counts_4.sum() else float("nan")
