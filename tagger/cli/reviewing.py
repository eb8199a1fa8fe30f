"""``tagger suspects``, ``review`` and ``apply``: labels are checked and written."""

from pathlib import Path
from typing import Annotated

import typer

from tagger.cli.base import REVIEW, app, new_screen
from tagger.cli.options import (
    STORE,
    AcceptEdited,
    Moved,
    OnDisagreement,
    OnExisting,
    Run,
    Store,
)
from tagger.commands.console.given_options import refuse_on_existing
from tagger.commands.console.unreadable import exit_if_unreadable


@app.command(rich_help_panel=REVIEW)
def suspects(
    run: Run = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of labels to list.")] = 100_000,
    store: Annotated[str | None, typer.Option(help=STORE)] = None,
    data: Moved = None,
) -> None:
    """List the labels that are most likely wrong."""
    from tagger.commands.suspects import suspects as call
    from tagger.runs import find_run

    screen = new_screen()
    folder = find_run(run, screen.say)
    call(folder, limit=limit, store=store, data=data, screen=screen)
    screen.say(f"Next: tagger review --run {folder.path}")


@app.command(rich_help_panel=REVIEW)
def review(
    run: Run = None,
    host: Annotated[str, typer.Option(help="Address to listen on. Other machines need a key.")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Default: the first free one from 8501 on.")
    ] = None,
    store: Annotated[str | None, typer.Option(help=STORE)] = None,
    data: Moved = None,
    reviewer: Annotated[str | None, typer.Option(help="Your name. Default: that of your account.")] = None,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
    new_store: Annotated[
        bool, typer.Option("--new-store", help="Start a new database at --store, also in an empty folder.")
    ] = False,
) -> None:
    """Check the suspects in the browser; one key press answers each."""
    from tagger.commands.taken_off import offer_before_review
    from tagger.ui.server.launch import serve

    screen = new_screen()
    offer_before_review(run, data, store, screen)
    serve(
        run, host=host, port=port, store=store, data=data, reviewer=reviewer, browser=browser,
        new_store=new_store, say=screen.say,
    )  # fmt: skip


@app.command(rich_help_panel=REVIEW)
def apply(
    context: typer.Context,
    out: Annotated[
        Path, typer.Option(help="File to write; a folder for sidecars. A list of changes goes beside it.")
    ],
    run: Run = None,
    store: Store = None,
    data: Moved = None,
    format: Annotated[str, typer.Option(help="csv, or any format of tagger predict.")] = "csv",
    on_existing: OnExisting = "skip",
    on_disagreement: OnDisagreement = None,
    accept_edited: AcceptEdited = False,
) -> None:
    """Write your labels, corrected by all review decisions."""
    from tagger.commands.apply import apply as call

    screen = new_screen()
    refuse_on_existing(context, format)
    written = call(
        run, out=out, format=format, on_existing=on_existing, on_disagreement=on_disagreement or "skip",
        store=store, data=data, accept_edited=accept_edited, screen=screen,
    )  # fmt: skip
    exit_if_unreadable([str(problem) for problem in written.problems], screen, "were not tagged")
    if written.missing:  # they are listed already
        raise typer.Exit(3)
    screen.say(f"Next: tagger train --data DIR --labels {written.out}")
