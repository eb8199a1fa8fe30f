"""Labels after decisions and operations: the same from any order of images and rows, and what a slow model says."""

import io
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tagger.errors import TaggerError
from tagger.review import (
    CorrectedLabels,
    LabelOperation,
    RecordedDecision,
    RecordedOperation,
    apply_decisions,
    check_operation,
    label_table,
    vocabulary_after,
)

FILES = ["a.jpg", "b/c.jpg", "d.jpg"]
HASHES = ["h0", "h1", "h0"]  # the first and the last are the same image
NAMES = ("sea", "lake", "dog")
GIVEN = np.array([[0, 1, 0], [1, 0, -1], [0, 1, 0]], np.int8)
ANY = RecordedDecision(
    id=0, time="", hash="h0", label="sea", verdict="yes", before=0, suggested=1, doubt=0.5, run="r", reviewer="ann",
    seconds=1.0, client="t", seq=0,
)  # fmt: skip


def said(id: int, label: str, verdict: str, hash: str = "h0", **more) -> RecordedDecision:
    return replace(ANY, id=id, time=f"t{id:03d}", hash=hash, label=label, verdict=verdict, **more)


def did(
    id: int, kind: str, label: str, target: str | None = None, *, after: int = 0, undoes: int | None = None
):
    who = {"reviewer": "ann", "client": "t", "seq": id, "time": ""}
    return RecordedOperation(kind=kind, label=label, target=target, undoes=undoes, id=id, after=after, **who)


def after(rows, operations=(), *, names=NAMES, given=GIVEN) -> CorrectedLabels:
    return apply_decisions(FILES, HASHES, given, names, rows, operations)


def column(applied: CorrectedLabels, name: str) -> list[int]:
    return applied.labels_NK[:, applied.names.index(name)].tolist()


def test_without_decisions_nothing_changes():
    applied = after([])
    assert applied.names == NAMES
    assert applied.labels_NK.tolist() == GIVEN.tolist()
    assert not applied.verified_NK.any()
    assert applied.changes.empty
    assert GIVEN.tolist() == [[0, 1, 0], [1, 0, -1], [0, 1, 0]]


def test_a_decision_counts_for_both_equal_images_and_is_listed():
    applied = after(
        [said(1, "sea", "yes", blind=True), said(2, "dog", "no", "h1"), said(3, "sea", "no", "h1")]
    )
    assert column(applied, "sea") == [1, 0, 1]
    assert applied.verified_NK.tolist() == [[True, False, False], [True, False, True], [True, False, False]]
    assert applied.blind_NK.sum() == 2
    assert applied.changes[["file", "label", "before", "after", "decisions"]].to_numpy().tolist() == [
        ["a.jpg", "sea", 0, 1, "1"],
        ["b/c.jpg", "dog", -1, 0, "2"],
        ["b/c.jpg", "sea", 1, 0, "3"],
        ["d.jpg", "sea", 0, 1, "1"],
    ]


def test_a_decision_that_confirms_is_verified_and_no_change():
    applied = after([said(1, "lake", "yes")])
    assert applied.verified_NK.sum() == 2
    assert applied.changes.empty


def test_what_names_nothing_here_is_listed_not_dropped():
    rows = [said(1, "sea", "yes", "h9"), said(2, "boat", "yes"), said(3, "sea", "yes")]
    assert [row.id for row in after(rows).unmatched] == [1, 2]


def test_a_renamed_label_keeps_its_decisions_under_any_name():
    operations = [did(1, "rename", "sea", "ocean", after=1), did(2, "rename", "ocean", "water", after=2)]
    rows = [said(1, "sea", "yes"), said(2, "ocean", "no", "h1"), said(3, "water", "no")]
    applied = after(rows, operations)
    assert applied.names == ("water", "lake", "dog")
    assert column(applied, "water") == [0, 0, 0]
    assert applied.unmatched == ()
    undone = after(rows, [*operations, did(3, "undo", "ocean", undoes=2)])
    assert undone.names == ("ocean", "lake", "dog")
    assert column(undone, "ocean") == [0, 0, 0]


def test_a_merged_label_is_yes_where_any_part_was_until_somebody_decides_on_it():
    merge = [did(1, "merge", "lake", "sea", after=2)]
    applied = after([said(1, "sea", "no"), said(2, "sea", "no", "h1")], merge)
    assert applied.names == ("sea", "dog")
    assert column(applied, "sea") == [1, 0, 1]
    assert not applied.verified_NK.any()  # nobody looked whether there is a lake
    later = after([said(1, "sea", "no"), said(3, "lake", "no"), said(4, "sea", "yes", "h1")], merge)
    assert column(later, "sea") == [0, 1, 0]
    assert later.verified_NK[:, 0].all()
    undone = after([said(1, "sea", "no")], [*merge, did(2, "undo", "lake", undoes=1)])
    assert undone.names == NAMES
    assert column(undone, "lake") == [1, 0, 1]


