"""Probabilities and labels in, thresholds, calibration and metrics out. Pure arrays: no file, no model, no torch.

Labels are cells (1 yes, 0 no, -1 unknown; unknown counts in nothing), probabilities floats of the same shape (N, K).
"""

from tagger.scoring.aims import Aim, parse_aim
from tagger.scoring.bootstrap import estimate, interval
from tagger.scoring.calibration import Calibration, Curve, fit_calibration
from tagger.scoring.cutoffs import best_shared_threshold
from tagger.scoring.decide import NOTHING, OneOf, Structure, always_one, decide, one_of_groups, structure_of
from tagger.scoring.evaluate import evaluate
from tagger.scoring.measure import LOWER_IS_BETTER, Measure
from tagger.scoring.metrics import Counts, averages, choose, count, f_beta, precision, recall, skew_normalised_accuracy
from tagger.scoring.ordinal import GroupMeasure
from tagger.scoring.paired import paired_table
from tagger.scoring.ranking import average_precision, mean_average_precision, ranking_loss
from tagger.scoring.reliability import ReliabilityBins, brier_loss, calibration_error, reliability_bins
from tagger.scoring.thresholds import LabelThreshold, Thresholds, choose_thresholds

__all__ = [
    "LOWER_IS_BETTER",
    "NOTHING",
    "Aim",
    "Calibration",
    "Counts",
    "Curve",
    "GroupMeasure",
    "LabelThreshold",
    "Measure",
    "OneOf",
    "ReliabilityBins",
    "Structure",
    "Thresholds",
    "always_one",
    "average_precision",
    "averages",
    "best_shared_threshold",
    "brier_loss",
    "calibration_error",
    "choose",
    "choose_thresholds",
    "count",
    "decide",
    "estimate",
    "evaluate",
    "f_beta",
    "fit_calibration",
    "interval",
    "mean_average_precision",
    "one_of_groups",
    "paired_table",
    "parse_aim",
    "precision",
    "ranking_loss",
    "recall",
    "reliability_bins",
    "skew_normalised_accuracy",
    "structure_of",
]
