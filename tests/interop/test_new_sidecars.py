"""A new sidecar hides nothing that a photo says; what a model predicted is no truth; what was taken off stays off."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from said import as_dict
from year_files import without_word

from tagger.commands.writers import RecordedSidecars, SidecarRequest, sidecar_formats, write_labels
from tagger.commands.writers.sidecars import MergeRules, SidecarOrigin
from tagger.commands.writers.xmp_sidecar import XmpSidecarWriter
from tagger.data import read_dataset
from tagger.data.formats.keyword_sources import keyword_sources, persons_keywords, sidecars_of
from tagger.data.formats.label_text import parse_label_text
from tagger.data.formats.xmp import add_persons_keywords, merge_keywords, read_keywords, read_words
from tagger.data.formats.xmp_untag import without_labels
from tagger.errors import TaggerError

NAMES = ("dog", "cat", "AC/DC", "Place|Paris", "people")
PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:lr="http://ns.adobe.com/lightroom/1.0/" xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/"
 xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmp:Rating="4" crs:Exposure2012="+0.35" tiff:Orientation="6">
 <dc:title><rdf:Alt><rdf:li xml:lang="x-default">Tom</rdf:li></rdf:Alt></dc:title>
 <dc:subject><rdf:Bag><rdf:li>Holiday 2019</rdf:li><rdf:li>Roll 0</rdf:li></rdf:Bag></dc:subject>
 <lr:hierarchicalSubject><rdf:Bag><rdf:li>Trips|Holiday 2019</rdf:li></rdf:Bag></lr:hierarchicalSubject>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""


def photo(path: Path, packet: str = "", seed: int = 0, **more: Any) -> Path:
    """A JPEG, with XMP inside."""
    pixels = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, xmp=packet.encode(), **more)
    return path


def write(folder: Path, labels: list[str], *, format: str = "xmp", predicted: bool = True, run: str = "one",
          names: tuple[str, ...] = NAMES, **rules: Any) -> RecordedSidecars:  # fmt: skip
    """What a model, or a person, says about ``a.jpg``, merged."""
    sidecars = RecordedSidecars(sidecar_formats.build(format, names), folder, run)
    notes = dict.fromkeys(names, "0.900 2026-01-01 one") if predicted else None
    merge = MergeRules(absent=[name for name in names if name not in labels], **rules)
    path = sidecars.path_of("a.jpg")
    sidecars.write(SidecarRequest(path, [0], [folder / "a.jpg"], labels, merge, True, notes))
    return sidecars


def take_off(path: Path, *labels: str) -> None:
    """What a photo manager does when a person takes keywords off: they go from each list of keywords."""
    head, mark, tail = path.read_text("utf-8").partition("<tagger:labels")
    for label in labels:
        head = head.replace(f"<rdf:li>{label}</rdf:li>", "")
    path.write_text(head + mark + tail, "utf-8")


def test_a_new_sidecar_starts_from_what_is_inside_without_its_development(tmp_path: Path):
    photo(tmp_path / "a.jpg", PACKET)
    write(tmp_path, ["dog"])
    made = (tmp_path / "a.jpg.xmp").read_text("utf-8")
    words = read_words(made.encode())
    assert (words.persons, words.ours, words.predicted) == (["Holiday 2019", "Roll 0"], ["dog"], ["dog"])
    assert words.paths == {"Holiday 2019": ["Trips|Holiday 2019"]}
    assert 'xmp:Rating="4"' in made
    assert "Tom" in made
    assert "Exposure2012" not in made
    assert "tiff:Orientation" not in made
    again = (tmp_path / "a.jpg.xmp").read_bytes()
    write(tmp_path, ["dog"])
    assert (tmp_path / "a.jpg.xmp").read_bytes() == again


def test_keywords_of_windows_in_exif_are_read_and_start_a_sidecar(tmp_path: Path):
    exif = Image.Exif()
    exif[0x9C9E] = "Rex;black dog\0".encode("utf-16-le")
    photo(tmp_path / "a.jpg", exif=exif)
    assert as_dict(read_dataset(tmp_path)) == {"a.jpg": ["Rex", "black dog"]}
    write(tmp_path, ["dog"])
    assert read_words((tmp_path / "a.jpg.xmp").read_bytes()).persons == ["Rex", "black dog"]


@pytest.mark.parametrize(("format", "there"), [("xmp", "a.xmp"), ("xmp-lightroom", "a.jpg.xmp")])
def test_a_photo_gets_no_second_sidecar(tmp_path: Path, format: str, there: str):
    photo(tmp_path / "a.jpg")
    (tmp_path / there).write_text(PACKET, "utf-8")
    sidecars = write(tmp_path, ["dog"], format=format)
    assert [path.name for path in sidecars.other_name] == [there]
    assert [path.name for path in tmp_path.glob("*.xmp")] == [there]
    assert read_keywords((tmp_path / there).read_bytes()) == ["Holiday 2019", "Roll 0", "dog"]
    assert "Exposure2012" in (tmp_path / there).read_text("utf-8")


def test_sidecars_in_another_folder_start_from_those_beside_the_photo(tmp_path: Path):
    photo(tmp_path / "a.jpg")
    (tmp_path / "a.xmp").write_text(PACKET, "utf-8")
    write_labels(["a.jpg"], np.array([[1, 0, 0, 0, 0]], np.int8), NAMES, root=tmp_path, out=tmp_path / "out",
                 format="xmp")  # fmt: skip
    made = (tmp_path / "out/a.jpg.xmp").read_bytes()
    assert read_keywords(made) == ["Holiday 2019", "Roll 0", "dog"]
    assert b"Exposure2012" in made


def test_a_new_text_sidecar_starts_from_the_keywords_inside(tmp_path: Path):
    photo(tmp_path / "a.jpg", PACKET)
    write(tmp_path, ["dog"], format="txt")
    assert (tmp_path / "a.txt").read_text() == "Holiday 2019,Roll 0,dog\n"


def test_a_sidecar_whose_photo_cannot_be_understood_is_not_made(tmp_path: Path):
    photo(tmp_path / "a.jpg", PACKET.replace("</rdf:RDF>", ""))
    with pytest.raises(TaggerError, match=r"a\.jpg, row .*not well-formed"):
        write(tmp_path, ["dog"])
    assert not list(tmp_path.glob("*.xmp"))


def test_predictions_are_no_truth_and_outweigh_nobody(tmp_path: Path):
    for seed, name in enumerate("abc"):
        photo(tmp_path / f"{name}.jpg", PACKET if name == "b" else "", seed)
    write(tmp_path, ["dog"])
    (tmp_path / "b.jpg.xmp").write_bytes(merge_keywords(None, ["cat"]))  # of an earlier version
    (tmp_path / "c.jpg.xmp").write_bytes(merge_keywords(None, ["dog", "cat"]))  # written by apply
    dataset = read_dataset(tmp_path)
    assert as_dict(dataset) == {"b.jpg": ["Holiday 2019", "Roll 0"], "c.jpg": ["cat", "dog"]}
    assert "1 image with nothing but predictions of a model left out" in dataset.source
    assert "1 .xmp file with tagger's words only, and a person's elsewhere" in dataset.source
    (tmp_path / "a.jpg.xmp").write_bytes(
        merge_keywords((tmp_path / "a.jpg.xmp").read_bytes(), ["Rex"])
        .replace(b"<rdf:li>Rex</rdf:li>", b"", 4)
        .replace(b"<rdf:li>dog</rdf:li>", b"<rdf:li>dog</rdf:li><rdf:li>Rex</rdf:li>", 1)
    )
    dataset = read_dataset(tmp_path)
    row = dataset.images["file"].tolist().index("a.jpg")
    assert dataset.labels_NK[row, dataset.labels.index("Rex")] == 1
    assert dataset.labels_NK[row, dataset.labels.index("dog")] == -1


@pytest.mark.parametrize("format", ["xmp", "txt"])
def test_a_folder_with_predictions_only_is_nothing_to_learn(tmp_path: Path, format: str):
    photo(tmp_path / "a.jpg")
    write(tmp_path, ["dog"], format=format)
    with pytest.raises(TaggerError, match="no labels"):
        read_dataset(tmp_path)
    with pytest.raises(TaggerError, match="a model predicted all"):
        read_dataset(tmp_path, tmp_path)
    write(tmp_path, ["dog"], format=format, predicted=False)  # people agree
    photo(tmp_path / "b.jpg", PACKET, 1)
    assert as_dict(read_dataset(tmp_path))["a.jpg"] == ["dog"]


def test_where_two_places_differ_the_reader_says_so(tmp_path: Path):
    photo(tmp_path / "a.jpg", PACKET)
    (tmp_path / "a.xmp").write_text(PACKET.replace("Roll 0", "Roll 7"), "utf-8")
    dataset = read_dataset(tmp_path)
    assert as_dict(dataset) == {"a.jpg": ["Holiday 2019", "Roll 7"]}
    assert "a.jpg: XMP in the photo has 'Roll 0' and a.xmp has not: a.xmp counts" in map(
        str, dataset.problems
    )


@pytest.mark.parametrize("format", ["xmp", "txt"])
def test_what_was_taken_off_stays_off_until_a_person_decides_yes(tmp_path: Path, format: str):
    photo(tmp_path / "a.jpg")
    path = tmp_path / ("a.jpg.xmp" if format == "xmp" else "a.txt")
    write(tmp_path, ["dog", "cat"], format=format)
    if format == "xmp":
        take_off(path, "dog")
    else:
        path.write_text("cat\n")
    for labels in (["dog", "cat"], ["cat"], ["dog", "cat"]):
        found = write(tmp_path, labels, format=format)
        kept_off = [change.keyword for change in found.changes if change.what == "kept off"]
        assert kept_off == (["dog"] if "dog" in labels else [])
        assert b"dog" not in path.read_bytes().partition(b"<tagger:labels")[0]
    write(tmp_path, ["dog", "cat"], format=format, again=["dog"])
    assert b"dog" in path.read_bytes().partition(b"<tagger:labels")[0]


def test_a_tag_that_lightroom_takes_off_goes_from_digikams_list_too(tmp_path: Path):
    photo(tmp_path / "a.jpg")
    write(tmp_path, ["dog", "cat"])
    path = tmp_path / "a.jpg.xmp"
    own, mark, other = path.read_text("utf-8").partition("<digiKam:TagsList")
    path.write_text(own.replace("<rdf:li>dog</rdf:li>", "") + mark + other, "utf-8")
    words = read_words(path.read_bytes())
    assert (words.keywords, words.taken_off) == (["cat"], ["dog"])
    write(tmp_path, ["dog", "cat"])
    assert "dog" not in path.read_text("utf-8").partition("<tagger:labels")[0]
    write(tmp_path, ["dog", "cat"], again=["dog"])
    assert path.read_text("utf-8").partition("<tagger:labels")[0].count(">dog<") == 3


def test_another_photo_of_the_same_name_has_its_own_history(tmp_path: Path):
    photo(tmp_path / "a.jpg")
    write(tmp_path, ["dog"], format="txt")
    (tmp_path / "a.txt").write_text("Rex\n")
    photo(tmp_path / "a.jpg", seed=7)
    write(tmp_path, ["dog"], format="txt")
    assert (tmp_path / "a.txt").read_text() == "Rex, dog\n"


def test_a_sidecar_deleted_as_a_whole_is_written_anew_and_that_is_said(tmp_path: Path):
    photo(tmp_path / "a.jpg")
    write(tmp_path, ["dog"])
    (tmp_path / "a.jpg.xmp").unlink()
    assert [path.name for path in write(tmp_path, ["dog"]).deleted] == ["a.jpg.xmp"]
    assert read_keywords((tmp_path / "a.jpg.xmp").read_bytes()) == ["dog"]


def test_a_renamed_label_leaves_no_old_tag_of_ours_and_every_one_of_a_person(tmp_path: Path):
    photo(tmp_path / "a.jpg")
    write(tmp_path, ["dog", "cat"])
    take_off(tmp_path / "a.jpg.xmp", "cat")
    former = {"dog": "hound", "cat": "pussycat"}
    names = ("hound", "pussycat")
    write(tmp_path, ["hound", "pussycat"], names=names, former=former)
    assert read_keywords((tmp_path / "a.jpg.xmp").read_bytes()) == [
        "hound"
    ]  # the cat stays off, renamed or not
    photo(tmp_path / "a.jpg", seed=1)  # another photo
    (tmp_path / "a.jpg.xmp").write_text(PACKET.replace("Roll 0", "dog"), "utf-8")
    write(tmp_path, ["hound"], names=names, former=former)
    assert read_keywords((tmp_path / "a.jpg.xmp").read_bytes()) == ["Holiday 2019", "dog", "hound"]


def test_a_label_that_is_there_in_other_capitals_or_in_a_path_is_not_written_beside_it(tmp_path: Path):
    photo(tmp_path / "a.jpg")
    words = PACKET.replace("Roll 0", "Cat").replace("Trips|Holiday 2019", "Who|People")
    (tmp_path / "a.jpg.xmp").write_text(words, "utf-8")
    write(tmp_path, ["cat", "people"])
    made = (tmp_path / "a.jpg.xmp").read_bytes()
    assert read_keywords(made) == ["Holiday 2019", "Cat", "People"]
    assert b"tagger:labels" not in made


def test_trees_are_the_same_in_every_list(tmp_path: Path):
    photo(tmp_path / "a.jpg")
    lists = (
        "<MicrosoftPhoto:LastKeywordXMP xmlns:MicrosoftPhoto='http://ns.microsoft.com/photo/1.0/'><rdf:Bag>"
    )
    lists += "<rdf:li>x</rdf:li></rdf:Bag></MicrosoftPhoto:LastKeywordXMP>"
    with_list = PACKET.replace("</rdf:Description>", f"{lists}</rdf:Description>")
    (tmp_path / "a.jpg.xmp").write_text(with_list, "utf-8")
    write(tmp_path, ["AC/DC", "Place|Paris"])
    assert read_keywords((tmp_path / "a.jpg.xmp").read_bytes())[-3:] == ["AC/DC", "Place|Paris", "x"]
    text = (tmp_path / "a.jpg.xmp").read_text("utf-8")
    assert "AC/DC</rdf:li><rdf:li>Place|Paris" in text.partition("<lr:hierarchicalSubject>")[2]
    assert "AC|DC</rdf:li><rdf:li>Place/Paris" in text.partition("<MicrosoftPhoto:LastKeywordXMP")[2]


# real programs, in both directions


@pytest.mark.parametrize("program", ["exiftool", "exiv2"])
@pytest.mark.parametrize("place", ["inside", "sidecar"])
def test_other_programs_write_in_between(tmp_path: Path, program: str, place: str):
    found = shutil.which(program)
    if not found:
        pytest.skip(f"no {program} here")
    photo(tmp_path / "a.jpg")
    write(tmp_path, ["dog", "cat"])
    sidecar = tmp_path / "a.jpg.xmp"
    target = sidecar if place == "sidecar" else tmp_path / "a.jpg"
    if program == "exiftool":
        words = ["-XMP-dc:Subject+=Rex", "-XMP-dc:Subject-=dog", "-XMP-lr:HierarchicalSubject-=dog",
                 "-XMP-digiKam:TagsList-=dog", "-XMP-xmp:Rating=3"]  # fmt: skip
        subprocess.run([found, "-q", "-overwrite_original", *words, str(target)], check=True)
    elif place == "inside":
        subprocess.run([found, "-M", "set Xmp.dc.subject XmpBag Rex", str(target)], check=True)
    else:
        subprocess.run([found, "-M", "set Xmp.xmp.Rating 3", str(target)], check=True)
    write(tmp_path, ["dog", "cat"])
    words = read_words(sidecar.read_bytes())
    if (program, place) == ("exiv2", "sidecar"):
        assert (words.keywords, words.predicted) == (["dog", "cat"], ["dog", "cat"])
        assert 'Rating="3"' in sidecar.read_text("utf-8")
    elif place == "sidecar":
        assert set(words.keywords) == {"cat", "Rex"}
        assert words.taken_off == ["dog"]
    else:
        assert set(words.keywords) >= {"cat", "dog"}
        assert as_dict(read_dataset(tmp_path)) == {"a.jpg": ["Rex"]}


# any history


WORDS = st.lists(
    st.sampled_from(["dog", "Cat", "cat", "Rex", "a, b", "AC/DC", "Who|People"]), unique=True, max_size=4
)
STEP = st.one_of(
    st.tuples(st.just("predict"), st.lists(st.sampled_from(NAMES), unique=True, max_size=3)),
    st.tuples(st.just("apply"), st.lists(st.sampled_from(NAMES), unique=True, max_size=3)),
    st.tuples(st.just("adds"), WORDS),
    st.tuples(st.just("takes off"), st.lists(st.sampled_from(NAMES), unique=True, max_size=2)),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(WORDS, st.none() | WORDS, st.sampled_from(["a.xmp", "a.jpg.xmp"]), st.lists(STEP, max_size=6))
def test_in_any_history_a_persons_words_stay_and_refused_ones_stay_off(
    tmp_path_factory: pytest.TempPathFactory,
    inside: list[str],
    beside: list[str] | None,
    name: str,
    steps: list[Any],
):
    folder = tmp_path_factory.mktemp("history")
    packet = PACKET.replace("<rdf:li>Roll 0</rdf:li>", "".join(f"<rdf:li>{word}</rdf:li>" for word in inside))
    photo(folder / "a.jpg", packet)
    if beside is not None:
        own = "".join(f"<rdf:li>{word}</rdf:li>" for word in beside)
        (folder / name).write_text(PACKET.replace("<rdf:li>Roll 0</rdf:li>", own), "utf-8")
    expected = persons_keywords(keyword_sources(folder / "a.jpg", sidecars_of(folder / "a.jpg"))[:1])
    refused: set[str] = set()
    seen_off: set[str] = set()
    for kind, words in steps:
        (path,) = sidecars_of(folder / "a.jpg") or [folder / "a.jpg.xmp"]
        if kind in ("predict", "apply"):
            write(folder, words, predicted=kind == "predict")
            seen_off |= refused
        elif path.is_file() and kind == "adds":
            there = read_words(path.read_bytes())
            # Put back before tagger saw that it was off, a tag looks as if it had never been off.
            unseen = set(there.taken_off) - seen_off
            new = [word for word in words if word not in there.keywords and word not in unseen]
            insertion = "".join(f"<rdf:li>{word}</rdf:li>" for word in new)
            text = path.read_text("utf-8").replace(
                "<rdf:li>Holiday 2019", f"{insertion}<rdf:li>Holiday 2019", 1
            )
            path.write_text(text, "utf-8")
            expected += new
            refused -= set(new)
        elif path.is_file():
            ours = read_words(path.read_bytes()).ours
            gone = [word for word in words if word in ours and word not in expected]
            take_off(path, *gone, *(word.translate(str.maketrans("/|", "|/")) for word in gone))
            refused |= set(gone)
        if path.is_file():
            now = read_keywords(path.read_bytes())
            assert set(expected) <= set(now)
            assert not refused & set(now)
            assert b"Rating" in path.read_bytes()
            assert b"Trips|Holiday 2019" in path.read_bytes()


def test_predict_says_what_it_adds_and_keeps_off(tmp_path: Path, tagger_cli: Callable[..., Any]):
    from untrained import make_run, photos_of

    run = make_run(tmp_path)
    folder = photos_of(run)[0].parent
    argv = ["predict", folder, "--run", run.path, "--format", "txt", "--on-existing", "merge"]
    ended = tagger_cli(*argv)
    assert "added to" in ended.out
    label = parse_label_text((folder / "0.txt").read_text())[0]
    rest = parse_label_text((folder / "0.txt").read_text())[1:]
    write_labels(["0.png"], np.ones((1, len(rest)), np.int8), rest, root=folder, out=folder, format="txt",
                 on_existing="overwrite")  # fmt: skip
    ended = tagger_cli(*argv)
    assert "1 keyword kept off 1 sidecar (tagger wrote them, somebody took them off):" in ended.out
    assert label not in parse_label_text((folder / "0.txt").read_text())


def test_a_run_whose_data_folder_is_elsewhere_still_predicts_sidecars(
    tmp_path: Path, tagger_cli: Callable[..., Any]
):
    from untrained import make_run

    run = make_run(tmp_path)
    (tmp_path / "photos").rename(tmp_path / "new")
    argv = ["predict", tmp_path / "new", "--run", run.path, "--format", "txt"]
    assert tagger_cli(*argv).code == 0


RATED = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="4"/></rdf:RDF></x:xmpmeta>"""