def test_an_added_label_is_unknown_until_somebody_decides():
    applied = after([said(1, "boat", "yes", "h1")], [did(1, "add", "boat")])
    assert applied.names == (*NAMES, "boat")
    assert column(applied, "boat") == [-1, 1, -1]
    gone = after([said(1, "boat", "yes", "h1")], [did(1, "add", "boat"), did(2, "undo", "boat", undoes=1)])
    assert gone.names == NAMES
    assert [row.id for row in gone.unmatched] == [1]


def test_a_run_trained_after_the_operations_means_the_same():
    rows = [
        said(1, "sea", "no"),
        said(2, "dog", "yes", "h1"),
        said(4, "water", "yes", "h1"),
        said(5, "lake", "no"),
    ]
    operations = [
        did(1, "rename", "sea", "ocean", after=1),
        did(2, "merge", "lake", "ocean", after=3),
        did(3, "rename", "ocean", "water", after=3),
        did(4, "add", "boat", after=3),
    ]
    first = after(rows, operations)
    again = after(rows, operations, names=first.names, given=first.labels_NK)
    assert again.names == first.names == ("water", "dog", "boat")
    assert again.labels_NK.tolist() == first.labels_NK.tolist()
    assert again.changes.empty
    assert again.unmatched == ()


def test_two_who_rename_at_once_get_one_name_and_a_note():
    now = vocabulary_after(NAMES, [did(1, "rename", "sea", "ocean"), did(2, "rename", "sea", "water")])
    assert now.names == ("ocean", "lake", "dog")
    assert "change 2" in now.problems[0]
    now = vocabulary_after(NAMES, [did(1, "rename", "sea", "wet"), did(2, "rename", "lake", "wet")])
    assert now.names == ("wet", "lake", "dog")
    assert len(now.problems) == 1


def test_a_renamed_label_and_one_that_others_were_merged_into_go_on_from_their_own_columns():
    renamed = vocabulary_after(NAMES, [did(1, "rename", "sea", "ocean"), did(2, "merge", "lake", "ocean")])
    assert [renamed.run_column(name) for name in renamed.names] == [0, 2]
    added = vocabulary_after(
        NAMES, [did(1, "add", "pet"), did(2, "merge", "dog", "pet"), did(3, "add", "cat")]
    )
    assert {name: added.run_column(name) for name in added.names} == {
        "sea": 0,
        "lake": 1,
        "pet": 2,
        "cat": None,
    }


@pytest.mark.parametrize(
    ("operation", "complaint"),
    [
        ({"kind": "add", "label": "dog"}, "is or was used"),
        ({"kind": "add", "label": "sea"}, "is or was used"),
        ({"kind": "add", "label": " x"}, "no blanks"),
        ({"kind": "rename", "label": "ocaen", "target": "x"}, "Did you mean 'ocean'"),
        ({"kind": "rename", "label": "ocean", "target": "lake"}, "is or was used"),
        ({"kind": "merge", "label": "ocean", "target": "ocean"}, "Choose another label"),
        ({"kind": "merge", "label": "ocean", "target": "sea"}, "Choose another label"),
        ({"kind": "undo", "label": "x", "undoes": 7}, "no operation 7"),
    ],
)
def test_a_person_is_told_why_an_operation_cannot_be(operation: dict, complaint: str):
    before = [did(1, "rename", "sea", "ocean")]
    with pytest.raises(TaggerError, match=complaint):
        check_operation(NAMES, before, LabelOperation(reviewer="ann", client="t", seq=1, **operation))
    back = LabelOperation(kind="rename", label="ocean", target="sea", reviewer="ann", client="t", seq=2)
    check_operation(NAMES, before, back)


def table_of(corrected: CorrectedLabels, files: Sequence[str] = FILES) -> pd.DataFrame:
    return label_table(files, corrected.names, corrected.labels_NK)


