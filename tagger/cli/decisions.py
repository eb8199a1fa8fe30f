"""``tagger decisions``: what people decided is listed, exported, imported, merged and backed up."""

from pathlib import Path
from typing import Annotated

import typer

from tagger.cli.base import REVIEW, app, new_screen
from tagger.cli.options import Moved, Run, Store

decisions = typer.Typer(
    help="Look after the decisions of reviewers: list them, carry them to another store, back them up.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(
    decisions,
    name="decisions",
    short_help="Export, import, merge and back up decisions.",
    rich_help_panel=REVIEW,
)
Report = Annotated[Path | None, typer.Option("--out", help="Also write the table to this .csv or .tsv file.")]


@decisions.command()
def disagreements(run: Run = None, store: Store = None, data: Moved = None, out: Report = None) -> None:
    """List the labels on which people differ."""
    from tagger.commands.decisions.disagreements import disagreements as call

    call(run, out=out, store=store, data=data, screen=new_screen())
