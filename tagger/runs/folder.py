"""``RunFolder``: saves and loads every file of a finished run; ``commands/steps/finalize.py`` writes most of them.

Files that a run and its checkpoint share are in ``base_folder.py``; thresholds in ``threshold_files.py``; what is
noted after the training in ``notes_file.py``."""

import io
import json
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tagger.arrays import Floats
from tagger.config import Settings, dump_settings, read_settings
from tagger.data import LabelGroup, Rule, Vocabulary
from tagger.runs.alignment_files import AlignmentFiles
from tagger.runs.atomic import atomic_write, make_newest, remove_leftovers, write_text
from tagger.runs.base_folder import reads
from tagger.runs.checkpoint import NETWORK, Checkpoint
from tagger.runs.lock import locked
from tagger.runs.notes_file import NotesFile, with_data_folder
from tagger.runs.ownership import check_absent, marked
from tagger.runs.read_errors import load_array
from tagger.runs.threshold_files import ThresholdFiles
from tagger.scoring import LabelConstraints, build_constraints

RUN_FILES = re.compile(  # every file that a training writes beside its checkpoint
    r"(config\.toml|(labels|thresholds|origin|metrics|alignment)\.json|(images|labels|suspects|judged)\.parquet|README\.md|log\.txt"
    r"|(oof|dynamics|neighbours)\.npz|(embeddings|views|fingerprints|landmarks)\.npy|(history|unreadable|unaligned)\.csv|model\.safetensors"
    r"|plots/(precision_recall|learning_curves|reliability|cooccurrence|per_label|group_\d+|code)\.png"
    rf"|members/{NETWORK}\.safetensors)"
)
FIRST_FILES = ("config.toml", "labels.json", "unreadable.csv")  # written before a training can be resumed


