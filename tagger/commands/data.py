"""``tagger data``, the commands that look at a data set: stats, check, duplicates, quality."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tagger.errors import TaggerError

if TYPE_CHECKING:
    import pandas as pd

    from tagger.commands.console.screen import Screen
    from tagger.data import Dataset

app = typer.Typer(
    help="Examine a data set, and change its labels: statistics, problems, duplicates, splits, noise.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Folder = Annotated[Path, typer.Argument(help="Folder of photos, sub-folders included.")]
Labels = Annotated[
    Path | None, typer.Option("--labels", help="Label file or folder. Default: found in the photo folder.")
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", help="data.key=value: how labels are read. Repeatable.")
]
Out = Annotated[Path, typer.Option(help="The label file to write: .csv, .tsv or .parquet.")]
Table = Annotated[
    Path | None, typer.Option("--out", help="Also write the result to this .csv, .tsv or .parquet file.")
]
Seed = Annotated[int, typer.Option(help="Random seed.")]


@app.command()
def stats(
    folder: Folder,
    labels: Labels = None,
    html: Annotated[
        Path | None, typer.Option(help="Also write an HTML page with plots and example photos.")
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Count labels, pairs and sizes, and find rules. As text, and as an HTML page with plots and examples."""
    from data_tools.describe import describe
    from data_tools.describe_text import sentences, tables
    from data_tools.label_files import check_new_path

    if html is not None:
        check_new_path(html, (".html", ".htm"))
    screen, dataset = _read(folder, labels, overrides)
    found = describe(dataset, track=screen.track)
    if html is not None:
        from data_tools.describe_html import html_page
        from tagger.runs import write_text

        write_text(html, html_page(dataset, found))
    for line in sentences(found):
        screen.say(line)
    for title, columns, rows in tables(found):
        screen.say()
        screen.table(title, columns, rows)
    if html is not None:
        screen.say(f"A page with plots and examples: {html}")


@app.command()
def check(
    folder: Folder,
    labels: Labels = None,
    html: Annotated[
        Path | None, typer.Option(help="Also write an HTML page of what was read, with small photos.")
    ] = None,
    out: Table = None,
    overrides: Overrides = None,
) -> None:
    """Show what was read, and list all problems, with file and row. The exit code is 2 if there are any."""
    from data_tools.checking import check_dataset
    from data_tools.label_files import check_new_path
    from tagger.presets import load_read_options
    from tagger.text import counted

    screen = _screen()
    _check_new_table(out)
    if html is not None:
        check_new_path(html, (".html", ".htm"))
    problems = check_dataset(
        folder,
        labels,
        read_options=load_read_options(overrides or []),
        track=screen.track,
        on_read=lambda dataset: _tell_reading(dataset, html, screen),
    )
    _save_table(out, [[p.file, p.row, p.reason] for p in problems], ["file", "row", "reason"])
    for problem in problems:
        screen.say(" ".join(str(problem).splitlines()))
    _say_saved(out, screen)
    if problems:
        raise TaggerError(
            f"{folder}: {counted(len(problems), 'problem')}, listed above. Correct them and check again."
        )
    screen.say(f"{folder}: no problems found.")


def _tell_reading(dataset: "Dataset", html: Path | None, screen: "Screen") -> None:
    """Show what was read, and write it as a page."""
    from tagger.commands.console.reading_report import reading_lines
    from tagger.data.reading_summary import summarise_reading

    if html is not None:  # before the screen: a closed pipe must not lose it
        from data_tools.reading_html import reading_page
        from tagger.runs import write_text

        write_text(html, reading_page(dataset))
    screen.say(dataset.source)
    for line in reading_lines(summarise_reading(dataset)):
        screen.say(line)
    if html is not None:
        screen.say(f"A page with small photos: {html}")


