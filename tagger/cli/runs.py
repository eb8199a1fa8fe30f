"""``tagger runs``: list, choose, name, move and delete runs."""

from pathlib import Path
from typing import Annotated

import typer

from tagger.cli.base import KEEP, app, new_screen
from tagger.cli.options import JsonReport, Store
from tagger.errors import TaggerError

runs_app = typer.Typer(
    help="List, choose, name, move and delete runs. Without a command: list those in ./runs.",
    rich_markup_mode=None,
)
app.add_typer(
    runs_app, name="runs", short_help="List runs; choose, name, move or delete one.", rich_help_panel=KEEP
)
RunArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="Run folder, or the name of a run in ./runs.")
]
Folder = Annotated[Path | None, typer.Argument(help="Folder of runs. Default: ./runs.")]
All = Annotated[bool, typer.Option("--all", help="Show all runs, not only the newest.")]


@runs_app.callback(invoke_without_command=True)
def runs(context: typer.Context) -> None:
    """List, choose, name, move and delete runs. Without a command: list those in ./runs."""
    if context.invoked_subcommand is None:
        list_()


@runs_app.command("list")
def list_(folder: Folder = None, store: Store = None, all_: All = False, out: JsonReport = None) -> None:
    """List the runs of a folder: date, photos, mAP, size, decisions, and which one is chosen."""
    from tagger.commands.console.json_report import check_json_report, save_json_report
    from tagger.commands.runs import list_runs, show_list

    check_json_report(out, ("folder", "runs"))
    listing = list_runs(folder, store=store)
    save_json_report(listing.to_json(), out)
    show_list(listing, new_screen(), all_=all_)


@runs_app.command()
def show(run: RunArgument, store: Store = None, out: JsonReport = None) -> None:
    """Show what is known of one run, and what depends on it."""
    from tagger.commands.console.json_report import check_json_report, save_json_report
    from tagger.commands.runs import describe_run, show_details, to_json

    check_json_report(out, ("path", "state"))
    found, children = describe_run(run, store=store)
    save_json_report(to_json(found) | {"children": children}, out)
    show_details(found, children, new_screen())


@runs_app.command()
def choose(run: RunArgument) -> None:
    """Choose the run that commands use where no --run is given."""
    from tagger.commands.runs_write import choose_run

    choose_run(run, new_screen())


@runs_app.command()
def name(
    run: RunArgument,
    name: Annotated[str, typer.Argument(help='The name, which --run takes, too. "": no name.')],
) -> None:
    """Give a run a name."""
    from tagger.commands.runs_write import name_run

    name_run(run, name, new_screen())


@runs_app.command()
def move(
    run: RunArgument,
    data: Annotated[Path | None, typer.Option(help="Where the photos are now.")] = None,
    to: Annotated[Path | None, typer.Option(help="Move the run folder itself: its new place.")] = None,
) -> None:
    """Note where a run's photos are now, or move the run folder itself."""
    from tagger.commands.runs_move import move_run, move_run_folder

    if data is None and to is None:
        raise TaggerError("Say what was moved: --data DIR for the photos, or --to FOLDER for the run itself.")
    screen = new_screen()
    if to is not None:
        run = move_run_folder(run, to, screen).path
    if data is not None:
        move_run(run, data, screen)


@runs_app.command()
def delete(run: RunArgument, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Delete a run, after a look at what depends on it. Decisions and photos are never deleted."""
    from tagger.commands.runs_write import delete_run

    delete_run(run, new_screen(), confirm=lambda: yes or _confirm())


def _confirm() -> bool:
    """Ask on the terminal. TaggerError where nobody can answer."""
    import sys

    if not sys.stdin.isatty():
        raise TaggerError("Nothing was deleted: nobody can be asked here. To delete it: --yes.")
    return typer.confirm("Delete it?")
