"""Metadata never changes the hash of a picture, a changed pixel always does; damaged files raise nothing."""

import shutil
import struct
import subprocess
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tagger.data.images.hash_cache import load_hash_cache
from tagger.data.images.hashes import hash_file, hash_files, identify_file, identify_files
from tagger.data.images.picture_hash import picture_hash

PIXELS = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
PIXELS_CHANGED = PIXELS.copy()
PIXELS_CHANGED[5, 7] ^= 0xF0
VARIANTS = {
    "jpeg": ("jpg", {"quality": 95}),
    "jpeg progressive": ("jpg", {"quality": 95, "progressive": True}),
    "jpeg with restarts": ("jpg", {"quality": 95, "restart_marker_blocks": 1}),
    "jpeg grey": ("jpg", {"mode": "L"}),
    "jpeg cmyk": ("jpg", {"mode": "CMYK"}),
    "png": ("png", {}),
    "png palette": ("png", {"mode": "P"}),
    "png alpha": ("png", {"mode": "RGBA"}),
    "webp": ("webp", {"quality": 100}),
    "webp lossless": ("webp", {"lossless": True}),
    "webp alpha": ("webp", {"mode": "RGBA", "quality": 100}),
    "tiff": ("tiff", {}),
    "tiff lzw": ("tiff", {"compression": "tiff_lzw"}),
    "tiff jpeg": ("tiff", {"compression": "jpeg", "quality": 95}),
    "tiff big": ("tiff", {"big_tiff": True}),
    "gif": ("gif", {"mode": "P"}),
    "bmp": ("bmp", {}),
    "jp2": ("jp2", {}),
}
EXIFTOOL = ["-overwrite_original", "-q", "-XMP-dc:Subject=sea", "-XMP:Rating=5", "-EXIF:Orientation#=6"]
EXIV2 = ["-M", "set Xmp.xmp.Rating 4", "-M", "set Exif.Image.Orientation 6", "-M", "set Xmp.dc.subject sea"]


def encoded(variant: str, pixels: np.ndarray = PIXELS, **more) -> bytes:
    suffix, options = VARIANTS[variant]
    options = {**options, **more}
    image = Image.fromarray(pixels)
    if mode := options.pop("mode", None):
        image = image.quantize(64) if mode == "P" else image.convert(mode)
    out = BytesIO()
    image.save(out, {"jpg": "JPEG", "jp2": "JPEG2000"}.get(suffix, suffix.upper()), **options)
    return out.getvalue()


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_format_has_a_picture_hash_that_a_pixel_changes(variant):
    first, again = picture_hash(encoded(variant)), picture_hash(encoded(variant))
    assert first == again
    assert len(first) == 32
    assert picture_hash(encoded(variant, PIXELS_CHANGED)) != first


@pytest.mark.parametrize(
    "variant", [name for name in VARIANTS if name.split()[0] in ("jpeg", "png", "webp", "tiff")]
)
def test_metadata_that_pillow_writes_does_not_count(variant):
    exif = Image.Exif()
    exif[0x010E], exif[0x4746], exif[0x0112] = "edited", 5, 6
    more = {"exif": exif} if not variant.startswith("tiff") else {"description": "edited", "resolution": 300}
    assert picture_hash(encoded(variant, **more)) == picture_hash(encoded(variant))


