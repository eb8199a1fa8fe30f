"""Exit codes of commands: errors as one line on standard error, Ctrl-C as a prompt exit.

0 done; 1 a fault of tagger (the traceback is in a log); 2 an error that the user can fix; 3 done, but some
images could not be read; 130 stopped by Ctrl-C. A reader of the output that goes away (``| head -1``) changes
no code.
"""

import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Timer, current_thread, main_thread
from types import FrameType
from typing import Any

import typer

from tagger.closed_pipes import forgiving_output
from tagger.errors import TaggerError, printable

FORCE_EXIT_SECONDS = 5.0  # between Ctrl-C and the end of a command that hangs


@contextmanager
def force_exit_on_ctrl_c() -> Iterator[None]:
    """Context manager: Ctrl-C ends the command within ``FORCE_EXIT_SECONDS``, even if a read hangs in a drive."""
    mine = current_thread() is main_thread() and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not mine:  # called from Python, or a command in the background that ignores Ctrl-C
        yield
        return
    ended = Event()

    def stop(number: int, frame: FrameType | None) -> None:
        timer = Timer(FORCE_EXIT_SECONDS, _force_exit, [ended])
        timer.daemon = True
        timer.start()
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        ended.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _force_exit(ended: Event) -> None:
    """Kill this process and its reader processes; its files are whole or absent, as after any kill."""
    import multiprocessing

    for child in multiprocessing.active_children():
        child.kill()
    if not ended.is_set():
        _interrupted()
    os._exit(130)


@forgiving_output()
def exit_code_of(call: Callable[[], Any]) -> int:
    """The exit code of a command; an error is printed as one line on standard error.

    Where nobody reads the output any more, the command still does all its work, and has the code of that work.
    """
    try:
        code = int(call() or 0)
        return _interrupted() if code == 130 else code  # typer turns Ctrl-C into this code
    except TaggerError as error:
        return _fail(str(error), 2)
    except typer.Exit as stop:
        return stop.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted()
    except OSError as error:
        if error.filename is None and error.errno is None:
            return _internal_error()
        where = f" ({error.filename})" if error.filename else ""
        again = "resume with --resume" if _resumable() else "run the command again"
        return _fail(f"{error.strerror or error}{where}. {_disk_advice(error.errno)}, then {again}.", 2)
    except Exception as error:
        if hasattr(error, "format_message"):  # a wrong command or option; typer has no public name for it
            return _usage_error(error)
        return _internal_error()


def _disk_advice(number: int | None) -> str:
    """What to do about an error of the disk.

    >>> _disk_advice(errno.ENOSPC), _disk_advice(errno.EIO)
    ('Free disk space', 'Check the disk and the file')
    """
    if number in (errno.ENOSPC, errno.EDQUOT):
        return "Free disk space"
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "Give access"
    return "Check the disk and the file"


def _usage_error(error: Any) -> int:
    """What is wrong with the arguments, and the command's --help; without any arguments the help itself."""
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error.format_message(), file=sys.stderr)
        return 2
    message = error.format_message()
    context = getattr(error, "ctx", None)
    message += "" if message.endswith((".", "?")) else "."
    return _fail(f"{message} See: {context.command_path if context else 'tagger'} --help", 2)


def _interrupted() -> int:
    return _fail("Stopped. Continue with --resume." if _resumable() else "Stopped.", 130)


def _resumable() -> bool:
    """Whether the command has --resume."""
    return sys.argv[1:2] in (["train"], ["predict"], ["retrain"])


def _internal_error() -> int:
    """Report an unexpected error in one line, and append the traceback to a log."""
    log = Path("tagger-error.log")
    try:
        with log.open("a", encoding="utf-8") as file:
            file.write(traceback.format_exc())
    except OSError:
        traceback.print_exc()
    kind, error = sys.exc_info()[:2]
    return _fail(
        f"Unexpected error ({kind.__name__ if kind else ''}: {error}), probably a bug in tagger. Please report it"
        f" with the file {log}.",
        1,
    )


def _fail(message: str, code: int) -> int:
    line = printable(" ".join(message.splitlines()))  # one line, even if a label's name has two
    print(f"tagger: {line}", file=sys.stderr)
    return code
