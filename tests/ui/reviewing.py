"""A small run with hand-made suspects, and what AppTest shows, for the tests of the review app. No test itself."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from streamlit.testing.v1 import AppTest

from tagger.runs import RunFolder

SIGNALS = ("self_confidence", "neighbours", "label_context", "rules", "duplicates", "dynamics")


def make_run(
    finished: Path,
    data: Path,
    target: Path,
    *,
    num: int = 320,
    audit: int = 0,
    files: dict[int, str] | None = None,
    labels: dict[str, str] | None = None,
) -> RunFolder:
    """A copy of the run, on a copy of the data, with ``num`` suspects: the first cells in the order of rows.

    ``files``: other file names for some rows; ``labels``: other names for some labels.
    """
    run = RunFolder(shutil.copytree(finished, target / "run"))
    root = Path(shutil.copytree(data, target / "data"))
    settings = run.path / "config.toml"
    settings.write_text(settings.read_text("utf-8").replace(str(data), str(root)), "utf-8")
    images = run.load_images()
    for row, file in (files or {}).items():
        (root / images.at[row, "file"]).rename(root / file)
        images.at[row, "file"] = file
    run.save_images(images)
    names = tuple((labels or {}).get(name, name) for name in run.load_labels())
    run.save_labels(names, {}, ())
    run.save_suspects(make_suspects(images, run.load_cells(), names, num=num, audit=audit))
    near = (np.arange(len(images))[:, None] + np.arange(1, 7)) % len(images)
    run.save_neighbours(near, np.full(near.shape, 0.9))
    return run


def make_suspects(
    images: pd.DataFrame, cells_NK: np.ndarray, names: tuple[str, ...], *, num: int, audit: int
) -> pd.DataFrame:
    """A table of suspects: cell n is column n % K of row n // K, doubts falling; the last ``audit`` are blind ones."""
    rows, columns = np.divmod(np.arange(num + audit), len(names))
    given = cells_NK[rows, columns]
    blind = np.arange(num + audit) >= num
    table = pd.DataFrame(
        {
            "file": images["file"].to_numpy()[rows],
            "hash": images["hash"].to_numpy()[rows],
            "label": np.array(names, object)[columns],
            "given": given.astype(np.int8),
            "suggested": (1 - given).astype(np.int8),
            "doubt": np.linspace(0.99, 0.05, num + audit).astype(np.float32),
            "direction": np.where(given == 1, "spurious", "missing"),
            "reason": np.where(blind, "", "3 of its 6 nearest images say otherwise"),
            "row": rows.astype(np.int32),
            "audit": blind,
            "stratum": np.int16(0),
            "stratum_size": np.int32(10 * audit),
            "weight": np.float32(10.0),
            "main_signal": "neighbours",
        }
    )
    return table.assign(**{f"signal_{name}": np.float32(0.5) for name in SIGNALS})


def page(name: str, path: str, url: str) -> None:
    """A script that is one page."""
    from importlib import import_module

    from tagger.review import Store
    from tagger.runs import RunFolder

    store = Store.open(url)
    try:
        import_module(f"tagger.ui.pages.{name}_page").show(RunFolder(path), store)
    finally:
        store.close()


def texts(elements: Iterable[Any]) -> str:
    """The texts of a page's elements of one kind, such as ``app.warning``."""
    return "\n".join(str(element.value) for element in elements)


def labelled(widgets: Iterable[Any], label: str) -> Any:
    """The one widget with this label."""
    (found,) = [widget for widget in widgets if widget.label == label]
    return found


def table_with(app: AppTest, *columns: str) -> pd.DataFrame:
    """The one table on the page that has these columns (or an index of that name)."""
    tables = [frame.value for frame in app.dataframe]
    (found,) = [table for table in tables if set(columns) <= {*table.columns, table.index.name}]
    return found
