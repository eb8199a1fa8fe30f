"""Our sidecars in exiftool's eyes, and ours merged into those of exiftool, darktable, Lightroom and digiKam."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tagger.commands.writers import write_labels
from tagger.data import read_dataset
from tagger.data.formats.xmp import merge_keywords, read_keywords

HARD = [
    *(
        "red, white",
        "a|b",
        '"q"',
        "two\nlines",
        "CR\rLF\r\n.",
        "tab\tbed",
        "<&>;&amp;&#10;",
        "a/b",
        "猫",
        "العربية",
    ),
    *(
        "🐈\u200d⬛",
        "e\u0301",
        "é",
        "line\u2028sep",
        "next\u0085line",
        "=1",
        "\\",
        "x" * 300,
        "]]>",
        "<!-- -->",
    ),
]
KEYWORDS = ("Subject", "HierarchicalSubject", "TagsList", "Labels", "None", "LastKeywordXMP")

IN_DIGIKAM = [name.translate(str.maketrans("/|", "|/")) for name in HARD]  # its paths are separated by /

HEAD = """<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="{0}">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">"""
DARKTABLE = f"""<?xml version="1.0" encoding="UTF-8"?>
{HEAD.format("XMP Core 4.4.0-Exiv2")}
  <rdf:Description rdf:about=""
    xmlns:exif="http://ns.adobe.com/exif/1.0/"
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:darktable="http://darktable.sf.net/"
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:lr="http://ns.adobe.com/lightroom/1.0/"
   exif:DateTimeOriginal="2020:06:07 10:11:12.000"
   xmp:Rating="3"
   darktable:xmp_version="5"
   darktable:history_end="1">
   <darktable:history>
    <rdf:Seq>
     <rdf:li
      darktable:num="0"
      darktable:operation="exposure"
      darktable:params="0000a040&#x20;&gt;"/>
    </rdf:Seq>
   </darktable:history>
   <dc:subject>
    <rdf:Bag>
     <rdf:li>old</rdf:li>
     <rdf:li>cat</rdf:li>
    </rdf:Bag>
   </dc:subject>
   <lr:hierarchicalSubject>
    <rdf:Bag>
     <rdf:li>animals|cat</rdf:li>
     <rdf:li>old</rdf:li>
    </rdf:Bag>
   </lr:hierarchicalSubject>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""
LIGHTROOM = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
{HEAD.format("Adobe XMP Core 7.0")}
  <rdf:Description rdf:about=""
    xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/"
   crs:Exposure2012="+0.35">
   <crs:ToneCurvePV2012>
    <rdf:Seq>
     <rdf:li>0, 0</rdf:li>
     <rdf:li>255, 255</rdf:li>
    </rdf:Seq>
   </crs:ToneCurvePV2012>
  </rdf:Description>
  <rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">
   <dc:title><rdf:Alt><rdf:li xml:lang="x-default">K\u00e4se &amp; Brot</rdf:li></rdf:Alt></dc:title>
   <dc:subject><rdf:Bag><rdf:li>cat</rdf:li><rdf:li>old</rdf:li></rdf:Bag></dc:subject>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
{" " * 99}
<?xpacket end="w"?>"""
DIGIKAM = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
{HEAD.format("XMP Core 6.0.0")}
  <rdf:Description rdf:about=""
    xmlns:digiKam="http://www.digikam.org/ns/1.0/"
    xmlns:MicrosoftPhoto="http://ns.microsoft.com/photo/1.0/"
    xmlns:dc="http://purl.org/dc/elements/1.1/"
   digiKam:PickLabel="0"
   MicrosoftPhoto:Rating="25">
   <digiKam:TagsList>
    <rdf:Seq>
     <rdf:li>animals/cat</rdf:li>
     <rdf:li>old</rdf:li>
    </rdf:Seq>
   </digiKam:TagsList>
   <MicrosoftPhoto:LastKeywordXMP>
    <rdf:Bag>
     <rdf:li>animals/cat</rdf:li>
    </rdf:Bag>
   </MicrosoftPhoto:LastKeywordXMP>
   <dc:subject>
    <rdf:Bag>
     <rdf:li>cat</rdf:li>
     <rdf:li>old</rdf:li>
    </rdf:Bag>
   </dc:subject>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""
SAMPLES = {"darktable": DARKTABLE, "lightroom": LIGHTROOM, "digikam": DIGIKAM}


@pytest.fixture(scope="module")
def exiftool() -> str:
    """The program; skipped where it is absent."""
    found = shutil.which("exiftool")
    if not found:
        pytest.skip("no exiftool here (Debian: libimage-exiftool-perl)")
    return found


