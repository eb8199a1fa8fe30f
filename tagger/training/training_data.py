"""TrainingData and TrainingResult: what a training reads, and what it returns."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tagger.arrays import Cells, Floats, Indices
from tagger.batches import CachedImages, ImageFiles
from tagger.data import EMPTY_VOCABULARY, Vocabulary
from tagger.data.frame_windows import Frames
from tagger.model import TagModel
from tagger.training.dynamics import TrainingDynamics
from tagger.training.features import Features
from tagger.training.number_targets import NumberTargets
from tagger.training.targets import TrainingTargets

History = list[dict[str, Any]]
ValidationScores = dict[str, float]


@dataclass(frozen=True)
class TrainingData:
    """Images, their cells (N, K), each image's split and fold, and the cached features if there are any.

    Metrics count ``labels_NK``. ``targets`` (None: the labels) gives other targets and weights, made without
    the rows that are held out. ``vocabulary`` holds the labels' groups and rules. ``start`` is a model with these
    labels whose head, and attention, the training begins with; its backbone is that of the settings. ``frames`` are
    the sequences that the images are of, ``numbers`` those of labels that are numbers.
    """

    images: ImageFiles | CachedImages
    labels_NK: Cells
    split_N: NDArray[np.str_]
    fold_N: Indices
    features: Features | None
    targets: Callable[[Indices], TrainingTargets] | None = None
    vocabulary: Vocabulary = EMPTY_VOCABULARY
    start: TagModel | None = None
    frames: Frames | None = None
    numbers: NumberTargets | None = None

    def targets_without(self, held_out: Indices) -> TrainingTargets:
        """Targets of a training without some rows, which have no influence on them."""
        found = self.targets(held_out) if self.targets else TrainingTargets.from_labels(self.labels_NK)
        return found if self.numbers is None else self.numbers.apply(found, self.labels_NK)

    def rows(self, *splits: str) -> Indices:
        """The rows of some splits."""
        return np.flatnonzero(np.isin(self.split_N, splits))


@dataclass
class TrainingResult:
    """A model, out-of-sample logits (N, K) of every image, and which of them may choose thresholds
    (``threshold_rows_N``).

    ``embeddings_ND`` (float16) are features from a network that has not seen the image's labels: the
    pretrained backbone; from random weights, the half trained without the image. ``feature_source_N`` tells
    which network, as features of different networks cannot be compared. ``dynamics``: how held-out
    probabilities moved over the epochs, of the heads or, from random weights, of the two halves (of the
    images that their validation looks at). ``scores`` holds validation mAPs by name; ``notes`` are
    sentences for people. ``frame_logits_NK`` and ``sequence_logits_NK`` are, where LSTMs were trained,
    those of single frames and of frames with those before.
    """

    model: TagModel
    logits_NK: Floats
    threshold_rows_N: NDArray[np.bool_]
    embeddings_ND: NDArray[np.float16]
    feature_source_N: NDArray[np.int8]
    history: History
    dynamics: TrainingDynamics
    scores: ValidationScores = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    frame_logits_NK: Floats | None = None
    sequence_logits_NK: Floats | None = None
