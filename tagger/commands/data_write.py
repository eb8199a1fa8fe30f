"""``tagger data``, the commands that write: split, sample, merge, rename, noise, convert, demo.

The data itself stays as it is."""

from pathlib import Path
from typing import Annotated

import typer

from tagger.commands.data import Folder, Labels, Out, Overrides, Seed, _read, _screen, app
from tagger.errors import TaggerError

FORMAT_HELP = "Default: by the suffix of --out. csv, tsv, parquet, jsonl, or any other of tagger predict."
AnnotatorFiles = Annotated[
    list[Path], typer.Option("--labels", help="A label file; give it once for each annotator.")
]


@app.command()
def split(
    folder: Folder,
    out: Out,
    labels: Labels = None,
    val: Annotated[
        float, typer.Option(help="Share of images that choose thresholds and the best epoch.")
    ] = 0.1,
    test: Annotated[float, typer.Option(help="Share of images that judge.")] = 0.1,
    folds: Annotated[int, typer.Option(help="Folds of the images outside test.")] = 5,
    seed: Seed = 0,
    overrides: Overrides = None,
) -> None:
    """Divide images into train, val and test. Every label has nearly the same share everywhere."""
    from data_tools.label_files import check_new_path, write_table
    from tagger.data import split_images, split_table

    check_new_path(out, (".csv", ".tsv", ".parquet"))
    screen, data = _read(folder, labels, overrides)
    hashes = data.images["hash"].to_numpy(dtype=str)
    found = split_images(
        data.labels_NK, hashes, val=val, test=test, folds=folds, seed=seed, names=data.labels
    )
    screen.say_list(found.notes)
    table = split_table(data.labels_NK, found.split, data.labels)
    screen.table("Images with each label", list(table.columns), table.to_numpy().tolist())
    write_table(out, data.images[["file"]].assign(split=found.split, fold=found.fold))
    screen.say(f"Written: {out}")


@app.command()
def sample(
    folder: Folder,
    num: Annotated[int, typer.Option(min=1, help="How many images.")],
    out: Annotated[Path, typer.Option(help="Folder to make, outside DIR.")],
    labels: Labels = None,
    seed: Seed = 0,
    overrides: Overrides = None,
) -> None:
    """Copy a smaller data set. Every label has nearly its share in it."""
    from data_tools.subsets import sample_rows, save_sample

    screen, data = _read(folder, labels, overrides)
    rows = sample_rows(data.labels_NK, data.images["hash"].tolist(), num, seed=seed)
    files = data.images["file"].iloc[rows].tolist()
    save_sample(out, folder, files, data.labels, data.labels_NK[rows], track=screen.track)
    screen.say(f"{len(files):,} images and labels.csv: {out}")


@app.command()
def merge(folder: Folder, labels: AnnotatorFiles, out: Out, overrides: Overrides = None) -> None:
    """Join several annotators' labels. A cell on which they disagree is unknown, and is listed."""
    from data_tools.label_files import check_new_path, save_labels
    from data_tools.relabel import merge_labels
    from tagger.commands.writers import write_report

    if len(labels) < 2:
        raise TaggerError("Give --labels twice or more: one label file for each annotator")
    apart = check_new_path(out.with_name(f"{out.stem}.disagreements.csv"))
    check_new_path(out, (".csv", ".tsv", ".parquet"))
    screen = _screen()
    parts = []
    for path in labels:
        screen, data = _read(folder, path, overrides)
        parts.append((data.images["file"].tolist(), data.labels, data.labels_NK))
    files, names, cells, table = merge_labels(parts, annotators=[str(path) for path in labels])
    save_labels(out, folder, files, names, cells)
    write_report(table, apart)
    screen.say(f"{len(files):,} images, {len(names):,} labels: {out}. {len(table):,} cells disagree: {apart}")


