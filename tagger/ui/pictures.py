"""How does a photo get on screen? As a small JPEG made once, kept on disk, and never as the file itself.

Only rows of the run's table are shown, only files that really lie in the data folder, only formats that are photos.
Re-encoding drops whatever else a file holds (GPS, scripts, a second file glued to its end).
"""

import os
import tempfile
import threading
from base64 import b64encode
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

SIZES = (128, 256, 512, 1024, 1600)  # longest side in pixels; any other wish is rounded up to one of these
FORMATS = ("JPEG", "MPO", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF")
MAX_PIXELS = 120_000_000
QUALITY = 86
_DECODING = threading.BoundedSemaphore(4)  # large photos at once: bounds memory


class Unseen(Exception):
    """A photo that cannot be shown; its text says why."""


class Pictures:
    """Previews of the photos below ``root``, kept in ``cache`` (left out where that cannot be written)."""

    def __init__(self, root: Path, cache: Path | None):
        self.root, self.cache = root.resolve(), cache

    def path(self, file: str) -> Path:
        """Where ``file`` lies. Unseen if that is outside the data folder, or not a regular file."""
        try:
            path = (self.root / file).resolve()
            inside = path.is_relative_to(self.root) and path.is_file()
        except (OSError, ValueError, RuntimeError):
            inside = False
        if not inside:
            raise Unseen("the file is not in the data folder (moved or deleted?)")
        return path

    def preview(self, file: str, hash: str, *, size: int = 256) -> bytes:
        """A JPEG of at most ``size`` pixels a side. ``hash`` names it in the cache. Unseen says why not."""
        size = next((known for known in SIZES if known >= size), SIZES[-1])
        path = self.path(file)  # also when it is in the cache: what was taken away is shown no more
        kept = self._kept(hash, size)
        if kept is not None and kept.is_file():
            return kept.read_bytes()
        with _DECODING:
            data = encode(path, size=size)
        if kept is not None:
            _keep(kept, data)
        return data

    def data_uri(self, file: str, hash: str, *, size: int = 256) -> str:
        """``data:image/jpeg;base64,...`` of the preview, for pages without our routes; an empty text if unseen."""
        try:
            return "data:image/jpeg;base64," + b64encode(self.preview(file, hash, size=size)).decode()
        except Unseen:
            return ""

    def _kept(self, hash: str, size: int) -> Path | None:
        if self.cache is None or not hash.isalnum() or len(hash) < 8:
            return None
        return self.cache / hash[:2] / f"{hash}-{size}.jpg"


def encode(source: Path | bytes, *, size: int) -> bytes:
    """The image, upright, in RGB, at most ``size`` pixels a side, as JPEG. Unseen says why it cannot be."""
    try:
        Image.init()  # some decoders are not in every build of Pillow
        known = [name for name in FORMATS if name in Image.OPEN]
        with Image.open(BytesIO(source) if isinstance(source, bytes) else source, formats=known) as image:
            if image.width * image.height > MAX_PIXELS:  # Pillow's own guard only warns at first
                raise Unseen(f"{image.width:,} x {image.height:,} pixels are too many to show")
            image.draft("RGB", (size, size))  # a JPEG is decoded at 1/2 to 1/8 of its sides: a tenth of the time
            profile = image.info.get("icc_profile") if image.mode == "RGB" else None
            small = _to_rgb(ImageOps.exif_transpose(image))
        small.thumbnail((size, size), Image.Resampling.LANCZOS, reducing_gap=2.0)
        small = _to_srgb(small, profile)
        small.info = {}  # a comment would be written again
        out = BytesIO()
        small.save(out, "JPEG", quality=QUALITY, optimize=size <= 512)
    except Unseen:
        raise
    except Exception as error:  # decoders raise nearly every type on damaged input
        raise Unseen(f"it cannot be read as an image ({type(error).__name__})") from error
    return out.getvalue()


def _to_rgb(image: Image.Image) -> Image.Image:
    """RGB of any mode: deep pixels stretched over their own range, transparent ones over white."""
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, dtype=np.float64)
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        grey = (values - low) / max(high - low, 1e-9) * 255.0
        return Image.fromarray(np.nan_to_num(grey).astype(np.uint8)).convert("RGB")
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        image = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, (255, 255, 255, 255)), image).convert("RGB")
    return image.convert("RGB")


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The colours that the photographer saw (Adobe RGB looks dull as it is); a damaged profile counts as none."""
    if not profile:
        return image
    try:
        own, srgb = ImageCms.ImageCmsProfile(BytesIO(profile)), ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, own, srgb, outputMode="RGB") or image
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image


def _keep(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; a full or read-only disk only costs time later."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
        with os.fdopen(handle, "wb") as out:
            out.write(data)
        os.replace(temporary, path)
    except OSError:
        return
