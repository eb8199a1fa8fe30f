"""Merged sidecars: nothing goes that a person wrote and nobody decided as *no*; all that goes is listed."""

import re
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moments import empty_store
from PIL import Image
from untrained import NAMES as MODEL_LABELS
from untrained import make_run, photos_of

from tagger.commands.apply import apply
from tagger.commands.predict import predict
from tagger.commands.writers import removed_keywords, write_labels
from tagger.config import Settings
from tagger.data import read_dataset
from tagger.data.formats.label_text import parse_label_text
from tagger.data.formats.xmp import merge_keywords, read_keywords
from tagger.errors import TaggerError
from tagger.review import Decision, LabelOperation, Store
from tagger.runs import RunFolder

NAMES = ("dog", "cat", "red, white", "a|b")
FILES = tuple(f"{number}.jpg" for number in range(4))
WORDS = st.lists(st.sampled_from((*NAMES, "Holiday 2019", "Roll 0")), unique=True, max_size=4)
PATHS = st.lists(
    st.sampled_from(("animals|dog", "animals|cat", "Places|Rome", "dog")), unique=True, max_size=3
)
CELLS = st.lists(st.sampled_from([-1, 0, 1]), min_size=len(NAMES), max_size=len(NAMES))
DECIDED = st.lists(st.booleans(), min_size=len(NAMES), max_size=len(NAMES))


def persons_sidecar(keywords: Sequence[str], paths: Sequence[str] = ()) -> bytes:
    """A sidecar as a photo program writes it: flat keywords, and paths to them."""
    flat = "".join(f"<rdf:li>{escape(word)}</rdf:li>" for word in keywords)
    tree = "".join(f"<rdf:li>{escape(path)}</rdf:li>" for path in paths)
    return f"""<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:lr="http://ns.adobe.com/lightroom/1.0/">
   <dc:subject><rdf:Bag>{flat}</rdf:Bag></dc:subject>
   <lr:hierarchicalSubject><rdf:Bag>{tree}</rdf:Bag></lr:hierarchicalSubject>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>""".encode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to write in."""
    return tmp_path_factory.mktemp("merged")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(words=WORDS, paths=PATHS, ours=WORDS, cells=CELLS, decided=DECIDED)
def test_a_merged_xmp_sidecar_loses_nothing_that_nobody_decided(
    folder: Path, words: list[str], paths: list[str], ours: list[str], cells: list[int], decided: list[bool]
):
    path = folder / "a.jpg.xmp"
    persons = persons_sidecar(words, paths)
    path.write_bytes(merge_keywords(persons, ours))
    before = read_keywords(path.read_bytes())
    labels_NK = np.array([cells], np.int8)
    given_away = (["a.jpg"], labels_NK, NAMES)
    decided_NK = np.array([decided])
    planned = removed_keywords(*given_away, folder, "xmp", on_existing="merge", decided_NK=decided_NK)
    write_labels(
        *given_away, root=folder, out=folder, format="xmp", on_existing="merge", decided_NK=decided_NK
    )
    after = read_keywords(path.read_bytes())
    no = {name for name, cell in zip(NAMES, cells, strict=True) if cell == 0}
    refused = {name for name, is_decided in zip(NAMES, decided, strict=True) if is_decided} & no
    own = set(before) - set(read_keywords(persons))
    assert set(before) - set(after) == set(before) & (refused | (own & no))
    assert [gone.keyword for gone in planned] == [word for word in before if word not in after]
    for keyword in paths:
        assert refused & {keyword.split("|")[-1]} or keyword.encode() in path.read_bytes()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(st.one_of(st.sampled_from(list(',,\n "\\(')), st.characters(exclude_categories=("Cs", "Cc")))),
       head=st.sampled_from([b"", b"\xef\xbb\xbf"]), cells=CELLS)  # fmt: skip
def test_a_merged_text_sidecar_keeps_every_byte(folder: Path, text: str, head: bytes, cells: list[int]):
    path = folder / "a.txt"
    before = head + text.removeprefix("\ufeff").encode()
    path.write_bytes(before)
    labels_NK = np.array([cells], np.int8)
    done = write_labels(
        ["a.jpg"], labels_NK, NAMES, root=folder, out=folder, format="txt", on_existing="merge"
    )
    after = path.read_bytes()
    if done.problems:  # a quotation mark is not closed
        assert b'"' in before
        assert after == before
        return
    same = next((at for at, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), len(before))
    assert after.endswith(before[same:])
    yes = [name for name, cell in zip(NAMES, cells, strict=True) if cell == 1]
    assert set(parse_label_text(after.decode("utf-8-sig"))) >= set(yes)


def test_a_keyword_of_ours_that_a_person_put_into_a_path_is_the_persons_now(folder: Path):
    path = folder / "a.jpg.xmp"
    ours = merge_keywords(None, ["dog", "cat"])
    path.write_bytes(ours.replace(b"<rdf:li>dog</rdf:li>", b"<rdf:li>animals|dog</rdf:li>", 2).replace(
        b"<rdf:li>animals|dog</rdf:li>", b"<rdf:li>dog</rdf:li>", 1))  # fmt: skip
    labels_NK = np.zeros((1, len(NAMES)), np.int8)
    write_labels(["a.jpg"], labels_NK, NAMES, root=folder, out=folder, format="xmp", on_existing="merge")
    assert read_keywords(path.read_bytes()) == ["dog"]
    assert b"animals|dog" in path.read_bytes()


# the command


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A finished run, as far as ``apply`` looks at one: four photos, none of them with a dog."""
    data = tmp_path / "photos"
    data.mkdir()
    rng = np.random.default_rng(0)
    for file in FILES:
        Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(data / file)
    rows = [f"{file},0,1" for file in FILES[:3]] + [f"{FILES[3]},1,0"]
    (data / "labels.csv").write_text("\n".join(["file,dog,cat", *rows]))
    dataset = read_dataset(data)
    run = RunFolder(tmp_path / "run")
    run.save_settings(
        Settings().model_copy(update={"data": Settings().data.model_copy(update={"path": str(data)})})
    )
    run.save_labels(dataset.labels, {}, ())
    run.save_images(dataset.images.assign(split="train", fold=0))
    run.save_cells(dataset.labels_NK, dataset.labels)
    run.finish({})
    return run


