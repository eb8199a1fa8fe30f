"""Previews: small, upright, on white, of nothing but photos, and never the file itself."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from tagger.data.images.decode_limits import MAX_PIXELS
from tagger.data.images.hashes import hash_file, identify_file
from tagger.ui.photo_previews import PREVIEW_SIZES, PhotoError, PhotoPreviews, encode_preview
from tagger.ui.server.security import content_policy


def saved(path: Path, mode: str = "RGB", size: tuple[int, int] = (40, 20), **options: object) -> Path:
    """A photo on disk."""
    Image.new(mode, size, options.pop("colour", None)).save(path, **options)  # type: ignore[arg-type]
    return path


def opened(data: bytes) -> Image.Image:
    """The preview's pixels."""
    image = Image.open(io.BytesIO(data))
    assert (image.format, image.mode) == ("JPEG", "RGB")
    return image


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1", "RGBA", "LA", "I;16", "I", "F", "CMYK"])
def test_every_mode_is_shown(tmp_path: Path, mode: str):
    path = tmp_path / ("x.tif" if mode in ("I", "F", "CMYK", "I;16") else "x.png")
    assert opened(encode_preview(saved(path, mode), size=128)).size == (40, 20)


def test_what_is_transparent_is_white(tmp_path: Path):
    path = saved(tmp_path / "x.png", "RGBA", colour=(255, 0, 0, 0))
    assert opened(encode_preview(path, size=128)).getpixel((5, 5)) == (255, 255, 255)


def test_a_large_photo_becomes_small_and_a_small_one_stays(tmp_path: Path):
    large = saved(tmp_path / "large.jpg", size=(900, 300))
    assert opened(encode_preview(large, size=128)).size == (128, 43)
    assert opened(encode_preview(saved(tmp_path / "small.png"), size=1024)).size == (40, 20)


