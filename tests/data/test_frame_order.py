"""The order of frames in a sequence: by numbers, times and names; gaps; and cells that give no order are named."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from small import train_argv

from tagger.data import read_dataset
from tagger.data.frame_order import frame_order
from tagger.errors import TaggerError
from tagger.setting_sections import DataSettings

COLUMNS = DataSettings(sequence_column="clip", frame_column="frame")


def write_table(folder, rows):
    """A table of (file, clip, frame)."""
    lines = ["file,clip,frame,cat", *(f"{file},{clip},{frame},1" for file, clip, frame in rows)]
    (folder / "labels.csv").write_text("\n".join(lines))
    return [file for file, _, _ in rows]


def order_of(folder, rows, settings=COLUMNS):
    """The files of each sequence in order."""
    files = write_table(folder, rows)
    return [[files[n] for n in found] for found in frame_order(folder, files, settings).sequences()]


@pytest.mark.parametrize(
    "frames",
    [
        ("2", "10", "9"),
        ("0.5", "1e3", "10.25"),
        ("00:00:02.5", "00:01:00", "0:59"),
        ("2024-05-01 12:00:00", "2024-05-02 00:00:00", "2024-05-01 23:59:59.5"),
        ("2024:05:01 12:00:00", "2024:05:01 12:00:10", "2024:05:01 12:00:09"),
        ("2024-05-01T12:00:00+02:00", "2024-05-01T10:00:02+00:00", "2024-05-01T10:00:01Z"),
    ],
)
def test_numbers_and_times_order_the_frames(tmp_path, frames):
    rows = [(f"{n}.jpg", "a", frame) for n, frame in enumerate(frames)]
    assert order_of(tmp_path, [*rows, ("x.jpg", "b", frames[0])]) == [["0.jpg", "2.jpg", "1.jpg"], ["x.jpg"]]


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(-50, 50)), min_size=1, max_size=30, unique=True)
)
def test_the_order_is_that_of_sorted(tmp_path_factory, cells):
    rows = [(f"{n}.jpg", clip, frame) for n, (clip, frame) in enumerate(cells)]
    found = order_of(tmp_path_factory.mktemp("order"), rows)
    wanted = {
        clip: [f for f, c, _ in sorted(rows, key=lambda row: row[2]) if c == clip] for _, clip, _ in rows
    }
    assert sorted(found) == sorted(wanted.values())


def test_frames_without_a_place_are_all_named(tmp_path):
    rows = [("a.jpg", "x", "1"), ("b.jpg", "x", ""), ("c.jpg", "x", "third"), ("d.jpg", "", "none")]
    with pytest.raises(TaggerError, match=r"2 photos of a sequence .*: b\.jpg \(''\), c\.jpg \('third'\)\."):
        order_of(tmp_path, rows)


def test_numbers_and_times_are_not_mixed(tmp_path):
    rows = [("a.jpg", "x", "1"), ("b.jpg", "x", "2"), ("c.jpg", "x", "00:00:03")]
    with pytest.raises(TaggerError, match=r"c\.jpg \('00:00:03'\)"):
        order_of(tmp_path, rows)


def test_two_frames_at_one_place_are_named(tmp_path):
    rows = [("a.jpg", "x", "1"), ("b.jpg", "y", "1"), ("c.jpg", "x", "1.0"), ("d.jpg", "x", "2")]
    with pytest.raises(TaggerError, match=r"1 pair .* a\.jpg and c\.jpg \('1\.0'\)"):
        order_of(tmp_path, rows)


def test_a_column_of_frames_without_sequences_says_what_is_missing(tmp_path):
    files = write_table(tmp_path, [("a.jpg", "x", "1")])
    with pytest.raises(TaggerError, match=r"--set data\.sequence_column=NAME"):
        frame_order(tmp_path, files, DataSettings(frame_column="frame"))
    assert frame_order(tmp_path, files, DataSettings()) is None


def test_rows_of_one_photo_that_disagree_are_named(tmp_path):
    write_table(tmp_path, [("a.jpg", "x", "1"), ("a.jpg", "y", "1")])
    with pytest.raises(TaggerError, match=r"Row 3: a\.jpg has 'clip' 'y', but 'x' in row 2"):
        frame_order(tmp_path, ["a.jpg"], COLUMNS)


def test_gaps_are_where_frames_are_missing(tmp_path):
    rows = [(f"{n}.jpg", "x", n) for n in (0, 5, 10, 25, 30)] + [(f"y{n}.jpg", "y", n) for n in (100, 105)]
    files = write_table(tmp_path, rows)
    order = frame_order(tmp_path, files, COLUMNS)
    assert order.step == 5
    assert [(files[a], files[b]) for a, b in order.gaps()] == [("10.jpg", "25.jpg")]


def test_names_and_folders_give_an_order_without_a_column(tmp_path):
    files = ["clip1_10.jpg", "clip1_9.jpg", "clip2_1.jpg", "other.jpg"]
    order = frame_order(tmp_path, files, DataSettings(sequences="name"))
    assert [rows.tolist() for rows in order.sequences()] == [[1, 0], [2]]
    assert np.isnan(order.place_N[3])
    assert frame_order(tmp_path, ["a/x.jpg", "a/y.jpg"], DataSettings(sequences="folder")) is None


def test_train_reads_the_column_says_the_order_and_its_gaps(tagger_cli, tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "data").mkdir()
    rows = ["file,clip,frame,cat,dog"]
    for n in range(36):
        Image.fromarray(rng.integers(0, 255, (16, 16, 3), np.uint8)).save(tmp_path / f"data/{n:02}.png")
        rows.append(f"{n:02}.png,{n // 3},{n % 3 + 4 * (n == 2)},{n % 2},{n // 3 % 2}")
    (tmp_path / "data/labels.csv").write_text("\n".join(rows))
    options = {"data__sequence_column": "clip", "data__frame_column": "frame"}
    done = tagger_cli(*train_argv(tmp_path / "data", tmp_path / "run", **options))
    assert done.code == 0, done.err
    said = " ".join(done.out.split())
    assert "ordered by column 'frame', usually 1 apart; 1 gap, such as between 01.png and 02.png" in said
    settings = DataSettings(path=str(tmp_path / "data"), sequence_column="clip", frame_column="frame")
    assert read_dataset(tmp_path / "data", read_options=settings).labels == ("cat", "dog")
