"""``tagger untag`` gives back the bytes from before; where others wrote since, only tagger's own keywords go."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_new_sidecars import NAMES, PACKET, photo, write
from untrained import make_run, photos_of
from year_files import tag_inside, with_items

from tagger.commands.untag import untag
from tagger.commands.writers import RecordedSidecars, SidecarRequest, sidecar_formats
from tagger.data.formats.label_text import parse_label_text
from tagger.data.formats.xmp import read_keywords, read_words
from tagger.data.formats.xmp_untag import without_labels
from tagger.errors import TaggerError

LABELS = st.lists(st.sampled_from(NAMES), unique=True, max_size=4)
BEFORE = {
    "xmp": [None, PACKET, PACKET.replace("\n", "\r\n"), '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf='
            '"http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/"'
            ' dc:subject="mine"/></rdf:RDF></x:xmpmeta>'],
    "txt": [None, "", "cat \\(animal\\), dog\r\n", "\ufeffeins\r\nzwei", '"red, white",sea,\n'],
}  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.sampled_from([("xmp", n) for n in range(4)] + [("txt", n) for n in range(5)]),
       st.lists(st.tuples(LABELS, st.booleans()), min_size=1, max_size=4), st.booleans())  # fmt: skip
def test_where_nobody_else_wrote_the_bytes_are_those_from_before(
    tmp_path_factory: pytest.TempPathFactory, start: tuple[str, int], calls: list[Any], inside: bool
):
    folder = tmp_path_factory.mktemp("untagged")
    format, number = start
    before = BEFORE[format][number]
    photo(folder / "a.jpg", PACKET if inside else "")
    path = folder / ("a.jpg.xmp" if format == "xmp" else "a.txt")
    if before is not None:
        path.write_bytes(before.encode())
    for again in range(2):
        for labels, predicted in calls:
            write(folder, labels, format=format, predicted=predicted)
        assert untag(folder).problems == []  # a preview
        untag(folder, write=True)
        assert (path.read_bytes().decode() if path.exists() else None) == before, again
    assert untag(folder).changes == []


@pytest.mark.parametrize("format", ["xmp", "txt"])
def test_words_that_an_overwrite_replaced_come_back_where_others_wrote_before_it(tmp_path: Path, format: str):
    """tagger, then a person, then tagger again with --on-existing overwrite, which replaced the person's word."""
    photo(tmp_path / "a.jpg")
    path = tmp_path / ("a.jpg.xmp" if format == "xmp" else "a.txt")
    write(tmp_path, ["dog", "cat"], format=format)
    if format == "xmp":
        path.write_bytes(with_items(path.read_bytes(), {("dc", "Rex")}))
    else:
        path.write_text("Rex, dog, cat")
    sidecars = RecordedSidecars(sidecar_formats.build(format, NAMES), tmp_path, "two")
    sidecars.write(SidecarRequest(path, [0], [tmp_path / "a.jpg"], ["cat"], None, True, {}))
    words = read_keywords if format == "xmp" else lambda data: parse_label_text(data.decode())
    assert words(path.read_bytes()) == ["cat"]
    assert "cat" in untag(tmp_path, write=True).changes[0].removed
    assert words(path.read_bytes()) == ["Rex"]
    assert untag(tmp_path, write=True).changes == []


@pytest.mark.parametrize("cleared", ["all", "a list is left", "the photo is gone"])
def test_the_last_copy_of_a_persons_words_stays(tmp_path: Path, cleared: str):
    """tagger copied them into its sidecar; then another program cleared the photo, as an export or a crop does."""
    place = photo(tmp_path / "a.jpg", PACKET)
    write(tmp_path, ["dog", "cat"])
    left = PACKET.replace("<rdf:li>Roll 0</rdf:li>", "").replace(' xmp:Rating="4"', "")
    photo(place, left if cleared == "a list is left" else "")
    if cleared == "the photo is gone":
        place.unlink()
    path = tmp_path / "a.jpg.xmp"
    assert sorted(untag(tmp_path, write=True).changes[0].removed) == ["cat", "dog"]
    assert sorted(read_keywords(path.read_bytes())) == ["Holiday 2019", "Roll 0"]
    assert 'xmp:Rating="4"' in path.read_text("utf-8")
    assert "Trips|Holiday 2019" in path.read_text("utf-8")
    assert untag(tmp_path, write=True).changes == []


def test_a_sidecar_goes_where_another_program_moved_the_words_within_the_photo(tmp_path: Path):
    """Keywords in IPTC count as those in XMP: no word is only in the sidecar."""
    place = photo(tmp_path / "a.jpg", PACKET)
    write(tmp_path, ["dog"])
    photo(place, re.sub(" <dc:subject>.*</dc:subject>", "", PACKET))
    tag_inside(place, {("iptc", "Holiday 2019"), ("iptc", "Roll 0")})
    untag(tmp_path, write=True)
    assert not (tmp_path / "a.jpg.xmp").exists()


