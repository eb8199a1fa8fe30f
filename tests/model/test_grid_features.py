"""Features on a grid: the means of cells, beside the pooled features of before."""

import numpy as np
import pytest
import torch

from tagger.config import check_settings
from tagger.errors import TaggerError
from tagger.model import GridBackbone, make_backbone, num_pooled_features, with_grid


def backbone(size: int = 64):
    return make_backbone("test_resnet", "none", size=size, levels=1).eval()


def test_pooled_features_stay_in_front_and_cells_are_means_of_the_map():
    plain = backbone()
    images = torch.rand(2, 3, 64, 64)
    both = GridBackbone(plain, grid=2, level=2).eval()
    with torch.no_grad():
        found = both(images)
        maps, _ = plain.forward_intermediates(images, [both.map_info.index])
        expected = plain(images)
    assert found.shape == (2, both.num_features)
    torch.testing.assert_close(found[:, : plain.num_features], expected)
    map_CHW = maps[both.map_info.index][0].numpy()
    half = map_CHW.shape[-1] // 2
    cells = found[0, plain.num_features :].view(-1, 2, 2).numpy()
    np.testing.assert_allclose(cells[:, 0, 1], map_CHW[:, :half, half:].mean((1, 2)), rtol=1e-4, atol=1e-6)


def test_a_point_that_moves_changes_the_cells():
    both = GridBackbone(backbone(), grid=4, level=4).eval()
    images = torch.zeros(2, 3, 64, 64)
    images[0, :, 8:12, 8:12] = images[1, :, 40:44, 40:44] = 1
    with torch.no_grad():
        cells = both(images)[:, backbone().num_features :]
    assert (cells[0] - cells[1]).abs().max() > 0.01 * cells.abs().max()


def test_a_grid_that_is_finer_than_the_map_is_refused_with_what_helps():
    with pytest.raises(
        TaggerError, match=r"sequence.grid = 4: the feature map has 2 x 2 places.*sequence.level"
    ):
        GridBackbone(backbone(), grid=4, level=1)(torch.rand(1, 3, 64, 64))


def test_too_few_maps_name_the_setting():
    with pytest.raises(TaggerError, match=r"sequence.level = 8.*--set sequence.level="):
        GridBackbone(backbone(), grid=1, level=8)


def test_without_grid_or_level_the_backbone_stays_itself():
    plain = backbone()
    chosen = {"data": {"sequences": "name"}, "sequence": {"length": 4}}
    assert with_grid(plain, check_settings(chosen)) is plain
    assert with_grid(plain, check_settings({"sequence": {"grid": 4}})) is plain  # off
    named = {"backbone": {"name": "test_resnet", "weights": "none", "levels": 1}}
    assert num_pooled_features(check_settings(named)) == plain.num_features
