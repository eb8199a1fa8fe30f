"""``tagger data``, the commands that write: split, sample, merge, rename, noise, convert, demo.

The data set itself is never changed."""

from pathlib import Path
from typing import Annotated, Any

import typer

from tagger.commands.data import Folder, Labels, Out, Overrides, Seed, Table, _read, _screen, app
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
    val: Annotated[float, typer.Option(help="Share of photos for validation.")] = 0.1,
    test: Annotated[float, typer.Option(help="Share of photos for the test.")] = 0.1,
    folds: Annotated[int, typer.Option(help="Number of folds outside of the test split.")] = 5,
    seed: Seed = 0,
    overrides: Overrides = None,
) -> None:
    """Split photos into train, val and test. Each label has nearly the same share in all of them."""
    from data_tools.label_files import check_new_path, write_table
    from tagger.data import split_images, split_table

    check_new_path(out, (".csv", ".tsv", ".parquet"))
    screen, data = _read(folder, labels, overrides)
    hashes = data.images["hash"].to_numpy(dtype=str)
    found = split_images(
        data.labels_NK, hashes, val=val, test=test, folds=folds, seed=seed, names=data.labels
    )
    screen.say_list(found.notes)
    write_table(out, data.images[["file"]].assign(split=found.split, fold=found.fold))
    table = split_table(data.labels_NK, found.split, data.labels)
    screen.table("Photos with each label", list(table.columns), table.to_numpy().tolist())
    screen.say(f"Written: {out}")


@app.command()
def sample(
    folder: Folder,
    num: Annotated[int, typer.Option(min=1, help="Number of photos.")],
    out: Annotated[Path, typer.Option(help="Folder to make, outside of the photo folder.")],
    labels: Labels = None,
    seed: Seed = 0,
    overrides: Overrides = None,
) -> None:
    """Copy a smaller data set. Each label keeps nearly its share."""
    from data_tools.subsets import sample_rows, save_sample

    screen, data = _read(folder, labels, overrides)
    rows = sample_rows(data.labels_NK, data.images["hash"].tolist(), num, seed=seed)
    files = data.images["file"].iloc[rows].tolist()
    save_sample(out, folder, files, data.labels, data.labels_NK[rows], track=screen.track)
    screen.say(f"{len(files):,} photos and labels.csv: {out}")


