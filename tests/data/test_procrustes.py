"""Procrustes analysis against scikit-image, SciPy, a slow loop and planted similarities."""

import numpy as np
import pytest
from scipy.spatial import procrustes
from skimage.transform import SimilarityTransform

from tagger.arrays import Floats
from tagger.data.landmarks.procrustes import fit_similarity, mean_shape, to_complex
from tagger.errors import TaggerError


def moved(points_P2: Floats, angle: float, scale: float, shift: tuple[float, float]) -> Floats:
    """Points under a similarity, written out."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return scale * points_P2 @ turn.T + shift


@pytest.mark.parametrize("angle", [0.0, 0.7, 2.2, -3.0])
def test_a_planted_similarity_is_recovered(angle: float):
    points_P2 = np.random.default_rng(1).normal(size=(68, 2)) * 40 + 200
    found = fit_similarity(points_P2, moved(points_P2, angle, 0.37, (12.0, -80.0)))
    assert found is not None
    assert found.scale == pytest.approx(0.37, abs=1e-6)
    assert np.angle(found.factor) == pytest.approx(angle, abs=1e-6)
    assert np.abs(found(points_P2) - moved(points_P2, angle, 0.37, (12.0, -80.0))).max() < 1e-6
    assert np.abs(found.inverse()(found(points_P2)) - points_P2).max() < 1e-6


def test_the_fit_of_unequal_shapes_is_that_of_scikit_image():
    random = np.random.default_rng(2)
    source_P2 = random.normal(size=(20, 2))
    target_P2 = moved(source_P2, 1.1, 3.0, (5, 6)) + random.normal(size=(20, 2)) * 0.3
    oracle = SimilarityTransform.from_estimate(source_P2, target_P2)
    found = fit_similarity(source_P2, target_P2)
    assert found is not None
    assert found(source_P2) == pytest.approx(oracle(source_P2), abs=1e-9)


def test_a_mirror_image_stays_one():
    source_P2 = np.random.default_rng(3).normal(size=(10, 2))
    found = fit_similarity(source_P2, source_P2 * [-1, 1])
    assert found is not None
    corners = found(np.array([[0.0, 0], [1, 0], [0, 1]]))
    across, down = corners[1] - corners[0], corners[2] - corners[0]
    assert across[0] * down[1] - across[1] * down[0] > 0


def test_absent_points_do_not_count():
    source_P2 = np.random.default_rng(4).normal(size=(9, 2))
    holes_P2 = source_P2.copy()
    holes_P2[[1, 5]] = np.nan
    found = fit_similarity(holes_P2, moved(source_P2, 0.4, 2.0, (1, 1)))
    assert found is not None
    assert found(source_P2) == pytest.approx(moved(source_P2, 0.4, 2.0, (1, 1)))


@pytest.mark.parametrize("points", [[[1, 1], [1, 1]], [[1, 1], [np.nan, np.nan]]])
def test_without_two_points_there_is_no_similarity(points: list[list[float]]):
    assert fit_similarity(np.array(points), np.array([[0.0, 0], [1, 1]])) is None


def test_the_mean_of_two_shapes_lies_as_near_to_both_as_scipy_says():
    random = np.random.default_rng(5)
    first_P2 = random.normal(size=(12, 2))
    second_P2 = moved(first_P2 + random.normal(size=(12, 2)) * 0.1, 2.2, 7, (3, 4))
    mean_P2 = mean_shape(np.stack([first_P2, second_P2]))
    to_first, to_second = (procrustes(mean_P2, shape)[2] for shape in (first_P2, second_P2))
    assert to_first == pytest.approx(to_second, rel=1e-3)
    # Half the angle between two unit shapes from each of them: cos^2 is 1 - disparity.
    apart = np.arccos(np.sqrt(1 - procrustes(first_P2, second_P2)[2]))
    assert np.arccos(np.sqrt(1 - to_first)) == pytest.approx(apart / 2, rel=1e-3)


def slow_mean(shapes_NP2: Floats) -> Floats:
    """The generalised Procrustes mean by the document's steps: one shape, one angle at a time."""
    units = [shape - shape.mean(0) for shape in shapes_NP2]
    units = [unit / np.sqrt((unit**2).sum() / len(unit)) for unit in units]
    mean = units[0]
    for _ in range(200):
        turned = []
        for unit in units:
            w, z, x, y = *unit.T, *mean.T
            turned.append(moved(unit, np.arctan2((w * y - z * x).sum(), (w * x + z * y).sum()), 1, (0, 0)))
        mean = np.mean(turned, axis=0)
        mean /= np.sqrt((mean**2).sum() / len(mean))
    return mean


def test_the_mean_of_many_shapes_is_that_of_a_slow_loop_but_for_its_turn():
    random = np.random.default_rng(6)
    base_P2 = random.normal(size=(15, 2))
    shapes_NP2 = np.stack(
        [
            moved(
                base_P2 + random.normal(size=(15, 2)) * 0.2,
                random.normal() * 0.5,
                random.uniform(1, 9),
                (n, 2 * n),
            )
            for n in range(12)
        ]
    )
    found_P, slow_P = to_complex(mean_shape(shapes_NP2)), to_complex(slow_mean(shapes_NP2))
    turn = (found_P.conj() * slow_P).sum()
    assert found_P * turn / abs(turn) == pytest.approx(slow_P, abs=1e-5)


def test_the_mean_stands_as_the_shapes_do_on_average_whichever_comes_first():
    base_P2 = np.random.default_rng(7).normal(size=(15, 2))
    angles = [0.9, -0.1, 0.1, 0.0, -0.2, -0.7]  # on average upright, the first far from it
    shapes_NP2 = np.stack([moved(base_P2, angle, 3 + n, (n, 0)) for n, angle in enumerate(angles)])
    mean_P2 = mean_shape(shapes_NP2)
    upright = fit_similarity(base_P2, mean_P2)
    assert upright is not None
    assert abs(np.angle(upright.factor)) < 0.02
    assert mean_shape(shapes_NP2[::-1]) == pytest.approx(mean_P2, abs=1e-5)


def test_the_mean_has_unit_size_and_does_without_absent_points():
    random = np.random.default_rng(8)
    base_P2 = random.normal(size=(17, 2))
    shapes_NP2 = np.stack([moved(base_P2, a, 50, (9, 9)) for a in random.normal(size=30) * 0.2])
    whole_P2 = mean_shape(shapes_NP2)
    shapes_NP2[random.random((30, 17)) < 0.3] = np.nan
    mean_P2 = mean_shape(shapes_NP2)
    assert (mean_P2**2).sum() / 17 == pytest.approx(1)
    assert mean_P2.mean(0) == pytest.approx(0, abs=1e-9)
    found = fit_similarity(mean_P2, whole_P2)
    assert found is not None
    assert found(mean_P2) == pytest.approx(whole_P2, abs=1e-5)


def test_a_point_that_no_photo_has_is_named():
    shapes_NP2 = np.random.default_rng(9).normal(size=(4, 5, 2))
    shapes_NP2[:, 3] = np.nan
    with pytest.raises(TaggerError, match="no training photo has the points 3"):
        mean_shape(shapes_NP2)
    with pytest.raises(TaggerError, match="no training photo has two points"):
        mean_shape(np.full((4, 5, 2), np.nan))
