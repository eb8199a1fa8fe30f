"""Windows of frames: the frames up to each one, of its own sequence, in the order that the settings give."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.data.frame_windows import Frames, read_frames
from tagger.setting_sections import DataSettings


def slow_windows(frames, length):
    """For each image: itself, and before it whatever has the same sequence and a smaller place."""
    rows = []
    for n in range(len(frames)):
        window = []
        for back in range(length - 1, -1, -1):
            found = [
                m
                for m in range(len(frames))
                if frames.sequence_N[m] == frames.sequence_N[n]
                and frames.place_N[m] == frames.place_N[n] - back
            ]
            window.append(found[0] if found else -1)
        rows.append(window)
    return rows


@given(st.lists(st.integers(0, 3), min_size=1, max_size=20), st.integers(1, 6), st.randoms())
def test_windows_equal_a_slow_search_and_never_cross_sequences(sequences, length, random):
    sequence_N = np.array(sequences)
    place_N = np.zeros(len(sequences), np.int64)
    for one in set(sequences):
        rows = np.flatnonzero(sequence_N == one).tolist()
        random.shuffle(rows)
        place_N[rows] = np.arange(len(rows))
    frames = Frames(sequence_N, place_N)
    windows_NT = frames.windows(length)
    assert windows_NT.tolist() == slow_windows(frames, length)
    assert (windows_NT[:, -1] == np.arange(len(sequences))).all()
    seen = windows_NT >= 0
    assert (sequence_N[windows_NT][seen] == np.repeat(sequence_N[:, None], length, axis=1)[seen]).all()


def test_places_close_up_where_a_frame_is_left_out():
    frames = Frames(np.array([0, 0, 0, 1]), np.array([2, 0, 1, 0])).select(np.array([0, 1, 3]))
    assert frames.place_N.tolist() == [1, 0, 0]
    assert frames.windows(2).tolist() == [[1, 0], [-1, 1], [-1, 2]]


def test_frames_of_a_clip_follow_each_other_by_number_not_by_letters(tmp_path):
    files = ["b_10.png", "b_9.png", "a_1.png", "alone.png"]
    frames = read_frames(tmp_path, files, DataSettings(sequences="name"))
    assert frames.windows(2).tolist() == [[1, 0], [-1, 1], [-1, 2], [-1, 3]]


def test_names_without_numbers_follow_each_other_by_name_in_a_folder(tmp_path):
    files = ["x/second.png", "x/first.png", "y/first.png"]
    frames = read_frames(tmp_path, files, DataSettings(sequences="folder"))
    assert frames.windows(2).tolist() == [[1, 0], [-1, 1], [-1, 2]]


def test_a_column_orders_frames_against_their_names(tmp_path):
    files = ["a.png", "b.png", "c.png", "d.png"]
    rows = ["file,labels,clip,frame", "a.png,cat,1,3", "b.png,cat,1,2", "c.png,,1,1", "d.png,cat,,9"]
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    settings = DataSettings(path=str(tmp_path), sequence_column="clip", frame_column="frame")
    frames = read_frames(tmp_path, files, settings)
    assert frames.windows(3).tolist() == [[2, 1, 0], [-1, 2, 1], [-1, -1, 2], [-1, -1, 3]]


def test_without_a_setting_there_are_no_frames(tmp_path):
    assert read_frames(tmp_path, ["a_1.png", "a_2.png"], DataSettings()) is None


@pytest.mark.parametrize("length", [1, 4])
def test_order_goes_sequence_by_sequence(length):
    frames = Frames(np.array([5, 2, 5, 2]), np.array([1, 1, 0, 0]))
    assert frames.order().tolist() == [3, 1, 2, 0]
    assert frames.windows(length).shape == (4, length)
