"""Keywords that exiftool wrote, in every file and place where photo programs look for them, are labels."""

import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image
from said import as_dict

from tagger.data import read_dataset

EXIFTOOL = shutil.which("exiftool")
pytestmark = pytest.mark.skipif(EXIFTOOL is None, reason="exiftool is not installed (libimage-exiftool-perl)")

HARD = ["sea", "red, white", "<&> \"'", "猫", "naïve café"]
LR, DIGIKAM = "-XMP-lr:HierarchicalSubject=", "-XMP-digiKam:TagsList="
UTF8 = "-IPTC:CodedCharacterSet=UTF8"
PLACES = {  # exiftool's options -> the labels
    "dc": ([f"-XMP-dc:Subject={word}" for word in HARD], HARD),
    "lightroom": ([f"{LR}animals|black cat", f"{LR}sea"], ["black cat", "sea"]),
    "digikam": ([f"{DIGIKAM}Places/Italy/Rome", f"{DIGIKAM}sea"], ["Rome", "sea"]),
    "all": (["-XMP-dc:Subject=cat", f"{LR}animals|cat", f"{DIGIKAM}animals/cat", "-XMP:Rating=3"], ["cat"]),
    "iptc": ([UTF8, "-IPTC:Keywords=sœur", "-IPTC:Keywords=red, white"], ["red, white", "sœur"]),
    "latin": (["-charset", "iptc=Latin1", "-IPTC:Keywords=café", "-IPTC:Keywords=sea"], ["café", "sea"]),
    "xmp before iptc": (["-XMP-dc:Subject=newer", "-IPTC:Keywords=older"], ["newer"]),
}
SUFFIXES = {
    "iptc": "jpg png tif",
    "latin": "jpg png tif",
    "xmp before iptc": "jpg png tif",
}  # the others hold no IPTC
CASES = [
    (place, suffix) for place in PLACES for suffix in SUFFIXES.get(place, "jpg png tif webp xmp").split()
]


def exiftool(*arguments: str | Path) -> None:
    done = subprocess.run(
        [str(EXIFTOOL), "-q", *map(str, arguments)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("place", "suffix"), CASES)
def test_keywords_of_exiftool_are_read_as_it_wrote_them(tmp_path, place, suffix):
    options, labels = PLACES[place]
    image = tmp_path / f"a.{'jpg' if suffix == 'xmp' else suffix}"
    Image.new("RGB", (40, 30), (90, 120, 30)).save(image)
    if suffix == "xmp":
        exiftool(*options, "-o", tmp_path / "a.xmp")
    else:
        exiftool("-overwrite_original", *options, image)
    dataset = read_dataset(tmp_path)
    assert as_dict(dataset) == {image.name: sorted(labels)}
    assert ("1 .xmp file," if suffix == "xmp" else "1 image with keywords inside") in dataset.source


def test_a_sidecar_of_exiftool_outweighs_what_is_inside_and_one_without_keywords_does_not_count(tmp_path):
    for name in "ab":
        Image.new("RGB", (40, 30), (90, ord(name), 30)).save(tmp_path / f"{name}.jpg")
        exiftool("-overwrite_original", "-XMP-dc:Subject=inside", tmp_path / f"{name}.jpg")
    exiftool("-XMP-dc:Subject=beside", "-o", tmp_path / "a.jpg.xmp")
    exiftool("-XMP:Rating=4", "-o", tmp_path / "b.xmp")
    dataset = read_dataset(tmp_path)
    assert as_dict(dataset) == {"a.jpg": ["beside"], "b.jpg": ["inside"]}
    (problem, *_) = [str(problem) for problem in dataset.problems]
    assert problem == ("a.jpg: XMP in the photo has 'inside' and a.jpg.xmp has not: a.jpg.xmp counts")
