"""Lanes: the results of a plain loop, in its order, in as many threads as were asked for."""

import threading
import time
from collections.abc import Iterator

import pytest
import torch

from tagger.training.thread_map import thread_map


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
@pytest.mark.parametrize("num", [0, 1, 2, 7, 30])
def test_results_come_in_the_order_of_the_items(workers: int, num: int):
    def work(n: int) -> int:
        time.sleep(0.002 * (n % 3))  # the later ones of three are not the first to be done
        return n * n

    assert list(thread_map(work, iter(range(num)), workers=workers)) == [n * n for n in range(num)]


def test_items_are_in_work_together_and_each_thread_has_its_share_of_the_cores():
    before, both = torch.get_num_threads(), threading.Barrier(2, timeout=20)

    def work(_: int) -> int:
        both.wait()  # passes only if another item is in work too
        return torch.get_num_threads()

    assert set(thread_map(work, range(6), workers=2)) == {max(1, before // 2)}
    assert torch.get_num_threads() == before
    later: list[int] = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [before]


def test_items_are_taken_only_as_they_are_needed():
    taken: list[int] = []

    def items() -> Iterator[int]:
        for n in range(1000):
            taken.append(n)
            yield n

    results = thread_map(lambda n: n, items(), workers=2)
    assert taken == []
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    assert len(taken) <= 3 + 4
    results.close()


def test_an_error_comes_up_at_its_place_and_no_thread_is_left():
    def work(n: int) -> int:
        if n == 3:
            raise ValueError("the third")
        return n

    results = thread_map(work, range(100), workers=2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="the third"):
        next(results)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lane")]


def test_what_is_left_in_the_middle_ends_its_threads():
    results = thread_map(lambda n: n, range(100), workers=2)
    next(results)
    results.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lane")]
