"""The end of a command that could not read some photos: they are listed, and the exit code is 3."""

from typing import Any

import typer


def exit_if_unreadable(lines: list[str], screen: Any) -> None:
    """Show the first unreadable photos on the ``screen``, and exit with code 3; nothing without ``lines``."""
    if not lines:
        return
    from tagger.text import counted

    screen.say(f"{counted(len(lines), 'photo')} could not be read:")
    screen.say_list(lines)
    raise typer.Exit(3)
