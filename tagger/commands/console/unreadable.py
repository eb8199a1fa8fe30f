"""The end of a command that could not read or tag some photos: they are listed, and the exit code is 3."""

from typing import Any

import typer


def exit_if_unreadable(lines: list[str], screen: Any, what: str = "could not be read") -> None:
    """Show the first unreadable photos on the ``screen``, and exit with code 3; nothing without ``lines``.

    ``what`` says what happened to them.
    """
    if not lines:
        return
    from tagger.text import counted

    screen.say(f"{counted(len(lines), 'photo')} {what}:")
    screen.say_list(lines)
    raise typer.Exit(3)
