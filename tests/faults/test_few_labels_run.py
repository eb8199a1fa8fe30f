"""A run on labels that hardly are any: absent, always there, unknown, in one photo only; and every page of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from reviewing import page
from small import train_argv
from streamlit.testing.v1 import AppTest

from tagger.runs import RunFolder

NUM = 24
PLOTS = {"precision_recall", "learning_curves", "reliability", "cooccurrence", "per_label"}


def photos(folder: Path, **columns: Any) -> Path:
    """A data folder of noise with these label columns (NUM cells each; None is unknown)."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    files = [f"{n:02}.png" for n in range(NUM)]
    for n, file in enumerate(files):
        bright = 100 if n % 2 else 0
        Image.fromarray((rng.integers(0, 100, (32, 32, 3)) + bright).astype(np.uint8)).save(folder / file)
    pd.DataFrame({"file": files, **columns}).to_csv(folder / "labels.csv", index=False)
    return folder


ODD: list[Any] = [n % 2 for n in range(NUM)]
CASES: dict[str, dict[str, Any]] = {
    "one label": {"odd": ODD},
    "labels that hardly are any": {
        "odd": ODD,
        "never": [0] * NUM,
        "always": [1] * NUM,
        "unknown": [None] * NUM,
        "once": [1] + [0] * (NUM - 1),
        "one known": [1] + [None] * (NUM - 1),
    },
}


@pytest.mark.parametrize("case", CASES)
def test_training_predicting_and_every_page_work(case: str, tmp_path: Path, tagger_cli: Callable[..., Any]):
    columns = CASES[case]
    data = photos(tmp_path / "data", **columns)
    end = tagger_cli(*train_argv(data, tmp_path / "run", train__epochs=0, data__test=0.25, data__folds=3))
    assert end.code == 0, end.err
    run = RunFolder(tmp_path / "run")
    assert json.loads((run.path / "metrics.json").read_text("utf-8"), parse_constant=pytest.fail)["test"]
    assert {path.stem for path in run.plots_path.iterdir()} >= PLOTS
    card = run.card_path.read_text("utf-8")
    assert all(name in card for name in columns)
    assert "nan" not in card.lower().split()
    probs_NK, _ = run.load_oof()
    assert np.isfinite(probs_NK).all()
    assert tagger_cli("predict", data, "--run", run.path, "--out", tmp_path / "p.csv").code == 0
    assert not pd.read_csv(tmp_path / "p.csv").drop(columns="labels").isna().any(axis=None)
    assert tagger_cli("suspects", "--run", run.path).code == 0
    assert tagger_cli("evaluate", "--data", data, "--run", run.path).code == 0
    for name in ("overview", "data", "labels"):
        app = AppTest.from_function(
            page,
            kwargs={"name": name, "path": str(run.path), "url": f"sqlite:///{tmp_path}/r.db"},
            default_timeout=60,
        ).run()
        assert not app.exception, (name, app.exception)


@pytest.mark.parametrize(
    "columns", [{}, {"unknown": [None] * NUM}, {"never": [0] * NUM}, {"always": [1] * NUM}]
)
def test_where_there_is_nothing_to_learn_one_line_says_so(
    tmp_path: Path, tagger_cli: Callable[..., Any], columns: dict[str, Any]
):
    end = tagger_cli(*train_argv(photos(tmp_path / "data", **columns), tmp_path / "run"))
    assert end.code == 2
    assert len(end.err.strip().splitlines()) == 1
    assert not (tmp_path / "run" / "config.toml").exists()
