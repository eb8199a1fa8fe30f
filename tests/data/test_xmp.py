"""Keywords in XMP: what other programs wrote is read; ours are read by exiftool; the rest of a file stays as it is."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from tagger.data import read_dataset
from tagger.data.formats.xmp import merge_keywords, read_keywords, read_tagger_labels
from tagger.errors import TaggerError

NAMES = st.text(
    st.characters(
        codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="￾￿", include_characters="\n\t\r"
    ),
    min_size=1,
    max_size=12,
).filter(lambda name: name == name.strip())
LABELS = st.lists(
    st.one_of(NAMES, st.sampled_from(["a|b", "a/b", "b", "<&>", "]]>", "猫", '"', "red, white"])), unique=True
)

LIGHTROOM = """<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Adobe XMP Core 7.0-c000">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:lr="http://ns.adobe.com/lightroom/1.0/" xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/"
   xmp:Rating='4'
   crs:Exposure2012="+0.35">
   <!-- kept -->
   <dc:subject>
    <rdf:Bag>
     <rdf:li>animals</rdf:li>
     <rdf:li>cat</rdf:li>
     <rdf:li>my &amp; own</rdf:li>
    </rdf:Bag>
   </dc:subject>
   <lr:hierarchicalSubject>
    <rdf:Bag>
     <rdf:li>animals|cat</rdf:li>
    </rdf:Bag>
   </lr:hierarchicalSubject>
   <dc:title><rdf:Alt><rdf:li xml:lang="x-default">Tom &#x263A;</rdf:li></rdf:Alt></dc:title>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""
DIGIKAM = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:digiKam="http://www.digikam.org/ns/1.0/"
    xmlns:dc="http://purl.org/dc/elements/1.1/">
   <digiKam:TagsList>
    <rdf:Seq>
     <rdf:li>Places/Rome</rdf:li>
     <rdf:li>People/Ann</rdf:li>
    </rdf:Seq>
   </digiKam:TagsList>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""
DARKTABLE = """<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:darktable="http://darktable.sf.net/" darktable:auto_presets_applied="1"/>
 </rdf:RDF>
</x:xmpmeta>
"""


@given(LABELS)
@example(["a|b", "b", "a/b"])
def test_what_is_written_is_read(labels: list[str]):
    xml = merge_keywords(None, labels)
    assert read_keywords(xml) == labels
    assert read_tagger_labels(xml) == labels
    assert merge_keywords(xml, labels) == xml


@given(LABELS, LABELS, st.sampled_from([LIGHTROOM, DIGIKAM, DARKTABLE]))
def test_a_merge_adds_takes_away_and_keeps_the_persons_keywords(
    first: list[str], second: list[str], file: str
):
    own = read_keywords(file.encode())
    first, second = [n for n in first if n not in own], [n for n in second if n not in own]
    once = merge_keywords(file.encode(), first)
    twice = merge_keywords(once, second, withdrawn=set(read_tagger_labels(once)) - set(second))
    assert set(read_keywords(once)) == {*own, *first}
    assert set(read_keywords(twice)) == {*own, *second}
    assert merge_keywords(twice, second) == twice


@pytest.mark.parametrize("file", [LIGHTROOM, DIGIKAM, DARKTABLE])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_everything_foreign_stays_byte_for_byte(file: str, newline: str):
    before = file.replace("\n", newline).encode()
    after = merge_keywords(before, ["sea", "<sky>"])
    place = 0
    for line in before.replace(b"/>\n </rdf:RDF>", b"").split(
        b"\n"
    ):  # every line is there, in the same order
        place = after.find(line.strip().removesuffix(b"/>"), place)
        assert place >= 0, line


def test_what_was_added_to_a_file_and_withdrawn_leaves_the_file_as_it_was():
    for file in (LIGHTROOM, DIGIKAM):
        added = merge_keywords(file.encode(), ["sea", "my label"])
        assert read_keywords(merge_keywords(added, [], withdrawn=["sea", "my label"])) == read_keywords(
            file.encode()
        )
        assert merge_keywords(added, [], withdrawn=["sea", "my label"]).decode() == file


def test_a_withdrawn_label_goes_from_paths_too_and_its_parents_stay():
    after = merge_keywords(LIGHTROOM.encode(), ["sea"], withdrawn=["cat"])
    assert read_keywords(after) == ["animals", "my & own", "sea"]
    assert b"animals|cat" not in after
    assert read_keywords(merge_keywords(DIGIKAM.encode(), [], withdrawn=["Rome"])) == ["Ann"]


def test_a_label_that_is_the_end_of_a_path_is_not_written_beside_it():
    after = merge_keywords(LIGHTROOM.encode(), ["cat"]).decode()
    assert re.findall("<rdf:li>(.*cat)</rdf:li>", after) == ["cat", "animals|cat"]
    assert read_tagger_labels(after.encode()) == []
    assert "Places/Rome" in merge_keywords(DIGIKAM.encode(), ["Rome"]).decode()


