"""Where on an image did the model see a label? Each way of asking is one file, registered in ``explanations``."""

from tagger.explain.cam import cam
from tagger.explain.family import add_up, explain, explanations, normalise
from tagger.explain.framing import over_photo, without_dust
from tagger.explain.grad_cam import grad_cam
from tagger.explain.saliency import saliency
from tagger.explain.spread import cell_means, outside_hottest_cell

__all__ = [
    "add_up",
    "cam",
    "cell_means",
    "explain",
    "explanations",
    "grad_cam",
    "normalise",
    "outside_hottest_cell",
    "over_photo",
    "saliency",
    "without_dust",
]
