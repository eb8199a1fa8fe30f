"""Previews of photos: small JPEGs, made once and kept on disk; the file itself is never sent.

Only rows of the run's table are shown, only files that really lie in the data folder, only formats that are
photos. Re-encoding drops whatever else a file holds (GPS, scripts, a second file glued to its end).
"""

import os
import tempfile
from base64 import b64encode
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageCms

from tagger.data.images.decoding import UnreadableImage, load_preview
from tagger.data.images.hashes import identify_file

PREVIEW_SIZES = (
    128,
    256,
    512,
    1024,
    1600,
)  # longest side in pixels; another size is rounded up to one of these
JPEG_QUALITY = 86
HASH_LENGTH = 32  # of an image's hash in a run


class PhotoError(Exception):
    """Photo that cannot be shown; its text says why."""


class PhotoPreviews:
    """Previews of the photos below ``root``, kept in ``cache`` (left out where that cannot be written).

    ``pictures`` has the picture hash by hash: a file with other metadata is the same photo.
    """

    def __init__(self, root: Path, cache: Path | None, pictures: Mapping[str, str] | None = None):
        self.root = root.resolve()
        self.cache = cache
        self._pictures = pictures or {}

    def path(self, file: str) -> Path:
        """Where ``file`` lies. PhotoError if that is outside the data folder, or not a regular file."""
        try:
            path = (self.root / file).resolve()
            inside = path.is_relative_to(self.root) and path.is_file()
        except (OSError, ValueError, RuntimeError):
            inside = False
        if not inside:
            raise PhotoError("the file is not in the data folder (moved or deleted?)")
        return path

    def preview(self, file: str, hash: str, *, size: int = 256) -> bytes:
        """A JPEG of at most ``size`` pixels a side of the file with this hash. PhotoError says why not.

        A file that was replaced is not shown: decisions about it would count for the old photo.
        """
        size = next((known for known in PREVIEW_SIZES if known >= size), PREVIEW_SIZES[-1])
        path = self.path(file)  # also when it is in the cache: what was taken away is shown no more
        kept = self._kept(hash, size)
        if kept is not None and _is_newer(kept, path):
            return kept.read_bytes()
        if len(hash) == HASH_LENGTH and not self._is_photo(path, hash):
            if kept is not None and kept.is_file():  # of the photo that the decisions are on
                return kept.read_bytes()
            raise PhotoError("another picture is in the file than when the run was made")
        data = encode_preview(path, size=size)
        if kept is not None:
            _write_cache(kept, data)
        return data

    def data_uri(self, file: str, hash: str, *, size: int = 256) -> str:
        """``data:image/jpeg;base64,...`` of the preview, for pages without our routes; empty without a photo."""
        try:
            return "data:image/jpeg;base64," + b64encode(self.preview(file, hash, size=size)).decode()
        except PhotoError:
            return ""

    def _is_photo(self, path: Path, hash: str) -> bool:
        """Whether a file is the photo with this hash, perhaps with other metadata."""
        now = identify_file(path)
        return now.hash == hash or (now.hash != "" and self._pictures.get(hash) == now.picture_hash)

    def _kept(self, hash: str, size: int) -> Path | None:
        if self.cache is None or not hash.isalnum() or len(hash) < 8:
            return None
        return self.cache / hash[:2] / f"{hash}-{size}.jpg"


def _is_newer(kept: Path, photo: Path) -> bool:
    """Whether a preview was made after the last change of its photo: one rotated by its flag is drawn anew."""
    try:
        status = photo.stat()
        return kept.stat().st_mtime >= max(status.st_mtime, status.st_ctime)
    except OSError:
        return False


def encode_preview(source: Path | bytes, *, size: int) -> bytes:
    """The image, upright, in RGB, at most ``size`` pixels a side, as JPEG. PhotoError says why it cannot be."""
    try:
        small, profile = load_preview(source, max_side=size)
        small = _to_srgb(small, profile)
        small.info = {}  # a comment would be written again
        out = BytesIO()
        small.save(out, "JPEG", quality=JPEG_QUALITY, optimize=size <= 512)
    except UnreadableImage as error:
        raise PhotoError(f"it cannot be read as an image ({error.reason})") from error
    except Exception as error:  # colour profiles hold nearly anything
        raise PhotoError(f"it cannot be shown ({type(error).__name__})") from error
    return out.getvalue()


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The colours that the photographer saw (Adobe RGB looks dull as it is); a damaged profile counts as none."""
    if not profile:
        return image
    try:
        own = ImageCms.ImageCmsProfile(BytesIO(profile))
        srgb = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, own, srgb, outputMode="RGB") or image
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image


def _write_cache(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; a full or read-only disk only costs time later."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
        with os.fdopen(handle, "wb") as out:
            out.write(data)
        os.replace(temporary, path)
    except OSError:
        return
