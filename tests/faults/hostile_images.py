"""Image files as they should not be: whole ones of every kind, ruined in every way, and bombs made by hand."""

import io
import random
import struct
import zlib
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

FAMILIES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "TIFF": ".tif", "BMP": ".bmp"}
MODES = {
    "JPEG": ("RGB", "L", "CMYK"), "PNG": ("RGB", "RGBA", "L", "LA", "P", "1", "I;16"), "WEBP": ("RGB", "RGBA"),
    "GIF": ("P", "L"), "TIFF": ("RGB", "RGBA", "L", "P", "1", "I;16", "I", "F", "CMYK", "LAB"),
    "BMP": ("RGB", "RGBA", "L", "P", "1"),
}  # fmt: skip
NUMBERS = (
    0,
    1,
    2,
    3,
    7,
    0x7F,
    0x80,
    0xFF,
    0x100,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x10000,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
)
_SIZE = (61, 43)


def saved(image: Image.Image, format: str, **options: Any) -> bytes:
    """The bytes of an image in a format."""
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def picture(mode: str, seed: int = 0) -> Image.Image:
    """A small picture with noise, in any mode."""
    width, height = _SIZE
    rgb = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))
    if mode == "I;16":
        return Image.fromarray(
            np.random.default_rng(seed).integers(0, 65536, (height, width)).astype(np.uint16)
        )
    if mode == "LAB":
        return Image.merge("LAB", rgb.split())
    return rgb.convert(mode)


@cache
def seeds(family: str) -> tuple[bytes, ...]:
    """Whole files of a family: every mode, packed in every way, with EXIF, colour profile, texts, several frames."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a photo " * 20
    rich: dict[str, Any] = {"exif": exif.tobytes(), "icc_profile": b"\0\0\2\x0cADBE" + bytes(range(256)) * 8}
    found = [saved(picture(mode), family) for mode in MODES[family]]
    rgb, frames = picture("RGB"), [picture("RGB", seed) for seed in (1, 2)]
    if family == "JPEG":
        found += [saved(rgb, family, progressive=True, **rich), saved(rgb, family, quality=5, subsampling=2)]
        found += [
            saved(rgb, family, restart_marker_blocks=3),
            saved(picture("CMYK"), family, progressive=True),
        ]
        found += [saved(rgb, "MPO", save_all=True, append_images=frames)]
    elif family == "PNG":
        found += [saved(rgb, family, **rich), saved(picture("P"), family, transparency=bytes(range(99)))]
        found += [
            saved(rgb, family, save_all=True, append_images=frames),
            saved(picture("L"), family, transparency=9),
        ]
    elif family == "WEBP":
        found += [saved(rgb, family, lossless=True, **rich)]
        found += [saved(rgb, family, save_all=True, append_images=frames)]
    elif family == "GIF":
        found += [saved(rgb, family, save_all=True, append_images=frames, loop=0)]
        found += [saved(picture("P"), family, transparency=3, interlace=1, comment=b"said " * 99)]
    elif family == "TIFF":
        found += [
            saved(rgb, family, compression=name, **rich) for name in ("tiff_lzw", "tiff_deflate", "packbits")
        ]
        found += [saved(rgb, family, compression="jpeg"), saved(picture("1"), family, compression="group4")]
        found += [saved(rgb, family, save_all=True, append_images=frames)]
    return tuple(found)


def mutants(family: str, number: int, rng: random.Random) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of so many ruined files of a family: whole files with random wounds."""
    for at in range(number):
        kind = rng.choice(list(WOUNDS))
        data = WOUNDS[kind](rng.choice(seeds(family)), rng)
        if data and rng.random() < 0.3:
            data = WOUNDS["flip"](data, rng)
        yield f"{family}-{at:05d}-{kind}{FAMILIES[family]}", data


def bombs_of(family: str) -> list[tuple[str, bytes]]:
    """(name, bytes) of the bombs of a family."""
    return [(f"{name}{FAMILIES[family]}", data) for name, data in bombs().items() if name.startswith(family)]