@pytest.mark.parametrize("program", ["exiftool", "exiv2"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_metadata_that_real_programs_write_does_not_count(variant, program, tmp_path):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    photo = tmp_path / f"photo.{VARIANTS[variant][0]}"
    photo.write_bytes(encoded(variant))
    before, hash_before = picture_hash(photo.read_bytes()), hash_file(photo)[0]
    options = EXIFTOOL if program == "exiftool" else EXIV2
    done = subprocess.run([program, *options, photo], capture_output=True, text=True, check=False)
    if hash_file(photo)[0] == hash_before:
        pytest.skip(f"{program} does not write into it: {done.stderr.strip()[:80]}")
    assert picture_hash(photo.read_bytes()) == before


def test_a_trailer_and_a_comment_do_not_count():
    data = encoded("jpeg")
    comment = b"\xff\xfe" + struct.pack(">H", 6) + b"note"
    assert picture_hash(data + b"ftypmp42" * 500 + b"\xff\xd9") == picture_hash(data)
    assert picture_hash(data[:2] + comment + data[2:]) == picture_hash(data)


def test_the_colour_transform_of_adobe_counts_where_decoders_follow_it():
    data = encoded("jpeg")
    without_jfif = data[:2] + data[4 + int.from_bytes(data[4:6]) :]
    adobe = b"\xff\xee" + struct.pack(">H", 14) + b"Adobe" + struct.pack(">HHHB", 100, 0, 0, 0)
    as_rgb = without_jfif[:2] + adobe + without_jfif[2:]
    assert not np.array_equal(Image.open(BytesIO(as_rgb)), Image.open(BytesIO(data)))
    assert picture_hash(as_rgb) != picture_hash(data)
    assert np.array_equal(Image.open(BytesIO(without_jfif)), Image.open(BytesIO(data)))
    assert picture_hash(without_jfif) == picture_hash(data)


def test_transparency_and_palette_count():
    image = Image.fromarray(PIXELS).quantize(8)
    found = set()
    for transparent in (None, 0, 1):
        out = BytesIO()
        image.save(out, "PNG", **({} if transparent is None else {"transparency": transparent}))
        found.add(picture_hash(out.getvalue()))
    image.putpalette(image.getpalette()[::-1])
    out = BytesIO()
    image.save(out, "PNG")
    assert len(found | {picture_hash(out.getvalue())}) == 4


def test_every_frame_of_an_animation_counts():
    frames = [Image.fromarray(PIXELS), Image.fromarray(PIXELS_CHANGED)]
    for suffix in ("GIF", "WEBP", "PNG"):
        found = set()
        for order in (frames, frames[:1] * 2, frames[:1]):
            out = BytesIO()
            order[0].save(
                out, suffix, save_all=True, append_images=order[1:], duration=[50] * len(order), lossless=True
            )
            found.add(picture_hash(out.getvalue()))
        assert len(found) >= 2, suffix


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def jpeg_with(data: bytes, places: list[int], segments: list[tuple[int, bytes]]) -> bytes:
    """The JPEG with segments put in before some of its own."""
    borders, at = [], 2
    while data[at + 1] != 0xDA:
        borders.append(at)
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    borders.append(at)
    out, last = b"", 0
    for place, (kind, content) in sorted(
        zip((borders[n % len(borders)] for n in places), segments, strict=False)
    ):
        out += data[last:place] + bytes((0xFF, kind)) + struct.pack(">H", len(content) + 2) + content
        last = place
    return out + data[last:]


PLACES = st.lists(st.integers(0, 50), min_size=1, max_size=5)
SEGMENTS = st.lists(
    st.tuples(st.sampled_from([*range(0xE1, 0xEE), 0xEF, 0xFE]), st.binary(max_size=300)),
    min_size=5,
    max_size=5,
)


@settings(max_examples=60, deadline=None)
@given(places=PLACES, segments=SEGMENTS, progressive=st.booleans())
def test_segments_of_programs_anywhere_do_not_count_in_jpeg(places, segments, progressive):
    data = encoded("jpeg progressive" if progressive else "jpeg")
    assert picture_hash(jpeg_with(data, places, segments)) == picture_hash(data)


@settings(max_examples=60, deadline=None)
@given(
    names=st.lists(
        st.sampled_from([b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME", b"pHYs", b"vpAg"]), max_size=5
    ),
    content=st.binary(max_size=200),
    cut=st.integers(1, 60),
)
def test_chunks_of_programs_and_other_cuts_of_the_stream_do_not_count_in_png(names, content, cut):
    data = encoded("png")
    out, at, extra = data[:8], 8, iter(names)
    while at < len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        inside = data[at + 8 : at + 8 + size]
        pieces = [inside[n : n + cut] for n in range(0, size, cut)] if name == b"IDAT" else [inside]
        more = next(extra, None) if name != b"IHDR" else None
        out += chunk(more, content) if more else b""
        out += b"".join(chunk(name, piece) for piece in pieces)
        at += 12 + size
    assert picture_hash(out) == picture_hash(data)


@settings(max_examples=300, deadline=None)
@given(
    variant=st.sampled_from([name for name in VARIANTS if name != "jp2"]),
    cut=st.floats(0, 1),
    changes=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=6),
)
def test_a_damaged_file_raises_nothing(variant, cut, changes):
    data = bytearray(encoded(variant))
    for place, value in changes:
        data[int(place * min(len(data), 400))] = value
    found = picture_hash(bytes(data[: int(cut * len(data))]))
    assert found == "" or len(found) == 32


def test_random_bytes_after_each_magic_raise_nothing():
    rng = np.random.default_rng(1)
    magics = [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x40\0\0\0WEBP", b"II*\0\x08\0\0\0", b"MM\0+"]
    magics += [b"GIF89a", b"BM", b"\0\0\0\x0cjP  "]
    for magic in magics:
        for size in (0, 1, 5, 30, 200):
            for _ in range(20):
                assert picture_hash(magic + rng.bytes(size)) is not None


def test_a_file_without_a_known_picture_is_known_by_its_bytes(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0\0")
    (tmp_path / "b.ppm").write_bytes(b"P6 1 1 255\nabc")
    for name in ("a.jpg", "b.ppm"):
        found = identify_file(tmp_path / name)
        assert found.picture_hash == found.hash == hash_file(tmp_path / name)[0]


def test_a_cache_without_pictures_gives_the_hashes_and_takes_in_the_pictures(tmp_path, monkeypatch):
    from tagger.data.images import hash_cache, hashes

    monkeypatch.setattr(hashes, "MIN_CACHED_FILES", 1)
    monkeypatch.setattr(hashes, "file_system_time", lambda root: 2**62)
    files = ["a.jpg", "b.png"]
    (tmp_path / "a.jpg").write_bytes(encoded("jpeg"))
    (tmp_path / "b.png").write_bytes(encoded("png"))
    plain, _, _ = hash_files(tmp_path, files)
    index = tmp_path / ".tagger" / "files.npz"
    with np.load(index) as kept:  # as an earlier version wrote it
        arrays = {name: kept[name] for name in kept.files if name != "pictures"}
    with index.open("wb") as file:
        np.savez(file, **arrays)
    read: list[str] = []
    monkeypatch.setattr(hashes, "hash_file", lambda path: read.append(path) or ("", 0, "read again"))
    assert hash_files(tmp_path, files)[0] == plain
    assert read == []
    found = identify_files(tmp_path, files)
    assert found.hashes == plain
    assert found.picture_hashes == [picture_hash((tmp_path / file).read_bytes()) for file in files]
    monkeypatch.setattr(hashes, "identify_file", lambda path: pytest.fail("it is in the cache"))
    assert identify_files(tmp_path, files).picture_hashes == found.picture_hashes
    assert load_hash_cache(tmp_path).hashes_NH.shape == (2, 32)
    assert hash_cache.VERSION == 1


def test_swapped_copies_keep_their_pictures(tmp_path):
    for name, data in {"a.jpg": encoded("jpeg"), "b.jpg": encoded("jpeg", PIXELS_CHANGED)}.items():
        Path(tmp_path, name).write_bytes(data)
    before = identify_files(tmp_path, ["a.jpg", "b.jpg"])
    after = identify_files(tmp_path, ["b.jpg", "a.jpg"])
    assert before.picture_hashes == after.picture_hashes[::-1]
    assert len(set(before.picture_hashes)) == 2
