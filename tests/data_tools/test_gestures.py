"""Recordings of a fingertip become streams, and streams become frames with one point where it was."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_tools.gestures import GESTURES, PICTURE, POINTS, draw_gestures, read_streams
from tagger.data import read_dataset
from tagger.errors import TaggerError


def recordings(path: Path, lengths: list[int], seed: int = 0) -> list[np.ndarray]:
    """A file of recordings as the app of their author writes it: every 16 points of a path, relative to the first."""
    rng = np.random.default_rng(seed)
    paths = [rng.integers(-20, 21, (length, 2)).cumsum(0).astype(float) for length in lengths]
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        for gesture, points in enumerate(paths):
            for end in range(POINTS, len(points) + 1):
                window = points[end - POINTS : end]
                table.writerow([gesture, *((window - window[0]) / PICTURE).round(9).ravel().tolist()])
    return paths


def test_overlapping_rows_are_one_stream_with_the_path_of_the_recording(tmp_path):
    paths = recordings(tmp_path / "points.csv", [20, 16, 31])
    streams = read_streams(tmp_path / "points.csv")
    assert [one.gesture for one in streams] == [0, 1, 2]
    for stream, points in zip(streams, paths, strict=True):
        moved = stream.points_P2 - stream.points_P2[0]
        np.testing.assert_allclose(moved, points - points[0], atol=1e-4)
        np.testing.assert_allclose(stream.points_P2.min(0), -stream.points_P2.max(0), atol=1e-9)


def test_a_frame_is_bright_where_the_point_was_and_the_table_is_read_as_labels(tmp_path):
    recordings(tmp_path / "points.csv", [18, 17])
    out = draw_gestures(tmp_path / "points.csv", tmp_path / "frames")
    rows = list(csv.DictReader((out / "labels.csv").read_text().splitlines()))
    assert len(rows) == 35
    assert [row["frame"] for row in rows[:3]] == ["0", "1", "2"]
    stream = read_streams(tmp_path / "points.csv")[1]
    scale = np.percentile(
        [2 * np.abs(one.points_P2).max() for one in read_streams(tmp_path / "points.csv")], 90
    )
    for row, point in zip(rows[18:], stream.points_P2, strict=True):
        grey = np.asarray(Image.open(out / row["file"]))[:, :, 0]
        y, x = np.unravel_index(grey.argmax(), grey.shape)
        np.testing.assert_allclose([x, y], np.clip(point / scale + 0.5, 0.03, 0.97) * 32 - 0.5, atol=1.1)
    dataset = read_dataset(out)
    assert dataset.labels == GESTURES[:2]
    assert dataset.groups["gesture"]["kind"] == "exclusive"


def test_the_same_seed_draws_the_same_bytes_and_a_folder_in_use_is_left_alone(tmp_path):
    recordings(tmp_path / "points.csv", [16])
    first, again = (draw_gestures(tmp_path / "points.csv", tmp_path / name) for name in ("a", "b"))
    for path in first.iterdir():
        assert path.read_bytes() == (again / path.name).read_bytes()
    with pytest.raises(TaggerError, match="exists already"):
        draw_gestures(tmp_path / "points.csv", first)


def test_what_is_no_recording_is_said(tmp_path):
    (tmp_path / "points.csv").write_text("a,b\n")
    with pytest.raises(TaggerError, match=r"points\.csv: no recordings of a fingertip"):
        read_streams(tmp_path / "points.csv")