@app.command()
def merge(
    context: typer.Context,
    folder: Folder,
    labels: AnnotatorFiles,
    out: Out,
    on_disagreement: Annotated[
        str,
        typer.Option(help="unknown, majority, or reliability: votes weighed by annotator and label."),
    ] = "unknown",
    run: Annotated[
        Path | None, typer.Option(help="With reliability: a run whose held-out probabilities count, too.")
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Merge several annotators' labels. Those on which they disagree are listed, and unknown by default."""
    from data_tools.label_files import check_new_path, save_labels
    from data_tools.relabel import merge_labels
    from data_tools.weigh_annotators import check_way
    from tagger.commands.console.given_options import refuse_options
    from tagger.commands.writers import write_report
    from tagger.text import counted

    check_way(on_disagreement)
    if on_disagreement != "reliability":
        refuse_options(context, ("run",), "only with --on-disagreement reliability. Leave it out.")
    if len(labels) < 2:
        raise TaggerError("Give --labels twice or more: one label file for each annotator.")
    apart = check_new_path(out.with_name(f"{out.stem}.disagreements.csv"))
    check_new_path(out, (".csv", ".tsv", ".parquet"))
    screen = _screen()
    parts = []
    hashes: dict[str, str] = {}
    for path in labels:
        screen, data = _read(folder, path, overrides)
        hashes |= dict(zip(data.images["file"], data.images["hash"], strict=True))
        parts.append((data.images["file"].tolist(), data.labels, data.labels_NK))
    files, names, cells, table = merge_labels(parts, annotators=[str(path) for path in labels])
    if on_disagreement != "unknown":
        people = [path.stem for path in labels]
        cells = _weighed(parts, people, on_disagreement, run, [hashes[file] for file in files], names, screen)
    save_labels(out, folder, files, names, cells)
    write_report(table, apart)
    screen.say(f"{counted(len(files), 'photo')}, {counted(len(names), 'label')}: {out}.")
    screen.say(f"Annotators disagree on {counted(len(table), 'label')}, listed in {apart}")


def _weighed(
    parts: list[Any],
    people: list[str],
    way: str,
    run: Path | None,
    hashes: list[str],
    names: list[str],
    screen: Any,
) -> Any:
    """The merged cells, decided by ``way``; how reliable each annotator is goes to the screen."""
    from data_tools.weigh_annotators import weigh_annotators
    from tagger.runs import RunFolder
    from tagger.runs.held_out import held_out_probs

    probs_NK = None if run is None else held_out_probs(RunFolder(run), hashes, names)
    found = weigh_annotators(parts, annotators=people, way=way, probs_NK=probs_NK)
    screen.table("Reliability of annotators", list(found.people.columns), found.people.to_numpy().tolist())
    screen.say(f"Cohen's kappa of all pairs of annotators: {found.kappa:.2f}")
    return found.labels_NK


@app.command()
def rename(
    folder: Folder,
    renames: Annotated[
        list[str], typer.Argument(help="OLD=NEW renames; NEW may exist already. OLD= drops the label.")
    ],
    out: Out,
    labels: Labels = None,
    overrides: Overrides = None,
) -> None:
    """Rename, merge or drop labels, in a new label file."""
    from data_tools.label_files import save_labels
    from data_tools.relabel import parse_renames, rename_labels

    screen, data = _read(folder, labels, overrides)
    names, cells = rename_labels(data.labels, data.labels_NK, parse_renames(renames, data.labels))
    save_labels(out, folder, data.images["file"].tolist(), names, cells)
    screen.say(f"{len(names):,} labels: {out}")
    if (folder / "labels.toml").is_file():
        screen.say(f"{folder / 'labels.toml'} was not changed: change the names there too.")


@app.command()
def noise(
    folder: Folder,
    out: Out,
    kind: Annotated[str, typer.Option(help="missing, spurious, both, confused, flip or unknown.")] = "both",
    share: Annotated[
        float, typer.Option(help="Share to change: of a label's photos; for flip, of its yes and no values.")
    ] = 0.1,
    labels: Labels = None,
    seed: Seed = 0,
    overrides: Overrides = None,
) -> None:
    """Plant label errors of a chosen kind. The true labels are written beside them."""
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
    screen.say(f"{wrong:,} of {cells.size:,} cells changed: {out}. True labels: {truth}")


@app.command()
def convert(
    context: typer.Context,
    folder: Folder,
    out: Annotated[Path, typer.Option(help="File to write; a folder for sidecars and image folders.")],
    format: Annotated[str | None, typer.Option(help=FORMAT_HELP)] = None,
    labels: Labels = None,
    on_existing: Annotated[
        str, typer.Option(help="For sidecars that exist: skip, overwrite or merge.")
    ] = "skip",
    overrides: Overrides = None,
) -> None:
    """Write the labels in another format. The source format is detected."""
    from data_tools.label_files import check_new_path, format_of
    from tagger.commands.console.given_options import refuse_on_existing
    from tagger.commands.steps.removed_report import show_changes
    from tagger.commands.writers import SidecarOptions, changed_keywords, sidecar_formats, write_labels
    from tagger.text import counted

    form = format_of(out, format)
    refuse_on_existing(context, form)
    if form not in sidecar_formats.names():
        check_new_path(out)
    screen, data = _read(folder, labels, overrides)
    files = data.images["file"].tolist()
    if form in sidecar_formats.names():
        options = SidecarOptions(on_existing, root=folder)
        changes = changed_keywords(files, data.labels_NK, data.labels, out, form, options)
        show_changes(changes, on_existing, screen)
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


@app.command("taken-off")
def taken_off(
    run: Annotated[
        Path | None, typer.Option(help="Run folder or its name. Default: the chosen one in ./runs.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="The data folder of the run, if it was moved.")
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(envvar="TAGGER_STORE", help="Database of decisions. Default: DATA/.tagger/review.db."),
    ] = None,
    record: Annotated[bool, typer.Option("--record", help="Record them as decided no.")] = False,
    reviewer: Annotated[str | None, typer.Option(help="Your name. Default: that of your account.")] = None,
    out: Table = None,
) -> None:
    """List the tags of tagger that somebody took off sidecars.

    With --record they are decided no.
    """
    from data_tools.label_files import check_new_path
    from tagger.commands.taken_off import taken_off as call

    if out is not None:
        check_new_path(out, (".csv", ".tsv", ".parquet"))
    screen = _screen()
    _, problems = call(run, data=data, store=store, record=record, reviewer=reviewer, out=out, screen=screen)
    if problems:
        screen.say_list(problems)
        raise typer.Exit(3)


@app.command()
def demo(
    out: Annotated[Path, typer.Argument(help="Folder to make.")],
    num: Annotated[int, typer.Option(min=1, help="Number of photos.")] = 2000,
    noise: Annotated[float, typer.Option(help="Share of each label's photos that lose it.")] = 0.08,
    seed: Seed = 0,
) -> None:
    """Make the demo's data set. Generated photos of handwritten digits, some labels wrong, the true ones beside."""
    from data_tools.demo import make_demo

    folder = make_demo(out, num_images=num, noise=noise, seed=seed)
    _screen().say(f"{num:,} photos, labels.csv and truth/: {folder}")


@app.command()
def frames(
    clips: Annotated[list[Path], typer.Argument(help="Films: any that the ffmpeg of this machine reads.")],
    out: Annotated[Path, typer.Option(help="Folder to make, for the stills and frames.csv.")],
    every: Annotated[int, typer.Option(min=1, help="Take every N-th frame.")] = 1,
) -> None:
    """Make photos of films. Every N-th frame as a still, with a table of sequence and frame; needs ffmpeg."""
    from data_tools.film_frames import extract_frames
    from tagger.text import counted

    screen = _screen()
    found = extract_frames(clips, out, every=every, track=screen.track)
    for name, number in found.items():
        screen.say(f"{name}: {counted(number, 'photo')}")
    screen.say(
        f"Written: {out}, with frames.csv. Put labels.csv beside it, then train with"
        " --set data.sequence_column=sequence --set data.frame_column=frame"
    )
