"""The pages Review and Photos without a browser: what they tell the component, and what their own widgets write."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from reviewing import make_run
from streamlit.testing.v1 import AppTest

from tagger.review import Filter
from tagger.ui import workplace
from tagger.ui.component import sources
from tagger.ui.escape import escape
from tagger.ui.estimate_text import exhausted_text
from tagger.ui.review_page import component_data

SCRIPT = Path(workplace.__file__).with_name("script.py")


@pytest.fixture
def place(finished: Path, demo: Path, tmp_path: Path) -> Iterator[workplace.Workplace]:
    """The process's workplace, on a copy of the small run."""
    run = make_run(finished, demo, tmp_path, audit=20, labels={"zero": "**zero** <b>", "one": "![x](http://e.example)"})
    opened = workplace.open_workplace(run.path, reviewer="ann")
    workplace.use(opened)
    yield opened
    workplace.leave()
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


def test_the_first_page_is_review_with_its_filters_and_the_reviewers_name(place: workplace.Workplace):
    app = open_app()
    assert app.text_input(key="reviewer").value == "ann"
    assert app.selectbox(key="label").options[0] == "Any label"
    assert set(app.selectbox(key="label").options[1:]) == set(place.run_labels)
    assert any("wrong labels are left" in caption.value for caption in app.caption)


def test_the_reviewers_name_comes_from_the_address_and_goes_back_there(place: workplace.Workplace):
    app = open_app(reviewer="bob")
    assert app.text_input(key="reviewer").value == "bob"
    app.text_input(key="reviewer").set_value("carol").run()
    assert "carol" in app.query_params["reviewer"]
    app.text_input(key="reviewer").set_value("  ").run()
    assert app.text_input(key="reviewer").value.strip()


def test_a_chosen_filter_goes_to_the_component(place: workplace.Workplace):
    app = open_app()
    app.selectbox(key="label").select("**zero** <b>").run()
    app.selectbox(key="direction").select("missing").run()
    assert not app.exception
    told = component_data(place, Filter(label="sea", decided=None), "ann", None)
    assert told["filter"]["label"] == "sea"
    assert told["filter"]["decided"] is None
    assert told["token"] == place.token


def test_a_page_without_routes_learns_no_token(place: workplace.Workplace):
    from dataclasses import replace

    assert component_data(replace(place, served=False), Filter(), "ann", None)["token"] == ""


def test_without_a_run_the_app_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    workplace.leave()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["app.py"])
    app = AppTest.from_file(str(SCRIPT), default_timeout=60).run()
    assert "tagger train" in app.error[0].value


def open_photo(place: workplace.Workplace, row: int) -> AppTest:
    """The page Photos at one photo."""
    from streamlit.testing.v1 import AppTest

    def script() -> None:
        import streamlit as st

        from tagger.ui import photos_page
        from tagger.ui.workplace import current

        st.session_state.setdefault("reviewer", "ann")
        photos_page.show(current())

    app = AppTest.from_function(script, default_timeout=60)
    app.query_params["image"] = place.hashes[row]
    app.run()
    assert not app.exception, app.exception
    return app


def test_a_photos_labels_are_set_logged_and_taken_back(place: workplace.Workplace):
    app = open_photo(place, 3)
    pills = app.button_group[0]
    before = list(pills.value)
    other = next(name for name in place.run_labels if name not in before)
    pills.set_value([*before, other]).run()
    assert not app.exception
    (decision,) = place.store.decisions()
    assert (decision.label, decision.verdict, decision.source, decision.reviewer) == (other, "yes", "edit", "ann")
    assert other in app.button_group[0].value
    next(button for button in app.button if str(button.key).startswith("undo ")).click().run()
    assert not app.exception
    assert place.store.decisions()[-1].undoes == decision.id
    assert sorted(app.button_group[0].value) == sorted(before)
    assert any(text.value.startswith("~~") for text in app.markdown)


