"""Files of every form, whole and mutilated: read, or refused in one line that names the file; never a traceback."""

import random
import re

import pytest
from forms import SAID, forms, make, photo
from said import as_dict

from tagger.data import read_dataset
from tagger.errors import TaggerError

FORMS = forms()
BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;">]>'
JUNK = (
    *(
        b"",
        b"null",
        b"[]",
        b"{}",
        b"-1",
        b"true",
        b"NaN",
        b'"',
        b"'",
        b"<",
        b">",
        b"&",
        b"&c;",
        b",",
        b"|",
        b";",
        b"\n",
    ),
    *(
        b"\0",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\xed\xa0\x80",
        "\u2028é猫".encode(),
        b"\\ud800",
        b"\\u0000",
        b"1e999",
        b"9" * 5000,
    ),
    *(
        b"[" * 20_000,
        b"{" * 20_000,
        b'{"a":' * 20_000,
        b"<a>" * 20_000,
        b"- " * 2_000,
        b"*a",
        b"../" * 2_000,
        BOMB,
        b"a" * 200_000,
    ),
)


def mutilated(data: bytes, rng: random.Random) -> bytes:
    """The bytes cut short, with bits flipped, a part repeated or replaced by junk."""
    start, stop = sorted(rng.choices(range(len(data) + 1), k=2))
    kind = rng.choice(("cut", "flip", "repeat", "short junk", "junk", "number"))
    if kind == "cut":
        return data[:start]
    if kind == "flip":
        changed = bytearray(data or b"x")
        for _ in range(rng.randint(1, 8)):
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        return bytes(changed)
    if kind == "repeat":
        return data[:stop] + data[start:]
    if kind == "number":
        numbers = list(re.finditer(rb"[0-9]+", data))
        start, stop = rng.choice(numbers).span() if numbers else (start, stop)
    return data[:start] + rng.choice(JUNK) + data[start if kind == "short junk" else stop :]


@pytest.mark.parametrize("name", FORMS)
def test_the_same_labels_are_read_from_every_form_by_path_and_by_themselves(tmp_path, name):
    labels = make(tmp_path, FORMS[name])
    inside = (
        {"c.jpg"} if FORMS[name].word == "keywords inside" else set()
    )  # without keywords inside: nobody looked
    for path in (labels, None):
        dataset = read_dataset(tmp_path, path)
        assert as_dict(dataset) == {file: names for file, names in SAID.items() if file not in inside}
        assert FORMS[name].word in dataset.source
        assert [str(p) for p in dataset.problems if p.row or "known to be without" not in p.reason] == []


@pytest.mark.parametrize("name", FORMS)
def test_a_mutilated_file_is_read_or_refused_in_one_line(tmp_path, name):
    form, rng = FORMS[name], random.Random(name)
    told = []
    for _ in range(60):
        path = make(tmp_path, form, main=mutilated(form.files[form.main], rng))
        try:
            problems = read_dataset(tmp_path, rng.choice((path, None))).problems
        except TaggerError as error:  # any other exception fails the test
            told.append(str(error))
        else:
            assert all(isinstance(str(problem), str) for problem in problems)
    assert all(line and "\n" not in line and len(line) < 2000 for line in told)


@pytest.mark.parametrize("name", FORMS)
def test_check_ends_with_2_and_names_the_file(tmp_path, tagger_cli, name):
    form = FORMS[name]
    data = form.files[form.main]
    path = make(tmp_path / "data", form, main=data[: len(data) * 2 // 3] + b'\n\xff<&"\n')
    done = tagger_cli("data", "check", tmp_path / "data", "--labels", path)
    assert done.code == 2
    assert form.main.rpartition("/")[2] in done.out
    assert "Traceback" not in done.out + done.err


ROWS = {  # a broken file -> where it is broken
    "labels.csv": (b"file,labels\na.jpg,cat\nno.jpg,dog\n", 3),
    "wide.csv": (b"file,cat,dog\na.jpg,1,0\nb.jpg,0,maybe\n", 3),
    "labels.jsonl": (b'{"file": "a.jpg", "labels": ["cat"]}\n{"file": \n', 2),
    "metadata.jsonl": (b'{"file_name": "a.jpg", "labels": ["cat"]}\n{"file_name": 3, "labels": []}\n', 2),
    "coco.json": (b'{"images": [],\n "annotations": [],\n "categories": [}\n', 3),
    "annotations.xml": (b'<annotations>\n<image id="0" name="a.jpg">\n<tag label="cat"/>\n</annotations>', 4),
    "studio.json": (b'[{"data": {"image": "a.jpg"},\n "annotations": [{"result": []}]},\n {]\n', 3),
    "a.xmp": (b"<x>\n<y>\n</x>\n", 3),
    "data.yaml": (b"names: [cat,\ndog\n]]\n", 3),
}


@pytest.mark.parametrize("name", ROWS)
def test_check_names_the_row(tmp_path, tagger_cli, name):
    content, row = ROWS[name]
    for file in SAID:
        (tmp_path / file).write_bytes(photo(file))
    (tmp_path / name).write_bytes(content)
    (tmp_path / "b.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    labels = tmp_path if name == "a.xmp" else tmp_path / name
    if name == "a.xmp":
        (tmp_path / "b.txt").unlink()
    done = tagger_cli("data", "check", tmp_path, "--labels", labels)
    assert done.code == 2
    assert re.search(rf"{re.escape(name)}\W.*row {row}\b", done.out), done.out