class RunFolder(NotesFile, ThresholdFiles, AlignmentFiles):
    """A run on disk. ``load_x`` gives what ``save_x`` wrote; each file is whole or absent."""

    # What others write or read as a file
    @property
    def model_path(self) -> Path:
        """``model.safetensors``."""
        return self.path / "model.safetensors"

    @property
    def card_path(self) -> Path:
        """``README.md``, the model card."""
        return self.path / "README.md"

    @property
    def plots_path(self) -> Path:
        """The folder of plots that the model card shows."""
        return self.path / "plots"

    @property
    def fold_models_path(self) -> Path:
        """The folder of the networks that were each trained without a part: retraining goes on from them."""
        return self.path / "members"

    @property
    def log_path(self) -> Path:
        """``log.txt``."""
        return self.path / "log.txt"

    @property
    def checkpoint(self) -> Checkpoint:
        """What an interrupted training goes on from; removed when the run is finished."""
        return Checkpoint(self.path / "checkpoint")

    def locked(self, command: str, warn: Callable[[str], None]) -> AbstractContextManager[None]:
        """While the block runs no other process trains here; Busy if one does. ``warn`` is told if nobody can tell."""
        return locked(self.checkpoint.lock_path, command, self.path, warn=warn)

    @property
    def exists(self) -> bool:
        """Whether a training has begun here."""
        return (self.path / "config.toml").is_file()

    @property
    def finished(self) -> bool:
        """Whether the training here has ended: metrics are written last."""
        return (self.path / "metrics.json").is_file()

    def finish(self, metrics: dict[str, Any]) -> None:
        """Write ``metrics.json``, which makes the run a finished one, and remove the checkpoint."""
        text = json.dumps(metrics, indent=1, ensure_ascii=False, allow_nan=False)
        for folder in (self.path, self.fold_models_path, self.plots_path):
            remove_leftovers(folder)
        write_text(self.path / "metrics.json", text)
        make_newest(self.path / "metrics.json")
        self.checkpoint.remove()

    def discard(self) -> None:
        """Undo the beginning of a training that cannot go on: this is no run any more, and can become one again."""
        for name in FIRST_FILES:
            (self.path / name).unlink(missing_ok=True)
        self.checkpoint.remove()

    def claim(self) -> None:
        """Note that a training has begun here, before its first file: what it writes is ours from now on."""
        self.checkpoint.claim()

    def check_claim(self, option: str) -> None:
        """TaggerError if a training begun here would overwrite what others wrote; ``option`` has named the folder."""
        advice = f"Choose another {option}, or move it away."
        self.checkpoint.check_claim(advice)
        if marked(self.checkpoint.path) is None:
            places = (self.path, self.plots_path, self.fold_models_path)
            paths = [path.relative_to(self.path).as_posix() for place in places for path in place.glob("*")]
            here = [path for path in paths if RUN_FILES.fullmatch(path)]
            check_absent(
                self.path, [name for name in here if name != "log.txt" or not self._is_log()], advice
            )

    def _is_log(self) -> bool:
        """Whether ``log.txt`` is one of ours, which a training that cannot go on leaves: each line has a time."""
        with self.log_path.open("rb") as file:
            return bool(re.match(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", file.read(20)))

    @reads("metrics.json")
    def load_metrics(self) -> dict[str, Any]:
        """What ``finish`` wrote."""
        metrics = json.loads(self._read("metrics.json"))
        if not isinstance(metrics, dict):
            raise ValueError("not an object")
        return metrics

    def save_settings(self, settings: Settings) -> None:
        """``config.toml``."""
        write_text(self.path / "config.toml", dump_settings(settings))
        make_newest(self.path / "config.toml")

    @reads("config.toml")
    def load_settings(self) -> Settings:
        """The settings this run was made with, with the present data folder if ``tagger runs move`` noted one.

        A format version that cannot be read is refused with a reason.
        """
        self._read("config.toml")
        return with_data_folder(read_settings(self.path / "config.toml"), self.load_notes().data)

    def save_labels(
        self, names: tuple[str, ...], groups: dict[str, LabelGroup], rules: tuple[Rule, ...]
    ) -> None:
        """``labels.json``: names in column order, groups, rules."""
        written = [{"if": rule.premise, "then": rule.implied} for rule in rules]
        tree = {"labels": list(names), "groups": groups, "rules": written}
        self._save_json("labels.json", tree)

    @reads("labels.json")
    def load_labels(self) -> tuple[str, ...]:
        """The label names, in column order."""
        return tuple(json.loads(self._read("labels.json"))["labels"])

    def load_vocabulary(self) -> Vocabulary:
        """The labels with their groups and rules."""
        return Vocabulary(self.load_labels(), self.load_groups(), self.load_rules())

    @reads("labels.json")
    def load_groups(self) -> dict[str, LabelGroup]:
        """Groups of labels."""
        return dict(json.loads(self._read("labels.json"))["groups"])

    @reads("labels.json")
    def load_rules(self) -> tuple[Rule, ...]:
        """The rules between labels."""
        return tuple(
            Rule(rule["if"], rule["then"]) for rule in json.loads(self._read("labels.json"))["rules"]
        )

    def load_constraints(self, names: Sequence[str] | None = None) -> LabelConstraints:
        """What decisions over the run's labels (or only ``names``) keep to: groups, and rules if they are enforced."""
        known, (_, calibration) = self.load_vocabulary(), self.load_decision_rule()
        always = {one.name for one in calibration.groups if one.always}
        names = known.labels if names is None else names
        enforce = self.load_settings().rules.enforce
        return build_constraints(names, known.groups, known.rules, always=always, enforce=enforce)

    def save_oof(self, probs_NK: Floats, fold_N: np.ndarray) -> None:
        """``oof.npz``: probabilities from models that never saw the image, and its fold (-1: the test split)."""
        with atomic_write(self.path / "oof.npz") as temporary, temporary.open("wb") as file:
            np.savez(file, probs=probs_NK.astype(np.float32), fold=fold_N.astype(np.int16))

    @reads("oof.npz")
    def load_oof(self) -> tuple[Floats, np.ndarray]:
        """Out-of-fold probabilities (N, K) float32 and folds (N)."""
        self._require_file("oof.npz")
        with np.load(self.path / "oof.npz", allow_pickle=False) as file:
            return file["probs"], file["fold"]

    def save_embeddings(self, features_ND: Floats) -> None:
        """``embeddings.npy``: pooled features, float16."""
        self._save_array("embeddings.npy", features_ND.astype(np.float16))

    def load_embeddings(self) -> np.ndarray:
        """Pooled features (N, D) float16, mapped, not read."""
        self._require_file("embeddings.npy")
        return load_array(self.path / "embeddings.npy")

    def save_views(self, views_VND: np.ndarray) -> None:
        """``views.npy``: the features of each view of an image (as it is, mirrored), float16; heads retrain on them."""
        self._save_array("views.npy", views_VND)

    def load_views(self) -> np.ndarray:
        """What ``save_views`` wrote (V, N, D), mapped; a run without it has one view, the embeddings."""
        if not (self.path / "views.npy").is_file():
            return self.load_embeddings()[None]
        return load_array(self.path / "views.npy")

    def save_dynamics(self, mean_NK: Floats, std_NK: Floats) -> None:
        """``dynamics.npz``: mean and standard deviation over the epochs of each held-out probability, float16."""
        with atomic_write(self.path / "dynamics.npz") as temporary, temporary.open("wb") as file:
            np.savez(file, mean=mean_NK.astype(np.float16), spread=std_NK.astype(np.float16))

    @reads("dynamics.npz")
    def load_dynamics(self) -> tuple[Floats, Floats] | None:
        """What ``save_dynamics`` wrote, or None for a run without it."""
        if not (self.path / "dynamics.npz").is_file():
            return None
        with np.load(self.path / "dynamics.npz", allow_pickle=False) as file:
            return file["mean"], file["spread"]

    def save_eval_mask(self, eval_mask_NK: np.ndarray, names: tuple[str, ...]) -> None:
        """The evaluation mask (bool): test cells on which runs are compared. File ``judged.parquet``."""
        self._save_table("judged.parquet", pd.DataFrame(eval_mask_NK, columns=list(names), copy=False))

    @reads("judged.parquet")
    def load_eval_mask(self) -> np.ndarray | None:
        """The evaluation mask (N, K), or None for a run in which every known cell of the test split counts."""
        if not (self.path / "judged.parquet").is_file():
            return None
        return self._load_table("judged.parquet").to_numpy(dtype=bool)

    def save_neighbours(self, index_NM: np.ndarray, similarity_NM: Floats) -> None:
        """``neighbours.npz``: rows of the nearest images of each image (-1: none), nearest first, and cosines."""
        with atomic_write(self.path / "neighbours.npz") as temporary, temporary.open("wb") as file:
            np.savez(file, index=index_NM.astype(np.int32), similarity=similarity_NM.astype(np.float16))

    @reads("neighbours.npz")
    def load_neighbours(self) -> tuple[np.ndarray, Floats]:
        """What ``save_neighbours`` wrote: (N, M) rows and cosines."""
        self._require_file("neighbours.npz")
        with np.load(self.path / "neighbours.npz", allow_pickle=False) as file:
            return file["index"], file["similarity"]

    def save_history(self, rows: list[dict[str, Any]]) -> None:
        """``history.csv``, one row an epoch."""
        write_text(self.path / "history.csv", pd.DataFrame(rows).to_csv(index=False))

    @reads("history.csv")
    def load_history(self) -> pd.DataFrame:
        """One row an epoch."""
        return pd.read_csv(io.StringIO(self._read("history.csv")))

    def save_plot(self, name: str, png: bytes) -> None:
        """``plots/NAME.png``."""
        with atomic_write(self.plots_path / f"{name}.png") as temporary:
            temporary.write_bytes(png)

    def save_card(self, text: str) -> None:
        """``README.md``, the model card."""
        write_text(self.card_path, text)
