"""``tagger decisions``: what people decided is listed, exported, imported, merged and backed up."""

from pathlib import Path
from typing import Annotated

import typer

from tagger.cli.base import REVIEW, app, new_screen
from tagger.cli.options import Moved, Run, Store
from tagger.commands.console.given_options import refuse_options
from tagger.errors import TaggerError

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
Preview = Annotated[bool, typer.Option("--preview", help="Show what would come in; change nothing.")]
Who = Annotated[str | None, typer.Option("--reviewer", help="Your name. Default: that of your account.")]
Number = Annotated[
    int | None, typer.Argument(help="Number in tagger decisions history. Default: the last one.")
]
Report = Annotated[Path | None, typer.Option("--out", help="Also write the table to this .csv or .tsv file.")]


@decisions.command()
def disagreements(run: Run = None, store: Store = None, data: Moved = None, out: Report = None) -> None:
    """List the labels on which people differ."""
    from tagger.commands.decisions.disagreements import disagreements as call

    call(run, out=out, store=store, data=data, screen=new_screen())


@decisions.command()
def export(
    out: Annotated[Path, typer.Option(help="File to write: .csv or .tsv for a spreadsheet, or .jsonl.")],
    run: Run = None,
    store: Store = None,
    data: Moved = None,
) -> None:
    """Write all decisions and label changes to a file."""
    from tagger.commands.decisions.export import export_decisions as call

    call(out, run=run, store=store, data=data, screen=new_screen())


@decisions.command("import")
def import_(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(help="A file of decisions; with --as verified, a label file or folder.")
    ],
    as_: Annotated[
        str, typer.Option("--as", help="decisions; or verified: a table of labels that a person has checked.")
    ] = "decisions",
    preview: Preview = False,
    label: Annotated[
        list[str] | None, typer.Option(help="With --as verified: only this label. Repeatable.")
    ] = None,
    dates: Annotated[
        str | None, typer.Option(help="day-first or month-first, where dates such as 04/05/2026 do not tell.")
    ] = None,
    reviewer: Who = None,
    run: Run = None,
    store: Store = None,
    data: Moved = None,
) -> None:
    """Add decisions from a file; each counts once."""
    from tagger.commands.decisions.import_decisions import import_decisions
    from tagger.commands.decisions.import_verified import import_verified

    if as_ not in ("decisions", "verified"):
        raise TaggerError(f"--as {as_}: unknown. Available: decisions, verified")
    who, screen = _who(reviewer), new_screen()
    if as_ == "verified":
        refuse_options(context, ("dates",), "a table of labels has no dates. Leave it out.")
        import_verified(
            file, labels=label, run=run, store=store, data=data, reviewer=who, preview=preview, screen=screen
        )
        return
    refuse_options(context, ("label",), "only with --as verified. Leave it out.")
    _, problems = import_decisions(
        file, run=run, store=store, data=data, reviewer=who, dates=dates, preview=preview, screen=screen
    )
    if problems:
        raise typer.Exit(3)


@decisions.command()
def merge(
    source: Annotated[str, typer.Argument(help="The other store: its URL, its file or its photo folder.")],
    into: Annotated[
        str | None,
        typer.Option(
            envvar="TAGGER_STORE", help="The store that gets them, named likewise. Default: that of the run."
        ),
    ] = None,
    preview: Preview = False,
    reviewer: Who = None,
    run: Run = None,
    data: Moved = None,
) -> None:
    """Add all decisions of another store; each counts once."""
    from tagger.commands.decisions.merge import merge_stores as call

    call(source, into=into, run=run, data=data, reviewer=_who(reviewer), preview=preview, screen=new_screen())


@decisions.command()
def history(run: Run = None, store: Store = None, data: Moved = None) -> None:
    """List the imports into a store."""
    from tagger.commands.decisions.history import history as call

    call(run=run, store=store, data=data, screen=new_screen())


@decisions.command()
def undo(
    number: Number = None, reviewer: Who = None, run: Run = None, store: Store = None, data: Moved = None
) -> None:
    """Take back an import as a whole."""
    from tagger.commands.decisions.history import undo_import as call

    call(number, run=run, store=store, data=data, reviewer=_who(reviewer), screen=new_screen())


@decisions.command()
def redo(
    number: Number = None, reviewer: Who = None, run: Run = None, store: Store = None, data: Moved = None
) -> None:
    """Bring back an import that was taken back."""
    from tagger.commands.decisions.history import undo_import as call

    call(number, redo=True, run=run, store=store, data=data, reviewer=_who(reviewer), screen=new_screen())


@decisions.command()
def backup(
    out: Annotated[
        Path | None, typer.Option(help="File to write. Default: a new one in backups, beside the store.")
    ] = None,
    run: Run = None,
    store: Store = None,
    data: Moved = None,
) -> None:
    """Copy a store, also while the app is running."""
    from tagger.commands.decisions.backups import back_up
    from tagger.commands.decisions.place import find_place

    screen = new_screen()
    screen.say(f"Backup: {back_up(find_place(run, store, data, screen.say), out)}")


@decisions.command()
def restore(
    file: Annotated[Path, typer.Argument(help="The backup: a .db file.")],
    run: Run = None,
    store: Store = None,
    data: Moved = None,
) -> None:
    """Put a backup in the place of a store."""
    from tagger.commands.decisions.restore import restore_store as call

    call(file, run=run, store=store, data=data, screen=new_screen())


def _who(reviewer: str | None) -> str:
    """The name that was given, or that of the account."""
    from getpass import getuser

    try:
        return (reviewer or getuser()).strip() or "reviewer"
    except (OSError, KeyError):
        return "reviewer"
