"""Samplers, by name: which images make an epoch. ``samplers.build("repeat-factor", labels_NK).draw(rng)``."""

from tagger.batches.samplers.base import Sampler, samplers
from tagger.batches.samplers.class_aware import ClassAwareSampler
from tagger.batches.samplers.inverse_frequency import InverseFrequencySampler
from tagger.batches.samplers.repeat_factor import RepeatFactorSampler
from tagger.batches.samplers.undersampling import UndersamplingSampler
from tagger.batches.samplers.uniform import UniformSampler

__all__ = [
    "ClassAwareSampler",
    "InverseFrequencySampler",
    "RepeatFactorSampler",
    "Sampler",
    "UndersamplingSampler",
    "UniformSampler",
    "samplers",
]
