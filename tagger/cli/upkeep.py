"""``tagger data`` and ``demo``: data sets are looked after."""

from pathlib import Path
from typing import Annotated

import typer

from tagger.cli.base import KEEP, app, new_screen
from tagger.commands.data_write import app as data_app

app.add_typer(
    data_app,
    name="data",
    short_help="Examine a data set; change and convert its labels.",
    rich_help_panel=KEEP,
)


@app.command(rich_help_panel=KEEP)
def demo(
    out: Annotated[Path, typer.Option(help="Folder to make.")] = Path("demo"),
) -> None:
    """Run the whole loop on generated photos."""
    from data_tools.demo_loop import run_demo

    run_demo(out, new_screen())
