"""What the pages say of groups and rules, on a small run that is given some."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tagger.runs import RunFolder
from tagger.scoring import ExclusiveGroup, LabelConstraints
from tagger.ui.charts.probability_charts import probability_table
from tagger.ui.pages.run_comparison import group_differences
from tagger.ui.pages.threshold_panel import constraints_note

NAMES = ["baby", "adult", "people"]
AGES = ExclusiveGroup("age", (0, 1), always=True)


def overview(path: str, url: str) -> None:
    """A script that is the Overview page."""
    from tagger.review import Store
    from tagger.runs import RunFolder
    from tagger.ui.pages.overview_page import show

    store = Store.open(url)
    try:
        show(RunFolder(path), store)
    finally:
        store.close()


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> RunFolder:
    """A copy of the small run with a rule between all its labels, and a group's metrics."""
    run = RunFolder(shutil.copytree(finished, tmp_path / "run"))
    tree = json.loads((run.path / "labels.json").read_text("utf-8"))
    tree["rules"] = [{"if": name, "then": tree["labels"][0]} for name in tree["labels"][1:]]
    (run.path / "labels.json").write_text(json.dumps(tree), "utf-8")
    metrics = run.load_metrics()
    value = {"value": 0.5, "low": 0.4, "high": 0.6}
    metrics["test"]["groups"] = {"age": {"num_images": 9, "accuracy": value, "mean_absolute_error": value}}
    (run.path / "metrics.json").write_text(json.dumps(metrics), "utf-8")
    return run


def test_the_overview_shows_groups_and_says_what_a_threshold_does_not_do_alone(
    run: RunFolder, tmp_path: Path
):
    url = f"sqlite:///{tmp_path}/review.db"
    app = AppTest.from_function(
        overview, kwargs={"path": str(run.path), "url": url}, default_timeout=60
    ).run()
    assert not app.exception, app.exception
    tables = [frame.value for frame in app.dataframe if "metric" in frame.value]
    assert tables[0]["metric"].tolist() == ["accuracy", "mean absolute error"]
    assert any("also gets" in caption.value for caption in app.caption)


def test_the_note_of_a_threshold_names_its_group_and_its_rules():
    assert constraints_note(LabelConstraints(), 0, NAMES) == ""
    assert "likeliest label of the group age, whatever" in constraints_note(
        LabelConstraints((AGES,)), 1, NAMES
    )
    assert "reaches its threshold" in constraints_note(
        LabelConstraints((ExclusiveGroup("age", (0, 1)),)), 1, NAMES
    )
    assert constraints_note(LabelConstraints((AGES,)), 2, NAMES) == ""
    assert "a photo with baby also gets people" in constraints_note(
        LabelConstraints(rules=((0, 2),)), 2, NAMES
    )


def test_a_photo_that_is_tried_gets_what_a_prediction_would_give_it():
    constraints = LabelConstraints((AGES,), ((0, 2),))
    table = probability_table(NAMES, [0.6, 0.55, 0.1], np.full(3, 0.5), constraints).set_index("label")
    assert table["chosen"].to_dict() == {"baby": True, "people": True, "adult": False}


def test_a_comparison_shows_what_changed_in_a_group():
    row = {"a": 0.5, "b": 0.6, "difference": 0.1, "low": 0.0, "high": 0.2}
    table = group_differences({"age": {"accuracy": row, "mean_absolute_error": row}})
    assert table.index.tolist() == ["age: accuracy", "age: mean absolute error"]
