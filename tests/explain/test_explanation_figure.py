"""What is drawn: the photo beside its overlays, the heat where it belongs, and words of any length and language."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tagger.explain import downsample_map, map_to_photo
from tagger.explain.explanation_figure import ABOVE, GAP, PHOTO_SIDE, Panel, draw_explanation

GREY = np.full((60, 60, 3), 128, np.uint8)


def panel(heat_HW: np.ndarray, label: str = "sea", *, outside: float = 0.5) -> Panel:
    """An overlay that is chosen."""
    return Panel(label, 0.87, True, heat_HW, outside)


def drawn(*runs: tuple[str, list[Panel]], photo_HWC: np.ndarray = GREY) -> np.ndarray:
    """The picture's pixels."""
    return np.asarray(
        Image.open(BytesIO(draw_explanation(photo_HWC, runs, method="cam"))).convert("RGB"), dtype=int
    )


def test_heat_is_where_the_map_says_and_the_photo_is_untouched():
    heat_HW = np.zeros((4, 4))
    heat_HW[0, 3] = 1.0
    pixels = drawn(("run", [panel(heat_HW)]))
    warm = pixels[..., 0] - pixels[..., 2]
    inch = 120
    left, top, side = round((2 * GAP + PHOTO_SIDE) * inch), round(ABOVE * inch), round(PHOTO_SIDE * inch)
    overlay = warm[top : top + side, left : left + side]
    assert overlay[: side // 8, -side // 8 :].mean() > 100  # top right
    assert abs(overlay[side // 2 :, : side // 2]).max() < 5
    photo = pixels[top + 5 : top + side - 5, round(GAP * inch) + 5 : round((GAP + PHOTO_SIDE) * inch) - 5]
    assert (photo == 128).all()


def test_two_runs_stand_side_by_side_and_labels_of_one_run_too():
    one = drawn(("run", [panel(np.eye(2))] * 2))
    assert one.shape == drawn(("run", [panel(np.eye(2))] * 2)).shape
    both = drawn(("with", [panel(np.eye(2))] * 2), ("without", [panel(np.eye(2))] * 2))
    assert both.shape[1] == one.shape[1]  # two columns of overlays
    assert both.shape[0] > 1.8 * one.shape[0]  # two rows, a label each
    assert drawn(("run", [panel(np.eye(2))] * 5)).shape[0] == pytest.approx(
        2 * one.shape[0], abs=2
    )  # four in a row


@pytest.mark.parametrize("shape", [(10, 300, 3), (300, 10, 3), (1, 1, 3), (900, 700, 3)])
def test_photos_of_any_shape_and_size_make_a_legible_picture(shape: tuple[int, int, int]):
    pixels = drawn(
        ("run", [panel(np.zeros((2, 2)), outside=float("nan"))]), photo_HWC=np.zeros(shape, np.uint8)
    )
    assert 300 < pixels.shape[1] < 1000


def test_names_of_any_length_and_script_are_drawn():
    panels = [panel(np.eye(2), label) for label in ("x" * 90, "$a$ \\frac", "海", "two\nlines", "")]
    drawn(("a" * 90, panels), ("$b$", panels))


@pytest.mark.parametrize(("width", "height"), [(200, 100), (100, 200)])
def test_what_was_cut_off_has_no_heat_and_a_frame_is_not_shown(width: int, height: int):
    square = np.zeros((8, 8))
    square[3:5, 3:5] = 1.0
    cropped, padded = (map_to_photo(square, width, height, fit) for fit in ("crop", "pad"))
    half = cropped if width > height else cropped.T
    assert not half[:, :14].any()
    assert not half[:, -14:].any()
    assert half[27, 27] == 1.0
    assert padded.shape == ((28, 56) if width > height else (56, 28))
    assert padded.mean() == pytest.approx(2 * square.mean(), rel=0.1)  # nothing of it lay in the frame
    assert map_to_photo(square, width, height, "squash") is square


def test_dust_is_swept_together_and_coarse_maps_stay_as_they_are():
    coarse = np.eye(7)
    assert downsample_map(coarse) is coarse
    dust = np.zeros((224, 224))
    dust[100, 100] = 1.0
    swept = downsample_map(dust)
    assert swept.shape == (56, 56)
    assert swept[25, 25] == swept.sum() == 1.0
    assert not downsample_map(np.zeros((224, 224))).any()