def decide(run: RunFolder, url: str, row: int, label: str, verdict: str) -> None:
    """One decision of Ann."""
    store = Store.open(url)
    hash = run.load_images()["hash"][row]
    store.record([
        Decision(hash=hash, label=label, verdict=verdict, before=0, suggested=None, doubt=None, run="r",
                 reviewer="ann", seconds=None, client="test", seq=row)
    ])  # fmt: skip
    store.close()


def write_sidecars(out: Path) -> None:
    """Sidecars of both kinds with keywords that a person wrote."""
    out.mkdir()
    for file in FILES:
        (out / f"{file}.xmp").write_bytes(persons_sidecar(["dog", "Holiday"], ["animals|dog"]))
        (out / file).with_suffix(".txt").write_bytes(b"cat \\(animal\\), dog\r\n")


@pytest.mark.parametrize("format", ["xmp", "txt"])
def test_apply_takes_away_what_a_person_decided_and_says_what(
    run: RunFolder, tmp_path: Path, tagger_cli: Callable[..., Any], format: str
):
    url = empty_store(tmp_path / "review.db")
    out = tmp_path / "out"
    write_sidecars(out)
    args = ["apply", "--run", run.path, "--out", out, "--store", url, "--format", format]
    ended = tagger_cli(*args, "--on-existing", "merge")
    assert "removed" not in ended.out
    assert (out / "1.txt").read_bytes().startswith(b"cat \\(animal\\), dog")
    assert all(b"animals|dog" in (out / f"{file}.xmp").read_bytes() for file in FILES)
    decide(run, url, 1, "dog", "no")  # as the table has it: no label changes
    ended = tagger_cli(*args, "--on-existing", "merge")
    name = "1.jpg.xmp" if format == "xmp" else "1.txt"
    assert "1 keyword removed from 1 sidecar (a person decided no, or tagger itself wrote them):" in ended.out
    assert f"{name}: 'dog'" in ended.out
    left = (out / name).read_bytes()
    assert b"dog" not in left
    assert b"Holiday" in left if format == "xmp" else left == b"cat \\(animal\\), cat\r\n"
    rows = pd.read_csv(out / "labels.changes.csv").to_dict("records")
    (row,) = [row for row in rows if row["after"] == 0]
    assert (row["file"], row["label"], row["before"], row["after"]) == ("1.jpg", "dog", 1, 0)
    added = [(row["file"], row["label"]) for row in rows if row["after"] == 1]
    assert added == ([(file, "cat") for file in FILES[:3]] if format == "xmp" else added)
    assert f"{len(added)} keywords added" not in ended.out  # by the call before
    assert (row["reviewers"], row["sidecar"]) == ("ann", name)
    listed = (out / "labels.changes.csv").read_bytes()
    assert tagger_cli(*args, "--on-existing", "merge").code == 0
    assert (out / "labels.changes.csv").read_bytes() == listed  # still listed, once
    assert (out / name).read_bytes() == left