@pytest.mark.parametrize("before", [RATED, merge_keywords(None, [], none=True)], ids=["rated", "none"])
def test_a_sidecar_without_keywords_starts_from_what_the_photo_and_its_other_sidecar_say(
    before: bytes, tmp_path: Path
):
    path, sidecar = tmp_path / "a.jpg", tmp_path / "a.jpg.xmp"
    Image.new("RGB", (8, 8)).save(path, xmp=add_persons_keywords(None, ["Holiday 2019"]))
    sidecar.write_bytes(before)
    (tmp_path / "a.xmp").write_bytes(add_persons_keywords(None, ["Rex"]))
    writer = XmpSidecarWriter(("sea",))
    change = writer.plan(sidecar, ["sea"], MergeRules(), SidecarOrigin([path]))
    words = read_words(change.after)
    assert set(words.keywords) == {"Rex", "Holiday 2019", "sea"}
    assert words.ours == ["sea"]


def test_a_word_that_was_taken_off_stays_off_under_its_former_and_its_present_name(tmp_path: Path):
    sidecar = tmp_path / "a.jpg.xmp"
    written = merge_keywords(None, ["ocean", "cat"]).decode()
    sidecar.write_text(
        written.replace("<rdf:li>ocean</rdf:li>", "", 3), "utf-8"
    )  # not from tagger's own list
    writer = XmpSidecarWriter(("ocean", "sea"))
    for label in ("ocean", "sea"):
        change = writer.plan(sidecar, [label], MergeRules(former={"ocean": "sea"}))
        assert change.kept_off == [label]
        assert read_words(change.after).keywords == ["cat"]


