"""Warnings of a library are off while any thread is in it, and on again when the last is out."""

import os
import threading
import warnings

import pytest

from tagger.data.images.suppress_warnings import SuppressWarnings


def test_filters_come_back_whatever_order_threads_leave_in():
    quiet, inside, out = SuppressWarnings(), threading.Event(), threading.Event()
    before = list(warnings.filters)

    def second() -> None:
        with quiet:
            inside.set()
            out.wait(20)
            warnings.warn("not heard", stacklevel=1)

    thread = threading.Thread(target=second)
    with quiet:
        thread.start()
        assert inside.wait(20)
    assert warnings.filters != before  # the second is still in
    out.set()
    thread.join()
    assert list(warnings.filters) == before
    with pytest.warns(UserWarning, match="heard"):
        warnings.warn("heard", stacklevel=1)


def test_filters_come_back_after_an_error():
    quiet, before = SuppressWarnings(), list(warnings.filters)
    with pytest.raises(ValueError, match="inside"), quiet:
        raise ValueError("inside")
    assert list(warnings.filters) == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_can_use_it_though_another_thread_was_in_it():
    quiet = SuppressWarnings()
    quiet.lock.acquire()  # the worst moment to be forked
    child = os.fork()
    if child == 0:
        with quiet:
            os._exit(7)
    quiet.lock.release()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
