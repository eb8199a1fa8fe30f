"""The ``tagger`` command line: options of each command, and one call for it. Heavy imports wait for the call.

Nothing heavy is imported before a command runs.

How a command ends, and with which exit code: ``tagger/exit_codes.py``.
"""

import gc
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tagger.commands.data_write import app as data_app
from tagger.errors import TaggerError
from tagger.exit_codes import exit_code_of, force_exit_on_ctrl_c

app = typer.Typer(
    help="Train an image tagger on imperfect labels, find the wrong ones, settle them, learn from it, tag new images.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(data_app, name="data", short_help="Look at a data set, change and convert its labels.")

Data = Annotated[Path | None, typer.Option("--data", help="Folder of images with labels.")]
Run = Annotated[Path | None, typer.Option("--run", help="Run folder; default: the newest in ./runs.")]
Labels = Annotated[
    Path | None, typer.Option("--labels", help="Label file or folder, instead of what is found in DIR.")
]
Store = Annotated[
    str | None,
    typer.Option(
        "--store", envvar="TAGGER_STORE", help="Where the decisions are; default: DATA/.tagger/review.db."
    ),
]


@app.command()
def train(
    data: Data = None,
    run: Annotated[
        Path | None, typer.Option("--run", help="Where to; default: a new folder in ./runs.")
    ] = None,
    preset: Annotated[str, typer.Option(help="quick, standard or best.")] = "standard",
    backbone: Annotated[str | None, typer.Option(help="Any timm model.")] = None,
    weights: Annotated[str | None, typer.Option(help="FILE (.safetensors, .pth), hub or none.")] = None,
    labels: Labels = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted training.")] = False,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="section.key=value; may be repeated.")
    ] = None,
) -> None:
    """Train on a folder of labelled images."""
    from tagger.commands.train import train as call

    screen = _screen()
    folder = call(
        data,
        run=run,
        preset=preset,
        backbone=backbone,
        weights=weights,
        labels=labels,
        resume=resume,
        overrides=set_ or [],
        screen=screen,
    )
    screen.say(f"Tag a folder with it: tagger predict FOLDER --run {folder.path}")
    if folder.load_unreadable():
        raise typer.Exit(3)


@app.command()
def predict(
    folder: Annotated[
        Path, typer.Argument(help="Folder of images to tag, sub-folders too; or one photo, to see.")
    ],
    run: Run = None,
    out: Annotated[
        Path | None, typer.Option(help="File to write; a folder for sidecars and image folders.")
    ] = None,
    format: Annotated[
        str,
        typer.Option(
            help="csv, tsv, jsonl, parquet, coco, label-studio; imagefolder or folders (copies; with -link: links);"
            " or sidecars: txt, xmp (NAME.jpg.xmp) or xmp-lightroom (NAME.xmp)."
        ),
    ] = "csv",
    on_existing: Annotated[
        str, typer.Option(help="skip, overwrite or merge what is there already.")
    ] = "skip",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted prediction.")] = False,
    thresholds: Annotated[
        str | None, typer.Option(help="A threshold set that was saved in the review app.")
    ] = None,
) -> None:
    """Tag every image of a folder; or show the labels of one photo."""
    from tagger.commands.predict import predict as call

    screen = _screen()
    if folder.is_file() and out is None and format == "csv":
        if resume or on_existing != "skip":
            raise TaggerError(
                "One photo's labels are shown, not written: leave out --resume and --on-existing, or give its folder."
            )
        _show_photo(folder, run, thresholds, screen)
        return
    done = call(
        folder,
        run=run,
        out=out,
        format=format,
        on_existing=on_existing,
        resume=resume,
        thresholds=thresholds,
        screen=screen,
    )
    skipped = f", {done.num_skipped:,} with a sidecar kept as they are" if done.num_skipped else ""
    screen.say(f"{done.num_images:,} images tagged{skipped}: {done.out}")
    _exit_if_unreadable([str(problem) for problem in done.unreadable], screen)


def _show_photo(photo: Path, run: Path | None, thresholds: str | None, screen: Any) -> None:
    from tagger.commands.predict_one import predict_one

    rows = [
        [tag.label, f"{tag.probability:.3f}", f"{tag.threshold:.3f}", "yes" if tag.chosen else ""]
        for tag in predict_one(photo, run=run, thresholds=thresholds, screen=screen)
    ]
    screen.table(photo.name, ["label", "probability", "threshold", "chosen"], rows)


@app.command()
def evaluate(
    data: Data = None,
    run: Run = None,
    labels: Labels = None,
    out: Annotated[Path | None, typer.Option(help="Also write everything as JSON to this file.")] = None,
) -> None:
    """Measure a run on other labelled images."""
    from tagger.commands.console.metrics_report import report
    from tagger.commands.evaluate import evaluate as call

    screen = _screen()
    if data is None:
        raise TaggerError("Which images? Give --data DIR.")
    _check_json(out)
    result = call(data, run, labels=labels, screen=screen)
    report(result, f"folder {data}", screen, rest="--out FILE has all")
    if out is not None:
        _write_json(out, result)
    _exit_if_unreadable([f"{file}: {reason}" for file, reason in result["unreadable"].items()], screen)


@app.command()
def suspects(
    run: Run = None,
    limit: Annotated[int, typer.Option(min=1, help="Most cells to list.")] = 100_000,
    store: Annotated[
        str | None, typer.Option(help="Review store; default: the one in the data folder.")
    ] = None,
) -> None:
    """Find the labels most likely wrong."""
    from tagger.commands.suspects import suspects as call
    from tagger.runs import find_run

    screen = _screen()
    folder = find_run(run)
    call(folder, limit=limit, store=store, screen=screen)
    screen.say(f"Settle them: tagger review --run {folder.path}")