def test_the_label_table_says_everything_and_is_the_same_to_the_byte():
    known = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.int8)
    joined = table_of(after([], given=known))
    assert joined.to_csv(index=False) == "file,labels\na.jpg,lake\nb/c.jpg,sea|dog\nd.jpg,lake\n"
    assert table_of(after([])).to_csv(index=False) == (
        "file,sea,lake,dog\na.jpg,0,1,0\nb/c.jpg,1,0,\nd.jpg,0,1,0\n"
    )
    hostile = after([], names=("a|b", '"<b>,', "🐈\n"), given=known)
    table = table_of(hostile)
    read = pd.read_csv(io.StringIO(table.to_csv(index=False)), dtype=str)
    assert read.columns.tolist() == ["file", "a|b", '"<b>,', "🐈\n"]
    taken = table_of(after([], names=("file", "labels", "dog")))
    assert taken.columns.tolist() == ["file", "label: file", "label: labels", "dog"]


class SlowModel:
    """What each label means on each image, changed event by event, the way a person would do it on paper."""

    def __init__(self) -> None:
        self.names = list(NAMES)
        self.value = {
            (h, k): int(v)
            for h, row in zip(HASHES, GIVEN, strict=True)
            for k, v in zip(NAMES, row, strict=True)
        }
        self.sure = dict.fromkeys(self.value, False)

    def decide(self, hash: str, label: str, value: int) -> None:
        self.value[hash, label], self.sure[hash, label] = value, True

    def rename(self, label: str, target: str) -> None:
        self.names[self.names.index(label)] = target
        for hash in set(HASHES):
            self.value[hash, target], self.sure[hash, target] = (
                self.value[hash, label],
                self.sure[hash, label],
            )

    def merge(self, label: str, target: str) -> None:
        self.names.remove(label)
        for hash in set(HASHES):
            parts = [(self.value[hash, name], self.sure[hash, name]) for name in (label, target)]
            values = [value for value, _ in parts]
            value = 1 if 1 in values else -1 if -1 in values else max(values)
            sure = (
                any(s for v, s in parts if v == 1) if value == 1 else all(s for _, s in parts) and value == 0
            )
            self.value[hash, target], self.sure[hash, target] = value, sure

    def add(self, label: str) -> None:
        self.names.append(label)
        for hash in set(HASHES):
            self.value[hash, label], self.sure[hash, label] = -2, False  # nothing: merging it adds nothing


EVENTS = st.tuples(
    st.sampled_from(["decide"] * 4 + ["rename", "merge", "add"]), st.integers(0, 99), st.integers(0, 99)
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(EVENTS, max_size=14), st.randoms(use_true_random=False))
def test_decisions_and_operations_in_any_order_mean_what_the_slow_model_says(events, random):
    model, rows, operations = SlowModel(), [], []
    for kind, one, two in events:
        label = model.names[one % len(model.names)]
        new = f"new{len(operations)}"
        if kind == "decide":
            hash, value = f"h{two % 2}", (two // 2) % 2
            model.decide(hash, label, value)
            rows.append(said(len(rows) + 1, label, ("no", "yes")[value], hash))
            continue
        target = model.names[two % len(model.names)]
        if kind == "merge" and target == label:
            continue
        operation = {"rename": (label, new), "merge": (label, target), "add": (new,)}[kind]
        getattr(model, kind)(*operation)
        operations.append(did(len(operations) + 1, kind, *operation, after=len(rows)))
    order = random.sample(range(3), 3)
    applied = apply_decisions(
        [FILES[n] for n in order],
        [HASHES[n] for n in order],
        GIVEN[order],
        NAMES,
        random.sample(rows, len(rows)),
        random.sample(operations, len(operations)),
    )
    assert sorted(applied.names) == sorted(model.names)
    for at, n in enumerate(order):
        for k, name in enumerate(applied.names):
            assert applied.labels_NK[at, k] == max(model.value[HASHES[n], name], -1)
            assert applied.verified_NK[at, k] == model.sure[HASHES[n], name]
    straight = after(rows, operations)
    assert straight.changes.equals(applied.changes)
    if not {"file", "labels"} & set(applied.names):
        shuffled = [FILES[n] for n in order]
        tables = table_of(straight), table_of(applied, shuffled)
        assert tables[0].to_csv() == tables[1].to_csv()
    assert applied.problems == ()
    assert applied.unmatched == ()
    again = after(
        rows, operations, names=straight.names, given=straight.labels_NK
    )  # a run trained on the outcome
    assert again.names == straight.names
    assert again.labels_NK.tolist() == straight.labels_NK.tolist()
    if operations:  # undone, the last operation changed nothing but what was decided since
        last = operations[-1]
        before = [row for row in rows if row.id <= last.after]
        undone = after(before, [*operations, did(99, "undo", last.label, undoes=last.id)])
        never = after(before, operations[:-1])
        assert undone.names == never.names
        assert undone.labels_NK.tolist() == never.labels_NK.tolist()
        assert undone.verified_NK.tolist() == never.verified_NK.tolist()
