"""The reason of a suspect is what moved its doubt most: it is compared with doubts computed without each signal."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from drawn import draw

from tagger.data import LabelGroup, Rule
from tagger.suspects import Evidence, cell_doubt, find_suspects, signals
from tagger.suspects.cell_doubt import combine_signals
from tagger.suspects.doubt_steps import nothing_speaks
from tagger.suspects.logistic_regression import cross_fit_logistic

NUM = 600


def case(kind: str, seed: int) -> Evidence:
    """Drawn evidence: plain, with copies, with a rule, with one label a photo, or with hardly any signal."""
    evidence = draw(NUM, noise=0.15, seed=seed).evidence
    if kind == "copies":
        group_N = np.arange(NUM)
        group_N[1:200:2] -= 1
        return replace(evidence, duplicate_group_N=group_N)
    if kind == "rule":
        return replace(evidence, rules=(Rule("baby", "people"),))
    if kind == "group":
        group = {"place": LabelGroup(kind="exclusive", labels=["sea", "car"])}
        return replace(evidence, groups=group)
    return evidence


@contextmanager
def kept_fits() -> Iterator[dict[str, list]]:
    """The regressions of a first run are used again later: (columns, logits, weights), in the order of labels."""
    kept: dict[bytes, tuple] = {}
    known: list[tuple] = []

    def fit(columns_NF: np.ndarray, yes_N: np.ndarray, *rest: object, **more: object) -> tuple:
        key = yes_N.tobytes() + bytes([columns_NF.shape[1]])
        if key not in kept:
            logits_N, weights_F = cross_fit_logistic(columns_NF, yes_N, *rest, **more)
            kept[key] = columns_NF.copy(), logits_N, weights_F
            known.append(key)
        first_NF, logits_N, weights_F = kept[key]
        return logits_N + (columns_NF - first_NF) @ weights_F, weights_F

    before = cell_doubt.cross_fit_logistic
    cell_doubt.cross_fit_logistic = fit  # type: ignore[assignment]
    try:
        yield {"labels": known}
    finally:
        cell_doubt.cross_fit_logistic = before


@pytest.mark.parametrize("kind", ["plain", "copies", "rule", "group"])
@pytest.mark.parametrize("seed", [0, 1])
def test_without_its_main_signal_a_doubt_is_lower_than_without_any_other(kind: str, seed: int) -> None:
    evidence = case(kind, seed)
    rankable_K = evidence.rankable_K(10)
    names = np.arange(NUM).astype(str)
    with kept_fits():
        found = {name: signals.build(name, evidence) for name in signals.names()}
        whole = combine_signals(evidence, found, rankable_K)
        table = find_suspects(evidence, names, names).table.head(60).iloc[::5]
        column = table["label"].map({name: k for k, name in enumerate(evidence.names)})
        compared = 0
        for row, k, main in zip(table["row"], column, table["main_signal"], strict=True):
            fell = {}
            for name, signal in found.items():
                own = signal.for_yes_NK[row, k]
                part = whole.contributions[name]
                if name == "duplicates" and kind == "copies":
                    continue  # a step of its own: see below
                if name == "rules" and kind in ("rule", "group"):
                    continue
                signal.for_yes_NK[row, k] = part.mean_K[k]
                without = combine_signals(evidence, found, rankable_K).doubt_NK[row, k]
                signal.for_yes_NK[row, k] = own
                odds = [
                    np.log(doubt / (1 - doubt)) for doubt in (float(whole.doubt_NK[row, k]), float(without))
                ]
                fell[name] = odds[0] - odds[1]
            first, second, *_ = sorted(fell.values(), reverse=True)
            if main not in fell or first < second + 0.2 or first < 0.3:
                continue  # too close to call: the other cells' rates move a little, too
            compared += 1
            assert fell[main] == first, (row, k, main, fell)
    assert compared >= 3


def test_a_copy_with_another_label_and_a_broken_rule_are_named() -> None:
    drawn = draw(NUM)
    labels_NK = drawn.evidence.labels_NK.copy()
    group_N = np.arange(NUM)
    group_N[1] = 0
    probs_NK = drawn.evidence.probs_NK.copy()
    labels_NK[:3] = [[0, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 0]]
    probs_NK[:2, 2], probs_NK[2, :2] = 0.5, 0.5
    evidence = replace(
        drawn.evidence, labels_NK=labels_NK, probs_NK=probs_NK, duplicate_group_N=group_N,
        rules=(Rule("baby", "people"),),
    )  # fmt: skip
    names = np.arange(NUM).astype(str)
    table = find_suspects(evidence, names, names).table.set_index(["row", "label"])
    copies = {table.loc[(0, "sea"), "main_signal"], table.loc[(1, "sea"), "main_signal"]}
    assert "duplicates" in copies
    assert "rules" in {table.loc[(2, "baby"), "main_signal"], table.loc[(2, "people"), "main_signal"]}


def test_a_cell_against_which_no_signal_stands_out_says_so() -> None:
    evidence = draw(NUM, noise=0.3).evidence
    names = np.arange(NUM).astype(str)
    table = find_suspects(evidence, names, names).table
    plain = table[table["reason"].str.startswith("No signal stands out")]
    added = [name for name in table.columns if name.startswith("signal_")]
    assert (plain[added].max(axis=1) < 1).all()
    assert (table["doubt"][table["doubt"] > 0.5].index.isin(plain.index)).mean() < 0.05
    assert (
        nothing_speaks("sea", given_yes=False, share=0.01) == "No signal stands out for `sea` in this photo"
    )


def test_two_labels_of_an_exclusive_group_are_named() -> None:
    evidence = case("group", 0)
    both = int(np.flatnonzero((evidence.labels_NK[:, 2] == 1) & (evidence.labels_NK[:, 3] == 1))[0])
    probs_NK = evidence.probs_NK.copy()
    probs_NK[both, 2:] = 0.5
    names = np.arange(NUM).astype(str)
    table = find_suspects(replace(evidence, probs_NK=probs_NK), names, names).table
    mine = table[(table["row"] == both) & (table["main_signal"] == "rules")]
    said = "This photo has `sea` and `car`, and it can have one of them at most"
    assert said in mine["reason"].tolist()
