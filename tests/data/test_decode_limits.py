"""What is too large to be decoded is refused by its header, in words, and several large ones wait for each other."""

import io
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, TiffImagePlugin

from tagger.data.images import decode_limits, decoding
from tagger.data.images.decode_limits import ImageTooLarge, check_image, check_jpeg, check_size, is_safe_jpeg
from tagger.data.images.decoding import UnreadableImage, image_size, load_image, load_preview
from tagger.data.images.jpeg_header import JpegHeader, read_jpeg_header
from tagger.data.images.memory_budget import MemoryBudget
from tagger.data.images.rgb_conversion import to_rgb


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8))


def test_marks_of_a_jpeg_are_those_that_pillow_sees():
    for progressive in (False, True):
        marks = read_jpeg_header(
            io.BytesIO(saved(NOISE, "JPEG", progressive=progressive, exif=b"Exif\0\0" + b"\xff\xda" * 9))
        )
        assert marks.buffered == progressive
        assert (marks.scans > 1) == progressive
        assert marks.components == 3
    assert read_jpeg_header(io.BytesIO(saved(NOISE.convert("CMYK"), "JPEG"))).components == 4


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8", b"\xff\xd8\xff", b"\xff\xd8\xff\xda", b"\xff\xd8\xff\xc0\0\0\0", b"x" * 99]
)
def test_marks_of_damaged_jpegs_are_those_of_a_plain_one(data: bytes):
    assert read_jpeg_header(io.BytesIO(data)).scans == 1


def test_a_jpeg_of_thousands_of_scans_is_refused_before_it_is_decoded():
    whole = saved(NOISE.resize((3000, 2000)), "JPEG", progressive=True)
    scan = whole[whole.rindex(b"\xff\xda") : -2]
    with pytest.raises(UnreadableImage, match=r"\d\d\d scans of 3,000 x 2,000 pixels: too many to decode"):
        load_image(whole[:-2] + scan * 700 + whole[-2:], size=32)


@pytest.mark.parametrize(
    ("marks", "side", "words"),
    [
        (
            JpegHeader(buffered=True, scans=3),
            9_500,
            "at most 85 megapixels are read of a JPEG in several scans",
        ),
        (
            JpegHeader(arithmetic=True),
            7_000,
            "at most 40 megapixels are read of a JPEG with arithmetic coding",
        ),
        (JpegHeader(), 32_000, "at most 1,000 megapixels are read"),
    ],
)
def test_limits_of_a_jpeg(marks: JpegHeader, side: int, words: str):
    check_jpeg((5_000, 5_000), marks, shrinks=True)
    with pytest.raises(ImageTooLarge, match=words):
        check_jpeg((side, side), marks, shrinks=True)


@pytest.mark.parametrize(
    ("mode", "format", "whole", "most"),
    [
        *[("RGB", "PNG", False, 120), ("RGBA", "PNG", False, 120), ("L", "GIF", False, 120)],
        *[
            ("RGB", "PNG", True, 73),
            ("RGB", "WEBP", False, 32),
            ("F", "TIFF", False, 60),
            ("LAB", "TIFF", False, 20),
        ],
    ],
)
def test_limits_go_by_what_a_kind_costs(mode: str, format: str, whole: bool, most: int):
    with Image.open(io.BytesIO(saved(Image.new(mode, (8, 8)), format))) as image:
        assert check_image(image, whole=whole) > 0
        image._size = (1000, 1000 * most + 1500)
        with pytest.raises(ImageTooLarge, match=rf"at most {most} megapixels are read"):
            check_image(image, whole=whole)


def test_a_tiff_whose_tile_takes_gigabytes_is_refused():
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    data = bytearray(saved(NOISE, "TIFF", compression="tiff_deflate", tiffinfo=tags))
    with Image.open(io.BytesIO(data)) as image:
        assert check_image(image, whole=False) == 64 * 48 * 4 + 64 * 48 * 3
        image.tag_v2[322], image.tag_v2[323] = 60_000, 60_000  # type: ignore[attr-defined]
        with pytest.raises(
            ImageTooLarge, match=r"its pixels and one strip or tile take 10,800,012,288 bytes"
        ):
            check_image(image, whole=False)


