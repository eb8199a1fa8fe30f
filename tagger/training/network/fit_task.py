"""FitTask: what one network is trained on."""

from collections.abc import Iterable
from dataclasses import dataclass

from tagger.arrays import Cells, Indices
from tagger.batches import CachedImages, ImageFiles
from tagger.data import EMPTY_VOCABULARY, Vocabulary
from tagger.training.fit_key import FitKey
from tagger.training.targets import TrainingTargets


@dataclass(frozen=True)
class FitTask:
    """The images, their cells (N, K), and the rows to train (``rows``) and to validate on (``held_out``).

    ``targets`` may hold other targets than the cells, and weights.
    """

    images: ImageFiles | CachedImages
    labels_NK: Cells
    rows: Indices
    held_out: Indices
    key: FitKey
    targets: TrainingTargets | None = None
    vocabulary: Vocabulary = EMPTY_VOCABULARY

    def files(self, rows: Iterable[int]) -> list[str]:
        """The files of some rows."""
        return [self.images.files[int(row)] for row in rows]
