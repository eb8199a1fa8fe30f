"""One list of what a photo is: every kind that is read is listed, what is left alone is said."""

import base64
import importlib
import struct

import numpy as np
import pytest
from PIL import Image

from data_tools.checking import wrong_suffix
from tagger.data import list_images, read_dataset
from tagger.data.images import optional_decoders
from tagger.data.images.decoding import UnreadableImage, image_size, load_image
from tagger.data.images.image_files import IMAGE_SUFFIXES

# 64 x 48 pixels, red, green, blue and white quarters: `heif-enc -q 60` of a drawn picture.
HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAeFtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAA"
    "AAAAAA5waXRtAAAAAAACAAAAEGlkYXQAAAAAAEAAMAAAAExpbG9jAQAAAERAAAMAAQAAAAAAAAIFAAEAAAAAAAAAngACAAEA"
    "AAAAAAAAAQAAAAAAAAAIAAMAAAAAAAACowABAAAAAAAAAB4AAABNaWluZgAAAAAAAwAAABVpbmZlAgAAAQABAABodmMxAAAA"
    "ABVpbmZlAgAAAAACAABncmlkAAAAABVpbmZlAgAAAQADAABFeGlmAAAAANVpcHJwAAAAs2lwY28AAABzaHZjQwEDcAAAAAAA"
    "AAAAAB7wAPz9+PgAAA8DIAABABhAAQwB//8DcAAAAwCQAAADAAADAB66AkAhAAEAJ0IBAQNwAAADAJAAAAMAAAMAHqAggQWW"
    "6uSmubAgAAADACAAAAMAISIAAQAGRAHBc8CJAAAAFGlzcGUAAAAAAAAAQAAAAEAAAAAUaXNwZQAAAAAAAABAAAAAMAAAABBw"
    "aXhpAAAAAAMICAgAAAAaaXBtYQAAAAAAAAACAAECgQIAAgIDhAAAAChpcmVmAAAAAAAAAA5kaW1nAAIAAQABAAAADmNkc2MA"
    "AwABAAIAAADEbWRhdAAAAJooAa8J4Geho4qf/yLd//Ex2XuZcnlae/AqP+zXz1XZwZEIJBL7UgO9kzi8kNSt8OM0CJXxxtW+"
    "taeFFLWwA3St4vnBI2uH9nW3mqd00oKDdunuQfKklzMIdli3nJjKOX4X82jPDDwnlv4uCvs8j9yOgEaOKx9JTE4WH8fQEHTm"
    "eASpZOit5bdQDfIpfQI8RnbS0ZpQhNpq5ytgAAAAAE1NACoAAAAIAAEBEgADAAAAAQAGAAAAAAAA"
)