def _flip(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 2, 8, 40))):
        # Heads hold what decoders trust; most of a file is pixels.
        at = rng.randrange(min(len(changed), rng.choice((64, 700, 1 << 30))))
        changed[at] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _number(data: bytes, rng: random.Random) -> bytes:
    """A number of two or four bytes somewhere in the head becomes an absurd one."""
    changed, width = bytearray(data), rng.choice((2, 4))
    at = rng.randrange(max(1, min(len(data) - width, rng.choice((40, 300, 3000)))))
    value = rng.choice(NUMBERS) & (1 << 8 * width) - 1
    changed[at : at + width] = value.to_bytes(width, rng.choice(("big", "little")))
    return bytes(changed)


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.choice((rng.randrange(len(data)), rng.randrange(min(99, len(data))), len(data) - 1))]


def _swap(data: bytes, rng: random.Random) -> bytes:
    """The head of another file, before the body of this one."""
    other = rng.choice(seeds(rng.choice(list(FAMILIES))))
    at = rng.randrange(4, 200)
    return other[:at] + data[rng.choice((at, 0)) :]


def _repeat(data: bytes, rng: random.Random) -> bytes:
    start, stop = sorted(rng.choices(range(len(data) + 1), k=2))
    return data[:stop] + data[start:stop] * rng.choice((1, 2, 50)) + data[stop:]


def _drop(data: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(data))
    return data[:start] + data[start + rng.choice((1, 4, 50, 2000)) :]


def _fill(data: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(data))
    length = rng.choice((1, 4, 16, 300))
    return data[:start] + rng.choice((b"\0", b"\xff", b"\x7f")) * length + data[start + length :]


def _glue(data: bytes, rng: random.Random) -> bytes:
    return data + rng.choice(
        (rng.randbytes(99), b"<script>alert(1)</script>", rng.choice(seeds("JPEG")), bytes(9999))
    )


WOUNDS = {
    "flip": _flip, "number": _number, "cut": _cut, "swap": _swap, "repeat": _repeat, "drop": _drop, "fill": _fill,
    "glue": _glue, "number-again": lambda data, rng: _number(_number(data, rng), rng),
}  # fmt: skip


@cache
def bombs() -> dict[str, bytes]:
    """{FAMILY-what: bytes}: small files that ask for gigabytes, minutes or recursion."""
    return {**_jpeg_bombs(), **_png_bombs(), **_webp_bombs(), **_gif_bombs(), **_tiff_bombs(), **_bmp_bombs()}


def _jpeg_bombs() -> dict[str, bytes]:
    plain, steps = seeds("JPEG")[0], saved(picture("RGB"), "JPEG", progressive=True)
    found = {}
    for name, data, mark in (("plain", plain, b"\xff\xc0"), ("progressive", steps, b"\xff\xc2")):
        for side in (9_000, 31_000, 65_500):
            at = data.index(mark) + 5
            found[f"JPEG-{name}-{side}"] = data[:at] + struct.pack(">2H", side, side) + data[at + 4 :]
    scan = steps[steps.rindex(b"\xff\xda") : -2]
    at = steps.index(b"\xff\xc2") + 5
    for side, scans in ((5_000, 8_000), (60, 20_000)):
        sized = steps[:at] + struct.pack(">2H", side, side) + steps[at + 4 : -2]
        found[f"JPEG-{scans}-scans-of-{side}"] = sized + scan * scans + b"\xff\xd9"
    for kind in (0xC1, 0xC3, 0xC5, 0xC9, 0xCA, 0xCB):  # extended, lossless, differential, arithmetic
        changed = plain.replace(b"\xff\xc0", bytes([0xFF, kind]), 1)
        found[f"JPEG-frame-{kind:x}"] = changed
        at = changed.index(bytes([0xFF, kind])) + 5
        found[f"JPEG-frame-{kind:x}-huge"] = (
            changed[:at] + struct.pack(">2H", 30_000, 30_000) + changed[at + 4 :]
        )
    segment = b"\xff\xe1" + struct.pack(">H", 65_535) + b"Exif\0\0" + bytes(65_527)
    found["JPEG-many-segments"] = plain[:2] + segment * 300 + plain[2:]
    profile = b"\xff\xe2" + struct.pack(">H", 65_535) + b"ICC_PROFILE\0\1\xff" + bytes(65_519)
    found["JPEG-profile-in-pieces"] = plain[:2] + profile * 255 + plain[2:]
    return found | {
        "JPEG-only-fill": b"\xff\xd8" + b"\xff" * 500_000,
        "JPEG-no-scan": plain[: plain.index(b"\xff\xda")],
    }


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, *chunks: bytes, depth: int = 8, colour: int = 2, lace: int = 0) -> bytes:
    header = _chunk(b"IHDR", struct.pack(">2I5B", width, height, depth, colour, 0, 0, lace))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + _chunk(b"IEND", b"")


