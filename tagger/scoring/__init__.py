"""Thresholds, calibration and metrics from probabilities and labels, as plain arrays.

No file, no model, no torch.

Labels are cells (1 yes, 0 no, -1 unknown; unknown counts in nothing), probabilities floats of the same
shape (N, K).
"""

from tagger.scoring.best_thresholds import best_shared_threshold
from tagger.scoring.bootstrap import percentile_interval, value_with_interval
from tagger.scoring.calibration import Calibration, PlattParams, fit_calibration
from tagger.scoring.evaluation import evaluate
from tagger.scoring.fold_metrics import fold_metrics
from tagger.scoring.group_metrics import GroupMetrics
from tagger.scoring.label_constraints import (
    NO_CONSTRAINTS,
    ExclusiveGroup,
    LabelConstraints,
    always_labelled_groups,
    build_constraints,
    exclusive_groups,
)
from tagger.scoring.metric_set import LOWER_IS_BETTER, MetricSet
from tagger.scoring.metrics import (
    ConfusionCounts,
    apply_thresholds,
    confusion_counts,
    f_beta,
    micro_macro_averages,
    precision,
    recall,
    skew_normalised_accuracy,
)
from tagger.scoring.paired_comparison import paired_table
from tagger.scoring.predicted_labels import predict_labels
from tagger.scoring.ranking_metrics import average_precision, mean_average_precision, ranking_loss
from tagger.scoring.reliability import ReliabilityBins, brier_loss, calibration_error, reliability_bins
from tagger.scoring.threshold_objective import ThresholdObjective, parse_objective
from tagger.scoring.thresholds import LabelThreshold, Thresholds, choose_thresholds

__all__ = [
    "LOWER_IS_BETTER",
    "NO_CONSTRAINTS",
    "Calibration",
    "ConfusionCounts",
    "ExclusiveGroup",
    "GroupMetrics",
    "LabelConstraints",
    "LabelThreshold",
    "MetricSet",
    "PlattParams",
    "ReliabilityBins",
    "ThresholdObjective",
    "Thresholds",
    "always_labelled_groups",
    "apply_thresholds",
    "average_precision",
    "best_shared_threshold",
    "brier_loss",
    "build_constraints",
    "calibration_error",
    "choose_thresholds",
    "confusion_counts",
    "evaluate",
    "exclusive_groups",
    "f_beta",
    "fit_calibration",
    "fold_metrics",
    "mean_average_precision",
    "micro_macro_averages",
    "paired_table",
    "parse_objective",
    "percentile_interval",
    "precision",
    "predict_labels",
    "ranking_loss",
    "recall",
    "reliability_bins",
    "skew_normalised_accuracy",
    "value_with_interval",
]
