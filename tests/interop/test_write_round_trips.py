"""Labels written in any format are read again the same, but for what the writing itself says is lost."""

import hashlib
from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from tagger.arrays import NO, UNKNOWN, YES, Cells
from tagger.commands.writers import LABEL_FORMATS, batch_formats, sidecar_formats, write_labels
from tagger.commands.writers.base import FormatCapabilities
from tagger.data import read_dataset
from tagger.errors import TaggerError

FILES = (
    *(
        "a.jpg",
        " b.jpg",
        "sub/a.jpg",
        'sub/ü, "q" %20|&<x>.png',
        "猫 é/a#?d=1.jpg",
        "sub/Ünïcode e\u0301.png",
    ),
    *(
        "new\nline\r.jpg",
        "back\\slash.jpg",
        "end /a\u2028.jpg",
        "\ufeffmark;a=b.png",
        "-x%41+y.jpg",
        "http:/a.jpg",
    ),
)
HARD = (
    *(
        "red, white",
        "a|b",
        '"quoted"',
        "it's",
        "two\nlines",
        "CR\rLF\r\nend",
        "tab\tbed",
        "<&>;&amp;&#10;",
        "a/b",
    ),
    *("猫", "العربية", "ไทย", "🐈\u200d⬛", "e\u0301", "é", "\ufeffmark", "line\u2028sep", "next\u0085line"),
    *("\x1b[31m", "a\\b"),
    *(
        "=1+1",
        "-",
        "0",
        "1",
        "true",
        "null",
        "nan",
        "N/A",
        "{}",
        "[]",
        "#",
        "a=b",
        "a: b",
        "x.txt",
        "..",
        ".",
        ".dot",
    ),
    *(
        " blank",
        "blank ",
        "\u3000wide",
        "bell\x07",
        "nul\0",
        "\ufffe",
        "\uffff",
        "x" * 300,
        "Cat",
        "cat",
        "a, b",
        "a",
    ),
)
COUNTER = count()
Said = dict[str, dict[str, int]]  # file -> label -> cell


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small images of different pixels whose paths make trouble; to be read only."""
    root, rng = tmp_path_factory.mktemp("photos") / "data", np.random.default_rng(0)
    for file in FILES:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (4, 5, 3), dtype=np.uint8)).save(root / file)
    return root


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to write in."""
    return tmp_path_factory.mktemp("desk")


def said(files: Iterable[str], labels_NK: Cells, names: Sequence[str]) -> Said:
    """Every cell, by its names."""
    return {
        file: dict(zip(names, row.tolist(), strict=True)) for file, row in zip(files, labels_NK, strict=True)
    }


def capabilities(format: str) -> FormatCapabilities:
    """What a format can say beside *yes*."""
    return (sidecar_formats if format in sidecar_formats.names() else batch_formats).find(format).capabilities  # type: ignore


def carried(data: Said, format: str) -> Said:
    """What the format can say of it: the rules of docs/formats.md, once more and one cell at a time."""
    able = capabilities(format)
    if not able.unknown_cells:
        heard = {file: cells for file, cells in data.items() if set(cells.values()) != {UNKNOWN}}
        data = {file: {k: max(cell, NO) for k, cell in cells.items()} for file, cells in heard.items()}
    if not able.images_without_labels:
        data = {file: cells for file, cells in data.items() if YES in cells.values()}
    if not able.unused_labels:
        used = {k for cells in data.values() for k, cell in cells.items() if cell != NO}
        data = {file: {k: cell for k, cell in cells.items() if k in used} for file, cells in data.items()}
    return data


def refused(names: Sequence[str], format: str) -> bool:
    """Whether a format has no way to write one of the names."""
    if any(name != name.strip() or not name or "\0" in name for name in names):
        return True
    if format.startswith("xmp"):
        return any((sign < " " and sign not in "\t\n\r") or sign in "\ufffe\uffff" for sign in "".join(names))
    if format.startswith("folders"):
        return any("/" in name or name.startswith(".") or len(name.encode()) > 255 for name in names)
    return False