@given(
    *[st.integers(0, 2000)] * 2, st.integers(0, 2**18), st.integers(1, 255), st.booleans(), st.floats(0, 1)
)
def test_what_is_called_harmless_is_refused_for_no_marks(
    width: int, height: int, num_bytes: int, components: int, arithmetic: bool, share: float
):
    marks = JpegHeader(components, True, arithmetic, max(1, int(share * (num_bytes // 2))))
    if is_safe_jpeg((width, height), num_bytes):
        check_jpeg((width, height), marks, shrinks=True)


def test_an_image_has_pixels():
    with pytest.raises(ImageTooLarge, match="0 x 9 pixels"):
        check_size((0, 9))


def test_a_shrunk_conversion_is_the_mean_of_the_whole_one(monkeypatch: pytest.MonkeyPatch):
    for mode in ("L", "RGBA", "CMYK", "F", "P", "I;16"):
        image = NOISE.convert("L").convert("I").convert("I;16") if mode == "I;16" else NOISE.convert(mode)
        small = to_rgb(image, shrink=5)
        assert small.size == (13, 10)
        whole = to_rgb(image).reduce(5)
        assert np.abs(np.asarray(small).astype(int) - np.asarray(whole)).max() <= 1
        monkeypatch.setattr("tagger.data.images.rgb_conversion._BAND_PIXELS", 500)
        assert np.array_equal(np.asarray(to_rgb(image, shrink=5)), np.asarray(small))


def test_large_images_are_shrunk_while_they_are_converted_and_hardly_differ(monkeypatch: pytest.MonkeyPatch):
    photo = Image.fromarray(np.asarray(NOISE.resize((900, 600), Image.Resampling.BICUBIC))).convert("RGBA")
    data = saved(photo, "PNG")
    plain = load_image(data, size=64).astype(int)
    monkeypatch.setattr(decoding, "SHRINK_ABOVE_PIXELS", 1000)
    assert np.abs(load_image(data, size=64) - plain).mean() < 1


def test_a_photo_to_look_at_is_no_larger_than_asked_for_and_never_enlarged():
    assert load_preview(saved(NOISE, "PNG"), max_side=32)[0].size == (32, 24)
    photo, profile = load_preview(saved(NOISE, "PNG", icc_profile=b"some"), max_side=500)
    assert photo.size == (64, 48)
    assert profile == b"some"
    assert image_size(saved(NOISE, "GIF")) == (64, 48)


def test_a_file_too_long_is_refused_unread(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(decoding, "MAX_FILE_BYTES_IN_MEMORY", 100)
    with pytest.raises(UnreadableImage, match="bytes; at most 100 are read of its format"):
        load_image(saved(NOISE, "PNG"))
    assert load_image(saved(NOISE, "BMP")).shape == (48, 64, 3)


def test_what_does_not_fit_beside_others_waits_for_them():
    room, seen = MemoryBudget(10), []
    inside, go_on = threading.Event(), threading.Event()

    def first() -> None:
        with room.reserve(8):
            inside.set()
            go_on.wait()
            seen.append("first")

    def second() -> None:
        with room.reserve(5):
            seen.append("second")

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    inside.wait()
    threads[1].start()
    with room.reserve(2):  # what fits need not wait
        seen.append("small")
    go_on.set()
    for thread in threads:
        thread.join()
    assert seen == ["small", "first", "second"]
    with room.reserve(99):  # alone it may take more
        assert room.reserved == 99
    assert room.reserved == 0


def test_room_is_given_back_where_decoding_fails():
    for _ in range(3):
        with pytest.raises(UnreadableImage):
            load_image(saved(NOISE, "PNG")[:-400], size=16)
    assert decoding._memory.reserved == 0
    assert decode_limits.BUDGET_BYTES > 0
