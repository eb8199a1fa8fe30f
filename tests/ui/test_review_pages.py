"""The pages Review and Photos without a browser: what they tell the component, and what their own widgets write."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from reviewing import labelled, make_run, texts
from streamlit.testing.v1 import AppTest

from tagger.review import SuspectFilter
from tagger.ui import app_state
from tagger.ui.component import component_sources
from tagger.ui.markdown_escape import escape_markdown
from tagger.ui.pages.review_page import component_data
from tagger.ui.review_status_text import no_cards_text
from tagger.ui.server.launch import SCRIPT


@pytest.fixture
def state(finished: Path, demo: Path, tmp_path: Path) -> Iterator[app_state.AppState]:
    """The state of the process, on a copy of the small run."""
    run = make_run(
        finished, demo, tmp_path, audit=20, labels={"zero": "**zero** <b>", "one": "![x](http://e.example)"}
    )
    opened = app_state.open_app_state(run.path, reviewer="ann")
    app_state.set_current_state(opened)
    yield opened
    app_state.clear_current_state()
    opened.store.close()


def open_app(page: str | None = None, **query: str) -> AppTest:
    """The app as a browser would first see it."""
    app = AppTest.from_file(str(SCRIPT), default_timeout=60)
    app.query_params.update(query)
    app.run()
    if page:
        app.switch_page(page).run()
    assert not app.exception, app.exception
    return app


def test_the_first_page_is_review_with_its_filters_and_the_reviewers_name(state: app_state.AppState):
    app = open_app()
    assert app.text_input(key="reviewer").value == "ann"
    assert app.selectbox(key="label").options[0] == "Any label"
    assert set(app.selectbox(key="label").options[1:]) == set(state.run_labels)
    assert any("wrong labels are left" in caption.value for caption in app.caption)


def test_the_sidebar_says_how_many_of_the_chosen_label_look_wrong(state: app_state.AppState):
    app = open_app()
    assert not [caption.value for caption in app.caption if "in 10" in caption.value]  # an older table
    table = state.session.suspects
    table["positives"] = 20
    state.session._ranking.doubt_S = np.where(table["label"] == "two", 0.3, 0.002).astype(np.float32)
    many = int(((table["label"] == "two") & (table["given"] == 1)).sum())
    app.run()
    captions = [caption.value.replace("\\", "") for caption in app.caption]
    (about_two,) = [caption for caption in captions if "`two` labels" in caption]
    tenths = max(round(10 * 0.3 * many / 20), 1)
    assert about_two.startswith(f"About {tenths} in 10 `two` labels look wrong (")
    app.selectbox(key="label").select("three").run()
    captions = [caption.value.replace("\\", "") for caption in app.caption]
    assert "Few `three` labels look wrong." in captions
    assert not [caption for caption in captions if "`two`" in caption]


def test_the_reviewers_name_comes_from_the_address_and_goes_back_there(state: app_state.AppState):
    app = open_app(reviewer="bob")
    assert app.text_input(key="reviewer").value == "bob"
    app.text_input(key="reviewer").set_value("carol").run()
    assert "carol" in app.query_params["reviewer"]
    app.text_input(key="reviewer").set_value("  ").run()
    assert app.text_input(key="reviewer").value.strip()


def test_a_chosen_filter_goes_to_the_component(state: app_state.AppState):
    app = open_app()
    app.selectbox(key="label").select("**zero** <b>").run()
    app.selectbox(key="direction").select("missing").run()
    assert not app.exception
    sent = component_data(state, SuspectFilter(label="sea", decided=None), "ann", None)
    assert sent["filter"]["label"] == "sea"
    assert sent["filter"]["decided"] is None
    assert sent["token"] == state.token


def test_a_page_without_routes_learns_no_token(state: app_state.AppState):
    from dataclasses import replace

    assert component_data(replace(state, served=False), SuspectFilter(), "ann", None)["token"] == ""


def test_without_a_run_the_app_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    app_state.clear_current_state()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["app.py"])
    app = AppTest.from_file(str(SCRIPT), default_timeout=60).run()
    assert "tagger train" in texts(app.error)


def open_photo(state: app_state.AppState, row: int) -> AppTest:
    """The page Photos at one photo."""
    from streamlit.testing.v1 import AppTest

    def script() -> None:
        import streamlit as st

        from tagger.ui.app_state import current_state
        from tagger.ui.pages import photos_page

        st.session_state.setdefault("reviewer", "ann")
        photos_page.show(current_state())

    app = AppTest.from_function(script, default_timeout=60)
    app.query_params["image"] = state.hashes[row]
    app.run()
    assert not app.exception, app.exception
    return app


def test_a_photos_labels_are_set_logged_and_taken_back(state: app_state.AppState):
    app = open_photo(state, 3)
    pills = labelled(app.button_group, "Labels")
    before = list(pills.value)
    other = next(name for name in state.run_labels if name not in before)
    pills.set_value([*before, other]).run()
    assert not app.exception
    (decision,) = state.store.decisions()
    assert (decision.label, decision.verdict, decision.source, decision.reviewer) == (
        other,
        "yes",
        "edit",
        "ann",
    )
    assert other in labelled(app.button_group, "Labels").value
    next(button for button in app.button if str(button.key).startswith("undo ")).click().run()
    assert not app.exception
    assert state.store.decisions()[-1].undoes == decision.id
    assert sorted(labelled(app.button_group, "Labels").value) == sorted(before)
    assert any(text.value.startswith("~~") for text in app.markdown)


def test_a_photo_is_found_by_a_part_of_its_name(state: app_state.AppState):
    app = open_photo(state, 3)
    app.button(key="all photos").click().run()
    app.text_input(key="photos name").set_value("00007").run()
    assert shown_names(app) == [escape_markdown(state.session.image(7).file)]
    app.text_input(key="photos name").set_value("nothing like it").run()
    assert "No photo is like this" in texts(app.info)


def shown_names(app: AppTest) -> list[str]:
    """File names of the tiles on the page, from the buttons below them."""
    return [button.help for button in app.button if str(button.key).startswith("open ")]


def test_without_a_name_the_page_goes_through_all_photos(state: app_state.AppState):
    app = open_photo(state, 3)
    app.button(key="all photos").click().run()
    files = [escape_markdown(state.session.image(row).file) for row in range(50)]
    assert shown_names(app) == files[:24]
    assert app.button(key="earlier").disabled
    app.button(key="later").click().run()
    assert shown_names(app) == files[24:48]
    app.button(key="open 30").click().run()
    assert not app.exception, app.exception
    assert state.hashes[30] in app.query_params["image"]
    app.button(key="all photos").click().run()
    assert shown_names(app) == files[24:48]
    app.button(key="earlier").click().run()
    assert shown_names(app) == files[:24]


def test_photos_of_a_label_are_those_that_have_it_now(state: app_state.AppState):
    label = state.session.names[1]
    rows = [row for row in range(len(state.hashes)) if state.session.image(row).labels[1].current == 1]
    app = open_photo(state, rows[0])
    pills = labelled(app.button_group, "Labels")
    pills.set_value([name for name in pills.value if name != label]).run()  # it has it no longer
    app.button(key="all photos").click().run()
    app.multiselect(key="photos with").set_value([label]).run()
    assert shown_names(app) == [escape_markdown(state.session.image(row).file) for row in rows[1:25]]
    app.button(key=f"open {rows[2]}").click().run()
    app.button(key="all photos").click().run()
    assert app.multiselect(key="photos with").value == [label]
    assert shown_names(app)[0] == escape_markdown(state.session.image(rows[1]).file)
    app.multiselect(key="photos with").set_value([]).run()
    assert shown_names(app)[0] == escape_markdown(state.session.image(0).file)
    assert not app.exception, app.exception


def test_the_filter_stands_in_the_address_and_a_photo_goes_back_to_it(state: app_state.AppState):
    label = state.session.names[2]
    app = open_photo(state, 0)
    app.query_params.clear()
    app.query_params["without"] = label
    app.query_params["order"] = "name"
    app.query_params["from"] = "24"
    app.run()
    rows = [row for row in range(len(state.hashes)) if state.session.image(row).labels[2].current != 1]
    files = sorted(state.session.image(row).file for row in rows)
    assert shown_names(app) == [escape_markdown(file) for file in files[24:48]]
    row = next(row for row in rows if state.session.image(row).file == files[30])
    app.button(key=f"open {row}").click().run()
    app.button(key="next").click().run()
    (hash,) = value if isinstance(value := app.query_params["image"], list) else [value]
    assert state.session.image(state.session.row(hash)).file == files[31]
    assert any(files[31] in caption.value.replace("\\", "") for caption in app.caption)
    app.button(key="all photos").click().run()
    assert shown_names(app) == [escape_markdown(file) for file in files[24:48]]
    for key, text in (
        ("with", "no such label"),
        ("order", "x"),
        ("from", "-9"),
        ("from", "9" * 40),
        ("image", "z"),
    ):
        app.query_params.clear()
        app.query_params[key] = text
        app.run()
        assert not app.exception, app.exception
        assert shown_names(app)[0] == escape_markdown(state.session.image(0).file)


def test_many_photos_are_labelled_in_one_stroke_and_taken_back_in_one(state: app_state.AppState):
    label = state.session.names[3]
    app = open_photo(state, 0)
    app.button(key="all photos").click().run()
    app.toggle(key="selecting").set_value(True).run()
    app.button(key="select page").click().run()
    app.button(key="later").click().run()
    app.checkbox(key="select 30").check().run()
    app.selectbox(key="stroke label").select(label).run()
    changed = [row for row in (*range(24), 30) if state.session.image(row).labels[3].current != 1]
    app.button(key="stroke yes").click().run()
    assert not app.exception, app.exception
    rows = state.store.decisions()
    assert {row.hash for row in rows} == {state.hashes[row] for row in changed}
    assert len({row.time for row in rows}) == 1
    assert all(state.session.image(row).labels[3].current == 1 for row in (*range(24), 30))
    app.button(key="undo stroke").click().run()
    assert [row for row in (*range(24), 30) if state.session.image(row).labels[3].current != 1] == changed
    assert not app.exception, app.exception


def test_very_many_labels_are_searched_for_instead_of_shown(state: app_state.AppState, monkeypatch):
    monkeypatch.setattr("tagger.ui.pages.photos_page.MAX_SWITCHES", 5)
    app = open_photo(state, 3)
    box = labelled(app.multiselect, "Labels")
    assert len(box.options) == len(state.session.names) > 5
    added = next(name for name in state.session.names if name not in box.value)
    box.set_value([*box.value, added]).run()
    assert not app.exception, app.exception
    (decision,) = state.store.decisions()
    assert (decision.label, decision.verdict) == (added, "yes")
    assert added in labelled(app.multiselect, "Labels").value


def test_names_are_escaped_where_markdown_is_read(state: app_state.AppState):
    app = open_photo(state, 3)
    labelled(app.button_group, "Labels").set_value(["**zero** <b>", "![x](http://e.example)"]).run()
    texts = " ".join(str(text.value) for text in [*app.markdown, *app.caption])
    assert "**zero**" not in texts
    assert "![x](" not in texts


# The component's source


def test_the_components_source_is_one_module_that_writes_text_only():
    script, style = component_sources()
    assert script.count("export default") == 1
    assert "import " not in script.replace("import(", "")
    for forbidden in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
    ):
        assert forbidden not in script
    assert "http:" not in script + style
    assert "https:" not in script + style


@pytest.mark.parametrize(
    ("chosen", "left", "said"),
    [
        (SuspectFilter(), 0, "All done"),
        (SuspectFilter(), 5, "Remaining cards are held by other"),
        (SuspectFilter(label="sea"), 0, "Nothing left"),
    ],
)
def test_an_empty_queue_says_why(chosen: SuspectFilter, left: int, said: str):
    assert no_cards_text(chosen, left)[0].startswith(said)
