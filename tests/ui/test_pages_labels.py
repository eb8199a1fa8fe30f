"""The Labels and Disagreements pages: operations and settlements reach the store once, and names stay names."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from reviewing import table_with, texts
from streamlit.testing.v1 import AppTest

from tagger.review import Decision, Store, cell_states, vocabulary_after
from tagger.runs import RunFolder

HOSTILE = "![x](http://evil.example/p.png)<b>"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    store = Store.open(f"sqlite:///{tmp_path}/review.db")
    yield store
    store.close()


def page(name: str, path: str, url: str) -> None:
    """A script that is one page."""
    from importlib import import_module

    import streamlit as st

    from tagger.review import Store
    from tagger.runs import RunFolder

    st.session_state["reviewer"] = "cleo"
    store = Store.open(url)
    try:
        import_module(f"tagger.ui.pages.{name}_page").show(RunFolder(path), store)
    finally:
        store.close()


def open_page(name: str, run: Path, store: Store) -> AppTest:
    """The page as a browser would first see it."""
    kwargs = {"name": name, "path": str(run), "url": store.url}
    app = AppTest.from_function(page, kwargs=kwargs, default_timeout=60).run()
    assert not app.exception, app.exception
    return app


def says(run: RunFolder, row: int, label: str, verdict: str, reviewer: str, seq: int) -> Decision:
    """A verdict on a cell of the run."""
    images = run.load_images()
    return Decision(
        hash=images["hash"][row], label=label, verdict=verdict, before=0, suggested=1, doubt=0.5, run="run",
        reviewer=reviewer, seconds=1.0, client=reviewer, seq=seq,
    )  # fmt: skip


def test_labels_are_added_renamed_merged_and_taken_back(finished: Path, store: Store):
    names = RunFolder(finished).load_labels()
    app = open_page("labels", finished, store)
    app.text_input(key="label added").set_value("letter")
    app.button(key="press add").click().run()
    assert "is added" in texts(app.success)
    app.selectbox(key="label renamed").set_value("nine")
    app.text_input(key="label renamed to").set_value(HOSTILE)
    app.button(key="press rename").click().run()
    app.selectbox(key="label merged").set_value("seven")
    app.selectbox(key="label merged into").set_value("six")
    app.button(key="press merge").click().run()
    assert not app.exception
    kinds = [(one.kind, one.label, one.target, one.reviewer) for one in store.operations()]
    assert kinds == [
        ("add", "letter", None, "cleo"), ("rename", "nine", HOSTILE, "cleo"), ("merge", "seven", "six", "cleo")
    ]  # fmt: skip
    table = table_with(app, "label", "decided").set_index("label")
    assert list(table.index) == list(vocabulary_after(names, store.operations()).names)
    labels_NK = RunFolder(finished).load_cells()
    merged = (labels_NK[:, names.index("six")] == 1) | (labels_NK[:, names.index("seven")] == 1)
    assert table.loc["six", "images"] == merged.sum()
    assert table.loc[HOSTILE, "images"] == (labels_NK[:, names.index("nine")] == 1).sum()
    for element in (*app.markdown, *app.success, *app.caption):
        assert not re.search(r"(?<!\\)(<b>|!\[|\]\()", element.value), element.value

    merge = store.operations()[-1]
    app.button(key=f"undo operation {merge.id}").click().run()
    assert store.operations()[-1].undoes == merge.id
    assert "seven" in vocabulary_after(names, store.operations()).names
    with pytest.raises(KeyError):
        app.button(key=f"undo operation {merge.id}")


@pytest.mark.parametrize(
    ("fields", "button", "reason"),
    [
        ({"label added": "one"}, "press add", "is or was used"),
        ({"label added": "  "}, "press add", "not empty"),
        ({"label renamed to": "two"}, "press rename", "is or was used"),
    ],
)
def test_what_makes_no_sense_is_refused_and_not_written(
    finished: Path, store: Store, fields: dict[str, str], button: str, reason: str
):
    app = open_page("labels", finished, store)
    for key, value in fields.items():
        app.text_input(key=key).set_value(value)
    app.button(key=button).click().run()
    assert reason in texts(app.error)
    assert store.operations() == []


def test_decisions_are_counted_by_label(finished: Path, store: Store):
    run = RunFolder(finished)
    labels_NK, k = run.load_cells(), run.load_labels().index("two")
    absent = int((labels_NK[:, k] == 0).argmax())
    store.record([says(run, absent, "two", "yes", "ann", 1)])
    app = open_page("labels", finished, store)
    row = table_with(app, "label", "decided").set_index("label").loc["two"]
    assert row.to_dict() == {
        "images": (labels_NK[:, k] == 1).sum() + 1, "change": 1, "decided": 1, "was wrong": 1
    }  # fmt: skip


def test_a_dispute_is_settled_once_and_leaves_the_page(finished: Path, store: Store):
    run = RunFolder(finished)
    rows = [
        says(run, 3, "one", "yes", "ann", 1), says(run, 3, "one", "no", HOSTILE, 1),
        says(run, 4, "two", "yes", "ann", 2), says(run, 4, "two", "yes", HOSTILE, 2),
    ]  # fmt: skip
    store.record(rows)
    app = open_page("disagreements", finished, store)
    assert any("1 question is in dispute" in text.value for text in app.markdown)
    for text in (*(one.value for one in (*app.markdown, *app.caption)), *(one.label for one in app.button)):
        assert not re.search(r"(?<!\\)(<b>|!\[)", str(text)), text
    table = table_with(app, "label", "kappa").set_index("label")
    assert table.loc["all labels", "pairs"] == 2
    assert table.loc["all labels", "agreement"] == 50
    cell = (rows[0].hash, "one")
    app.button(key=f"settle no {cell[0]} one").click().run()
    assert not app.exception
    last = store.decisions()[-1]
    assert (last.verdict, last.settles, last.reviewer, last.source) == ("no", True, "cleo", "disagreement")
    assert last.before == run.load_cells()[3, run.load_labels().index("one")]
    assert cell_states(store.decisions())[cell].value == 0
    assert "Reviewers agree" in texts(app.success)
    app.run()
    assert len(store.decisions()) == 5


def test_a_renamed_label_is_one_label_for_its_disputes(finished: Path, store: Store):
    from tagger.review import LabelOperation

    run = RunFolder(finished)
    store.record([says(run, 3, "one", "yes", "ann", 1)])
    operation = LabelOperation(kind="rename", label="one", target="uno", reviewer="ann", client="ann", seq=1)
    store.record_operation(operation)
    store.record([says(run, 3, "uno", "no", "bob", 1)])
    app = open_page("disagreements", finished, store)
    hash = run.load_images()["hash"][3]
    app.button(key=f"settle yes {hash} uno").click().run()
    assert store.decisions()[-1].before == run.load_cells()[3, run.load_labels().index("one")]


def test_alone_nothing_is_in_dispute(finished: Path, store: Store):
    assert "fewer than two people" in texts(open_page("disagreements", finished, store).info)
