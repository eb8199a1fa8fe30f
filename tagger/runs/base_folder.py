"""Base class of a run folder and of its checkpoint: the files that both have, each whole or absent."""

import csv
import io
import json
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np
import pandas as pd

from tagger.arrays import Cells
from tagger.data.formats.csv_injection import BYTE_ORDER_MARK
from tagger.errors import Problem, TaggerError
from tagger.runs.atomic import atomic_write, write_text
from tagger.runs.read_errors import load_array, wrap_read_errors

P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F", bound="ArtifactFolder")
Method = Callable[Concatenate[F, P], T]


def reads(name: str) -> Callable[[Method[F, P, T]], Method[F, P, T]]:
    """Decorator of a method that reads the file ``name``: any failure is a TaggerError that says what to do."""

    def decorated(method: Method[F, P, T]) -> Method[F, P, T]:
        @wraps(method)
        def call(folder: F, *args: P.args, **kwargs: P.kwargs) -> T:
            with wrap_read_errors(folder.path / name):
                return method(folder, *args, **kwargs)

        return call

    return decorated


class ArtifactFolder:
    """A folder of tables about one data set. ``load_x`` gives what ``save_x`` wrote; each file is whole or absent."""

    def __init__(self, path: str | Path):
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    def save_images(self, images: pd.DataFrame) -> None:
        """``images.parquet``: file, hash, size, split, fold, group (of near-duplicates); its rows are N's order."""
        self._save_table("images.parquet", images)

    @reads("images.parquet")
    def load_images(self) -> pd.DataFrame:
        """file, hash, size, split, fold, group of each image; no group in runs of earlier versions."""
        return self._load_table("images.parquet")

    def save_fingerprints(self, fingerprints: np.ndarray) -> None:
        """``fingerprints.npy``: 16 x 16 grey levels and the mean colour of each image (N, 259), uint8."""
        self._save_array("fingerprints.npy", np.asarray(fingerprints))

    def load_fingerprints(self) -> np.ndarray | None:
        """What ``save_fingerprints`` wrote, mapped; None in a run of an earlier version."""
        path = self.path / "fingerprints.npy"
        return load_array(path) if path.is_file() else None

    def save_cells(self, labels_NK: Cells, names: tuple[str, ...]) -> None:
        """``labels.parquet``: one column a label, -1 unknown, 0, 1."""
        self._save_table("labels.parquet", pd.DataFrame(labels_NK, columns=list(names), copy=False))

    @reads("labels.parquet")
    def load_cells(self) -> Cells:
        """The cells (N, K) that were used, int8."""
        return self._load_table("labels.parquet").to_numpy(dtype=np.int8)

    @reads("labels.parquet")
    def load_cell_names(self) -> tuple[str, ...]:
        """The labels of the cells, in column order."""
        return tuple(map(str, self._load_table("labels.parquet").columns))

    def save_suspects(self, suspects: pd.DataFrame) -> None:
        """``suspects.parquet``: the cells most likely wrong, most doubtful first, and the blind audit slice."""
        self._save_table("suspects.parquet", suspects)

    @property
    def has_suspects(self) -> bool:
        """Whether ``tagger suspects`` has been run on it."""
        return (self.path / "suspects.parquet").is_file()

    @reads("suspects.parquet")
    def load_suspects(self) -> pd.DataFrame:
        """What ``save_suspects`` wrote; TaggerError if ``tagger suspects`` has not been run."""
        if not (self.path / "suspects.parquet").is_file():
            raise TaggerError(f"{self.path}: no suspects yet. Find them: tagger suspects --run {self.path}")
        return pd.read_parquet(self.path / "suspects.parquet")

    def save_unreadable(self, problems: list[Problem]) -> None:
        """``unreadable.csv``: images that could not be read, and why."""
        self._save_problems("unreadable.csv", problems)

    @reads("unreadable.csv")
    def load_unreadable(self) -> list[Problem]:
        """Images that could not be read, and why."""
        return self._load_problems("unreadable.csv")

    def _save_problems(self, name: str, problems: list[Problem]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(
            [("file", "reason"), *((p.file, p.reason) for p in problems)]
        )
        write_text(self.path / name, BYTE_ORDER_MARK + text.getvalue())

    def _load_problems(self, name: str) -> list[Problem]:
        text = self._read(name).removeprefix(BYTE_ORDER_MARK)  # earlier runs have none
        rows = csv.reader(io.StringIO(text))
        return [Problem(file, None, reason) for file, reason in list(rows)[1:]]

    def _save_table(self, name: str, table: pd.DataFrame) -> None:
        with atomic_write(self.path / name) as temporary:
            table.to_parquet(temporary, index=False)

    def _load_table(self, name: str) -> pd.DataFrame:
        self._require_file(name)
        return pd.read_parquet(self.path / name)

    def _read(self, name: str) -> str:
        self._require_file(name)
        return (self.path / name).read_text("utf-8")

    def _require_file(self, name: str) -> None:
        if not (self.path / name).is_file():
            raise TaggerError(f"{self.path}: no {name} in it. Is it a run folder of a finished training?")

    def _save_array(self, name: str, array: np.ndarray) -> None:
        with atomic_write(self.path / name) as temporary, temporary.open("wb") as file:
            np.save(file, array)

    def _save_json(self, name: str, value: Any) -> None:
        write_text(self.path / name, json.dumps(value, indent=1, ensure_ascii=False))