def _png_bombs() -> dict[str, bytes]:
    zeros = zlib.compress(bytes(64 << 20), 9)
    pixels = _chunk(b"IDAT", zlib.compress(bytes(43 * (61 * 3 + 1))))
    packed, text = b"Comment\0\0" + zeros, zlib.compress(bytes(900_000))
    loop = b"II*\0\x08\0\0\0\1\0\x69\x87\4\0\1\0\0\0\x08\0\0\0\0\0\0\0"
    found = {
        f"PNG-{width}x{height}-lace{lace}": _png(width, height, _chunk(b"IDAT", zeros), lace=lace)
        for width, height in (
            (10_000, 10_000),
            (40_000, 40_000),
            (2**31 - 1, 1),
            (1, 2**31 - 1),
            (2**31, 2**31),
            (0, 5),
        )
        for lace in (0, 1)
    }
    found |= {
        "PNG-zTXt-bomb": _png(61, 43, _chunk(b"zTXt", packed), pixels),
        "PNG-many-zTXt": _png(61, 43, *[_chunk(b"zTXt", b"C%d\0\0" % n + text) for n in range(99)], pixels),
        "PNG-iTXt-bomb": _png(61, 43, _chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zeros), pixels),
        "PNG-iCCP-bomb": _png(61, 43, _chunk(b"iCCP", b"icc\0\0" + zeros), pixels),
        "PNG-huge-iTXt": _png(61, 43, _chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b"<a>" * 3_000_000), pixels),
        "PNG-huge-eXIf": _png(61, 43, _chunk(b"eXIf", b"II*\0\x08\0\0\0" + b"\xff" * 5_000_000), pixels),
        "PNG-many-chunks": _png(61, 43, _chunk(b"vpAg", b"x") * 300_000, pixels),
        "PNG-chunk-too-long": _png(61, 43)[:-12] + struct.pack(">I", 2**31 - 1) + b"IDAT" + bytes(99),
        "PNG-no-palette": _png(61, 43, pixels, colour=3),
        "PNG-animated-absurd": _png(61, 43, _chunk(b"acTL", struct.pack(">2I", 2**31 - 1, 0)), pixels),
        "PNG-16-bit-alpha": _png(9_000, 6_000, _chunk(b"IDAT", zeros), depth=16, colour=6),
        "PNG-depth-99": _png(61, 43, pixels, depth=99),
        "PNG-exif-loop": _png(61, 43, _chunk(b"eXIf", loop), pixels),
    }  # fmt: skip
    return found


