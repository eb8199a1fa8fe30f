"""Exit codes of commands: errors as one line on standard error, Ctrl-C as a prompt exit.

Exit codes: 0 done; 1 our fault (the traceback is in a log); 2 the user can fix it; 3 done, but some images
could not be read; 130 stopped by Ctrl-C.
"""

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

from tagger.errors import TaggerError, printable

FORCE_EXIT_SECONDS = 5.0  # between Ctrl-C and the end of a command that hangs


@contextmanager
def force_exit_on_ctrl_c() -> Iterator[None]:
    """Ctrl-C ends the command also where a thread or process hangs in a drive that stalls: a while later, whatever."""
    mine = current_thread() is main_thread() and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not mine:  # called from Python, or Ctrl-C is ignored: a command in the background
        yield
        return
    told = Event()

    def stop(number: int, frame: FrameType | None) -> None:
        timer = Timer(FORCE_EXIT_SECONDS, _force_exit, [told])
        timer.daemon = True
        timer.start()
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        told.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _force_exit(told: Event) -> None:
    """End this process and its readers; what it wrote is whole or absent, as after any kill."""
    import multiprocessing

    for child in multiprocessing.active_children():
        child.kill()
    if not told.is_set():
        _interrupted()
    os._exit(130)


def exit_code_of(call: Callable[[], Any]) -> int:
    """The exit code of a command; what went wrong is told in one line."""
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
        again = (
            "go on with --resume" if sys.argv[1:2] in (["train"], ["predict"], ["retrain"]) else "do it again"
        )
        return _fail(f"{error.strerror or error}{where}. Make room or give access, then {again}.", 2)
    except Exception as error:
        if hasattr(
            error, "format_message"
        ):  # a wrong command or option; typer's own click has no public name
            return _usage_error(error)
        return _internal_error()


def _usage_error(error: Any) -> int:
    """What is wrong in the command's words, and where they are explained; no words at all get the explanation."""
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error.format_message(), file=sys.stderr)
        return 2
    message = error.format_message()
    context = getattr(error, "ctx", None)
    message += "" if message.endswith((".", "?")) else "."
    return _fail(f"{message} See: {context.command_path if context else 'tagger'} --help", 2)


def _interrupted() -> int:
    return _fail("Stopped. Go on with --resume where the command has it.", 130)


def _internal_error() -> int:
    """Our fault: say so in one line, keep the traceback in a log."""
    log = Path("tagger-error.log")
    try:
        with log.open("a", encoding="utf-8") as file:  # at its end: what is there stays
            file.write(traceback.format_exc())
    except OSError:
        traceback.print_exc()
    kind, error = sys.exc_info()[:2]
    return _fail(
        f"This is a fault of tagger ({kind.__name__ if kind else ''}: {error}). The details are in {log}.", 1
    )


def _fail(message: str, code: int) -> int:
    line = printable(" ".join(message.splitlines()))  # one, also where a label's name has two
    print(f"tagger: {line}", file=sys.stderr)
    return code
