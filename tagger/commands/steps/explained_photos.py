"""Panels of a figure: what a run saw on one photo, and the mean over all photos."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tagger.arrays import Floats
from tagger.batches import UnreadableImage
from tagger.commands.serving.heat_maps import heat_over_photo, label_column, network_pixels, to_input
from tagger.commands.serving.predictor import Predictor
from tagger.errors import TaggerError
from tagger.explain import MeanMaps, attention_looks, downsample_map, evidence_for, outside_hottest_cell
from tagger.explain.explanation_figure import Panel, draw_explanation
from tagger.text import counted

MAX_MEANS = 40  # labels in the figure of means, the most frequent ones


class Look(NamedTuple):
    """One map of one photo: a label with its probability, or a head with its share; evidence (1, h, w)."""

    title: str
    prob: float
    chosen: bool
    evidence_BHW: Tensor


def looks_of(
    predictor: Predictor, pixels_HWC: NDArray[np.uint8], probs_K: Floats, asked: Sequence[str], method: str
) -> list[Look]:
    """A look for each label that is asked for; of method ``attention`` one for each head."""
    input_BCHW = to_input(predictor, pixels_HWC)
    if method == "attention":
        heads = attention_looks(predictor.model, input_BCHW)
        return [Look(one.title, one.share, False, one.map_HW[None]) for one in heads]
    chosen = next(iter(predictor.chosen_labels(probs_K[None])))
    looks = []
    for label in asked:
        k = label_column(predictor, label)
        evidence_BHW = evidence_for(predictor.model, input_BCHW, k, method=method)
        looks.append(Look(label, float(probs_K[k]), label in chosen, evidence_BHW))
    return looks


def panels_of(
    predictor: Predictor,
    path: Path,
    probs_K: Floats,
    asked: Sequence[str],
    *,
    method: str,
    shape: tuple[int, ...],
    mean: MeanMaps,
) -> list[Panel]:
    """The panels of one photo; its maps and pixels are added to ``mean``. TaggerError if it cannot be read."""
    try:
        pixels_HWC = network_pixels(predictor, path)
    except UnreadableImage as error:
        raise TaggerError(f"{path.name}: {error.reason}") from None
    mean.add_image(pixels_HWC)
    panels = []
    for look in looks_of(predictor, pixels_HWC, probs_K, asked, method):
        mean.add(look.title, look.evidence_BHW[0].cpu().numpy(), look.prob)
        heat_HW = heat_over_photo(look.evidence_BHW, predictor, path, shape, sharp=method == "glimpses")
        panels.append(Panel(look.title, look.prob, look.chosen, heat_HW, outside_hottest_cell(heat_HW)))
    return panels


def draw_means(runs: Sequence[tuple[str, MeanMaps]], *, method: str) -> bytes:
    """PNG bytes: the mean photo, and over it the mean map of each label (or head), for one run or several."""
    counts = runs[0][1].counts
    titles = sorted(counts, key=lambda title: -counts[title])[:MAX_MEANS]
    drawn = [(name, [_mean_panel(mean, title) for title in titles]) for name, mean in runs]
    return draw_explanation(runs[0][1].image(), drawn, method=method)


def _mean_panel(mean: MeanMaps, title: str) -> Panel:
    mean_HW = mean.of(title)
    top = float(mean_HW.max())
    heat_HW = downsample_map(mean_HW / top if top > 0 else mean_HW)
    label = f"{title} ({counted(mean.counts[title], 'photo')})"
    return Panel(label, mean.prob(title), False, heat_HW, outside_hottest_cell(heat_HW))