@pytest.mark.parametrize("format", ["xmp", "txt"])
def test_where_somebody_wrote_since_only_our_keywords_go(tmp_path: Path, format: str):
    photo(tmp_path / "a.jpg")
    path = tmp_path / ("a.jpg.xmp" if format == "xmp" else "a.txt")
    write(tmp_path, ["dog", "cat"], format=format)
    if format == "xmp":
        text = path.read_text("utf-8").replace("<rdf:li>dog", "<rdf:li>Rex</rdf:li><rdf:li>dog", 1)
        path.write_text(text, "utf-8")
    else:
        path.write_text("Rex\r\ndog, cat")
    untag(tmp_path, write=True)
    left = read_keywords(path.read_bytes()) if format == "xmp" else parse_label_text(path.read_text())
    assert left == ["Rex"]
    assert b"tagger:labels" not in path.read_bytes()


@pytest.mark.parametrize("format", ["xmp", "txt"])
def test_one_run_is_taken_back_and_the_other_stays(tmp_path: Path, format: str):
    photo(tmp_path / "a.jpg")
    path = tmp_path / ("a.jpg.xmp" if format == "xmp" else "a.txt")
    write(tmp_path, ["dog"], format=format, names=("dog",), run="first")
    write(tmp_path, ["cat"], format=format, names=("cat",), run="second")
    assert untag(tmp_path, run="third", write=True).changes == []
    assert untag(tmp_path, until="2020-01-01", write=True).changes == []
    untag(tmp_path, run="runs/first", write=True)
    left = read_keywords(path.read_bytes()) if format == "xmp" else parse_label_text(path.read_text())
    assert left == ["cat"]
    untag(tmp_path, since="2020-01-01", write=True)
    assert not path.exists()


def test_without_the_record_the_file_itself_says_what_is_ours(tmp_path: Path):
    photo(tmp_path / "a.jpg")
    (tmp_path / "a.jpg.xmp").write_text(PACKET, "utf-8")
    write(tmp_path, ["dog"])
    (tmp_path / ".tagger/written.jsonl").unlink()
    assert untag(tmp_path, run="two").changes == []
    untag(tmp_path, run="one", write=True)
    assert read_words((tmp_path / "a.jpg.xmp").read_bytes()).keywords == ["Holiday 2019", "Roll 0"]
    untag(tmp_path, write=True)
    assert (tmp_path / "a.jpg.xmp").read_text("utf-8") == PACKET


def test_what_somebody_took_off_stays_off_after_an_untag(tmp_path: Path):
    photo(tmp_path / "a.jpg")
    write(tmp_path, ["dog", "cat"], format="txt")
    (tmp_path / "a.txt").write_text("cat\n")
    untag(tmp_path, write=True)
    assert not (tmp_path / "a.txt").exists()
    (tmp_path / "a.txt").write_text("Rex\n")
    write(tmp_path, ["dog", "cat"], format="txt")
    assert (tmp_path / "a.txt").read_text() == "Rex, cat\n"


def test_the_command_shows_first_and_takes_back_if_asked(tmp_path: Path, tagger_cli: Callable[..., Any]):
    run = make_run(tmp_path)
    folder = photos_of(run)[0].parent
    (folder / "0.png.xmp").write_text(PACKET, "utf-8")
    for format in ("xmp", "txt"):
        argv = ["predict", folder, "--run", run.path, "--format", format, "--on-existing", "merge"]
        assert tagger_cli(*argv).code == 0
    written = {path: path.read_bytes() for path in folder.glob("*.*") if path.is_file()}
    ended = tagger_cli("untag", folder)
    assert "5 made by tagger: removed. 1 with the bytes from before. 0 changed by others since" in ended.out
    assert {path: path.read_bytes() for path in folder.glob("*.*") if path.is_file()} == written
    assert "6 sidecars untagged" in tagger_cli("untag", folder, "--yes").out
    assert sorted(path.name for path in folder.glob("*.*") if path.is_file()) == [
        "0.png",
        "0.png.xmp",
        "1.png",
        "2.png",
    ]
    assert (folder / "0.png.xmp").read_text("utf-8") == PACKET
    assert tagger_cli("untag", folder, "--since", "soon").code == 2


def test_a_folder_that_is_not_there_is_said(tmp_path: Path):
    with pytest.raises(TaggerError, match="there is no such folder"):
        untag(tmp_path / "nothing")
    assert without_labels(PACKET.encode(), [], everything=True) == PACKET.encode()


def test_a_table_is_refused_with_the_reason_and_a_sidecar_with_its_folder(tagger_cli: Callable[..., Any]):
    """A table is a file of its own: there is nothing of others that would have to stay."""
    for name, words in (
        ("a.csv", "delete it"),
        ("a.jpg.xmp", "Name the folder"),
        ("a.txt", "Name the folder"),
    ):
        Path(name).write_text("file,labels")
        end = tagger_cli("untag", name, "--yes")
        assert end.code == 2
        assert words in end.err
        assert Path(name).read_text() == "file,labels"
    assert "there is no such folder" in tagger_cli("untag", "b.csv").err
