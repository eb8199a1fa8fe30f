"""Samplers, by name: which images make an epoch. ``samplers.build("repeat-factor", labels_NK).draw(rng)``."""

from tagger.batches.samplers.base import Sampler, samplers
from tagger.batches.samplers.class_aware import ClassAwareSampler
from tagger.batches.samplers.inverse_frequency import InverseFrequencySampler
from tagger.batches.samplers.none import NoSampler
from tagger.batches.samplers.repeat_factor import RepeatFactorSampler
from tagger.batches.samplers.undersampling import Undersampler

__all__ = [
    "ClassAwareSampler",
    "InverseFrequencySampler",
    "NoSampler",
    "RepeatFactorSampler",
    "Sampler",
    "Undersampler",
    "samplers",
]
