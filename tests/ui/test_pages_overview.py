"""The Overview and Data pages on a small run: they show what the run holds, and keep a threshold set."""

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reviewing import labelled, page, table_with, texts
from streamlit.testing.v1 import AppTest

from tagger.review import Store
from tagger.runs import RunFolder
from tagger.scoring import apply_thresholds, confusion_counts, f_beta
from tagger.ui.pages.threshold_panel import counts_at
from tagger.ui.run_data import run_data


def open_page(name: str, run: Path, tmp_path: Path) -> AppTest:
    """The page as a browser would first see it."""
    url = f"sqlite:///{tmp_path}/review.db"
    app = AppTest.from_function(
        page, kwargs={"name": name, "path": str(run), "url": url}, default_timeout=60
    ).run()
    assert not app.exception, app.exception
    return app


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> RunFolder:
    """A copy of the small run, to be written in."""
    return RunFolder(shutil.copytree(finished, tmp_path / "run"))


def test_the_overview_shows_the_runs_numbers(run: RunFolder, tmp_path: Path):
    app = open_page("overview", run.path, tmp_path)
    overall = run.load_metrics()["test"]["overall"]
    shown = {metric.label: metric.value for metric in app.metric}
    assert shown["mAP"] == f"{overall['map']['value']:.3f}"
    assert shown["Micro-F1"] == f"{overall['micro_f1']['value']:.3f}"
    table = table_with(app, "label", "AP")
    assert sorted(table["label"]) == sorted(run.load_labels())


def test_a_threshold_that_is_moved_and_saved_comes_back_as_a_set(run: RunFolder, tmp_path: Path):
    app = open_page("overview", run.path, tmp_path)
    k = int(app.selectbox(key="threshold label").value or 0)
    labelled(app.slider, "Threshold").set_value(0.25).run()
    shown = {metric.label: metric.value for metric in app.metric}
    labels_NK, (probs_NK, _) = run.load_cells(), run.load_oof()
    test_N = (run.load_images()["split"] == "test").to_numpy()
    counts = confusion_counts(labels_NK[test_N], apply_thresholds(probs_NK[test_N], 0.25))
    assert shown["Chosen"] == f"{int(counts.tp[k] + counts.fp[k]):,}"
    assert shown["F1"] == f"{f_beta(counts)[k]:.3f}"
    app.text_input(key="threshold name").set_value("by hand")
    app.button(key="save thresholds").click().run()
    assert not app.exception
    assert "\\-\\-thresholds" in texts(app.success)
    names, own = run.load_labels(), run.load_decision_rule()[0].values_K
    saved = run.load_threshold_set("by hand")
    assert saved[names[k]] == 0.25
    np.testing.assert_array_equal([saved[n] for n in names if n != names[k]], np.delete(own, k))

    app.text_input(key="threshold name").set_value("by hand")
    app.button(key="save thresholds").click().run()
    assert "already" in texts(app.error)
    app.selectbox(key="threshold base").set_value("by hand").run()
    assert labelled(app.slider, "Threshold").value == 0.25


def test_a_name_that_is_no_file_name_is_refused_in_words(run: RunFolder, tmp_path: Path):
    app = open_page("overview", run.path, tmp_path)
    app.text_input(key="threshold name").set_value("../elsewhere")
    app.button(key="save thresholds").click().run()
    assert "no name for a threshold set" in texts(app.error)
    assert run.threshold_sets() == []


def test_the_data_page_counts_what_the_run_has(run: RunFolder, tmp_path: Path):
    app = open_page("data", run.path, tmp_path)
    labels_NK = run.load_cells()
    shown = {metric.label: metric.value for metric in app.metric}
    assert shown["Photos"] == f"{len(labels_NK):,}"
    assert shown["Labels set"] == f"{int((labels_NK == 1).sum()):,}"
    table = table_with(app, "label", "train").set_index("label")
    for k, name in enumerate(run.load_labels()):
        assert table.loc[name, "all"] == (labels_NK[:, k] == 1).sum()
        assert table.loc[name, ["train", "val", "test"]].sum() == table.loc[name, "all"]


def test_near_duplicates_are_counted_where_the_run_knows_them(run: RunFolder, tmp_path: Path):
    images = run.load_images()
    run.save_images(images.assign(group=[0, 0, 1, 1, *range(2, len(images) - 2)]))
    shown = {metric.label: metric.value for metric in open_page("data", run.path, tmp_path).metric}
    assert shown["Near-duplicates"] == "2"


@pytest.mark.parametrize("name", ["overview", "data"])
def test_hostile_names_reach_markdown_only_escaped(name: str, finished: Path, tmp_path: Path):
    hostile = "![x](http://evil.example/p.png)<img src=x onerror=alert(1)>"
    run = RunFolder(shutil.copytree(finished, tmp_path / hostile.replace("/", "_")))
    names = run.load_labels()
    changed = (hostile, *names[1:])
    for file in ("labels.json", "metrics.json", "thresholds.json"):
        path = run.path / file
        path.write_text(path.read_text("utf-8").replace(f'"{names[0]}"', f'"{hostile}"'), "utf-8")
    assert run.load_labels() == changed
    app = open_page(name, run.path, tmp_path)
    if name == "overview":
        labelled(app.slider, "Threshold").set_value(0.5).run()
    texts: list[Any] = [
        *app.markdown,
        *app.caption,
        *app.info,
        *app.warning,
        *app.error,
        *app.success,
        *app.metric,
    ]
    for element in texts:
        text = str(getattr(element, "label", "")) + str(element.value)
        assert not re.search(r"(?<!\\)(<img|!\[|\]\()", text), text


def test_pages_write_nothing_to_the_store(finished: Path, tmp_path: Path):
    for name in ("overview", "data"):
        open_page(name, finished, tmp_path)
    store = Store.open(f"sqlite:///{tmp_path}/review.db")
    assert store.last_id() == 0
    store.close()


def test_counts_under_moved_thresholds_are_those_of_counting_anew(finished: Path):
    run = RunFolder(finished)
    data = run_data(run)
    values_K = data.thresholds.values_K.copy()
    values_K[[1, 4]] = 0.0, 1.0
    own = confusion_counts(
        data.evaluation_data[0], apply_thresholds(data.evaluation_data[1], data.thresholds.values_K)
    )
    moved, anew = (
        counts_at(own, data, values_K),
        confusion_counts(data.evaluation_data[0], apply_thresholds(data.evaluation_data[1], values_K)),
    )
    for part in ("tp", "fp", "fn", "tn"):
        np.testing.assert_array_equal(getattr(moved, part), getattr(anew, part))
    assert moved.tp is not own.tp


def test_without_a_test_split_validation_and_out_of_fold_rows_stand_in(run: RunFolder, tmp_path: Path):
    images, metrics = run.load_images(), run.load_metrics()
    run.save_images(images.assign(split=images["split"].replace("test", "train")))
    run.finish(metrics | {"test": None, "notes": ["There is no *test* split."]})
    app = open_page("overview", run.path, tmp_path)
    shown = {metric.label: metric.value for metric in app.metric}
    assert shown["mAP"] == f"{metrics['validation']['overall']['map']['value']:.3f}"
    assert texts(app.info) == "There is no \\*test\\* split\\."
    assert any("there is no test split" in caption.value.replace("\\", "") for caption in app.caption)


def test_a_run_that_nothing_judges_says_so(run: RunFolder, tmp_path: Path):
    run.finish(run.load_metrics() | {"test": None, "validation": None})
    assert "its quality cannot be measured" in texts(open_page("overview", run.path, tmp_path).warning)