def quarters(width=64, height=48):
    """Red, green, blue and near-white quarters (H, W, 3)."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = (220, 30, 30)
    pixels[: height // 2, width // 2 :] = (30, 200, 30)
    pixels[height // 2 :, : width // 2] = (30, 30, 220)
    pixels[height // 2 :, width // 2 :] = (230, 230, 230)
    return pixels


def dng(mosaic_HW, *, orientation=1):
    """A DNG file as a camera writes it, without a preview: a 16-bit RGGB mosaic, uncompressed."""
    height, width = mosaic_HW.shape
    pixels = mosaic_HW.astype("<u2").tobytes()

    def shorts(*values):
        return struct.pack(f"<{len(values)}H", *values)

    def longs(*values):
        return struct.pack(f"<{len(values)}I", *values)

    def rationals(*values):
        return b"".join(struct.pack("<ii", round(value * 10_000), 10_000) for value in values)

    tags = {  # tag: (type, count, bytes)
        254: (4, 1, longs(0)), 256: (4, 1, longs(width)), 257: (4, 1, longs(height)), 258: (3, 1, shorts(16)),
        259: (3, 1, shorts(1)), 262: (3, 1, shorts(32803)), 271: (2, 6, b"Drawn\0"), 272: (2, 6, b"Test1\0"),
        273: (4, 1, b""), 274: (3, 1, shorts(orientation)), 277: (3, 1, shorts(1)), 278: (4, 1, longs(height)),
        279: (4, 1, longs(len(pixels))), 284: (3, 1, shorts(1)), 33421: (3, 2, shorts(2, 2)),
        33422: (1, 4, bytes([0, 1, 1, 2])), 50706: (1, 4, bytes([1, 4, 0, 0])), 50708: (2, 6, b"Drawn\0"),
        50714: (4, 1, longs(0)), 50717: (4, 1, longs(65535)), 50721: (10, 9, rationals(1, 0, 0, 0, 1, 0, 0, 0, 1)),
        50728: (5, 3, rationals(1, 1, 1)), 50778: (3, 1, shorts(21)),
    }  # fmt: skip
    start = 8 + 2 + 12 * len(tags) + 4
    end = start + sum(len(data) + len(data) % 2 for _, _, data in tags.values() if len(data) > 4)
    entries = values = b""
    for tag, (kind, count, data) in sorted(tags.items()):
        stored = data if tag != 273 else longs(end)  # where the pixels are
        if len(stored) > 4:
            entries += struct.pack("<HHII", tag, kind, count, start + len(values))
            values += stored + b"\0" * (len(stored) % 2)
        else:
            entries += struct.pack("<HHI", tag, kind, count) + stored.ljust(4, b"\0")
    return b"II*\0" + longs(8) + shorts(len(tags)) + entries + longs(0) + values + pixels


def red_corner():
    """A mosaic (240, 320) whose red pixels are bright in the upper left quarter."""
    mosaic = np.full((240, 320), 2000, np.uint16)
    mosaic[:120:2, :160:2] = 60_000
    return mosaic


def close(pixel, colour):
    """Whether two colours differ by no more than lossy formats do."""
    return np.abs(np.asarray(pixel, int) - colour).max() < 25


@pytest.mark.parametrize(
    "suffix", ["jpg", "jpe", "jfif", "png", "webp", "gif", "bmp", "tif", "avif", "jp2", "ppm", "HEIC"]
)
def test_every_kind_that_is_read_alone_is_listed_in_a_folder(suffix, tmp_path):
    path = tmp_path / f"a.{suffix}"
    if suffix == "HEIC":
        path.write_bytes(HEIC)
    else:
        format = {"jpe": "JPEG", "jfif": "JPEG", "jpg": "JPEG", "jp2": "JPEG2000", "tif": "TIFF"}.get(suffix)
        Image.fromarray(quarters()).save(path, format=format)
    assert list_images(tmp_path).files == (path.name,)
    assert image_size(path) == (64, 48)
    pixels = load_image(path)
    assert close(pixels[5, 5], (220, 30, 30))
    assert close(pixels[5, -5], (30, 200, 30))
    assert close(pixels[-5, 5], (30, 30, 220))
    assert load_image(path, size=16).shape == (16, 16, 3)


def test_a_raw_file_is_developed_and_turned_as_the_camera_was(tmp_path):
    (tmp_path / "a.dng").write_bytes(dng(red_corner()))
    (tmp_path / "b.DNG").write_bytes(dng(red_corner(), orientation=6))
    upright, turned = load_image(tmp_path / "a.dng"), load_image(tmp_path / "b.DNG")
    assert upright.shape == (240, 320, 3)
    assert upright[30, 40, 0] > 200 > 50 > upright[30, -40, 0]
    assert turned.shape == (320, 240, 3)
    assert turned[40, -30, 0] > 200 > 50 > turned[40, 30, 0]


def test_a_cut_off_raw_file_is_damaged(tmp_path):
    (tmp_path / "a.dng").write_bytes(dng(red_corner())[:5000])
    with pytest.raises(UnreadableImage, match="damaged: its raw data cannot be decoded"):
        load_image(tmp_path / "a.dng")


@pytest.mark.parametrize(("package", "extra"), [("pi_heif", "heif"), ("rawpy", "raw")])
def test_without_the_package_the_photo_is_named_with_what_to_install(package, extra, tmp_path, monkeypatch):
    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(optional_decoders, "import_module", absent)
    path = tmp_path / ("a.heic" if extra == "heif" else "a.dng")
    path.write_bytes(HEIC if extra == "heif" else dng(red_corner()))
    with pytest.raises(UnreadableImage, match=f'pip install "retagger.{extra}."'):
        load_image(path)
    assert importlib.import_module(package)
    assert list_images(tmp_path).files == (path.name,)


def test_a_raw_file_beside_its_photo_is_one_shot(tmp_path):
    for name in ("a.jpg", "A.NEF", "b.nef", "c.jpg"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "d").mkdir()
    (tmp_path / "d/c.nef").write_bytes(b"x")
    listing = list_images(tmp_path)
    assert listing.files == ("a.jpg", "b.nef", "c.jpg", "d/c.nef")
    assert "1 raw file beside a photo of the same name" in " ".join(listing.left_alone)


FOREIGN = [
    "@eaDir",
    "#recycle",
    "$RECYCLE.BIN",
    "lost+found",
    ".thumbnails",
    "Thumbs",
    "__MACOSX",
    "x.lrdata/a",
]


@pytest.mark.parametrize("folder", [*FOREIGN, "Photos Library.photoslibrary/resources/derivatives"])
def test_folders_of_other_programs_are_left_alone_and_said(folder, tmp_path):
    for path in (tmp_path / "cat", tmp_path / "dog", tmp_path / "cat" / folder, tmp_path / folder):
        path.mkdir(parents=True, exist_ok=True)
        Image.fromarray(quarters()).rotate(len(str(path))).save(path / "photo.jpg")
    listing = list_images(tmp_path)
    assert listing.files == ("cat/photo.jpg", "dog/photo.jpg")
    dataset = read_dataset(tmp_path)
    assert dataset.labels == ("cat", "dog")
    if not folder.startswith("."):  # hidden ones are no surprise
        assert "2 folders of other programs" in dataset.source


def test_originals_in_a_library_of_apples_are_photos(tmp_path):
    path = tmp_path / "Photos Library.photoslibrary/originals/0"
    path.mkdir(parents=True)
    Image.fromarray(quarters()).save(path / "photo.jpg")
    assert len(list_images(tmp_path).files) == 1
    assert list_images(path).files == ("photo.jpg",)


def test_a_folder_of_another_program_is_read_where_it_is_named(tmp_path):
    (tmp_path / "@eaDir").mkdir()
    Image.fromarray(quarters()).save(tmp_path / "@eaDir/photo.jpg")
    assert list_images(tmp_path / "@eaDir").files == ("photo.jpg",)


def test_suffixes_are_in_lower_case_with_a_dot():
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in IMAGE_SUFFIXES)


@pytest.mark.parametrize("name", ["a.jfif", "a.jpe", "a.dng", "a.avif"])
def test_a_usual_suffix_is_not_called_wrong(name, tmp_path):
    path = tmp_path / name
    if name == "a.dng":
        path.write_bytes(dng(red_corner()))
    else:
        Image.fromarray(quarters()).save(path, format="AVIF" if name == "a.avif" else "JPEG")
    assert wrong_suffix(path) == ""
    (tmp_path / "b.avif").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert wrong_suffix(tmp_path / "b.avif") == "its suffix says AVIF, but it is PNG. Rename it"
