"""Files on aligned photos, which a run folder and its checkpoint share: landmarks, the mean shape, who has none."""

import json

import numpy as np

from tagger.arrays import Floats
from tagger.errors import Problem
from tagger.runs.base_folder import ArtifactFolder, reads
from tagger.runs.read_errors import load_array


class AlignmentFiles(ArtifactFolder):
    """The files of runs with ``align.landmarks``; other runs have none of them."""

    @property
    def has_landmarks(self) -> bool:
        """Whether landmarks were kept."""
        return (self.path / "landmarks.npy").is_file()

    def save_landmarks(self, points_NP2: Floats, unaligned: list[Problem]) -> None:
        """``landmarks.npy``: (N, P, 2), NaN where absent; ``unaligned.csv``: photos without landmarks, and why."""
        self._save_problems("unaligned.csv", unaligned)
        self._save_array("landmarks.npy", points_NP2.astype(np.float32))

    def load_landmarks(self) -> np.ndarray:
        """The landmarks (N, P, 2) float32 of the photos, mapped."""
        self._require_file("landmarks.npy")
        return load_array(self.path / "landmarks.npy")

    @reads("unaligned.csv")
    def load_unaligned(self) -> list[Problem]:
        """Photos without landmarks, and why."""
        return self._load_problems("unaligned.csv")

    def save_mean_shape(self, mean_P2: Floats, num_photos: int) -> None:
        """``alignment.json``: the mean shape (P, 2) that photos are aligned to, of so many training photos."""
        self._save_json("alignment.json", {"mean_shape": mean_P2.tolist(), "training_photos": num_photos})

    @reads("alignment.json")
    def load_mean_shape(self) -> tuple[Floats, int]:
        """What ``save_mean_shape`` wrote."""
        tree = json.loads(self._read("alignment.json"))
        return np.array(tree["mean_shape"], np.float64).reshape(-1, 2), int(tree["training_photos"])