def write_and_read(photos: Path, desk: Path, data: Said, format: str) -> tuple[Said, tuple[str, ...]]:
    """(what is read again, by the files that the images are copies of; what the writing says is lost)."""
    place = desk / f"{next(COUNTER)}"
    place.mkdir()
    names = list(next(iter(data.values())))
    labels_NK = np.array([[cells[name] for name in names] for cells in data.values()], np.int8)
    out, root, labels = place / f"labels.{format}", photos, None
    if format in sidecar_formats.names():
        root = out = place / "images"
        copy(photos, out)
    elif format in ("coco", "label-studio"):
        out = place / "labels.json"
    done = write_labels(list(data), labels_NK, names, root=root, out=out, format=format)
    assert not done.problems
    if format.startswith(("imagefolder", "folders")) or format in sidecar_formats.names():
        root, labels = out, out if format.startswith("folders") else None
    else:
        labels = out
    read = read_dataset(root, labels)
    original = {digest(photos / file): file for file in FILES}
    files = [original[digest(root / file)] for file in read.images["file"]]
    return said(files, read.labels_NK, read.labels), done.lost_information


def copy(photos: Path, to: Path) -> None:
    """The images once more."""
    for file in FILES:
        (to / file).parent.mkdir(parents=True, exist_ok=True)
        (to / file).write_bytes((photos / file).read_bytes())


def digest(path: Path) -> str:
    """The content of a file, shortened."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def cells(seed: int, num_labels: int, values: Sequence[int]) -> Cells:
    """Random cells; at least one image has all labels."""
    rng = np.random.default_rng(seed)
    labels_NK = rng.choice(np.array(values, np.int8), (len(FILES), num_labels)).astype(np.int8)
    labels_NK[rng.integers(len(FILES))] = YES
    return labels_NK


LABEL = st.one_of(
    st.sampled_from(HARD), st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=8)
)
LABELS = st.lists(st.one_of(LABEL, st.sampled_from(["file", "labels"])), min_size=1, max_size=4, unique=True)
VALUES = st.sampled_from([(NO, YES), (UNKNOWN, NO, YES), (UNKNOWN, NO), (NO,), (UNKNOWN,)])


@pytest.mark.parametrize("format", LABEL_FORMATS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=LABELS, seed=st.integers(0, 99), values=VALUES)
@example(
    names=[n for n in HARD if not refused([n], "folders") and not refused([n], "xmp")],
    seed=0,
    values=(NO, YES),
)
@example(names=[name for name in HARD if not refused([name], "xmp")], seed=1, values=(UNKNOWN, NO, YES))
def test_what_is_written_is_read_again(
    photos: Path, desk: Path, format: str, names: list[str], seed: int, values: tuple[int, ...]
):
    data = said(FILES, cells(seed, len(names), values), names)
    if refused(names, format):
        with pytest.raises(TaggerError, match="Rename"):
            write_and_read(photos, desk, data, format)
        return
    read, lost = write_and_read(photos, desk, data, format)
    assert read == carried(data, format)
    assert bool(lost) == (read != data)  # what is lost is said, and nothing else is


DIFFERENT = [format for format in LABEL_FORMATS if not format.endswith(("-link", "-lightroom", "tsv"))]


@pytest.mark.parametrize("first", DIFFERENT)
def test_from_any_format_to_any_other_and_back(photos: Path, desk: Path, first: str):
    names = ["red, white", "a|b", "猫", "<&>"]
    for number, second in enumerate(DIFFERENT):
        data = said(FILES, cells(number, len(names), (UNKNOWN, NO, YES)), names)
        for format in (first, second, first):
            read, _ = write_and_read(photos, desk, data, format)
            assert read == carried(data, format), (first, second)
            data = read
        assert (
            carried(data, second) == data
        )  # the third step lost nothing that the second could not say either
