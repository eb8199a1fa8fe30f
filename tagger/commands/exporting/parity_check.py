"""Parity check of an exported model: its outputs against the run's, on noise and on the run's photos.

It runs before the file is kept. It asks three questions, as one number for all would blame the file for
what is only steep: are the network's probabilities those of torch, are the calibrated ones the calibration
of its own, are its decisions those of ``scoring.predict_labels``?
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tagger.arrays import Floats, sigmoid
from tagger.commands.exporting.sequence_module import network_of
from tagger.commands.serving.predictor import Predictor
from tagger.errors import TaggerError
from tagger.scoring import Calibration, LabelConstraints, predict_labels

TOLERANCE = 1e-4
NUM_PHOTOS = 4
NUM_NOISE = 3
ExportedFunction = Callable[[NDArray[np.float32]], tuple[Floats, NDArray[np.bool_], Floats]]


@dataclass(frozen=True)
class ParityCheck:
    """Images (N, 3, H, W; float32, 0..1), torch's logits (N, K) of them, and the rule that makes decisions of these."""

    images_NCHW: NDArray[np.float32]
    logits_NK: Floats
    calibration: Calibration
    thresholds_K: Floats
    constraints: LabelConstraints

    def verify(self, run_exported: ExportedFunction, what: str) -> None:
        """TaggerError unless ``answer`` (images to probabilities, chosen, logits) agrees, also for one image alone."""
        for images_NCHW, logits_NK in (
            (self.images_NCHW, self.logits_NK),
            (self.images_NCHW[:1], self.logits_NK[:1]),
        ):
            try:
                probs_NK, chosen_NK, own_NK = run_exported(images_NCHW)
            except Exception as error:
                raise TaggerError(
                    f"The {what} does not run ({_error_summary(error)}); nothing was kept."
                ) from error
            self._check_close(sigmoid(own_NK), sigmoid(logits_NK), f"{what}: its network")
            own_probs_NK = self.calibration.apply(sigmoid(np.asarray(own_NK, dtype=np.float64)))
            self._check_close(probs_NK, own_probs_NK, f"{what}: its calibration")
            clear_N = self._unambiguous(own_probs_NK)
            expected_NK = predict_labels(own_probs_NK, self.thresholds_K, self.constraints)
            if not np.array_equal(np.asarray(chosen_NK)[clear_N], expected_NK[clear_N]):
                raise TaggerError(f"The {what}: it chooses other labels than the run; nothing was kept.")

    def _check_close(self, found_NK: Floats, expected_NK: Floats, what: str) -> None:
        if np.shape(found_NK) != np.shape(expected_NK):
            raise TaggerError(f"The {what} gives {np.shape(found_NK)} numbers, not {np.shape(expected_NK)}.")
        gap = float(np.abs(np.asarray(found_NK, np.float64) - expected_NK).max(initial=0.0))
        if not gap <= TOLERANCE:  # not a number is no agreement
            raise TaggerError(
                f"The {what} differs from the run's by {gap:.1g} (at most {TOLERANCE:g} is right), so nothing was kept."
                " Try another --format."
            )

    def _unambiguous(self, probs_NK: Floats) -> NDArray[np.bool_]:
        """The images on whose decisions rounding has no say: nothing at a threshold, no two labels of a group equal."""
        clear_N = np.asarray((np.abs(probs_NK - self.thresholds_K) > 1e-6).all(axis=1))
        for one in self.constraints.groups:
            clear_N &= (np.diff(np.sort(probs_NK[:, list(one.columns)]), axis=1) > 1e-6).all(axis=1)
        return clear_N


def make_parity_check(predictor: Predictor) -> ParityCheck:
    """The check of a run: noise, and as many of its photos as are still where they were (4 at most)."""
    size = predictor.settings.input_size
    pixels = list(np.random.default_rng(0).integers(0, 256, (NUM_NOISE, size, size, 3), dtype=np.uint8))
    root = Path(predictor.settings.data.path)
    photos = predictor.images(
        root, predictor.run.load_images()["file"].iloc[:NUM_PHOTOS].astype(str).tolist()
    )
    items = [photos[row] for row in range(len(photos))]
    pixels += [image_CHW.permute(1, 2, 0).numpy() for image_CHW, _, reason in items if reason is None]
    images = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous().float().div_(255.0)
    network = network_of(predictor.model)
    with torch.inference_mode():
        views = [images, images.flip(-1)] if predictor.settings.image.tta_hflip else [images]
        logits_NK = torch.stack([network(view).float() for view in views]).mean(0).numpy()
    return ParityCheck(
        images.numpy(),
        logits_NK,
        predictor.calibration,
        np.asarray(predictor.thresholds.values_K),
        predictor.constraints,
    )


def _error_summary(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