def test_what_an_overwrite_takes_away_is_listed_too(run: RunFolder, tmp_path: Path):
    out = tmp_path / "out"
    write_sidecars(out)
    done = apply(run, out=out, format="xmp", on_existing="overwrite", store=empty_store(tmp_path / "none.db"))
    listed = pd.read_csv(done.changes)
    lost = listed[listed["after"] == 0]
    assert sorted(lost["label"]) == ["Holiday"] * 4 + ["dog"] * 3
    assert lost["reviewers"].isna().all()


def test_convert_takes_no_keyword_away_for_a_table(
    run: RunFolder, tmp_path: Path, tagger_cli: Callable[..., Any]
):
    out = tmp_path / "out"
    write_sidecars(out)
    data = run.load_settings().data.path
    ended = tagger_cli("data", "convert", data, "--out", out, "--format", "xmp", "--on-existing", "merge")
    assert ended.code == 0, ended.err
    assert {*read_keywords((out / "0.jpg.xmp").read_bytes())} == {"dog", "Holiday", "cat"}


def test_predict_keeps_text_sidecars_byte_for_byte(tmp_path: Path):
    run = make_run(tmp_path)
    before = {}
    for number, photo in enumerate(photos_of(run)):
        words = ("cat \\(animal\\), (dog:1.2)\r\n", "\ufeffeins\r\nzwei", '"red, white",sea,\n')[number]
        before[photo.with_suffix(".txt")] = words.encode()
        photo.with_suffix(".txt").write_bytes(words.encode())
    predict(photos_of(run)[0].parent, run=run, format="txt", on_existing="merge")
    added = 0
    for path, words in before.items():
        after = path.read_bytes()
        kept = words.rstrip(b", \r\n")
        assert after.startswith(kept)
        assert after.endswith(words[len(kept) :])
        new = parse_label_text(after.decode("utf-8-sig"))[len(parse_label_text(words.decode("utf-8-sig"))) :]
        assert set(new) <= set(MODEL_LABELS)
        added += len(new)
    assert added > 0


def test_a_changes_file_of_somebody_else_stays(run: RunFolder, tmp_path: Path):
    out = tmp_path / "out"
    write_sidecars(out)
    (out / "labels.changes.csv").write_text("file,sidecar\n")
    with pytest.raises(TaggerError, match="would be overwritten"):
        apply(run, out=out, format="xmp", on_existing="merge", store=empty_store(tmp_path / "none.db"))
    assert (out / "labels.changes.csv").read_text() == "file,sidecar\n"