@pytest.mark.parametrize("empty_list", [False, True], ids=["no list", "empty list"])
def test_a_sidecar_without_its_last_tag_hides_nothing_new_unless_it_says_no_keywords(
    tmp_path: Path, empty_list: bool
):
    path, sidecar = photo(tmp_path / "a.jpg"), tmp_path / "a.jpg.xmp"
    writer = XmpSidecarWriter(("sea", "dog"))
    written = writer.plan(sidecar, ["sea"], MergeRules(), SidecarOrigin([path])).after
    sidecar.write_bytes(without_word(written, "sea", leave_empty=empty_list))
    photo(path, add_persons_keywords(None, ["Rex", "Sea"]).decode())
    change = writer.plan(sidecar, ["sea", "dog"], MergeRules(), SidecarOrigin([path]))
    assert set(read_words(change.after).keywords) == ({"dog"} if empty_list else {"Rex", "dog"})
    assert change.kept_off == ["sea"]


def test_a_tag_that_a_person_took_off_and_put_back_later_is_the_persons(tmp_path: Path):
    sidecar = tmp_path / "a.jpg.xmp"
    sidecar.write_bytes(merge_keywords(None, ["dog", "cat"]))
    take_off(sidecar, "dog")
    sidecar.write_bytes(merge_keywords(sidecar.read_bytes(), ["cat"]))  # tagger sees that it is off
    assert read_words(sidecar.read_bytes()).taken_off == ["dog"]
    assert merge_keywords(sidecar.read_bytes(), ["cat"]) == sidecar.read_bytes()
    assert read_keywords(merge_keywords(sidecar.read_bytes(), ["dog"])) == ["cat"]
    back = merge_keywords(sidecar.read_bytes(), ["dog"], again=["dog"])
    assert read_words(back).ours == ["cat", "dog"]
    put_back = add_persons_keywords(sidecar.read_bytes(), ["dog"])
    assert read_words(put_back).persons == ["dog"]
    assert read_words(put_back).taken_off == []
    assert without_labels(put_back, ["cat"], everything=True, where="a") is not None
    assert b"takenOff" not in (without_labels(put_back, ["cat"], everything=True) or b"")