@app.command()
def review(
    run: Run = None,
    host: Annotated[
        str, typer.Option(help="Where to listen; beyond this machine a key is asked for.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Default: the first free one from 8501 on.")
    ] = None,
    store: Annotated[
        str | None, typer.Option(help="Database of decisions; default: DATA/.tagger/review.db.")
    ] = None,
    reviewer: Annotated[str | None, typer.Option(help="Your name; default: that of your account.")] = None,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
) -> None:
    """Settle the suspects in the browser, one key each."""
    from tagger.ui.server.launch import serve

    serve(run, host=host, port=port, store=store, reviewer=reviewer, browser=browser, say=_screen().say)


@app.command()
def apply(
    out: Annotated[
        Path, typer.Option(help="The file or, for sidecars, folder to write; a list of changes beside it.")
    ],
    run: Run = None,
    store: Store = None,
    format: Annotated[str, typer.Option(help="csv, or any format of tagger predict.")] = "csv",
    on_existing: Annotated[
        str, typer.Option(help="skip, overwrite or merge sidecars that are there.")
    ] = "skip",
) -> None:
    """Write the labels with all decisions in them."""
    from tagger.commands.apply import apply as call

    screen = _screen()
    written = call(run, out=out, format=format, on_existing=on_existing, store=store, screen=screen)
    _exit_if_unreadable([str(problem) for problem in written.problems], screen)
    screen.say(f"Train on them: tagger train --data DIR --labels {written.out}")


@app.command()
def retrain(
    run: Run = None,
    out: Annotated[Path | None, typer.Option(help="Where to; default: a new folder in ./runs.")] = None,
    store: Store = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted retraining.")] = False,
) -> None:
    """Learn from the decisions: a new run, compared with the last one."""
    from tagger.commands.retrain import retrain as call

    screen = _screen()
    folder = call(run, out=out, store=store, resume=resume, screen=screen)
    screen.say(f"Tag a folder with it: tagger predict FOLDER --run {folder.path}")


@app.command()
def compare(
    run_a: Annotated[Path, typer.Argument(help="A run folder, such as the one before.")],
    run_b: Annotated[Path, typer.Argument(help="Another run folder, such as the one after.")],
    out: Annotated[Path | None, typer.Option(help="Also write everything as JSON to this file.")] = None,
) -> None:
    """Say how much better one run is than another."""
    from tagger.commands.compare import compare as call
    from tagger.commands.compare import show_comparison

    _check_json(out)
    result = call(run_a, run_b)
    show_comparison(result, _screen(), first=run_a.name, second=run_b.name)
    if out is not None:
        _write_json(out, result)


@app.command()
def explain(
    images: Annotated[list[Path], typer.Argument(help="Photos, or folders of photos.")],
    run: Run = None,
    label: Annotated[
        list[str] | None, typer.Option(help="A label to look for; may be repeated. Default: its own.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path("explained"),
    method: Annotated[str, typer.Option(help="grad_cam, cam or saliency.")] = "grad_cam",
    against: Annotated[Path | None, typer.Option(help="A second run, to see both side by side.")] = None,
) -> None:
    """Draw where on photos the model sees their labels."""
    from tagger.commands.explain import explain_images as call
    from tagger.commands.explain import show_explanations
    from tagger.text import counted

    screen = _screen()
    table = call(images, run=run, labels=label, out=out, method=method, against=against, screen=screen)
    if len(table):
        show_explanations(table, screen)
        screen.say(f"Pictures of {counted(table['file'].nunique(), 'photo')}: {out}")
    _exit_if_unreadable([f"{file}: {reason}" for file, reason in table.attrs["unreadable"].items()], screen)


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="The file to write; a folder for hub.")],
    run: Run = None,
    format: Annotated[
        str, typer.Option(help="onnx, torchscript, torch-export or hub (a timm folder).")
    ] = "onnx",
    thresholds: Annotated[
        str | None, typer.Option(help="A threshold set that was saved in the review app.")
    ] = None,
) -> None:
    """Write the model as a file for other programs."""
    from tagger.commands.export import export as call

    screen = _screen()
    written = call(run, out, format=format, thresholds=thresholds, screen=screen)
    screen.say(f"It agrees with the run on noise and on photos: {written}")


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder to make.")] = Path("demo"),
) -> None:
    """Show the whole loop on images made on the spot."""
    from data_tools.demo_loop import run_demo

    run_demo(out, _screen())


def main() -> None:
    """The entry point: runs a command and turns what went wrong into one line and an exit code."""
    gc.set_threshold(
        50_000, 20, 50
    )  # else it looks through a million objects again and again while torch is loaded
    with force_exit_on_ctrl_c():
        sys.exit(exit_code_of(lambda: app(standalone_mode=False, prog_name="tagger")))


def _screen() -> Any:
    from tagger.commands.console.screen import Screen

    return Screen()


def _check_json(out: Path | None) -> None:
    """Pass if nothing is there, or a result of ours: it alone is replaced. TaggerError otherwise."""
    if out is None or not out.exists():
        return
    from json import loads

    try:
        found = loads(out.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not found.keys() >= {"num_images", "num_cells"}:
        raise TaggerError(
            f"--out {out}: this is there already, and tagger did not write it. Name another file."
        )


def _write_json(out: Path, tree: dict[str, Any]) -> None:
    from json import dumps

    from tagger.runs import write_text

    write_text(out, dumps(tree, indent=1, ensure_ascii=False))


def _exit_if_unreadable(lines: list[str], screen: Any) -> None:
    """The first unreadable images, and exit code 3."""
    if not lines:
        return
    screen.say(f"{len(lines)} could not be read:")
    screen.say_list(lines)
    raise typer.Exit(3)


if __name__ == "__main__":
    main()
