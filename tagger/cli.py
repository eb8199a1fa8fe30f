"""The ``tagger`` command line: the options of each command, and one call. Heavy imports wait for the call.

Exit codes: ``tagger/exit_codes.py``.
"""

import gc
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tagger.commands.console.given_options import refuse_on_existing, refuse_options
from tagger.commands.console.unreadable import exit_if_unreadable
from tagger.commands.data_write import app as data_app
from tagger.errors import TaggerError
from tagger.exit_codes import exit_code_of, force_exit_on_ctrl_c

app = typer.Typer(
    help="Train an image tagger on imperfect labels, review the likely errors, retrain, and tag new photos.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(data_app, name="data", short_help="Examine a data set; change and convert its labels.")

Data = Annotated[Path | None, typer.Option("--data", help="Folder of photos with labels.")]
Run = Annotated[Path | None, typer.Option("--run", help="Run folder. Default: the newest in ./runs.")]
NewRun = Annotated[Path | None, typer.Option(help="Run folder to write. Default: a new one in ./runs.")]
Labels = Annotated[
    Path | None, typer.Option(help="Label file or folder. Default: found in the photo folder.")
]
STORE = "Database of decisions. Default: DATA/.tagger/review.db."
Moved = Annotated[Path | None, typer.Option("--data", help="The data folder of the run, if it was moved.")]
Store = Annotated[str | None, typer.Option("--store", envvar="TAGGER_STORE", help=STORE)]
Resume = Annotated[bool, typer.Option("--resume", help="Continue an interrupted command.")]
Thresholds = Annotated[str | None, typer.Option(help="A threshold set saved in the review app.")]
OnExisting = Annotated[
    str,
    typer.Option(
        help="Existing sidecars: skip, merge or overwrite. An existing table: skip is an error, or overwrite."
    ),
]
JsonReport = Annotated[Path | None, typer.Option(help="Also write the full result to this JSON file.")]
PREDICT_FORMATS = (
    "csv, tsv, jsonl, parquet, coco, label-studio; imagefolder or folders (copies; with -link: links);"
    " or sidecars: txt, xmp (NAME.jpg.xmp) or xmp-lightroom (NAME.xmp)."
)


@app.command()
def train(
    data: Data = None,
    run: NewRun = None,
    preset: Annotated[str | None, typer.Option(help="quick, standard (the default) or best.")] = None,
    backbone: Annotated[str | None, typer.Option(help="Name of a timm model.")] = None,
    weights: Annotated[
        str | None, typer.Option(help="Starting weights: hub (download), none (random), or a FILE.")
    ] = None,
    labels: Labels = None,
    resume: Resume = False,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="A setting, such as train.epochs=10. Repeatable.")
    ] = None,
) -> None:
    """Train on a folder of labelled photos."""
    from tagger.commands.train import train as call

    screen = _screen()
    folder = call(
        data, run=run, preset=preset, backbone=backbone, weights=weights, labels=labels,
        resume=resume, overrides=set_ or [], screen=screen,
    )  # fmt: skip
    screen.say(f"Next: tagger suspects --run {folder.path}, or tagger predict FOLDER --run {folder.path}")
    if folder.load_unreadable():
        raise typer.Exit(3)


@app.command()
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
) -> None:
    """Tag every photo of a folder; or show the labels of one photo."""
    from tagger.commands.predict import predict as call

    screen = _screen()
    if folder.is_file() and out is None and format == "csv":
        reason = "for one photo nothing is written, so it does not apply. Leave it out, or give a folder."
        refuse_options(context, ("format", "on_existing", "resume"), reason)
        _show_photo(folder, run, thresholds, screen)
        return
    done = call(
        folder, run=run, out=out, format=format, on_existing=on_existing, resume=resume,
        thresholds=thresholds, screen=screen,
    )  # fmt: skip
    skipped = f", {done.num_skipped:,} left as they were (see --on-existing)" if done.num_skipped else ""
    screen.say(f"{done.num_images:,} photos tagged{skipped}: {done.out}")
    exit_if_unreadable([str(problem) for problem in done.unreadable], screen)


def _show_photo(photo: Path, run: Path | None, thresholds: str | None, screen: Any) -> None:
    from tagger.commands.predict_one import predict_one

    rows = [
        [
            tag.label,
            f"{tag.probability:.3f}",
            f"{tag.threshold:.3f}" if tag.threshold <= 1 else "-",
            "yes" if tag.chosen else "",
        ]
        for tag in predict_one(photo, run=run, thresholds=thresholds, screen=screen)
    ]
    screen.table(photo.name, ["label", "probability", "threshold", "chosen"], rows)


