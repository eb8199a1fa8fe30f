"""Whatever stands in label files and settings: a table or one line that says what is wrong, and nothing is fetched."""

import json
import random
import socket
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tomli_w
from forms import SAID, forms, make, photo
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_mutilated import mutilated
from torture import record_torture

from tagger.config import read_settings
from tagger.data import parse_labels_toml, read_dataset
from tagger.data.formats.readers.table_stream import column_names
from tagger.data.vocabulary import Vocabulary
from tagger.errors import TaggerError
from tagger.presets import load_read_options, load_settings
from tagger.scoring.threshold_objective import parse_objective

FORMS = forms()
NUMBERS = (0, -1, 1, 2**63, -(2**80), 1e308, 1e-308, None, True, False)
WORDS = (
    "",
    " ",
    "a.jpg",
    "b",
    "cat",
    "cat|dog",
    "\0",
    "\ud800",
    "../a.jpg",
    "/etc/passwd",
    "=1",
    "\u202e",
    "é猫",
    "nan",
)
ODD = st.sampled_from([*NUMBERS, *WORDS, "x" * 3000, "\ufeffcat", "1" * 400, "file", "labels", "inf"])
KEYS = st.sampled_from(
    [
        *(
            "images",
            "annotations",
            "categories",
            "id",
            "file_name",
            "image_id",
            "category_id",
            "name",
            "coco_url",
        ),
        *(
            "data",
            "image",
            "result",
            "value",
            "choices",
            "taxonomy",
            "type",
            "annotator",
            "annotation_id",
            "file",
        ),
        *("labels", "unknown", "objects", "ground_truth", "was_cancelled", "cat", "file_upload", "", "\0"),
    ]
)
TREES = st.recursive(
    ODD, lambda some: st.one_of(st.lists(some, max_size=4), st.dictionaries(KEYS, some, max_size=5))
)
QUICK = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks the network fails the test."""

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a label file asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def read(root: Path, labels: Path | None = None) -> str:
    """What reading says: the source, or the error in one line. Any other exception fails the test."""
    try:
        said = read_dataset(root, labels).source
    except TaggerError as error:
        said = str(error)
    said.encode()
    assert "\n" not in said.strip()
    assert len(said) < 4000
    return said


def photos(root: Path) -> Path:
    """The three photos."""
    root.mkdir(exist_ok=True)
    for file in SAID:
        (root / file).write_bytes(photo(file))
    return root


def grafted(tree: Any, more: Any, rng: random.Random) -> Any:
    """The tree with ``more`` somewhere in it, instead of what was there."""
    if rng.random() < 0.25 or not isinstance(tree, dict | list) or not tree:
        return more
    at = rng.choice(list(tree) if isinstance(tree, dict) else range(len(tree)))
    changed = dict(tree) if isinstance(tree, dict) else list(tree)
    changed[at] = grafted(tree[at], more, rng)  # type: ignore[index]
    return changed


@pytest.mark.parametrize("name", [name for name in FORMS if FORMS[name].main.endswith((".json", ".jsonl"))])
@QUICK
@given(more=TREES, seed=st.integers(0, 10**6))
def test_json_of_any_shape_is_a_table_or_one_line(tmp_path: Path, name: str, more: Any, seed: int):
    form, rng = FORMS[name], random.Random(seed)
    text = form.files[form.main].decode()
    if form.main.endswith("l"):
        lines = [json.dumps(grafted(json.loads(line), more, rng)) for line in text.splitlines()]
        data = "\n".join(lines)
    else:
        data = json.dumps(grafted(json.loads(text), more, rng))
    path = make(tmp_path, form, main=data.encode("utf-8", "replace"))
    read(tmp_path, path)


@QUICK
@given(st.lists(st.lists(ODD, min_size=3, max_size=3), max_size=5), st.lists(ODD, min_size=3, max_size=3))
def test_parquet_of_any_schema_is_a_table_or_one_line(
    tmp_path: Path, rows: list[list[Any]], types: list[Any]
):
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    arrays = []
    for column, kind in zip(columns, types, strict=True):
        cells = [
            str(cell).encode("utf-8", "replace").decode() if cell is not None else None for cell in column
        ]
        made = pa.array(cells, pa.string())
        wishes = {
            0: pa.list_(pa.string()),
            1: pa.list_(pa.list_(pa.int64())),
            -1: pa.struct([("a", pa.string())]),
        }
        arrays.append(
            pa.nulls(len(cells), wishes[kind]) if kind in wishes and not isinstance(kind, bool) else made
        )
    pq.write_table(pa.table(arrays, names=["file", "labels", "x"]), photos(tmp_path) / "labels.parquet")
    read(tmp_path)


def test_parquet_with_names_that_are_no_text_and_dates_beyond_the_calendar_is_one_line(tmp_path: Path):
    path = photos(tmp_path) / "metadata.parquet"
    pq.write_table(pa.table({"file_name": ["a.jpg"], "labels": ["cat"], "zzzz": [1]}), path)
    path.write_bytes(path.read_bytes().replace(b"zzzz", b"zz\x8bz"))  # found by test_fuzz.py
    for labels in (None, path):
        read(tmp_path, labels)
    assert "cannot be read as a Parquet file" in read(tmp_path, path)
    path.unlink()
    far = pa.array([10**15], pa.timestamp("s"))
    pq.write_table(pa.table({"file": far, "labels": far}), tmp_path / "labels.parquet")
    assert "broken after row 0" in read(tmp_path)


BOMBS = {
    "annotations.xml": (
        b'<!DOCTYPE a [<!ENTITY x "aaaaaaaaaa">%s]><annotations><image name="&x9;"/></annotations>'
        % b"".join(
            b'<!ENTITY x%d "%s">' % (n, b"&x%d;" % (n - 1) * 10 if n else b"&x;" * 10) for n in range(10)
        ),
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotations><image name="&x;"/></annotations>',
        b'<!DOCTYPE annotations SYSTEM "http://127.0.0.1:9/x.dtd"><annotations><image name="a.jpg"/></annotations>',
        b"<annotations>" + b"<image>" * 200_000,
        b"<annotations>" + b"<image " + b"a='" * 100_000,
    ),
    "a.xmp": (
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>',
        b"<x>" * 500_000,
    ),
    "data.yaml": (
        b"a: &a [x,x,x,x,x,x,x,x,x]\n"
        + b"".join(b"%c: &%c [%s]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 9)) for n in range(9))
        + b"names: *j\n",
        b"names: !!python/object/apply:os.mkdir ['sprung']\n",
        b"names: " + b"[" * 50_000,
        b"names: &a [*a]\n",
        b"names:\n  99999999999999999999: cat\n",
        b"names:\n  0: &a {b: *a}\n",
    ),
    "labels.json": (
        b'{"images": [], "annotations": [], "categories": ' + b"[" * 100_000,
        b'{"images": 1e999999}',
    ),
    "instances.json": (b'{"images": [{"id": NaN}], "annotations": [Infinity], "categories": [-Infinity]}',),
    "labels.jsonl": (
        b'{"a":' * 100_000,
        b"9" * 100_000,
        b'{"file": "a.jpg", "labels": ' + b"9" * 10_000 + b"}",
    ),
    "labels.csv": (
        b"\xff\xfef\0i\0l\0e\0",
        b"file,labels\n" + b'"' * 100_001,
        b"file" + b",x" * 100_000,
        b"\0" * 1000,
    ),
    "labels.toml": (
        b"a" + b".a" * 5_000 + b" = 1",
        b"labels = " + b"[" * 50_000,
        b"labels = [" + b"1," * 50_000 + b"]",
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_one_line_and_nothing_is_fetched_or_run(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    root = photos(tmp_path / "data")
    (root / "b.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    if name == "labels.toml":
        (root / "labels.csv").write_text("file,labels\na.jpg,cat\nb.jpg,dog\n")
    for bomb in BOMBS[name]:
        (root / name).write_bytes(bomb)
        for labels in (None, root if name.endswith((".xmp", ".toml")) else root / name):
            assert "root:" not in read(root, labels)
        assert not Path("sprung").exists()


def test_settings_nested_by_the_thousand_or_with_huge_numbers_are_one_line(tmp_path: Path):
    for value in ("[" * 20_000, "9" * 5_000, "{a=" * 5_000):
        (tmp_path / "config.toml").write_text(f"format_version = 1\nseed = {value}\n")
        with pytest.raises(TaggerError, match="not valid TOML"):
            read_settings(tmp_path / "config.toml")
        with pytest.raises(TaggerError, match="seed"):
            load_settings("quick", [f"seed={value}"])


@QUICK
@given(st.text(), st.dictionaries(st.sampled_from(["labels", "groups", "rules", "x"]), TREES))
def test_labels_toml_of_any_shape_is_a_vocabulary_or_one_line(text: str, tree: dict[str, Any]):
    for written in (text, _toml(tree)):
        try:
            assert isinstance(parse_labels_toml(written, ["cat", "dog"]), Vocabulary)
        except TaggerError as error:
            str(error).encode()


@QUICK
@given(
    st.text(),
    st.dictionaries(st.sampled_from(["format_version", "seed", "data", "backbone", "loss", "train"]), TREES),
)
def test_settings_of_any_shape_are_settings_or_one_line(tmp_path: Path, text: str, tree: dict[str, Any]):
    path = tmp_path / "config.toml"
    for written in (text, _toml(tree | {"format_version": 1})):
        path.write_bytes(written.encode("utf-8", "replace"))
        try:
            read_settings(path)
        except TaggerError as error:
            str(error).encode()


@QUICK
@given(
    st.one_of(
        st.text(),
        st.builds("{}.{}={}".format, KEYS, KEYS, st.text()),
        st.builds("train.lr={}".format, st.text()),
    )
)
def test_what_is_set_is_a_setting_or_one_line(text: str):
    for load in (
        lambda: load_settings("quick", [text]),
        lambda: load_read_options([text]),
        lambda: parse_objective(text),
    ):
        try:
            load()
        except TaggerError as error:
            str(error).encode()


def _toml(tree: dict[str, Any]) -> str:
    """The tree as TOML, as far as TOML can say it."""
    try:
        return tomli_w.dumps(json.loads(json.dumps(tree).replace("null", '"null"')))
    except (ValueError, TypeError, AttributeError):
        return ""


def test_a_name_of_100_000_characters_is_not_compared_with_others(tmp_path: Path):
    (photos(tmp_path) / "labels.csv").write_text(f"file,labels\na.jpg,cat\nb.jpg,dog\n{'x' * 100_000},cat\n")
    said = [str(problem) for problem in read_dataset(tmp_path).problems]
    assert any(
        "a name of 100,000 characters cannot be an image's" in line and len(line) < 200 for line in said
    )


def test_a_column_of_brackets_without_end_is_a_name():
    assert column_names("[" * 100_000) == ["[" * 100_000]


@pytest.mark.torture
@pytest.mark.parametrize("name", FORMS)
def test_120_mutilated_files_of_every_form(tmp_path: Path, name: str):
    form, rng = FORMS[name], random.Random(f"torture {name}")
    refused = 0
    for _ in range(120):
        data = form.files[form.main]
        for _ in range(rng.randint(1, 4)):
            data = mutilated(data, rng)
        path = make(tmp_path, form, main=data)
        refused += "Labels from" not in read(tmp_path, rng.choice((path, None)))
    record_torture(f"mutilated labels: {name}", files=120, refused=refused, read=120 - refused)


@pytest.mark.torture
@pytest.mark.parametrize(
    "name", ["labels.csv", "labels.jsonl", "instances.json", "a.txt", "annotations/cat.txt"]
)
def test_a_line_of_200_megabytes(tmp_path: Path, name: str):
    path = photos(tmp_path) / name
    path.parent.mkdir(exist_ok=True)
    starts = {
        "labels.csv": b"file,labels\na.jpg,",
        "labels.jsonl": b'{"file": "',
        "instances.json": b'{"images": "',
    }
    path.write_bytes(starts.get(name, b"") + b"x" * 200_000_000)
    said = read(tmp_path, None)
    record_torture(f"a line of 200 MB in {name}", said=len(said))
