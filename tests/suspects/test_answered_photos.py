"""After an answer, the photo's other labels and its copies are judged anew at once."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from drawn import draw

from tagger.data import LabelGroup, Rule
from tagger.suspects import AnsweredPhotos, Evidence, find_suspects
from tagger.suspects.signals import LabelContext, MinedRules


def table_of(evidence: Evidence) -> pd.DataFrame:
    names = np.arange(len(evidence.labels_NK)).astype(str)
    return find_suspects(evidence, names, names).table


def position(table: pd.DataFrame, row: int, label: str) -> int:
    return int(np.flatnonzero((table["row"] == row) & (table["label"] == label))[0])


def answered(evidence: Evidence, table: pd.DataFrame, at: int, *, wrong: bool) -> np.ndarray:
    verdicts = pd.DataFrame({"position": [at], "wrong": [wrong], "blind": [False]})
    return AnsweredPhotos(evidence).rejudged(table, table["doubt"].to_numpy(), verdicts)


def test_a_premise_is_not_asked_about_a_photo_that_was_found_to_lack_what_it_implies() -> None:
    evidence = replace(draw(1200, noise=0.2).evidence, rules=(Rule("baby", "people"),))
    table = table_of(evidence)
    both_S = table["row"].isin(table["row"][table["label"] == "people"])
    asked = (table["label"] == "baby") & (table["direction"] == "missing") & both_S
    baby = int(np.flatnonzero(asked & (evidence.labels_NK[table["row"], 0] == 1))[0])
    row = int(table["row"][baby])
    people = position(table, row, "people")
    after = answered(evidence, table, people, wrong=True)
    before = table["doubt"].to_numpy()
    assert before[baby] > 0.2
    assert after[baby] < 0.01
    others = (table["row"] != row).to_numpy()
    np.testing.assert_array_equal(after[others], before[others])
    np.testing.assert_array_equal(answered(evidence, table, people, wrong=False), before)


def test_a_member_of_a_group_that_was_answered_yes_settles_the_others() -> None:
    group = {"place": LabelGroup(kind="exclusive", labels=["sea", "car"])}
    evidence = replace(draw(900, noise=0.2).evidence, groups=group)
    table = table_of(evidence)
    one, other = ((table["label"] == name).to_numpy() for name in ("sea", "car"))
    shared = np.intersect1d(
        table["row"][one & (table["given"] == 0)], table["row"][other & (table["given"] == 1)]
    )
    sea, car = (position(table, int(shared[0]), name) for name in ("sea", "car"))
    assert answered(evidence, table, sea, wrong=True)[car] > 0.99


@pytest.mark.parametrize("column", range(4))
def test_the_gain_is_what_signals_built_on_the_changed_labels_would_say(column: int) -> None:
    evidence = draw(900).evidence
    before_K, after_K = evidence.labels_NK[5], evidence.labels_NK[5].copy()
    after_K[column] = 1 - after_K[column]
    rules, context = MinedRules(evidence), LabelContext(evidence)
    changed = np.flatnonzero((evidence.labels_NK == after_K).all(axis=1))
    same = np.flatnonzero((evidence.labels_NK == before_K).all(axis=1))
    if len(changed):  # another image has the changed labels, and the signal depends on the labels alone
        expected_K = rules.for_yes_NK[changed[0]] - rules.for_yes_NK[same[0]]
        np.testing.assert_allclose(rules.gain(before_K, after_K), expected_K, atol=1e-5)
        expected_K = context.for_yes_NK[changed].mean(axis=0) - context.for_yes_NK[same].mean(axis=0)
        np.testing.assert_allclose(context.gain(before_K, after_K), expected_K, atol=0.25)


def test_the_copy_of_an_answered_photo_gets_the_same_answer() -> None:
    drawn = draw(600)
    group_N = np.arange(600)
    group_N[1] = 0
    labels_NK = drawn.evidence.labels_NK.copy()
    labels_NK[:2] = [[1, 0, 0, 0], [0, 0, 0, 0]]
    evidence = replace(drawn.evidence, labels_NK=labels_NK, duplicate_group_N=group_N)
    table = table_of(evidence)
    first, second = position(table, 0, "people"), position(table, 1, "people")
    assert answered(evidence, table, first, wrong=False)[second] > 0.9
    assert answered(evidence, table, first, wrong=True)[second] < 0.1


def test_a_label_that_was_found_says_that_the_given_one_is_wrong_where_images_have_one_each() -> None:
    drawn = draw(900)
    labels_NK = np.eye(4, dtype=np.int8)[np.random.default_rng(0).integers(4, size=900)]
    evidence = replace(drawn.evidence, labels_NK=labels_NK)
    table = table_of(evidence)
    found = int(np.flatnonzero((table["direction"] == "missing") & table["row"].duplicated(keep=False))[0])
    given = np.flatnonzero((table["row"] == table["row"][found]) & (table["given"] == 1))
    assert (answered(evidence, table, found, wrong=True)[given] > table["doubt"][given] + 0.1).all()
