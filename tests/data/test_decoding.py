"""Whatever a file holds, load_image gives upright RGB pixels or one short reason."""

import contextlib
import io
import os
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from tagger.data.images import rgb_conversion
from tagger.data.images.decoding import MAX_PIXELS, PAD_COLOUR, UnreadableImage, load_image

RED, GREEN, BLUE, WHITE, GREY = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (128, 128, 128)


def saved(image, format, **options):
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def corners():
    """32 x 16: red top left, green top right, blue bottom left, white bottom right."""
    image = Image.new("RGB", (32, 16), WHITE)
    for colour, place in ((RED, (0, 0)), (GREEN, (16, 0)), (BLUE, (0, 8))):
        image.paste(colour, (*place, place[0] + 16, place[1] + 8))
    return image


def photo(width=640, height=480, seed=0):
    """Smooth colours with a little noise: something a JPEG encoder was made for."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8))
    pixels = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC)).astype(float)
    return Image.fromarray((pixels + rng.normal(0, 6, pixels.shape)).clip(0, 255).astype(np.uint8))


def reason_of(source, **options):
    with pytest.raises(UnreadableImage) as caught:
        load_image(source, **options)
    assert str(caught.value) == caught.value.reason
    assert "\n" not in caught.value.reason
    return caught.value.reason


# --- every kind of pixel
# ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "PPM", "GIF", "WEBP"])
def test_lossless_formats_give_the_pixels_that_were_saved(format):
    options = {"lossless": True} if format == "WEBP" else {}
    assert np.array_equal(load_image(saved(corners(), format, **options)), np.asarray(corners()))


@pytest.mark.parametrize(
    ("mode", "format"),
    [("L", "PNG"), ("L", "JPEG"), ("1", "PNG"), ("1", "TIFF"), ("P", "PNG"), ("P", "GIF"), ("L", "WEBP")],
)
def test_grey_and_palette_images_become_rgb(mode, format):
    image = photo(40, 30).convert("L").convert(mode)
    pixels_HWC = load_image(saved(image, format))
    assert pixels_HWC.shape == (30, 40, 3)
    assert pixels_HWC.dtype == np.uint8
    assert np.abs(pixels_HWC - np.asarray(image.convert("RGB")).astype(int)).mean() < 4


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_and_not_clipped(format):
    ramp_HW = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    pixels_HWC = load_image(saved(Image.fromarray(ramp_HW), format))
    assert np.array_equal(pixels_HWC[:, :, 0].ravel(), np.arange(256))


def test_16_bit_colour_png_is_scaled():
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = b"\0" + struct.pack(">3H", 65535, 32896, 0)
    header = struct.pack(">2I5B", 1, 1, 16, 2, 0, 0, 0)
    png = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(row))
        + chunk(b"IEND", b"")
    )
    assert load_image(png).tolist() == [[[255, 128, 0]]]


@pytest.mark.parametrize("white", [1.0, 255.0, 65535.0])
def test_float_tiff_takes_its_white_from_the_range_that_holds_it(white):
    ramp_HW = np.linspace(0, white, 256, dtype=np.float32).reshape(16, 16)
    pixels_HWC = load_image(saved(Image.fromarray(ramp_HW), "TIFF"))
    assert np.array_equal(pixels_HWC[:, :, 1].ravel(), np.arange(256))


def test_float_tiff_beyond_any_range_uses_its_own_and_nan_is_finite():
    pixels_HWC = load_image(
        saved(Image.fromarray(np.array([[-1.0, 0.0, 1.0, np.nan]], dtype=np.float32)), "TIFF")
    )
    assert pixels_HWC[0, :, 0].tolist() == [0, 128, 255, 128]


def test_32_bit_tiff_counts_as_16_bit_when_it_fits():
    pixels_HWC = load_image(saved(Image.fromarray(np.array([[0, 32896, 65535]], dtype=np.int32)), "TIFF"))
    assert pixels_HWC[0, :, 0].tolist() == [0, 128, 255]


def test_16_bit_tiff_in_which_0_is_white_is_turned_round():
    image = Image.fromarray(np.array([[0, 65535]], dtype=np.uint16))
    assert load_image(saved(image, "TIFF", tiffinfo={262: 0}))[0, :, 0].tolist() == [255, 0]


def test_cmyk_is_mixed_as_pillow_mixes_it_and_adobes_inverted_jpeg_looks_the_same():
    image = photo(48, 32).convert("CMYK")
    plain = np.asarray(image.convert("RGB")).astype(int)
    assert np.array_equal(load_image(saved(image, "TIFF")), plain)
    jpeg = saved(image, "JPEG", quality=95)  # Pillow writes Adobe's marker and inverts
    assert b"Adobe" in jpeg
    assert np.abs(load_image(jpeg) - plain).mean() < 4


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_transparent_pixels_are_white_and_half_transparent_ones_half_white(format):
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    image.putpixel((1, 0), (0, 0, 0, 127))
    options = {"lossless": True, "exact": True} if format == "WEBP" else {}
    assert load_image(saved(image, format, **options)).tolist() == [[list(WHITE), list(GREY)]]


def test_transparency_of_grey_palette_and_plain_images_is_honoured():
    for image, options in (
        (Image.new("LA", (1, 1), (0, 0)), {}),
        (Image.new("L", (1, 1), 7), {"transparency": 7}),
        (Image.new("RGB", (1, 1), RED), {"transparency": RED}),
        (Image.new("RGB", (1, 1), RED).quantize(2), {"transparency": 0}),
        (Image.new("RGB", (1, 1), RED).quantize(2), {"transparency": b"\0\0"}),
    ):
        assert load_image(saved(image, "PNG", **options)).tolist() == [[list(WHITE)]], image.mode


def test_an_animation_shows_its_first_frame():
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, BLUE)]
    for format, options in (("GIF", {}), ("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {})):
        data = saved(frames[0], format, save_all=True, append_images=frames[1:], **options)
        assert (load_image(data) == RED).all(), format


@pytest.mark.parametrize("mode", ["LA", "RGBA", "CMYK", "F", "I;16", "P"])
def test_large_images_are_converted_in_bands_without_seams(monkeypatch, mode):
    image = photo(37, 29).convert("L") if mode == "I;16" else photo(37, 29).convert(mode)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
    whole = np.asarray(rgb_conversion.to_rgb(image))
    for band_pixels in (1, 100, 37 * 29):
        monkeypatch.setattr(rgb_conversion, "_BAND_PIXELS", band_pixels)
        assert np.array_equal(np.asarray(rgb_conversion.to_rgb(image)), whole)


# --- upright
# ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_exif_orientation_is_applied_once_as_pillow_applies_it(orientation, format):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = (
        {"quality": 100, "subsampling": 0}
        if format == "JPEG"
        else {"lossless": True}
        if format == "WEBP"
        else {}
    )
    data = saved(corners(), format, exif=exif, **options)
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB")).astype(int)
    assert expected.shape == ((16, 32, 3) if orientation < 5 else (32, 16, 3))
    pixels_HWC = load_image(data)
    assert pixels_HWC.shape == expected.shape
    assert np.abs(pixels_HWC - expected).max() <= 2


def test_damaged_exif_data_counts_as_none():
    data = saved(corners(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff", quality=100)
    assert load_image(data).shape == (16, 32, 3)


# --- sizes
# ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fit", ["squash", "crop", "pad"])
@pytest.mark.parametrize("shape", [(32, 16), (16, 32), (7, 7), (1, 1), (1, 3000), (3000, 1)])
def test_any_shape_becomes_the_square_asked_for(fit, shape):
    data = saved(Image.new("RGB", shape, GREEN), "PNG")
    pixels_HWC = load_image(data, size=12, fit=fit)
    assert pixels_HWC.shape == (12, 12, 3)
    assert (pixels_HWC == GREEN).all(axis=2).any()
    if fit != "pad":
        assert (pixels_HWC == GREEN).all()


def test_squash_keeps_all_crop_the_centre_and_pad_frames():
    data = saved(corners(), "PNG")
    squashed, cropped, padded = (load_image(data, size=16, fit=fit) for fit in ("squash", "crop", "pad"))
    assert np.array_equal(squashed, np.asarray(corners().resize((16, 16), Image.Resampling.BICUBIC)))
    assert np.array_equal(cropped, np.asarray(corners().crop((8, 0, 24, 16))))
    assert (padded[:4] == PAD_COLOUR).all()
    assert (padded[12:] == PAD_COLOUR).all()
    assert np.array_equal(padded[4:12], np.asarray(corners().resize((16, 8), Image.Resampling.BICUBIC)))


@pytest.mark.parametrize("shape", [(1200, 900), (640, 480), (300, 900)])
def test_a_jpeg_scaled_by_its_decoder_hardly_differs_from_full_decoding(shape):
    data = saved(photo(*shape), "JPEG", quality=92)
    with Image.open(io.BytesIO(data)) as image:
        full = np.asarray(image.resize((96, 96), Image.Resampling.BICUBIC)).astype(int)
    difference = np.abs(load_image(data, size=96) - full)
    assert difference.mean() < 1
    assert difference.max() <= 8


def test_an_unknown_fit_is_our_mistake_and_not_the_files():
    with pytest.raises(ValueError, match="squash, crop or pad"):
        load_image(saved(corners(), "PNG"), size=8, fit="stretch")  # type: ignore[arg-type]


# --- files that cannot be read
# ----------------------------------------------------------------------------------------


def test_files_that_are_no_images_say_so(tmp_path):
    assert reason_of(b"") == "0 bytes"
    assert reason_of(b"just some text, called .jpg") == "not an image"
    assert reason_of(bytes(1000)) == "not an image"
    assert "damaged" in reason_of(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
    assert "SVG" in reason_of(b'<?xml version="1.0"?><svg width="1"/>')
    assert reason_of(tmp_path / "gone.jpg") == "no such file"
    assert reason_of(tmp_path) == "not a regular file"


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "GIF", "BMP", "WEBP"])
@pytest.mark.parametrize("size", [None, 32])
def test_a_cut_off_file_is_unreadable_wherever_it_was_cut(format, size):
    data = saved(photo(200, 150), format)
    for share in (0.01, 0.3, 0.6, 0.9):
        assert reason_of(data[: int(len(data) * share)], size=size)


def test_a_cut_off_jpeg_says_where_it_ends():
    data = saved(photo(200, 150), "JPEG")
    assert reason_of(data[:3000]) == "cut off after 3,000 bytes"
    assert reason_of(data[:10]) == "damaged: its header cannot be read"


def test_a_bomb_is_refused_before_it_is_decoded():
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    for side in (30_000, 12_000):
        header = struct.pack(">2I5B", side, side, 8, 2, 0, 0, 0)
        png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
        assert f"at most {MAX_PIXELS // 1_000_000:,} megapixels" in reason_of(png, size=32)


def with_jpeg_size(data, width, height, marker):
    at = data.index(marker) + 5
    return data[:at] + struct.pack(">2H", height, width) + data[at + 4 :]


def test_a_huge_jpeg_is_scaled_by_its_decoder_or_refused():
    plain = with_jpeg_size(saved(photo(64, 64), "JPEG"), 30_000, 30_000, b"\xff\xc0")
    assert "30,000 x 30,000 pixels; at most 120" in reason_of(plain)
    assert load_image(plain, size=32).shape == (32, 32, 3)  # libjpeg fills in the pixels that are not there
    assert "at most 1,000 megapixels" in reason_of(
        with_jpeg_size(plain, 65_000, 65_000, b"\xff\xc0"), size=32
    )
    progressive = with_jpeg_size(saved(photo(64, 64), "JPEG", progressive=True), 30_000, 30_000, b"\xff\xc2")
    assert "at most 120 megapixels" in reason_of(progressive, size=32)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_pipe_is_refused_without_waiting_for_it(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    assert reason_of(tmp_path / "pipe.jpg") == "not a regular file"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_says_so(tmp_path):
    path = tmp_path / "secret.png"
    path.write_bytes(saved(corners(), "PNG"))
    path.chmod(0)
    assert reason_of(path) == "no permission to read it"


def test_errors_of_the_disk_are_reasons_too(monkeypatch):
    for error, reason in (
        (PermissionError(13, "Permission denied"), "no permission to read it"),
        (OSError(5, "Input/output error"), "input/output error"),
        (MemoryError(), "not enough memory to decode it"),
    ):

        def fails(*args, error=error):
            raise error

        monkeypatch.setattr(os, "open", fails)
        assert reason_of("image.png") == reason


@pytest.mark.parametrize("name", ["a b,'c'\n\".png", "été 写真.png", "plain.txt"])
def test_strange_names_and_wrong_suffixes_do_not_matter(tmp_path, name):
    (tmp_path / name).write_bytes(saved(corners(), "PNG"))
    assert np.array_equal(load_image(tmp_path / name), np.asarray(corners()))
    assert np.array_equal(load_image(str(tmp_path / name)), np.asarray(corners()))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_bytes_give_pixels_or_a_reason_and_nothing_else(format, data):
    good = bytearray(GOOD[format])
    for _ in range(data.draw(st.integers(1, 8))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(UnreadableImage):
        assert load_image(bytes(good), size=16).shape == (16, 16, 3)


GOOD = {format: saved(photo(40, 30), format) for format in ("JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP")}