@app.command()
def rename(
    folder: Folder,
    renames: Annotated[
        list[str], typer.Argument(help="OLD=NEW; OLD= drops a label; NEW may be there already.")
    ],
    out: Out,
    labels: Labels = None,
    overrides: Overrides = None,
) -> None:
    """Rename, join or drop labels, in a new label file."""
    from data_tools.label_files import save_labels
    from data_tools.relabel import parse_renames, rename_labels

    screen, data = _read(folder, labels, overrides)
    names, cells = rename_labels(data.labels, data.labels_NK, parse_renames(renames, data.labels))
    save_labels(out, folder, data.images["file"].tolist(), names, cells)
    screen.say(f"{len(names):,} labels: {out}")
    if (folder / "labels.toml").is_file():
        screen.say(f"{folder / 'labels.toml'} stays as it is: change the names there too")


@app.command()
def noise(
    folder: Folder,
    out: Out,
    kind: Annotated[str, typer.Option(help="missing, spurious, both, confused, flip or unknown.")] = "both",
    share: Annotated[float, typer.Option(help="Of a label's images, or of its known cells for flip.")] = 0.1,
    labels: Labels = None,
    seed: Seed = 0,
    overrides: Overrides = None,
) -> None:
    """Plant label errors of a chosen kind. The truth is kept beside them."""
    import numpy as np

    from data_tools.label_files import check_new_path, save_labels
    from data_tools.noise import inject_noise

    truth = check_new_path(out.with_name(f"{out.stem}.truth{out.suffix}"), (".csv", ".tsv", ".parquet"))
    screen, data = _read(folder, labels, overrides)
    cells = inject_noise(data.labels_NK, np.random.default_rng(seed), kind=kind, share=share)
    files = data.images["file"].tolist()
    save_labels(out, folder, files, data.labels, cells)
    save_labels(truth, folder, files, data.labels, data.labels_NK)
    wrong = int((cells != data.labels_NK).sum())
    screen.say(f"{wrong:,} of {cells.size:,} cells changed: {out}. The truth: {truth}")


@app.command()
def convert(
    folder: Folder,
    out: Annotated[Path, typer.Option(help="File to write; a folder for sidecars and folders of images.")],
    format: Annotated[str | None, typer.Option(help=FORMAT_HELP)] = None,
    labels: Labels = None,
    on_existing: Annotated[
        str, typer.Option(help="skip, overwrite or merge sidecars that are there.")
    ] = "skip",
    overrides: Overrides = None,
) -> None:
    """Write the labels in another format. Whatever they are in is found out."""
    from data_tools.label_files import check_new_path, format_of
    from tagger.commands.writers import sidecar_formats, write_labels
    from tagger.text import counted

    form = format_of(out, format)
    if form not in sidecar_formats.names():
        check_new_path(out)
    screen, data = _read(folder, labels, overrides)
    files = data.images["file"].tolist()
    done = write_labels(
        files,
        data.labels_NK,
        data.labels,
        root=folder,
        out=out,
        format=form,
        on_existing=on_existing,
        screen=screen,
    )
    for sentence in done.lost_information:
        screen.say(f"{sentence}.")
    if data.unlisted:
        screen.say(f"{counted(len(data.unlisted), 'photo')} without labels in the source: left out.")
    if done.num_skipped:
        screen.say(f"{counted(done.num_skipped, 'photo')} with a sidecar kept as it is (see --on-existing).")
    screen.say(f"{counted(done.num_images, 'photo')}, {counted(len(data.labels), 'label')}: {done.out}")
    if done.problems:
        screen.say_list(done.problems)
        raise typer.Exit(3)


@app.command()
def demo(
    out: Annotated[Path, typer.Argument(help="Folder to make.")],
    num: Annotated[int, typer.Option(min=1, help="How many images.")] = 2000,
    noise: Annotated[float, typer.Option(help="Share of each label's images that is dropped.")] = 0.08,
    seed: Seed = 0,
) -> None:
    """Make the demo's data set. Photos of handwritten digits, some labels wrong, the truth beside them."""
    from data_tools.demo import make_demo

    folder = make_demo(out, num_images=num, noise=noise, seed=seed)
    _screen().say(f"{num:,} images, labels.csv and truth/: {folder}")