def test_a_photo_is_found_by_a_part_of_its_name(place: workplace.Workplace):
    app = open_photo(place, 3)
    app.text_input(key="find").set_value("00007").run()
    assert app.selectbox(key="found").options == [place.desk.image(7).file]
    app.text_input(key="find").set_value("nothing like it").run()
    assert app.info[0].value


def shown_names(app: AppTest) -> list[str]:
    """The small pictures on the page, by what is written on the buttons below them."""
    return [button.help for button in app.button if str(button.key).startswith("open ")]


def test_without_a_name_the_page_goes_through_all_photos(place: workplace.Workplace):
    app = open_photo(place, 3)
    app.text_input(key="find").set_value("").run()
    files = [escape(place.desk.image(row).file) for row in range(50)]
    assert shown_names(app) == files[:24]
    assert app.button(key="earlier").disabled
    app.button(key="later").click().run()
    assert shown_names(app) == files[24:48]
    app.button(key="open 30").click().run()
    assert not app.exception, app.exception
    assert place.hashes[30] in app.query_params["image"]
    app.button(key="all photos").click().run()
    assert shown_names(app) == files[24:48]
    app.button(key="earlier").click().run()
    assert shown_names(app) == files[:24]


def test_photos_of_a_label_are_those_that_have_it_now(place: workplace.Workplace):
    label = place.desk.names[1]
    rows = [row for row in range(len(place.hashes)) if place.desk.image(row).labels[1].current == 1]
    app = open_photo(place, rows[0])
    pills = app.button_group[0]
    pills.set_value([name for name in pills.value if name != label]).run()  # it has it no longer
    app.button(key="all photos").click().run()
    app.selectbox(key="browsed label").select(label).run()
    assert shown_names(app) == [escape(place.desk.image(row).file) for row in rows[1:25]]
    app.button(key=f"open {rows[2]}").click().run()
    app.button(key="all photos").click().run()
    assert app.selectbox(key="browsed label").value == label
    assert shown_names(app)[0] == escape(place.desk.image(rows[1]).file)
    app.selectbox(key="browsed label").select_index(0).run()
    assert shown_names(app)[0] == escape(place.desk.image(0).file)
    assert not app.exception, app.exception


def test_very_many_labels_are_searched_for_instead_of_shown(place: workplace.Workplace, monkeypatch):
    monkeypatch.setattr("tagger.ui.photos_page.MOST_SWITCHES", 5)
    app = open_photo(place, 3)
    box = app.multiselect[0]
    assert len(box.options) == len(place.desk.names) > 5
    added = next(name for name in place.desk.names if name not in box.value)
    box.set_value([*box.value, added]).run()
    assert not app.exception, app.exception
    (decision,) = place.store.decisions()
    assert (decision.label, decision.verdict) == (added, "yes")
    assert added in app.multiselect[0].value


def test_names_are_escaped_where_markdown_is_read(place: workplace.Workplace):
    app = open_photo(place, 3)
    app.button_group[0].set_value(["**zero** <b>", "![x](http://e.example)"]).run()
    texts = " ".join(str(text.value) for text in [*app.markdown, *app.caption])
    assert "**zero**" not in texts
    assert "![x](" not in texts


# The component's source


def test_the_components_source_is_one_module_that_writes_text_only():
    script, style = sources()
    assert script.count("export default") == 1
    assert "import " not in script.replace("import(", "")
    for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
        assert forbidden not in script
    assert "http:" not in script + style
    assert "https:" not in script + style


@pytest.mark.parametrize(
    ("chosen", "left", "said"),
    [(Filter(), 0, "All done"), (Filter(), 5, "Others are at work"), (Filter(label="sea"), 0, "Nothing left")],
)
def test_an_empty_queue_says_why(chosen: Filter, left: int, said: str):
    assert exhausted_text(chosen, left)[0].startswith(said)
