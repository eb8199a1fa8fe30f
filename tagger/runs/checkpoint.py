"""The checkpoint of an unfinished run: every file that an interrupted training resumes from.

This class alone knows their names. The folder lies in the run folder and goes when the run is finished.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import Floats
from tagger.runs.alignment_files import AlignmentFiles
from tagger.runs.atomic import atomic_write, create_memmap, write_text
from tagger.runs.base_folder import reads
from tagger.runs.ownership import check_claim, clear, mark
from tagger.runs.read_errors import load_array, wrap_read_errors

NETWORK = r"(network|network-\d+-of-\d+|half-\d+-of-\d+)"
FILES = re.compile(  # every file of a checkpoint but its lock; what is not listed here is not removed with it
    r"(files|pixels|fingerprints|landmarks)\.npy|(aligned|changed)\.json|unaligned\.csv|features\.(npy|json)|unreadable\.(json|csv)|origin\.json"
    rf"|(images|labels|suspects)\.parquet|{NETWORK}\.(npy|json|pt|safetensors|dynamics\.safetensors)"
)
RESUME = "Remove it, and go on with --resume"  # what helps where a file of a checkpoint is damaged


class Checkpoint(AlignmentFiles):
    """The data set as it was read, what was computed of its images, and the networks trained so far."""

    @property
    def lock_path(self) -> Path:
        """The file whose lock says that a process trains here."""
        return self.path / "lock"

    @property
    def pixels_path(self) -> Path:
        """Decoded images (N, 3, size, size) uint8, where they fit the cache."""
        return self.path / "pixels.npy"

    @property
    def fingerprints_path(self) -> Path:
        """Fingerprints (N, 259) uint8, by which copies of images are found."""
        return self.path / "fingerprints.npy"

    def claim(self) -> None:
        """Mark the folder as ours, before its first file: only a marked folder's files are ever removed."""
        mark(self.path)

    def check_claim(self, advice: str) -> None:
        """TaggerError, which ends with ``advice``, if a training begun here would overwrite what others wrote."""
        check_claim(self.path, FILES, advice)

    def remove(self) -> None:
        """Remove our files, and then the folder if nothing else is in it."""
        clear(self.path, re.compile(f"lock|{FILES.pattern}"))

    def save_origin(self, origin: dict[str, Any]) -> None:
        """``origin.json``: the run, the store and the last decision that a retraining is made from."""
        self._save_json("origin.json", origin)

    @reads("origin.json")
    def load_origin(self) -> dict[str, Any] | None:
        """What ``save_origin`` wrote, or None where there is none: this is no retraining."""
        if not (self.path / "origin.json").is_file():
            return None
        return dict(json.loads(self._read("origin.json")))

    def save_file_stats(self, stats_NF: NDArray[np.int64]) -> None:
        """``files.npy``: what the system knew of each file when it was hashed (size, inode, times)."""
        self._save_array("files.npy", stats_NF)

    def load_file_stats(self) -> NDArray[np.int64] | None:
        """What ``save_file_stats`` wrote (N, F); None in a checkpoint of an earlier version."""
        path = self.path / "files.npy"
        return load_array(path, RESUME, mapped=False) if path.is_file() else None

    def changed_rows(self, find: Callable[[], dict[int, str]]) -> dict[int, str]:
        """``changed.json``: row -> reason, kept from the first call of ``find`` on."""
        return self._once("changed.json", find)

    def unreadable_rows(self, find: Callable[[], dict[int, str]]) -> dict[int, str]:
        """``unreadable.json``: row -> reason, from ``find`` the first time."""
        return self._once("unreadable.json", find)

    def aligned_rows(self, find: Callable[[], dict[int, str]]) -> dict[int, str]:
        """``aligned.json``: that all aligned pixels were written, from ``find`` the first time."""
        return self._once("aligned.json", find)

    @property
    def has_features(self) -> bool:
        """Whether the features of all images are computed."""
        return (self.path / "features.json").is_file()

    def new_features(self, shape: tuple[int, int, int]) -> np.memmap[Any, Any]:
        """``features.npy``: an empty array (V, N, D) float16 to write to, mapped. End with ``finish_features``."""
        self.path.mkdir(parents=True, exist_ok=True)
        return create_memmap(self.path / "features.npy", np.float16, shape)

    def finish_features(self, unreadable: dict[int, str]) -> None:
        """``features.json``: all features are written; row -> reason of the images that could not be read."""
        write_text(self.path / "features.json", json.dumps(unreadable))

    def load_features(self) -> tuple[NDArray[np.float16], dict[int, str]]:
        """The features (V, N, D), mapped, and row -> reason of the images that could not be read."""
        done = self.path / "features.json"
        again = f"Remove {done}, and go on with --resume: features are computed anew"
        with wrap_read_errors(done, again):
            unreadable = _rows(json.loads(done.read_text("utf-8")))
        return load_array(self.path / "features.npy", again), unreadable

    def fit_files(self, stem: str) -> "FitFiles":
        """The files of one network's training."""
        return FitFiles(self.path, stem)

    def _once(self, name: str, find: Callable[[], dict[int, str]]) -> dict[int, str]:
        path = self.path / name
        if not path.is_file():
            write_text(path, json.dumps(find()))
        return _rows(json.loads(path.read_text("utf-8")))


@dataclass(frozen=True)
class FitFiles:
    """The files of one network's training: its state while it trains, and what it gives when it has ended."""

    folder: Path
    stem: str

    @property
    def state_path(self) -> Path:
        """Weights, averaged weights and optimiser after the last epoch; only while it trains."""
        return self.folder / f"{self.stem}.pt"

    @property
    def dynamics_path(self) -> Path:
        """How its held-out probabilities moved over the epochs."""
        return self.folder / f"{self.stem}.dynamics.safetensors"

    @property
    def finished(self) -> bool:
        """Whether the training has ended: its history is written last."""
        return self._history_path.is_file()

    def finish(self, logits_RK: Floats, history: list[dict[str, Any]]) -> None:
        """Keep the held-out logits and the history; the state goes."""
        with atomic_write(self._logits_path) as temporary, temporary.open("wb") as file:
            np.save(file, logits_RK)
        write_text(self._history_path, json.dumps(history))
        self.state_path.unlink(missing_ok=True)

    def load(self) -> tuple[Floats, list[dict[str, Any]]]:
        """(held-out logits, history) of a training that has ended."""
        with wrap_read_errors(self._history_path, self.again):
            history = json.loads(self._history_path.read_text("utf-8"))
        return load_array(self._logits_path, self.again, mapped=False), history

    @property
    def again(self) -> str:
        """What helps where one of the files is damaged."""
        return f"Remove {self._history_path}, and go on with --resume: this network is trained anew"

    @property
    def _logits_path(self) -> Path:
        return self.folder / f"{self.stem}.npy"

    @property
    def _history_path(self) -> Path:
        return self.folder / f"{self.stem}.json"


def _rows(tree: dict[str, str]) -> dict[int, str]:
    return {int(row): reason for row, reason in tree.items()}
