"""The picture of glimpses: cells by weight, frames round those that the network saw, over photos of any shape."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from networks import make
from untrained import NAMES, make_run, photos_of

import tagger
from tagger.batches import load_image
from tagger.commands.serving.heat_maps import photo_heat_map
from tagger.config import Settings
from tagger.errors import TaggerError
from tagger.explain import explain
from tagger.explain.glimpses import CELL_SIDE, INNER_HEAT, draw_cells, find_cell_weights
from tagger.runs.report.overlay import offered_methods

SEEN = ("glimpses.count=3", "glimpses.grid=4", "glimpses.size=64", "glimpses.stage=2")


def framed(map_HW: np.ndarray, cells: int) -> list[int]:
    """The cells whose whole edge is 1, row by row."""
    side = len(map_HW) // cells
    found = []
    for cell in range(cells * cells):
        top, left = cell // cells * side, cell % cells * side
        part = map_HW[top : top + side, left : left + side]
        edge = np.ones((side, side), dtype=bool)
        edge[1:-1, 1:-1] = False
        if (part[edge] == 1).all():
            found.append(cell)
    return found


def test_cells_have_their_weight_and_chosen_ones_a_frame():
    weights = torch.tensor([[[0.1, 0.4], [0.2, 0.3]]])
    chosen = torch.tensor([[[0.0, 1.0], [0.0, 1.0]]])
    map_HW = draw_cells(weights, chosen)[0].numpy()
    assert map_HW.shape == (2 * CELL_SIDE, 2 * CELL_SIDE)
    assert framed(map_HW, 2) == [1, 3]
    middle = map_HW[CELL_SIDE // 2 :: CELL_SIDE, CELL_SIDE // 2 :: CELL_SIDE]
    np.testing.assert_allclose(middle, INNER_HEAT * weights[0].numpy() / 0.4, rtol=1e-6)


@pytest.mark.parametrize("fit", ["squash", "crop", "pad"])
def test_the_frames_are_those_of_the_cells_that_the_model_cuts(fit: str, tmp_path: Path):
    run = make_run(tmp_path, *SEEN, f"image.fit={fit}")
    predictor = tagger.load(run)
    assert predictor.model.glimpses is not None
    square = photos_of(run)[1]  # 32 x 32: the map is the network's own, whatever the fit
    map_HW = photo_heat_map(predictor, square, NAMES[0], method="glimpses")
    pixels = load_image(square, size=64, fit=fit)
    images = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        weights_BG = find_cell_weights(predictor.model, images)
    chosen = sorted(weights_BG[0].topk(3).indices.tolist())
    assert framed(map_HW, 4) == chosen
    for photo in photos_of(run):
        drawn_HW = photo_heat_map(predictor, photo, NAMES[0], method="glimpses")
        assert drawn_HW.max() > 0.9
        assert np.isfinite(drawn_HW).all()


def test_a_run_without_glimpses_says_so_and_is_not_offered_the_picture():
    with pytest.raises(TaggerError, match=r"this run takes none.*--set glimpses.count=5"):
        explain(make(), torch.rand(1, 3, 64, 64), 0, method="glimpses")
    assert "glimpses" not in offered_methods(Settings())


def test_the_command_draws_them(tagger_cli: Callable[..., Any], tmp_path: Path):
    run = make_run(tmp_path, *SEEN)
    assert "glimpses" in offered_methods(run.load_settings())
    done = tagger_cli("explain", *photos_of(run), "--run", run.path, "--method", "glimpses", "--out", "seen")
    assert done.code == 0, done.err
    for method in ("grad_cam", "saliency"):
        done = tagger_cli(
            "explain", photos_of(run)[0], "--run", run.path, "--method", method, "--out", method
        )
        assert done.code == 0, done.err
