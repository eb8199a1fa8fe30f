"""Explanations: heat maps of where a model sees a label; one registered method a file."""

from tagger.explain.attention_maps import attention_looks
from tagger.explain.base import evidence_for, explain, explanations, normalise, sum_maps
from tagger.explain.cam import cam
from tagger.explain.glimpses import glimpses
from tagger.explain.grad_cam import grad_cam
from tagger.explain.heat_concentration import cell_means, outside_hottest_cell
from tagger.explain.mean_maps import MeanMaps
from tagger.explain.photo_maps import downsample_map, map_to_photo
from tagger.explain.saliency import saliency

__all__ = [
    "MeanMaps",
    "attention_looks",
    "cam",
    "cell_means",
    "downsample_map",
    "evidence_for",
    "explain",
    "explanations",
    "glimpses",
    "grad_cam",
    "map_to_photo",
    "normalise",
    "outside_hottest_cell",
    "saliency",
    "sum_maps",
]
