"""The app of the command line, the sections of its help, and the screen that commands write on."""

from typing import Any

import typer
from typer.core import TyperGroup

TRAIN = "Train and measure"
REVIEW = "Review labels"
USE = "Use a model"
KEEP = "Look after runs and data"
SECTIONS = (TRAIN, REVIEW, USE, KEEP)  # of ``tagger --help``, in its order


class SectionedGroup(TyperGroup):
    """A group whose help lists commands in the sections that they name with ``rich_help_panel``."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write each section; all names in one column, so that descriptions begin at the same place."""
        found = {
            name: command for name in self.list_commands(ctx) if (command := self.get_command(ctx, name))
        }
        width = max(map(len, found))
        for section in SECTIONS:
            rows = [
                (name.ljust(width), command.get_short_help_str(formatter.width - 6 - width))
                for name, command in found.items()
                if (getattr(command, "rich_help_panel", None) or KEEP) == section
            ]
            if rows:
                with formatter.section(section):
                    formatter.write_dl(rows)


app = typer.Typer(
    cls=SectionedGroup,
    help="Train an image tagger on imperfect labels, review the likely errors, retrain, and tag new photos.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def new_screen() -> Any:
    """The screen of a command. Imported when it is due: the help needs none."""
    from tagger.commands.console.screen import Screen

    return Screen()