@pytest.mark.parametrize(
    "subject",
    [
        '<rdf:Description rdf:about="" xmlns:d="http://purl.org/dc/elements/1.1/" d:subject = "mine" d:format="a>b"/>',
        '<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:subject>mine</dc:subject></rdf:Description>',
        '<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:subject/></rdf:Description>',
        '<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:subject><rdf:Bag/></dc:subject>'
        "</rdf:Description>",
        "<rdf:Description/>",
        "",
    ],
)
def test_odd_but_valid_forms_are_merged(subject: str):
    file = f'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">{subject}</rdf:RDF>'.encode()
    mine = ["mine"] if "mine" in subject else []
    assert read_keywords(file) == mine
    after = merge_keywords(file, ["sea"])
    assert read_keywords(after) == [*mine, "sea"]
    assert read_keywords(merge_keywords(after, [], withdrawn=["sea", "mine"])) == []
    if "format" in subject:
        assert b'd:format="a>b"' in after


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "latin-1"])
def test_other_encodings_are_kept(encoding: str):
    head = '<?xml version="1.0" encoding="ISO-8859-1"?>' if encoding == "latin-1" else ""
    after = merge_keywords((head + LIGHTROOM.replace("animals", "Tïere")).encode(encoding), ["猫"])
    assert "Tïere" in after.decode(encoding)
    assert read_keywords(after) == ["Tïere", "cat", "my & own", "猫"]


@pytest.mark.parametrize(
    "xml",
    [
        b"", b"no xml", b"<a>", b"\xff\xfe\x00", b"<?xml version='1.0' encoding='nonsense'?><a/>", b"<a>&b;</a>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', b"<a/><b/>", LIGHTROOM.encode()[:400],
        b"<?xml version='1.0' encoding='hex'?><a/>",
    ],
)  # fmt: skip
def test_what_is_no_xml_is_one_line_with_its_file(xml: bytes):
    for call in (read_keywords, lambda xml, where: merge_keywords(xml, ["sea"], where=where)):
        with pytest.raises(TaggerError, match=r"^a\.xmp"):
            call(xml, where="a.xmp")


def test_xml_that_is_no_xmp_and_names_that_xml_cannot_hold_are_refused():
    assert read_keywords(b"<html/>") == []
    with pytest.raises(TaggerError, match=r"a\.xmp: this is XML, but no XMP"):
        merge_keywords(b"<html/>", ["sea"], where="a.xmp")
    with pytest.raises(TaggerError, match=r"cannot hold the label 'a\\x00b'"):
        merge_keywords(None, ["sea", "a\0b"])


@given(st.binary(max_size=60), st.integers(0, len(LIGHTROOM)))
def test_mutilated_files_give_keywords_or_one_line(noise: bytes, at: int):
    whole, told = LIGHTROOM.encode(), list[str]()
    for xml in (whole[:at], whole[:at] + noise + whole[at:], noise):
        try:
            assert isinstance(read_keywords(xml, where="a.xmp"), list)
            assert "sea" in read_keywords(merge_keywords(xml, ["sea"], where="a.xmp"))
        except TaggerError as error:  # anything else fails the test
            told.append(str(error))
    assert all(line.startswith("a.xmp") for line in told)


def test_exiftool_reads_what_is_written_and_its_own_files_are_read(tmp_path: Path):
    exiftool = shutil.which("exiftool")
    if exiftool is None:
        pytest.skip("exiftool is not installed (libimage-exiftool-perl)")
    labels = ["sea", "<&> \"'", "猫", "red, white", "a|b", "c/d"]
    for name, before in (("new", None), ("lightroom", LIGHTROOM.encode()), ("digikam", DIGIKAM.encode())):
        path = tmp_path / f"{name}.xmp"
        path.write_bytes(merge_keywords(before, labels))
        done = subprocess.run([exiftool, "-j", "-struct", path], capture_output=True, check=True, timeout=60)
        (tags,) = json.loads(done.stdout)
        assert "Warning" not in tags
        own = ["animals", "cat", "my & own"] if name == "lightroom" else []
        assert tags["Subject"] == [*own, *labels]
        if name != "digikam":
            assert tags["HierarchicalSubject"] == [*(["animals|cat"] if own else []), *labels]
        if name != "lightroom":  # a new list of ours would hide Lightroom's from digiKam
            in_tree = [*labels[:-2], "a/b", "c|d"]
            assert tags["TagsList"] == [
                *(["Places/Rome", "People/Ann"] if name == "digikam" else []),
                *in_tree,
            ]
        assert ("TagsList" in tags, "HierarchicalSubject" in tags) == (
            name != "lightroom",
            name != "digikam",
        )
    made = tmp_path / "made.xmp"
    sets = [
        "-XMP-dc:Subject=a",
        "-XMP-dc:Subject=b & c",
        "-XMP-lr:HierarchicalSubject=x|y",
        "-XMP-digiKam:TagsList=p/q",
    ]
    subprocess.run([exiftool, "-o", made, *sets], capture_output=True, check=True, timeout=60)
    assert read_keywords(made.read_bytes()) == ["a", "b & c", "y", "q"]
    assert read_keywords(merge_keywords(made.read_bytes(), ["new"])) == ["a", "b & c", "new", "y", "q"]


def test_reading_says_how_many_sidecars_nobody_but_tagger_wrote(tmp_path):
    for name in "abc":
        Image.new("RGB", (9, 9), (ord(name), 0, 0)).save(tmp_path / f"{name}.jpg")
    ours, persons = merge_keywords(None, ["sea"]), LIGHTROOM.encode()
    for name, sidecar in (("a", ours), ("b", persons), ("c", merge_keywords(persons, ["sea"]))):
        (tmp_path / f"{name}.jpg.xmp").write_bytes(sidecar)
    assert "tagger itself wrote all keywords of 1 .xmp file" in read_dataset(tmp_path).source
