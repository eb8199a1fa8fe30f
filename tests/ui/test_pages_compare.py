"""The Compare page: which runs it offers first, the numbers of ``tagger compare``, refusals in words."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from reviewing import table_with, texts
from streamlit.testing.v1 import AppTest

from tagger.commands.compare import compare
from tagger.runs import RunFolder
from tagger.ui.pages.compare_page import sibling_runs
from tagger.ui.pages.run_comparison import difference_chart, label_differences, overall_differences


@pytest.fixture
def runs(finished: Path, tmp_path: Path) -> tuple[RunFolder, RunFolder]:
    """A run and another whose probabilities are a little better."""
    old = RunFolder(shutil.copytree(finished, tmp_path / "old"))
    new = RunFolder(shutil.copytree(finished, tmp_path / "![new](x)"))
    probs_NK, fold_N = new.load_oof()
    new.save_oof(0.7 * probs_NK + 0.3 * (new.load_cells() == 1), fold_N)
    metrics = new.load_metrics() | {"retrained_from": str(old.path)}
    (new.path / "metrics.json").write_text(json.dumps(metrics), "utf-8")
    os.utime(old.path / "metrics.json", (1, 1))
    return old, new


def page(path: str) -> None:
    """A script that is the page."""
    from tagger.runs import RunFolder
    from tagger.ui.pages.compare_page import show

    show(RunFolder(path), None)  # type: ignore[arg-type]  # it needs no store


def open_page(run: RunFolder) -> AppTest:
    """The page of a run as a browser would first see it."""
    app = AppTest.from_function(page, kwargs={"path": str(run.path)}, default_timeout=60).run()
    assert not app.exception, app.exception
    return app


def test_a_run_is_compared_with_the_one_that_it_came_from(runs: tuple[RunFolder, RunFolder]):
    old, new = runs
    for here in runs:
        app = open_page(here)
        assert [box.value for box in app.selectbox] == [str(old.path), str(new.path)]
        expected = overall_differences(compare(old, new))
        shown = table_with(app, "metric", "difference")
        assert shown.loc["mAP", "difference"] == pytest.approx(expected.loc["mAP", "difference"])
        assert float(str(shown.loc["mAP", "difference"])) > 0


@pytest.mark.parametrize("stored", ["as written", "resolved", "moved"])
def test_a_parent_is_the_run_before_also_behind_a_link(
    stored: str, runs: tuple[RunFolder, RunFolder], tmp_path: Path
):
    """The parent is stored resolved, and the app is opened through a link; or the whole folder was moved."""
    old, new = runs
    folder = tmp_path / "real"
    folder.mkdir()
    for run in runs:
        shutil.move(run.path, folder)
    (tmp_path / "link").symlink_to(folder)
    here = tmp_path / "link"
    origin = {"as written": here, "resolved": folder, "moved": tmp_path}[stored] / old.path.name
    metrics = RunFolder(here / new.path.name).load_metrics() | {"retrained_from": str(origin)}
    (here / new.path.name / "metrics.json").write_text(json.dumps(metrics), "utf-8")
    os.utime(here / old.path.name / "metrics.json", (1, 1))
    for opened in (here / old.path.name, here / new.path.name, folder / new.path.name):
        app = open_page(RunFolder(opened))
        assert [Path(box.value).name for box in app.selectbox] == [old.path.name, new.path.name]


def test_the_same_run_twice_and_a_single_run_are_explained(runs: tuple[RunFolder, RunFolder]):
    old, new = runs
    app = open_page(old)
    app.selectbox(key="compare after").set_value(str(old.path)).run()
    assert "the same run" in texts(app.info)
    shutil.rmtree(new.path)
    assert "only one run" in texts(open_page(old).info)
    assert [run.path for run in sibling_runs(old)] == [old.path]


def test_runs_of_other_images_are_refused_in_words(runs: tuple[RunFolder, RunFolder]):
    old, new = runs
    images = new.load_images()
    others = ["0" + hash[1:][::-1] for hash in images["hash"]]
    new.save_images(images.assign(hash=others, picture_hash=others))
    assert "share no test photo" in texts(open_page(old).warning).replace("\\", "")


def test_rows_without_an_interval_are_drawn_as_a_dot():
    row: dict[str, Any] = {"a": 0.5, "b": 0.6, "difference": 0.1, "low": None, "high": None}
    none = dict.fromkeys(("a", "b", "difference", "low", "high"))
    result = {"per_label": {"few": {"average_precision": row}, "never": {"average_precision": none}}}
    table = label_differences(result)
    assert table.index.tolist() == ["few"]
    (rule, *_), data = (
        difference_chart(table).to_dict()["layer"][1:],
        difference_chart(table).to_dict()["datasets"],
    )
    assert rule["mark"]["type"] == "rule"
    assert not any(one.get("sure") for rows in data.values() for one in rows)
    assert any(
        one.get("low") == one.get("high") == pytest.approx(0.1) for rows in data.values() for one in rows
    )