@app.command()
def evaluate(data: Data = None, run: Run = None, labels: Labels = None, out: JsonReport = None) -> None:
    """Measure a run on other labelled photos."""
    from tagger.commands.console.json_report import check_json_report, save_json_report
    from tagger.commands.console.metrics_report import report
    from tagger.commands.evaluate import evaluate as call

    screen = _screen()
    if data is None:
        raise TaggerError("No photo folder was given. Give --data DIR.")
    check_json_report(out)
    result = call(data, run, labels=labels, screen=screen)
    report(result, f"folder {data}", screen, rest="--out FILE has all")
    save_json_report(result, out)
    exit_if_unreadable([f"{file}: {reason}" for file, reason in result["unreadable"].items()], screen)


@app.command()
def suspects(
    run: Run = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of labels to list.")] = 100_000,
    store: Annotated[str | None, typer.Option(help=STORE)] = None,
    data: Moved = None,
) -> None:
    """List the labels that are most likely wrong."""
    from tagger.commands.suspects import suspects as call
    from tagger.runs import find_run

    screen = _screen()
    folder = find_run(run)
    call(folder, limit=limit, store=store, data=data, screen=screen)
    screen.say(f"Next: tagger review --run {folder.path}")


@app.command()
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
) -> None:
    """Check the suspects in the browser; one key press answers each."""
    from tagger.ui.server.launch import serve

    serve(
        run, host=host, port=port, store=store, data=data, reviewer=reviewer, browser=browser,
        say=_screen().say,
    )  # fmt: skip


@app.command()
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
) -> None:
    """Write your labels, corrected by all review decisions."""
    from tagger.commands.apply import apply as call

    screen = _screen()
    refuse_on_existing(context, format)
    written = call(
        run, out=out, format=format, on_existing=on_existing, store=store, data=data, screen=screen
    )
    exit_if_unreadable([str(problem) for problem in written.problems], screen)
    screen.say(f"Next: tagger train --data DIR --labels {written.out}")


@app.command()
def retrain(
    run: Run = None, out: NewRun = None, store: Store = None, data: Moved = None, resume: Resume = False
) -> None:
    """Retrain on the corrected labels, and compare the runs."""
    from tagger.commands.retrain import retrain as call

    screen = _screen()
    folder = call(run, out=out, store=store, data=data, resume=resume, screen=screen)
    screen.say(f"Next: tagger predict FOLDER --run {folder.path}")


@app.command()
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
    show_comparison(result, _screen(), first=run_a.name, second=run_b.name)
    save_json_report(result, out)


@app.command()
def explain(
    images: Annotated[list[Path], typer.Argument(help="Photos, or folders of photos.")],
    run: Run = None,
    label: Annotated[
        list[str] | None, typer.Option(help="Label to explain. Repeatable. Default: the chosen ones.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the figures.")] = Path("explained"),
    method: Annotated[str, typer.Option(help="grad_cam, cam or saliency.")] = "grad_cam",
    against: Annotated[Path | None, typer.Option(help="A second run, drawn side by side.")] = None,
) -> None:
    """Draw heat maps of where the model sees each label."""
    from tagger.commands.explain import explain_images as call
    from tagger.commands.explain import show_explanations
    from tagger.text import counted

    screen = _screen()
    table = call(images, run=run, labels=label, out=out, method=method, against=against, screen=screen)
    if len(table):
        show_explanations(table, screen)
        screen.say(f"Figures of {counted(table['file'].nunique(), 'photo')}: {out}")
    exit_if_unreadable([f"{file}: {reason}" for file, reason in table.attrs["unreadable"].items()], screen)


@app.command()
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

    screen = _screen()
    written = call(run, out, format=format, thresholds=thresholds, screen=screen)
    screen.say(f"Written: {written}. Its results match the run's on random images and photos.")


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder to make.")] = Path("demo"),
) -> None:
    """Run the whole loop on generated photos."""
    from data_tools.demo_loop import run_demo

    run_demo(out, _screen())


def main() -> None:
    """The entry point: run a command; an error becomes one line and an exit code."""
    gc.set_threshold(50_000, 20, 50)  # else loading torch collects a million objects again and again
    with force_exit_on_ctrl_c():
        sys.exit(exit_code_of(lambda: app(standalone_mode=False, prog_name="tagger")))


def _screen() -> Any:
    from tagger.commands.console.screen import Screen

    return Screen()


if __name__ == "__main__":
    main()
