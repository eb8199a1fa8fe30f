"""Aligned squares: the warp against scikit-image, the crop against a picture whose every value is known."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial import Delaunay
from skimage.transform import PiecewiseAffineTransform, warp

from tagger.arrays import Floats
from tagger.data.images.alignment import MAP_SIDE, Alignment, load_aligned, photo_map
from tagger.data.images.decoding import PAD_COLOUR
from tagger.data.images.piecewise_warp import Mesh
from tagger.data.landmarks.procrustes import fit_similarity, has_shape, mean_shape


def face_points(random: np.random.Generator, num: int = 30) -> Floats:
    """Points spread over a disc of radius 1."""
    angle, far = random.uniform(0, 2 * np.pi, num), np.sqrt(random.uniform(0, 1, num))
    return np.stack([np.cos(angle) * far, np.sin(angle) * far], axis=1)


def smooth(x: Floats, y: Floats, side: float) -> Floats:
    """A smooth picture of three colours, whose values are known between pixels too."""
    u, v = x / side * 2 * np.pi, y / side * 2 * np.pi
    return np.stack([128 + 90 * np.sin(u), 128 + 90 * np.cos(v), 128 + 60 * np.sin(u + v)], axis=-1)


def smooth_photo(width: int, height: int) -> Image.Image:
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(smooth(x, y, max(width, height)).round().astype(np.uint8))


def turned(points_P2: Floats, angle: float, scale: float, centre: tuple[float, float]) -> Floats:
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return scale * points_P2 @ turn.T + centre


@pytest.mark.parametrize("seed", range(3))
def test_a_warp_is_that_of_scikit_image_within_the_hull(seed: int):
    random = np.random.default_rng(seed)
    size = 96
    photo_HW3 = np.asarray(Image.fromarray(random.integers(0, 256, (30, 40, 3), np.uint8)).resize((160, 120)))
    target_Q2 = face_points(random) * 40 + 48
    source_Q2 = turned(face_points(np.random.default_rng(seed)), 0.3, 45, (80, 60)) + random.normal(
        size=(30, 2)
    )
    oracle = PiecewiseAffineTransform.from_estimate(target_Q2, source_Q2)
    expected = warp(photo_HW3, oracle, output_shape=(size, size), order=1, mode="edge", preserve_range=True)
    found = Mesh(target_Q2).warp(photo_HW3, source_Q2, size)
    y, x = np.divmod(np.arange(size * size), size)
    inside = (Delaunay(target_Q2).find_simplex(np.stack([x, y], axis=1)) >= 0).reshape(size, size)
    assert inside.mean() > 0.3
    assert np.abs(found[inside] - expected[inside]).max() <= 1
    assert (found[~inside] == PAD_COLOUR).all()


@pytest.mark.parametrize(("scale", "angle"), [(60, 0.0), (60, 0.9), (300, -0.5), (25, 2.2)])
@pytest.mark.parametrize("mode", ["crop", "warp"])
def test_a_planted_similarity_is_undone_whatever_its_scale(scale: float, angle: float, mode: str):
    random = np.random.default_rng(4)
    mean_P2 = mean_shape(face_points(random)[None])
    alignment = Alignment(mean_P2, "crop" if mode == "crop" else "warp", 0.1, tuple(range(30)))
    photo = smooth_photo(800, 700)
    points_P2 = turned(mean_P2, angle, scale, (380, 330))
    found = alignment.align(photo, points_P2, 64).astype(float)
    y, x = np.mgrid[:64, :64]
    back = fit_similarity(alignment.template(64), points_P2)
    assert back is not None
    at = back(np.stack([x, y], axis=-1).reshape(-1, 2)).reshape(64, 64, 2)
    expected = smooth(at[..., 0], at[..., 1], 800)
    shown = (found != PAD_COLOUR).any(axis=-1) & (at > 1).all(-1) & (at[..., 0] < 798) & (at[..., 1] < 698)
    assert shown.mean() > 0.3
    assert np.abs(found - expected)[shown].max() < 5
    assert np.abs(found - expected)[shown].mean() < 1


def test_the_mean_shape_fills_the_square_but_for_the_margin():
    template_P2 = Alignment(mean_shape(face_points(np.random.default_rng(5))[None]), margin=0.4).template(180)
    assert (template_P2.max(0) - template_P2.min(0)).max() == pytest.approx(100)
    assert (template_P2.max(0) + template_P2.min(0)) / 2 == pytest.approx(89.5)


def test_what_lies_outside_of_the_photo_is_grey():
    alignment = Alignment(np.array([[-1.0, 0], [1.0, 0]]), margin=0.5)
    square = alignment.align(Image.new("RGB", (40, 40), (9, 9, 9)), np.array([[0.0, 20], [20.0, 20]]), 40)
    assert (square[20, 2] == PAD_COLOUR).all()
    assert (square[20, 30] == 9).all()


def encoded(photo: Image.Image, format: str, orientation: int) -> bytes:
    file, exif = BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    photo.save(file, format, quality=98, exif=exif)
    return file.getvalue()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("scale", [40, 400])
def test_landmarks_refer_to_upright_pixels_and_large_photos_are_decoded_small(format: str, scale: float):
    mean_P2 = mean_shape(face_points(np.random.default_rng(6))[None])
    alignment = Alignment(mean_P2, margin=0.1)
    upright = smooth_photo(1600, 1200)
    points_P2 = turned(mean_P2, 0.2, scale, (800, 600))
    expected = alignment.align(upright, points_P2, 48).astype(int)
    on_its_side = encoded(upright.transpose(Image.Transpose.ROTATE_90), format, 6)
    found = load_aligned(on_its_side, points_P2, alignment, 48)
    assert np.abs(found - expected).mean() < 1.5
    assert np.abs(found - expected).max() < 12


def test_absent_points_are_taken_from_the_mean_shape():
    mean_P2 = mean_shape(face_points(np.random.default_rng(7))[None])
    alignment = Alignment(mean_P2, "warp", 0.1, tuple(range(30)))
    photo = smooth_photo(300, 300)
    points_P2 = turned(mean_P2, 0.1, 80, (150, 150))
    holes_P2 = points_P2.copy()
    holes_P2[[3, 8, 20]] = np.nan
    assert (
        np.abs(alignment.align(photo, holes_P2, 64).astype(int) - alignment.align(photo, points_P2, 64)).max()
        <= 1
    )


@pytest.mark.parametrize("mode", ["crop", "warp"])
def test_a_map_over_the_square_lies_where_the_photo_shows_it(mode: str):
    mean_P2 = mean_shape(face_points(np.random.default_rng(8))[None])
    alignment = Alignment(mean_P2, "crop" if mode == "crop" else "warp", 0.2, tuple(range(30)))
    points_P2 = turned(mean_P2, 0.8, 20, (70, 30))
    map_HW = np.zeros((32, 32))
    map_HW[16, 16] = 1.0
    found_HW = photo_map(map_HW, (60, 100), points_P2, alignment)
    assert max(found_HW.shape) == MAP_SIDE
    place = fit_similarity(alignment.template(32), points_P2)
    assert place is not None
    expected = place(np.array([[16.0, 16.0]]))[0]
    row, column = np.argwhere(found_HW > 0.5).mean(axis=0) * 100 / MAP_SIDE
    assert (column, row) == pytest.approx(expected, abs=1)


def test_shapes_without_two_different_points_are_told():
    assert has_shape(np.array([[[1.0, 1], [1, 1]], [[1, 1], [1, 2]], [[np.nan] * 2, [1, 2]]])).tolist() == [
        False,
        True,
        False,
    ]
    with pytest.raises(ValueError, match="no mesh of 3 points"):
        Mesh(np.array([[0.0, 0], [1, 1], [2, 2]]))


def test_the_alignment_of_a_file_that_is_no_image_says_so(tmp_path: Path):
    from tagger.data.images.decoding import UnreadableImage

    (tmp_path / "a.jpg").write_bytes(b"no image")
    with pytest.raises(UnreadableImage, match="not an image"):
        load_aligned(
            tmp_path / "a.jpg", np.array([[0.0, 0], [1, 1]]), Alignment(np.array([[-1.0, 0], [1.0, 0]])), 8
        )
