"""Progress of a command beside the app: the share of the whole training, and a time left that comes true."""

from collections.abc import Iterator
from typing import Any

import pytest

from tagger.ui.job_progress import JobProgress, progress_of


def training(
    seconds_an_image: float, images: int, epochs: int, *titles: tuple[str, int]
) -> Iterator[dict[str, Any]]:
    """The lines of a training at constant speed; ``titles``: each network and its number of images."""
    time = 1000.0
    for title, count in titles:
        for epoch in range(1, epochs + 1):
            for done in range(0, count + 1, images):
                yield {"step": f"{title}, epoch {epoch}/{epochs}", "done": done, "total": count, "time": time}
                time += images * seconds_an_image
            time -= images * seconds_an_image


@pytest.mark.parametrize(
    ("titles", "halves"),
    [
        ([("network", 800)], False),
        ([(f"network {k} of 4", 600) for k in (1, 2, 3, 4)], False),
        ([("half 1 of 2", 400), ("half 2 of 2", 400), ("network", 800)], True),
    ],
)
def test_share_and_time_left_follow_a_steady_training(titles: list[tuple[str, int]], halves: bool):
    lines = list(training(0.05, 40, 5, *titles))
    whole = lines[-1]["time"] - lines[0]["time"]
    said = 0
    for end in range(1, len(lines) + 1):
        progress = progress_of(lines[:end][-300:], halves=halves)
        passed = lines[end - 1]["time"] - lines[0]["time"]
        assert progress.share == pytest.approx(passed / whole, abs=0.02)
        if progress.seconds_left is not None:
            said += 1
            assert progress.seconds_left == pytest.approx(whole - passed, abs=0.03 * whole)
    assert said > 0.6 * len(lines)


def test_nothing_is_said_of_the_time_before_the_speed_is_known():
    line = {"step": "reading images", "done": 0, "total": 100, "time": 5.0}
    assert progress_of([line]) == JobProgress("reading images", 0.0)
    assert progress_of([line, line | {"done": 3, "time": 6.0}]).seconds_left is None
    assert progress_of([line, line | {"done": 30, "time": 25.0}]).seconds_left == pytest.approx(46.7, abs=0.1)
    assert progress_of([line | {"total": None}]) == JobProgress("reading images")
    assert progress_of([]).text == "starting"


def test_the_speed_of_another_step_says_nothing():
    slow = [{"step": "reading images", "done": n, "total": 10, "time": 100.0 * n} for n in range(10)]
    assert (
        progress_of([*slow, {"step": "tagging photos", "done": 0, "total": 9, "time": 950.0}]).seconds_left
        is None
    )