def tags(exiftool: str, path: Path) -> dict[str, Any]:
    """All XMP that exiftool finds in a file."""
    done = subprocess.run(
        [exiftool, "-json", "-struct", "-b", "-XMP:all", str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    (found,) = json.loads(done.stdout)
    return {key: value for key, value in found.items() if key not in ("SourceFile", "XMPToolkit")}


def foreign(found: dict[str, Any]) -> dict[str, Any]:
    """All but the keywords."""
    return {key: value for key, value in found.items() if key not in KEYWORDS}


def without_keywords(text: str) -> list[str]:
    """What stands in a sidecar outside of our properties: its lines, those of our own lists left out."""
    lists = (
        "dc:subject",
        "lr:hierarchicalSubject",
        "digiKam:TagsList",
        "MicrosoftPhoto:LastKeywordXMP",
        "tagger:labels",
    )
    lines, inside = [], ""
    for line in (
        text.replace("<dc:subject>", "\n<dc:subject>").replace("</dc:subject>", "</dc:subject>\n").split("\n")
    ):
        inside = inside or next((name for name in lists if line.strip().startswith(f"<{name}")), "")
        if not inside and line.strip():
            lines.append(line.rstrip())
        if inside and f"</{inside}>" in line:
            inside = ""
    return lines


def test_exiftool_reads_every_name_in_all_three_places(exiftool: str, tmp_path: Path):
    path = tmp_path / "a.xmp"
    path.write_bytes(merge_keywords(None, HARD))
    found = tags(exiftool, path)
    assert found["Subject"] == found["HierarchicalSubject"] == HARD
    assert found["TagsList"] == IN_DIGIKAM
    checked = subprocess.run([exiftool, "-validate", "-warning", str(path)], capture_output=True, text=True)
    assert "OK" in checked.stdout


def test_a_sidecar_by_exiftool_gets_labels_and_keeps_the_rest(exiftool: str, tmp_path: Path):
    path = tmp_path / "a.xmp"
    given = (
        "dc:Subject=mine",
        "dc:Subject=old",
        "lr:HierarchicalSubject=animals|cat",
        "digiKam:TagsList=animals/cat",
    )
    region = "mwg-rs:RegionInfo={AppliedToDimensions={W=10,H=20,Unit=pixel},RegionList=[{Name=Ann}]}"
    more = ("xmp:Rating=4", "dc:Title-de=Käse <b>", region)
    subprocess.run(
        [exiftool, "-q", "-o", str(path), *(f"-XMP-{item}" for item in (*given, *more))], check=True
    )
    before = tags(exiftool, path)
    path.write_bytes(merge_keywords(path.read_bytes(), ["cat", *HARD], withdrawn=["old"]))
    after = tags(exiftool, path)
    assert foreign(after) == foreign(before) != {}
    assert after["Subject"] == ["mine", "cat", *HARD]
    assert after["HierarchicalSubject"] == ["animals|cat", *HARD]
    assert after["TagsList"] == ["animals/cat", *IN_DIGIKAM]


def test_what_exiftool_rewrites_still_says_whose_labels_and_that_there_are_none(
    exiftool: str, tmp_path: Path
):
    root = tmp_path / "data"
    root.mkdir()
    for number, name in enumerate(("a.jpg", "b.jpg")):
        Image.new("RGB", (4, 4), (number, 0, 0)).save(root / name)
    labels_NK = np.array([[1, 0], [0, 0]], np.int8)
    write_labels(["a.jpg", "b.jpg"], labels_NK, ["cat", "dog"], root=root, out=root, format="xmp")
    assert "Subject" not in tags(exiftool, root / "b.jpg.xmp")
    for name in ("a.jpg.xmp", "b.jpg.xmp"):
        subprocess.run(
            [exiftool, "-q", "-overwrite_original", "-XMP-xmp:Rating=5", str(root / name)], check=True
        )
    read = read_dataset(root)
    assert read.labels_NK.tolist() == [[1], [0]]
    write_labels(
        ["a.jpg", "b.jpg"],
        1 - labels_NK,
        ["cat", "dog"],
        root=root,
        out=root,
        format="xmp",
        on_existing="merge",
    )
    assert tags(exiftool, root / "a.jpg.xmp") | {"Labels": 0} == {
        "Rating": 5, "Subject": ["dog"], "HierarchicalSubject": ["dog"], "TagsList": ["dog"], "Labels": 0
    }  # fmt: skip
    assert "None" not in tags(exiftool, root / "b.jpg.xmp")


@pytest.mark.parametrize("program", SAMPLES)
def test_other_programs_settings_stay_byte_for_byte(program: str):
    before = SAMPLES[program]
    after = merge_keywords(before.encode(), ["cat", "sea", "<&>"], withdrawn=["old"]).decode()
    assert set(read_keywords(after.encode())) == {"cat", "sea", "<&>"}
    assert without_keywords(after) == without_keywords(before)
    assert "animals|cat" in after or program != "darktable"
    again = merge_keywords(after.encode(), ["cat", "sea", "<&>"], withdrawn=["old"]).decode()
    assert again == after


@pytest.mark.parametrize("program", SAMPLES)
def test_exiftool_sees_the_other_programs_settings_as_before(exiftool: str, tmp_path: Path, program: str):
    path = tmp_path / "a.xmp"
    path.write_text(SAMPLES[program], "utf-8")
    before = tags(exiftool, path)
    path.write_bytes(merge_keywords(path.read_bytes(), ["sea", *HARD], withdrawn=["old"]))
    after = tags(exiftool, path)
    assert foreign(after) == foreign(before) != {}
    assert after["Subject"] == ["cat", "sea", *HARD]


@pytest.mark.parametrize("program", SAMPLES)
def test_all_keywords_taken_away_leave_a_note_and_a_new_one_takes_the_note_away(program: str):
    none = merge_keywords(SAMPLES[program].encode(), [], withdrawn=["old", "cat"], none=True)
    assert read_keywords(none) == []
    assert none.count(b"tagger:none") == 2  # one element
    assert merge_keywords(none, [], none=True) == none
    again = merge_keywords(none, ["sea"])
    assert b"tagger:none" not in again
    assert without_keywords(again.decode()) == without_keywords(SAMPLES[program])