def test_a_photo_taken_sideways_stands_upright(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(tmp_path / "x.jpg", exif=exif)
    assert opened(encode_preview(path, size=128)).size == (20, 40)


def test_nothing_else_of_the_file_comes_along(tmp_path: Path):
    exif = Image.Exif()
    exif[0x010E] = "secret place"
    path = saved(tmp_path / "x.jpg", exif=exif, comment=b"secret comment")
    path.write_bytes(path.read_bytes() + b"secret tail")
    assert b"secret" not in encode_preview(path, size=128)


def test_a_colour_profile_is_applied_and_a_damaged_one_ignored(tmp_path: Path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for written in (profile, b"no profile", profile[:200]):
        path = saved(tmp_path / "x.png", colour=(10, 200, 30), icc_profile=written)
        shown = opened(encode_preview(path, size=128)).getpixel((5, 5))
        assert np.abs(np.subtract(shown, (10, 200, 30))).max() <= 4


def test_a_photo_with_too_many_pixels_is_refused_before_it_is_decoded(tmp_path: Path):
    path = tmp_path / "bomb.png"
    side = int(MAX_PIXELS**0.5) + 10
    Image.new("1", (side, side)).save(path)
    with pytest.raises(PhotoError, match="at most 120 megapixels"):
        encode_preview(path, size=128)


@pytest.mark.parametrize(
    "content", [b"", b"<svg/>", b"%PDF-1.4", b"\xff\xd8\xff\xe0 cut", b"%!PS-Adobe-3.0 EPSF-3.0"]
)
def test_what_is_no_photo_is_refused_with_a_reason(tmp_path: Path, content: bytes):
    path = tmp_path / "x.jpg"
    path.write_bytes(content)
    with pytest.raises(PhotoError, match="image"):
        encode_preview(path, size=128)


@pytest.mark.parametrize(
    "file", ["../secret.jpg", "/etc/passwd", "a/../../secret.jpg", "link.jpg", "no.jpg", ".", "a\0b"]
)
def test_only_files_in_the_folder_are_found(tmp_path: Path, file: str):
    saved(tmp_path / "secret.jpg")
    root = tmp_path / "data"
    root.mkdir()
    (root / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    with pytest.raises(PhotoError, match="data folder"):
        PhotoPreviews(root, None).preview(file, "0" * 32)


def test_a_preview_is_made_once(tmp_path: Path):
    path = saved(tmp_path / "x.png")
    previews, hash = PhotoPreviews(tmp_path, tmp_path / "cache"), hash_file(path)[0]
    first = previews.preview("x.png", hash, size=200)
    path.write_bytes(b"changed")
    assert previews.preview("x.png", hash, size=256) == first  # 200 is rounded up to 256
    assert [kept.name for kept in (tmp_path / "cache").rglob("*.*")] == [f"{hash}-256.jpg"]


def test_another_picture_under_the_same_name_is_not_shown(tmp_path: Path):
    path = saved(tmp_path / "x.png")
    hash = hash_file(path)[0]
    saved(path, size=(30, 30))
    with pytest.raises(PhotoError, match="another picture is in the file than when the run was made"):
        PhotoPreviews(tmp_path, tmp_path / "cache").preview("x.png", hash)
    assert not (tmp_path / "cache").exists()


def test_a_photo_with_other_metadata_is_drawn_anew(tmp_path: Path):
    path, exif = saved(tmp_path / "x.png"), Image.Exif()
    before = identify_file(path)
    previews = PhotoPreviews(tmp_path, tmp_path / "cache", {before.hash: before.picture_hash})
    upright = previews.preview("x.png", before.hash, size=256)
    exif[0x0112] = 6
    with Image.open(path) as image:
        size = image.size
        image.save(path, exif=exif)
    assert hash_file(path)[0] != before.hash
    turned = previews.preview("x.png", before.hash, size=256)
    assert turned != upright
    assert Image.open(io.BytesIO(turned)).size == size[::-1]


def test_a_cache_that_cannot_be_written_only_costs_time(tmp_path: Path):
    path = saved(tmp_path / "x.png")
    (tmp_path / "cache").write_text("a file where a folder should be")
    assert PhotoPreviews(tmp_path, tmp_path / "cache").preview("x.png", hash_file(path)[0])


def test_a_hash_that_is_no_hash_is_no_file_name(tmp_path: Path):
    saved(tmp_path / "x.png")
    for hash in ("../../up", "", "a", "x/../../y00000000"):
        assert PhotoPreviews(tmp_path, tmp_path / "cache").preview("x.png", hash)
    assert not (tmp_path / "cache").exists()


def test_no_size_exceeds_the_largest(tmp_path: Path):
    path = saved(tmp_path / "x.png", size=(3000, 10))
    assert opened(PhotoPreviews(tmp_path, None).preview(path.name, "", size=10**9)).width == PREVIEW_SIZES[-1]


def test_a_data_uri_of_an_unseen_photo_is_empty(tmp_path: Path):
    saved(tmp_path / "x.png")
    assert PhotoPreviews(tmp_path, None).data_uri("x.png", "").startswith("data:image/jpeg;base64,/9j/")
    assert PhotoPreviews(tmp_path, None).data_uri("y.png", "") == ""


def test_deep_pixels_keep_their_order(tmp_path: Path):
    ramp = np.linspace(0, 60000, 64, dtype=np.uint16)[None].repeat(8, axis=0)
    Image.fromarray(ramp).save(tmp_path / "x.png")
    shown = np.asarray(opened(encode_preview(tmp_path / "x.png", size=128)))[4, :, 0].astype(int)
    assert shown[0] < 10
    assert shown[-1] > 245
    assert (np.diff(shown) >= -3).all()


def test_the_policy_allows_inline_scripts_by_their_hash_only():
    assert content_policy("<script>a</script><script>b</script>").count("'sha256-") == 2
    assert "unsafe-inline" not in content_policy().split("script-src")[1].split(";")[0]
