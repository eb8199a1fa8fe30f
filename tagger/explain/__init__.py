"""Where on an image did the model see a label? Each way of asking is one file, registered in ``explanations``."""

from tagger.explain.family import explain, explanations, normalise
from tagger.explain.grad_cam import grad_cam

__all__ = ["explain", "explanations", "grad_cam", "normalise"]
