"""``tagger train``, ``evaluate``, ``retrain`` and ``compare``: a run is made and measured."""

from pathlib import Path
from typing import Annotated

import typer

from tagger.cli.base import TRAIN, app, new_screen
from tagger.cli.options import (
    AcceptEdited,
    Data,
    JsonReport,
    Labels,
    Landmarks,
    Moved,
    NewRun,
    OnDisagreement,
    Resume,
    Run,
    Store,
)
from tagger.commands.console.unreadable import exit_if_unreadable
from tagger.errors import TaggerError

GROW = "Also learn photos and labels that were added, changed or removed since."
RENAMED = "OLD=NEW: a label has another name in the table now; OLD=: it is gone. With --grow. Repeatable."
FROM = "A run to start from: its weights, what it learnt of labels, and its settings."
PRESETS = "quick, standard (the default) or best; a FILE.toml of settings; or a run folder, for its settings."


@app.command(rich_help_panel=TRAIN)
def train(
    data: Data = None,
    run: NewRun = None,
    preset: Annotated[str | None, typer.Option(help=PRESETS)] = None,
    backbone: Annotated[str | None, typer.Option(help="Name of a timm model.")] = None,
    weights: Annotated[
        str | None, typer.Option(help="Starting weights: hub (download), none (random), or a FILE.")
    ] = None,
    labels: Labels = None,
    resume: Resume = False,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="A setting, such as train.epochs=10. Repeatable.")
    ] = None,
    from_run: Annotated[Path | None, typer.Option("--from", help=FROM)] = None,
) -> None:
    """Train on a folder of labelled photos."""
    from tagger.commands.train import train as call

    screen = new_screen()
    folder = call(
        data, run=run, preset=preset, backbone=backbone, weights=weights, labels=labels,
        resume=resume, overrides=set_ or [], from_run=from_run, screen=screen,
    )  # fmt: skip
    screen.say(f"Next: tagger suspects --run {folder.path}, or tagger predict FOLDER --run {folder.path}")
    if folder.load_unreadable():
        raise typer.Exit(3)


@app.command(rich_help_panel=TRAIN)
def evaluate(
    data: Data = None,
    run: Run = None,
    labels: Labels = None,
    landmarks: Landmarks = None,
    out: JsonReport = None,
) -> None:
    """Measure a run on other labelled photos."""
    from tagger.commands.console.json_report import check_json_report, save_json_report
    from tagger.commands.console.metrics_report import report
    from tagger.commands.evaluate import evaluate as call

    screen = new_screen()
    if data is None:
        raise TaggerError("No photo folder was given. Give --data DIR.")
    check_json_report(out)
    result = call(data, run, labels=labels, landmarks=landmarks, screen=screen)
    save_json_report(result, out)
    report(result, f"folder {data}", screen, rest="--out FILE has all")
    exit_if_unreadable([f"{file}: {reason}" for file, reason in result["unreadable"].items()], screen)


@app.command(rich_help_panel=TRAIN)
def retrain(
    run: Run = None,
    out: NewRun = None,
    store: Store = None,
    data: Moved = None,
    resume: Resume = False,
    on_disagreement: OnDisagreement = None,
    grow: Annotated[bool, typer.Option("--grow", help=GROW)] = False,
    renamed: Annotated[list[str] | None, typer.Option("--renamed", help=RENAMED)] = None,
    accept_edited: AcceptEdited = False,
) -> None:
    """Retrain on the corrected labels, and compare the runs."""
    from tagger.commands.retrain import retrain as call
    from tagger.commands.steps.settle_choice import next_run_option

    screen = new_screen()
    folder = call(
        run, out=out, store=store, data=data, resume=resume, on_disagreement=on_disagreement, grow=grow,
        renamed=renamed or [], accept_edited=accept_edited, screen=screen,
    )  # fmt: skip
    screen.say(f"Next: tagger predict FOLDER{next_run_option(folder)}")


@app.command(rich_help_panel=TRAIN)
def compare(
    run_a: Annotated[Path, typer.Argument(help="A run folder, such as the previous one.")],
    run_b: Annotated[Path, typer.Argument(help="Another run folder, such as the retrained one.")],
    out: JsonReport = None,
) -> None:
    """Compare two runs on their common test photos."""
    from tagger.commands.compare import compare as call
    from tagger.commands.compare import show_comparison
    from tagger.commands.console.json_report import check_json_report, save_json_report

    check_json_report(out)
    result = call(run_a, run_b)
    save_json_report(result, out)
    show_comparison(result, new_screen(), first=run_a.name, second=run_b.name)
