"""``tagger predict``, ``explain`` and ``export``: a run is used on new photos, here and in other programs."""

from pathlib import Path
from typing import Annotated, Any

import typer

from tagger.cli.base import USE, app, new_screen
from tagger.cli.options import (
    Landmarks,
    OnExisting,
    Resume,
    Run,
    Thresholds,
)
from tagger.commands.console.given_options import refuse_options
from tagger.commands.console.unreadable import exit_if_unreadable

PREDICT_FORMATS = (
    "csv, tsv, jsonl, parquet, coco, label-studio; imagefolder or folders (copies; with -link: links);"
    " or sidecars: txt, xmp (NAME.jpg.xmp) or xmp-lightroom (NAME.xmp)."
)


@app.command(rich_help_panel=USE)
def predict(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Folder of photos, sub-folders included; or one photo.")],
    run: Run = None,
    out: Annotated[
        Path | None, typer.Option(help="File to write; a folder for sidecars and image folders.")
    ] = None,
    format: Annotated[str, typer.Option(help=PREDICT_FORMATS)] = "csv",
    on_existing: OnExisting = "skip",
    resume: Resume = False,
    thresholds: Thresholds = None,
    landmarks: Landmarks = None,
) -> None:
    """Tag every photo of a folder; or show the labels of one photo."""
    from tagger.commands.predict import predict as call
    from tagger.commands.writers import sidecar_formats

    screen = new_screen()
    if folder.is_file() and out is None and format == "csv":
        reason = "for one photo nothing is written, so it does not apply. Leave it out, or give a folder."
        refuse_options(context, ("format", "on_existing", "resume"), reason)
        _show_photo(folder, run, thresholds, landmarks, screen)
        return
    done = call(
        folder, run=run, out=out, format=format, on_existing=on_existing, resume=resume,
        thresholds=thresholds, landmarks=landmarks, screen=screen,
    )  # fmt: skip
    skipped = f", {done.num_skipped:,} left as they were (see --on-existing)" if done.num_skipped else ""
    screen.say(f"{done.num_images:,} photos tagged{skipped}: {done.out}")
    what = "were not tagged" if format in sidecar_formats.names() else "could not be read"
    exit_if_unreadable([str(problem) for problem in done.unreadable], screen, what)


def _show_photo(
    photo: Path, run: Path | None, thresholds: str | None, landmarks: Path | None, screen: Any
) -> None:
    from tagger.commands.predict_one import predict_one

    rows = [
        [
            tag.label,
            f"{tag.probability:.3f}",
            f"{tag.threshold:.3f}" if tag.threshold <= 1 else "-",
            "yes" if tag.chosen else "",
        ]
        for tag in predict_one(photo, run=run, thresholds=thresholds, landmarks=landmarks, screen=screen)
    ]
    screen.table(photo.name, ["label", "probability", "threshold", "chosen"], rows)


@app.command(rich_help_panel=USE)
def untag(
    folder: Annotated[Path, typer.Argument(help="Folder with sidecars, sub-folders included.")],
    run: Annotated[
        str | None, typer.Option(help="Only what this run wrote (its name). Default: all.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Only what was written from this day on (2026-11-28).")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Only what was written up to this day.")] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Take them back. Without it they are only shown.")
    ] = False,
) -> None:
    """Take back the tags that tagger wrote, and nothing else."""
    from tagger.commands.untag import untag as call
    from tagger.text import counted

    screen = new_screen()
    done = call(folder, run=run, since=since, until=until, write=yes, screen=screen)
    if yes:
        screen.say(f"{counted(len(done.changes) - len(done.problems), 'sidecar')} untagged: {folder}")
    if done.problems:
        screen.say_list(done.problems)
        raise typer.Exit(3)


@app.command(rich_help_panel=USE)
def explain(
    images: Annotated[list[Path], typer.Argument(help="Photos, or folders of photos.")],
    run: Run = None,
    label: Annotated[
        list[str] | None, typer.Option(help="Label to explain. Repeatable. Default: the chosen ones.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the figures.")] = Path("explained"),
    method: Annotated[
        str, typer.Option(help="grad_cam, cam, saliency, glimpses; attention: every head of gated attention.")
    ] = "grad_cam",
    against: Annotated[Path | None, typer.Option(help="A second run, drawn side by side.")] = None,
    average: Annotated[
        bool, typer.Option("--average", help="One more figure: the mean map of each label over all photos.")
    ] = False,
    landmarks: Landmarks = None,
) -> None:
    """Draw heat maps of where the model sees each label."""
    from tagger.commands.explain import explain_images as call
    from tagger.commands.explain import show_explanations
    from tagger.text import counted

    screen = new_screen()
    table = call(
        images, run=run, labels=label, out=out, method=method, against=against, average=average,
        landmarks=landmarks, screen=screen,
    )  # fmt: skip
    if len(table):
        show_explanations(table, screen)
        screen.say(f"Figures of {counted(table['file'].nunique(), 'photo')}: {out}")
        if average:
            screen.say(f"Mean over these photos: {table.attrs['average']}")
    exit_if_unreadable([f"{file}: {reason}" for file, reason in table.attrs["unreadable"].items()], screen)


@app.command(rich_help_panel=USE)
def export(
    out: Annotated[Path, typer.Option(help="File to write; a folder for hub.")],
    run: Run = None,
    format: Annotated[
        str, typer.Option(help="onnx, torchscript, torch-export or hub (a timm folder).")
    ] = "onnx",
    thresholds: Thresholds = None,
) -> None:
    """Write the model as a file for other programs."""
    from tagger.commands.export import export as call

    screen = new_screen()
    written = call(run, out, format=format, thresholds=thresholds, screen=screen)
    screen.say(f"Written: {written}. Its results match the run's on random images and photos.")
