"""Invented tables in twenty dialects come back as the same table, or are refused with settings that bring it back."""

import re
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from dialects import DIALECTS, Truth, Written, place
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torture import record_torture

from tagger.arrays import NO, UNKNOWN, YES
from tagger.data import read_dataset
from tagger.errors import TaggerError
from tagger.presets import load_read_options

HARD = (
    "red, white",
    "golden retriever",
    "black cat",
    "a/b",
    "a;b",
    "nan",
    "1",
    "x",
    "confidence",
    "Yes",
    "C#",
    "猫",
)
NAMES = st.one_of(
    st.sampled_from(["cat", "dog", "sea", "sky"]),
    st.sampled_from(HARD),
    st.text("abcdé", min_size=2, max_size=5),
)
SIGNS = {"bars": "|", "commas": ",", "semicolons": ";", "blanks": " ", "hashes": "#", "bare": ","}
SIGNS |= {"values before": ";", "values behind": ";", "parts": "|"}
FLAGS = ("1", "x", "Yes")  # columns label1 and label2 with nothing else in them are labels with a yes
NO_LABELS = ("nan",)  # a cell of a second column that says that there is none
PRINTED = re.compile(r"(?:--set (?:'[^']*'|[^\s;()]+) ?)+")
Table = dict[str, tuple[set[str], set[str]]]


@st.composite
def truths(draw: st.DrawFn, dialect: str) -> Truth:
    """Photos, labels and cells that the dialect can write; one cell at least is yes."""
    sign = SIGNS.get(dialect, "\0")
    excluded = NO_LABELS if dialect == "parts" else ()
    names = NAMES.filter(lambda name: sign not in name and name not in excluded)
    labels = draw(st.lists(names, min_size=1, max_size=6, unique_by=str.casefold))
    num_photos = draw(st.integers(1, 12))
    cells = st.lists(st.sampled_from([NO, YES, UNKNOWN]), min_size=len(labels), max_size=len(labels))
    labels_NK = np.array(draw(st.lists(cells, min_size=num_photos, max_size=num_photos)), np.int8)
    assume((labels_NK == YES).any() and not (dialect == "shares" and not (labels_NK == NO).any()))
    assume(dialect not in ("parts", "ragged") or (labels_NK == YES).sum() > 1)
    written = {label for label, said in zip(labels, (labels_NK == YES).any(0), strict=True) if said}
    assume(dialect != "parts" or not written <= set(FLAGS))
    return Truth(tuple(f"p{n}.jpg" for n in range(num_photos)), tuple(labels), labels_NK)


def expected(truth: Truth, written: Written) -> Table:
    """{photo: (labels that apply, labels that are unknown)}, as far as the dialect can say it."""
    said = {}
    for n, file in enumerate(truth.files):
        unknown = {
            label for label, cell in zip(truth.labels, truth.labels_NK[n], strict=True) if cell == UNKNOWN
        }
        said[written.folders.get(file, file)] = (
            set(truth.chosen(n)),
            unknown if written.holds_unknown else set(),
        )
    return said


def read(root: Path, table: Path, chosen: list[str]) -> Table:
    dataset = read_dataset(root, table, read_options=load_read_options(chosen))
    labels = np.array(dataset.labels, dtype=object)
    rows = zip(dataset.images["file"], dataset.labels_NK, strict=True)
    return {file: (set(labels[row == YES]), set(labels[row == UNKNOWN])) for file, row in rows}


def printed(message: str) -> list[list[str]]:
    """The settings of each reading that a message proposes."""
    return [[word for word in shlex.split(text) if word != "--set"] for text in PRINTED.findall(message)]


def readings(root: Path, table: Path, chosen: list[str], depth: int = 0) -> Iterator[Table]:
    """What comes of the settings that refusals print, typed as printed; a second refusal is followed too."""
    try:
        yield read(root, table, chosen)
    except TaggerError as refused:
        for more in printed(str(refused)) if depth < 3 else []:
            yield from readings(root, table, [*chosen, *more], depth + 1)


def check(dialect: str, truth: Truth, root: Path) -> str:
    """``right``, or ``refused`` with settings that read it; an assertion fails for any other table."""
    written = DIALECTS[dialect](truth)
    table = place(root, truth, written)
    wanted = expected(truth, written)
    try:
        found = read(root, table, [])
    except TaggerError as error:
        refusal = str(error)
    else:
        refusal = ""
    if refusal:
        assert any(wanted == one for one in readings(root, table, [])), (refusal, written.data)
        return "refused"
    assert found == wanted, written.data
    return "right"


def one_draw(data: st.DataObject, told: dict[str, int]) -> None:
    dialect = data.draw(st.sampled_from(sorted(DIALECTS)))
    truth = data.draw(truths(dialect))
    root = Path(tempfile.mkdtemp())
    try:
        outcome = check(dialect, truth, root)
    finally:
        shutil.rmtree(root)
    told[outcome] = told.get(outcome, 0) + 1


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_table_comes_back_the_same_or_is_refused_with_the_setting(data: st.DataObject):
    one_draw(data, {})


@pytest.mark.torture
def test_two_thousand_tables_come_back_the_same_or_are_refused_with_the_setting():
    told: dict[str, int] = {}

    @settings(max_examples=2000, suppress_health_check=list(HealthCheck), database=None)
    @given(st.data())
    def draw(data: st.DataObject) -> None:
        one_draw(data, told)

    draw()
    record_torture(
        "invented tables", read=told["right"], refused_with_setting=told["refused"], read_wrongly=0
    )


def test_most_dialects_are_read_without_a_setting(tmp_path: Path):
    rng = np.random.default_rng(0)
    labels = ("cat", "dog", "sea", "sky", "long_hair")
    cells = rng.choice(np.array([NO, NO, YES, UNKNOWN], np.int8), (40, len(labels)))
    truth = Truth(tuple(f"p{n}.jpg" for n in range(40)), labels, cells)
    outcomes = {}
    for name in DIALECTS:
        root = tmp_path / name
        root.mkdir()
        outcomes[name] = check(name, truth, root)
    assert len(outcomes) >= 20
    assert sum(outcome == "right" for outcome in outcomes.values()) >= 15, outcomes
