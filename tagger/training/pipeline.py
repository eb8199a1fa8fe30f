"""Train a model and compute out-of-sample probabilities of every image, in one of four schemes.

* frozen: heads on cached features of the frozen backbone; the model's head is their mean (preset ``quick``).
  With ``sequence.length`` LSTMs over the frames' features are added (``sequences.py``).
* cross-fitted: a network for each part, trained without that part, starting from its head. The model is the
  mean of their weights: as they start from the same weights they stay close, and the mean is as good as
  their ensemble.
* single: one network trained on ``train`` and stopped on ``val``. Out-of-fold probabilities come from heads
  on pretrained features.
* from scratch: one network from random weights. Out-of-fold probabilities come from two more networks, each
  trained without one half of the images.

If fine-tuning does not beat the heads out of fold, the heads are kept and a note says so.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from accelerate import Accelerator
from numpy.typing import NDArray

from tagger.arrays import Floats, Indices
from tagger.config import Settings
from tagger.errors import TaggerError
from tagger.heads import Head, HeadEnsemble
from tagger.model import TagModel, new_backbone
from tagger.progress import Track
from tagger.runs import Checkpoint
from tagger.scoring import mean_average_precision
from tagger.training.dynamics import TrainingDynamics
from tagger.training.fit_key import FitKey
from tagger.training.head.cross_fit import CrossFittedHeads, cross_fit_heads, fit_head, head_logits
from tagger.training.network.fit_network import NetworkFitter
from tagger.training.network.weight_averaging import average_weights
from tagger.training.retraining.warm_start import WarmStart
from tagger.training.sequences import add_sequences
from tagger.training.training_data import History, TrainingData, TrainingResult, ValidationScores


def train_model(
    training_data: TrainingData,
    settings: Settings,
    accelerator: Accelerator,
    checkpoint: Checkpoint,
    *,
    track: Track,
    fold_models: Path | None = None,
    warm_start: WarmStart | None = None,
) -> TrainingResult:
    """The model and probabilities that the settings ask for; an interrupted call resumes from ``checkpoint``.

    Networks that are trained without a part stay in the folder ``fold_models`` (default: the checkpoint's).
    With a ``warm_start`` each starts from its predecessor there, at a lower rate and for fewer epochs.
    """
    folder = fold_models or checkpoint.path
    fitter = NetworkFitter(training_data, settings, accelerator, checkpoint, track, folder, warm_start)
    pipeline = _Pipeline(training_data, settings, track, warm_start, fitter)
    if training_data.features is None:
        return pipeline.from_scratch()
    if settings.sequence.length:
        return pipeline.frozen_sequences()
    if settings.train.epochs == 0:
        return pipeline.frozen_backbone(pipeline.cross_fit_heads_of(training_data.fold_N))
    return pipeline.single_network() if settings.train.fold_models == 1 else pipeline.cross_fit_networks()


@dataclass(frozen=True)
class TunedResult:
    """What training of whole networks gave: the model, out-of-fold logits (N, K), history and scores.

    ``threshold_rows_N`` are the rows whose logits may choose thresholds.
    """

    model: TagModel
    logits_NK: Floats
    threshold_rows_N: NDArray[np.bool_]
    history: History
    dynamics: TrainingDynamics
    scores: ValidationScores = field(default_factory=dict)


@dataclass(frozen=True)
class _Pipeline:
    """The three schemes, on the same data."""

    training_data: TrainingData
    settings: Settings
    track: Track
    warm_start: WarmStart | None
    fitter: NetworkFitter

    def cross_fit_heads_of(self, fold_N: Indices) -> CrossFittedHeads:
        """Heads on the cached features, one without each part."""
        data = self.training_data
        assert data.features is not None
        views_VND = data.features.pooled_VND
        return cross_fit_heads(
            views_VND, data.labels_NK, fold_N, self.settings,
            track=self.track, targets=data.targets_without, vocabulary=data.vocabulary,
            start=data.start.head if data.start else None,
        )  # fmt: skip

    def frozen_sequences(self) -> TrainingResult:
        """The frozen backbone with heads, and LSTMs over the last frames, unless these are no better out of fold."""
        heads = self.cross_fit_heads_of(self.training_data.fold_N)
        frozen = self.frozen_backbone(heads)
        return add_sequences(frozen, heads, self.training_data, self.settings, self.track)

    def frozen_backbone(
        self, heads: CrossFittedHeads, scores: ValidationScores | None = None
    ) -> TrainingResult:
        """The pretrained backbone with the mean of the heads."""
        data = self.training_data
        assert data.features is not None
        backbone = self.warm_start.backbone() if self.warm_start else new_backbone(self.settings)
        model = TagModel(backbone, heads.head).eval()
        logits_NK = heads.logits_NK.copy()
        test = data.rows("test")
        if len(test):
            logits_NK[test] = head_logits(model.head, data.features.pooled_VND, test)
        return TrainingResult(
            model=model,
            logits_NK=logits_NK,
            threshold_rows_N=data.split_N != "test",
            embeddings_ND=data.features.mean_ND(),
            feature_source_N=np.zeros(len(logits_NK), np.int8),
            history=heads.history,
            dynamics=heads.dynamics,
            scores=scores or {"heads": self.score(heads.logits_NK, "train", "val")},
        )

    def cross_fit_networks(self) -> TrainingResult:
        """Networks without one part each, their weights averaged."""
        data = self.training_data
        num_parts = min(self.settings.train.fold_models, int(data.fold_N.max()) + 1)
        fold_N = np.where(data.fold_N >= 0, data.fold_N % num_parts, -1)
        heads = self.cross_fit_heads_of(fold_N)
        logits_NK = np.full_like(heads.logits_NK, np.nan)
        history = list(heads.history)
        weights = []
        tuned_heads: list[Head | HeadEnsemble] = []
        for fold, head in enumerate(heads.heads):
            rows = np.flatnonzero((fold_N >= 0) & (fold_N != fold))
            held_out = np.flatnonzero(fold_N == fold)
            fitted = self.fitter.fit(FitKey.fold_model(fold, num_parts), rows, held_out, head)
            logits_NK[held_out] = fitted.logits_RK
            history += fitted.history
            weights.append(fitted.model.state_dict())
            tuned_heads.append(fitted.model.head)
        scores = {
            name: self.score(of_NK, "train", "val")
            for name, of_NK in (("heads", heads.logits_NK), ("networks", logits_NK))
        }
        model = average_weights(fitted.model, weights, tuned_heads)
        return self.keep_better(
            heads, TunedResult(model, logits_NK, data.split_N != "test", history, heads.dynamics, scores)
        )

    def single_network(self) -> TrainingResult:
        """One network on train, from a head that has not seen val either."""
        data = self.training_data
        heads = self.cross_fit_heads_of(data.fold_N)
        train = data.rows("train")
        val = data.rows("val")
        start = self._start_head(train, val)
        head_logits_NK = heads.logits_NK.copy()
        logits_NK = heads.logits_NK.copy()
        assert data.features is not None
        head_logits_NK[val] = head_logits(start, data.features.pooled_VND, val)
        fitted = self.fitter.fit(FitKey.single_network(), train, val, start)
        logits_NK[val] = fitted.logits_RK
        scores = {"heads": self.score(head_logits_NK, "val"), "network": self.score(logits_NK, "val")}
        history = heads.history + fitted.history
        return self.keep_better(
            heads,
            TunedResult(fitted.model, logits_NK, data.split_N == "val", history, heads.dynamics, scores),
        )

    def _start_head(self, train: Indices, val: Indices) -> Head | HeadEnsemble:
        """The head that the single network starts from."""
        data = self.training_data
        assert data.features is not None
        views_VND = data.features.pooled_VND
        targets = data.targets_without(val)
        head, _ = fit_head(
            views_VND, data.labels_NK, train, val, self.settings,
            name="start", targets=targets, vocabulary=data.vocabulary, start=data.start.head if data.start else None,
        )  # fmt: skip
        return head

    def keep_better(self, heads: CrossFittedHeads, tuned: TunedResult) -> TrainingResult:
        """The fine-tuned model, unless the heads on the frozen backbone were better on validation."""
        scores = tuned.scores
        if not next(score for name, score in scores.items() if name != "heads") < scores["heads"]:
            return self.to_result(tuned)
        try:
            return _keep_frozen(self.frozen_backbone(heads, scores), tuned)
        except TaggerError as error:  # in a retraining: the pretrained weights may be gone by now
            note = (
                "The model without fine-tuning was better on validation, but its pretrained weights can no longer"
                f" be loaded; the fine-tuned model is kept: {error}"
            )
            return replace(self.to_result(tuned), notes=[note])

    def from_scratch(self) -> TrainingResult:
        """One network from random weights; out-of-fold probabilities from two more, each without one half."""
        data = self.training_data
        val = data.rows("val")
        embedded = {}
        logits_NK = np.full(data.labels_NK.shape, np.nan, np.float32)
        history: History = []
        dynamics = TrainingDynamics(*data.labels_NK.shape)
        for fold in (0, 1):
            half = (data.fold_N >= 0) & (data.fold_N % 2 == fold)
            rows = np.flatnonzero((data.fold_N >= 0) & ~half)
            held_out = np.flatnonzero(half)
            fitted = self.fitter.fit(FitKey.half(fold), rows, held_out, None, dynamics=dynamics)
            logits_NK[held_out] = fitted.logits_RK
            embedded[fold] = held_out, self.fitter.predict_rows(fitted.model, held_out, TagModel.features)
            history += fitted.history
        scores = {"halves": self.score(logits_NK, "val")}
        fitted = self.fitter.fit(FitKey.single_network(), data.rows("train"), val, None)
        logits_NK[val] = fitted.logits_RK
        scores["network"] = self.score(logits_NK, "val")
        history += fitted.history
        result = self.to_result(
            TunedResult(fitted.model, logits_NK, data.split_N != "test", history, dynamics, scores)
        )
        for fold, (held_out, features_RD) in embedded.items():
            result.embeddings_ND[held_out], result.feature_source_N[held_out] = features_RD, fold + 1
        return result

    def to_result(self, tuned: TunedResult) -> TrainingResult:
        """The result, with the test split's logits added: no network has seen it."""
        data = self.training_data
        model = tuned.model
        test = data.rows("test")
        if len(test):
            tuned.logits_NK[test] = self.fitter.predict_rows(model, test)
        if data.features is not None:
            embeddings_ND = data.features.mean_ND()
        else:
            embeddings_ND = np.zeros((len(data.labels_NK), model.backbone.num_features), np.float16)
            if len(test):
                embeddings_ND[test] = self.fitter.predict_rows(model, test, TagModel.features)
        return TrainingResult(
            model=model.to("cpu").eval(),
            logits_NK=tuned.logits_NK,
            threshold_rows_N=tuned.threshold_rows_N,
            embeddings_ND=embeddings_ND,
            feature_source_N=np.zeros(len(data.labels_NK), np.int8),
            history=tuned.history,
            dynamics=tuned.dynamics,
            scores=tuned.scores,
        )

    def score(self, logits_NK: Floats, *splits: str) -> float:
        """mAP on the images of some splits that have logits; NaN if undefined."""
        rows = self.training_data.rows(*splits)
        rows = rows[np.isfinite(logits_NK[rows]).all(1)]
        return mean_average_precision(self.training_data.labels_NK[rows], logits_NK[rows])


def _keep_frozen(frozen: TrainingResult, tuned: TunedResult) -> TrainingResult:
    """The frozen model with the scores and history of the fine-tuning that did not help."""
    tuned_map = next(score for name, score in tuned.scores.items() if name != "heads")
    note = (
        "Fine-tuning did not beat the heads on the frozen backbone on validation"
        f" (mAP {tuned_map:.3f} against {tuned.scores['heads']:.3f}), so the frozen backbone was kept."
    )
    return replace(frozen, scores=tuned.scores, history=tuned.history, notes=[note])