@pytest.mark.parametrize("format", ["xmp", "txt"])
def test_a_tag_that_was_taken_off_is_offered_as_a_no_and_learnt_as_one_if_asked(
    run: RunFolder, tmp_path: Path, tagger_cli: Callable[..., Any], format: str
):
    url = empty_store(tmp_path / "review.db")
    data = Path(run.load_settings().data.path)
    written = ["apply", "--run", run.path, "--out", data, "--store", url, "--format", format]
    assert tagger_cli(*written).code == 0
    name = "1.jpg.xmp" if format == "xmp" else "1.txt"
    left = re.sub(
        rb"<rdf:li>cat</rdf:li>(?=.*<tagger:labels)", b"", (data / name).read_bytes(), flags=re.DOTALL
    )
    (data / name).write_bytes(left if format == "xmp" else b"")
    ended = tagger_cli(*written, "--on-existing", "merge")
    assert "1 keyword kept off 1 sidecar (tagger wrote them, somebody took them off):" in ended.out
    rows = pd.read_csv(data / "labels.changes.csv").to_dict("records")
    assert [(row["file"], row["label"], row["before"], row["after"]) for row in rows] == [
        ("1.jpg", "cat", 0, 0)
    ]
    asked = ["data", "taken-off", "--run", run.path, "--store", url]
    off = tagger_cli(*asked, "--out", tmp_path / "off.csv")
    assert "1 tag that tagger wrote to sidecars, taken off by somebody since:" in off.out
    assert pd.read_csv(tmp_path / "off.csv")[["file", "label"]].to_numpy().tolist() == [["1.jpg", "cat"]]
    with closing(Store.open(url)) as store:
        assert store.decisions() == []  # offered, not assumed
    assert "1 decision (no) recorded" in tagger_cli(*asked, "--record", "--reviewer", "ann").out
    assert "0 tags" in tagger_cli(*asked, "--record").out
    assert tagger_cli("apply", "--run", run.path, "--out", tmp_path / "new.csv", "--store", url).code == 0
    assert read_dataset(data, tmp_path / "new.csv").labels_NK[1].tolist() == [0, 0]


@pytest.mark.parametrize("format", ["xmp", "txt"])
def test_a_renamed_label_takes_its_former_tag_along_and_a_persons_word_stays(
    run: RunFolder, tmp_path: Path, format: str
):
    url = empty_store(tmp_path / "review.db")
    out = tmp_path / "out"
    apply(run, out=out, format=format, store=url)
    name = "1.jpg.xmp" if format == "xmp" else "1.txt"
    persons = persons_sidecar(["cat", "Holiday"]) if format == "xmp" else b"cat, Holiday\n"
    theirs = "2.jpg.xmp" if format == "xmp" else "2.txt"
    (out / theirs).write_bytes(persons)
    record = out / ".tagger/written.jsonl"
    lines = record.read_text("utf-8").splitlines(keepends=True)
    record.write_text("".join(line for line in lines if theirs not in line), "utf-8")  # tagger never wrote it
    store = Store.open(url)
    store.record_operation(
        LabelOperation(kind="rename", label="cat", target="pussycat", reviewer="ann", client="test", seq=1)
    )
    store.close()
    done = apply(run, out=out, format=format, on_existing="merge", store=url)

    def words(file: str) -> list[str]:
        data = (out / file).read_bytes()
        return read_keywords(data) if format == "xmp" else parse_label_text(data.decode())

    assert words(name) == ["pussycat"]
    assert words(theirs) == ["cat", "Holiday", "pussycat"]
    rows = pd.read_csv(done.changes).query("sidecar == @name")
    assert rows[["label", "before", "after"]].to_numpy().tolist() == [["cat", 1, 0], ["pussycat", 0, 1]]