def _riff(*chunks: bytes) -> bytes:
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _part(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _webp_bombs() -> dict[str, bytes]:
    flat = saved(Image.new("RGB", (10_000, 10_000)), "WEBP", lossless=True, method=0)
    small = saved(Image.new("RGB", (4, 4)), "WEBP", lossless=True)[12:]
    found = {
        "WEBP-34-bytes-of-100-megapixels": flat,
        "WEBP-16383": flat[:21] + b"\xff\xff\xff\x0f" + flat[25:],
    }
    for flags in (0, 2, 0x10, 0x3E):
        for side in (100, 16_383, 2**24):
            head = struct.pack("<I", flags) + struct.pack("<I", side - 1)[:3] * 2
            found[f"WEBP-canvas-{flags}-{side}"] = _riff(_part(b"VP8X", head), small)
    head = struct.pack("<I", 2) + struct.pack("<I", 9_999)[:3] * 2
    frame = _part(b"ANMF", bytes(6) + struct.pack("<I", 3)[:3] * 2 + bytes(4) + small)
    found["WEBP-many-frames"] = _riff(_part(b"VP8X", head), _part(b"ANIM", bytes(6)), frame * 20_000)
    profile = _part(b"VP8X", struct.pack("<I", 0x20) + struct.pack("<I", 3)[:3] * 2) + _part(
        b"ICCP", bytes(9_000_000)
    )
    return found | {
        "WEBP-huge-profile": _riff(profile, small),
        "WEBP-riff-too-long": b"RIFF\xff\xff\xff\xffWEBP" + small,
    }


def _gif_bombs() -> dict[str, bytes]:
    plain = seeds("GIF")[0]
    found = {}
    for width, height in ((65_535, 65_535), (10_900, 10_900), (0, 0), (65_535, 1)):
        sized = plain[:6] + struct.pack("<2H", width, height) + plain[10:]
        found[f"GIF-screen-{width}x{height}"] = sized
        at = plain.index(b",\0\0\0\0") + 5
        found[f"GIF-frame-{width}x{height}"] = (
            plain[:at] + struct.pack("<2H", width, height) + plain[at + 4 :]
        )
    at = plain.index(b",\0\0\0\0")
    found["GIF-frame-outside"] = plain[: at + 1] + struct.pack("<2H", 60_000, 60_000) + plain[at + 5 :]
    found["GIF-many-comments"] = plain[:at] + (b"!\xfe\xff" + b"x" * 255 + b"\0") * 30_000 + plain[at:]
    found["GIF-endless-comment"] = (
        plain[:at] + b"!\xfe" + (b"\xff" + b"x" * 255) * 30_000 + b"\0" + plain[at:]
    )
    found["GIF-many-frames"] = plain[:-1] + plain[at:-1] * 5_000 + b";"
    return found


def _tiff(*tags: tuple[int, int, int, int], data: bytes = b"", following: int = 0) -> bytes:
    """A little-endian TIFF with these (tag, type, count, value), and ``data`` from byte 1024 on."""
    entries = b"".join(struct.pack("<2H2I", *tag) for tag in sorted(tags))
    head = b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + struct.pack("<I", following)
    return head.ljust(1024, b"\0") + data


def _tiff_bombs() -> dict[str, bytes]:
    def image(
        width: int, height: int, packing: int, *more: tuple[int, int, int, int]
    ) -> list[tuple[int, int, int, int]]:
        basic = [
            (256, 4, 1, width),
            (257, 4, 1, height),
            (258, 3, 1, 8),
            (259, 3, 1, packing),
            (262, 3, 1, 1),
        ]
        return [*basic, (277, 3, 1, 1), *more]

    zeros = zlib.compress(bytes(32 << 20), 9)
    strip, raw = ((273, 4, 1, 1024), (279, 4, 1, len(zeros))), ((273, 4, 1, 1024), (279, 4, 1, 61 * 43))

    def without(tag: int) -> list[tuple[int, int, int, int]]:
        return [entry for entry in image(61, 43, 1, *strip) if entry[0] != tag]

    found = {
        "TIFF-one-strip": _tiff(*image(20_000, 20_000, 8, *strip, (278, 4, 1, 20_000)), data=zeros),
        "TIFF-one-strip-in-bounds": _tiff(*image(10_000, 10_000, 8, *strip, (278, 4, 1, 10_000)), data=zeros),
        "TIFF-strip-absurd": _tiff(*image(61, 43, 8, *strip, (278, 4, 1, 2**32 - 1)), data=zeros),
        "TIFF-strips-beyond": _tiff(*image(61, 43, 8, (273, 4, 2**28, 1024), (279, 4, 2**28, 1024)), data=zeros),
        "TIFF-strip-outside": _tiff(*image(61, 43, 8, (273, 4, 1, 2**31), (279, 4, 1, 2**31)), data=zeros),
        "TIFF-tag-outside": _tiff(*image(61, 43, 1, *strip, (700, 1, 2**31, 2**31)), data=zeros),
        "TIFF-tag-of-gigabytes": _tiff(*image(61, 43, 1, *strip, (34675, 7, 2**32 - 1, 8)), data=zeros),
        "TIFF-ifd-loop": _tiff(*image(61, 43, 1, *raw), data=zeros, following=8),
        "TIFF-exif-loop": _tiff(*image(61, 43, 1, *raw, (34665, 4, 1, 8)), data=bytes(4000)),
        "TIFF-many-bits": _tiff(*without(258), (258, 3, 1, 64), data=zeros),
        "TIFF-many-samples": _tiff(*without(277), (277, 3, 1, 65_535), data=zeros),
        "TIFF-no-strips": _tiff(*image(61, 43, 5)),
        "TIFF-raw-of-nothing": _tiff(*image(10_900, 10_900, 1, (273, 4, 1, 1024), (279, 4, 1, 9))),
        "TIFF-many-tags": b"II*\0\x08\0\0\0\xff\xff" + struct.pack("<2H2I", 700, 1, 4, 0) * 65_535,
        "TIFF-big-one": b"II+\0\x08\0\0\0" + struct.pack("<Q", 16) + struct.pack("<Q", 2**63) + bytes(999),
    }  # fmt: skip
    for packing in (
        1,
        5,
        7,
        8,
        32773,
        34712,
        50000,
    ):  # raw, LZW, JPEG, deflate, PackBits, JPEG 2000, Zstandard
        for side in (64, 40_000, 2**31 - 1):
            tile = ((322, 4, 1, side), (323, 4, 1, side), (324, 4, 1, 1024), (325, 4, 1, len(zeros)))
            found[f"TIFF-tile-{packing}-{side}"] = _tiff(*image(61, 43, packing, *tile), data=zeros[:5000])
    return found


def _bmp(width: int, height: int, bits: int, packing: int, data: bytes, *, colours: int = 0) -> bytes:
    info = struct.pack("<I2i2H2I2i2I", 40, width, height, 1, bits, packing, len(data), 0, 0, colours, 0)
    return b"BM" + struct.pack("<I2HI", 54 + len(data), 0, 0, 54) + info + data


def _bmp_bombs() -> dict[str, bytes]:
    found = {
        f"BMP-{width}x{height}-{bits}-{packing}": _bmp(width, height, bits, packing, bytes(5000))
        for width, height in (
            (61, 43),
            (61, -43),
            (10_900, 10_900),
            (60_000, 60_000),
            (2**31 - 1, 2**31 - 1),
            (-5, 5),
        )
        for bits, packing in ((24, 0), (8, 1), (4, 2), (32, 3), (1, 0), (99, 7))
    }
    rle = bytes([0, 2, 255, 255]) * 40_000
    return found | {
        "BMP-RLE-jumps": _bmp(5_000, 5_000, 8, 1, rle),
        "BMP-RLE-never-ends": _bmp(10_000, 10_000, 8, 1, b"\xff\0" * 400_000),
        "BMP-RLE4": _bmp(10_000, 10_000, 4, 2, b"\xff\0" * 400_000),
        "BMP-many-colours": _bmp(61, 43, 8, 0, bytes(5000), colours=2**32 - 1),
    }