@app.command()
def duplicates(
    context: typer.Context,
    folder: Folder,
    labels: Labels = None,
    near: Annotated[bool, typer.Option(help="Also find re-encoded, resized and mirrored copies.")] = True,
    run: Annotated[
        Path | None,
        typer.Option(help="Also find photos that this run's network sees as alike: cropped, recoloured."),
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Move exact and near copies to --to, where labels agree.")
    ] = False,
    to: Annotated[
        Path | None, typer.Option(help="Folder to move copies to: a new one outside of the photo folder.")
    ] = None,
    undo: Annotated[
        Path | None, typer.Option(help="Move the files back that --apply moved to this folder.")
    ] = None,
    out: Table = None,
    overrides: Overrides = None,
) -> None:
    """List duplicate photos. Those with different labels come first. Files are moved only with --apply."""
    from data_tools.duplicates import find_duplicates, format_groups, removable_files
    from data_tools.label_files import check_new_path
    from data_tools.quarantine import quarantine_files, restore_files
    from tagger.commands.console.given_options import refuse_all_but
    from tagger.text import counted

    screen = _screen()
    if undo is not None:
        refuse_all_but(
            context, ("folder", "undo"), "--undo only moves files back. Leave out the other options."
        )
        screen.say(
            f"Moved {counted(len(restore_files(folder, undo, track=screen.track)), 'file')} back to {folder}"
        )
        return
    _check_new_table(out)
    if apply != (to is not None):
        raise TaggerError("Give --apply and --to FOLDER together: copies are moved there, none is deleted.")
    if to is not None:
        check_new_path(to)
    files, names, labels_NK, known = _all_images(folder, labels, overrides, screen)
    how: Any = {"near": near, "run": run, "track": screen.track}
    found = find_duplicates(folder, files, names=names, labels_NK=labels_NK, known=known, **how)
    table = found.table
    _save_table(out, table.to_numpy().tolist(), list(table.columns))
    screen.say_list(found.problems)
    differing = table.loc[table["differs"] != "", "group"].nunique()
    screen.say(
        f"{counted(table['group'].nunique(), 'group')} of duplicates, {len(table):,} of {len(files):,} photos;"
        f" labels differ in {differing:,}."
    )
    for line in format_groups(table):
        screen.say(line)
    _say_saved(out, screen)
    spare = removable_files(table)
    if to is not None:
        moved = quarantine_files(folder, table, spare, to, track=screen.track)
        screen.say(f"Moved {counted(len(moved), 'file')} to {to}" + (f". Undo: --undo {to}" if moved else ""))
    elif spare:
        screen.say(f"{counted(len(spare), 'file')} can be moved away, as labels agree: --apply --to FOLDER.")


@app.command()
def quality(folder: Folder, out: Table = None) -> None:
    """List low-quality photos. They are dark, bright, blurred, tiny, extreme in shape or of one colour."""
    from data_tools.image_measures import measure_images
    from data_tools.quality import low_quality_images
    from tagger.data import list_images
    from tagger.text import counted

    _check_new_table(out)
    screen = _screen()
    files = list_images(folder).files
    measures = measure_images(folder, files, track=screen.track)
    table = low_quality_images(measures, files)
    _save_table(out, table.to_numpy().tolist(), list(table.columns))
    screen.say(f"{counted(len(table), 'photo')} of {len(files):,} to check")
    if len(table):
        screen.table("Photos", list(table.columns), table.head(40).to_numpy().tolist())
    _say_saved(out, screen)
    if measures.problems:
        screen.say(f"{counted(len(measures.problems), 'photo')} could not be read:")
        screen.say_list(measures.problems)
        raise typer.Exit(3)


def _screen() -> "Screen":
    from tagger.commands.console.screen import Screen

    return Screen()


def _read(folder: Path, labels: Path | None, overrides: list[str] | None = None) -> "tuple[Screen, Dataset]":
    """The data set; its source and problems are shown."""
    from tagger.commands.steps.dataset_reading import read_with_progress
    from tagger.presets import load_read_options

    screen = _screen()
    dataset = read_with_progress(
        folder, labels, read_options=load_read_options(overrides or []), track=screen.track
    )
    screen.say(dataset.source)
    screen.say_list(dataset.problems)
    return screen, dataset


def _all_images(
    folder: Path, labels: Path | None, overrides: list[str] | None, screen: "Screen"
) -> "tuple[list[str], tuple[str, ...], Any, pd.DataFrame | None]":
    """(files, labels, labels_NK, known hashes) of every image in the folder; without labels where there are none."""
    import numpy as np

    from tagger.arrays import UNKNOWN
    from tagger.commands.steps.dataset_reading import read_with_progress
    from tagger.data import list_images
    from tagger.presets import load_read_options

    read_options = load_read_options(overrides or [])
    files = list(list_images(folder, read_options.pairs).files)
    try:
        dataset = read_with_progress(folder, labels, read_options=read_options, track=screen.track)
    except TaggerError as error:
        if labels is not None or not files:
            raise
        screen.say(f"No labels are used: {error}")
        return files, (), None, None
    screen.say(dataset.source)
    row = {file: n for n, file in enumerate(files)}
    labels_NK = np.full((len(files), len(dataset.labels)), UNKNOWN, dtype=np.int8)
    labels_NK[[row[file] for file in dataset.images["file"]]] = dataset.labels_NK
    return files, dataset.labels, labels_NK, dataset.images


def _check_new_table(out: Path | None) -> None:
    from data_tools.label_files import check_new_path

    if out is not None:
        check_new_path(out, (".csv", ".tsv", ".parquet"))


def _save_table(out: Path | None, rows: list[Any], columns: list[str]) -> None:
    """The table in ``out``, if one is wanted; before anything of it is shown."""
    if out is None:
        return
    import pandas as pd

    from tagger.commands.writers import write_report

    write_report(pd.DataFrame(rows, columns=columns), out)


def _say_saved(out: Path | None, screen: "Screen") -> None:
    if out is not None:
        screen.say(f"Full result: {out}")
