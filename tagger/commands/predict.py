"""``tagger predict``: tag a folder tree, chunk by chunk, in constant memory, resumable to the same bytes."""

import csv
import glob
import hashlib
import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from tagger.commands.screen import Screen
from tagger.commands.tagger_model import Tagged, Tagger, load
from tagger.commands.writers import (
    EXISTING,
    FORMATS,
    Part,
    SidecarWriter,
    TableWriter,
    check_empty,
    sidecar_formats,
    table_formats,
)
from tagger.commands.writers.image_folder import METADATA
from tagger.data import iter_images
from tagger.data.spreadsheet import guarded
from tagger.data.wording import counted
from tagger.errors import Problem, TaggerError, did_you_mean
from tagger.runs import locked, output_lock, sweep, write_text
from tagger.runs.ours import check_claim, check_list, clear
from tagger.runs.ours import mark as write_mark

CHUNK = 2048  # images between two saved states
PARTS = re.compile(r"of\.json|\d{8}(\.json)?")  # every file in the folder of parts
UNREADABLE = "file,reason"  # how our list of unreadable images begins


@dataclass(frozen=True)
class Prediction:
    """What a prediction left: where it is, how many images it tagged, which could not be read, how many were kept."""

    out: Path
    num_images: int
    unreadable: list[Problem]
    num_skipped: int = 0


def predict(
    folder: str | Path,
    *,
    run: str | Path | None = None,
    out: str | Path | None = None,
    format: str = "csv",
    on_existing: str = "skip",
    resume: bool = False,
    thresholds: str | None = None,
    screen: Screen | None = None,
) -> Prediction:
    """Tags of every image in ``folder`` and below, written to ``out``: a file, or a folder of sidecars or images.

    The defaults: ``predictions.FORMAT`` here; sidecars go beside the images. Unreadable images are listed in
    ``OUT.unreadable.csv``. ``resume`` goes on with an interrupted call over the same folder; photos that were changed
    meanwhile are tagged again. ``thresholds`` names a set that was saved in the review app. TaggerError says what to
    mend, before anything is written where possible.
    """
    screen = screen or Screen(quiet=True)
    for value, known, what in ((format, FORMATS, "format"), (on_existing, EXISTING, "on-existing")):
        if value not in known:
            raise TaggerError(f"Unknown --{what} {value!r}.{did_you_mean(value, known)} Available: {', '.join(known)}")
    problems: list[Problem] = []
    files = iter_images(folder, on_problem=problems.append)
    first = next(files, None)
    if first is None:
        raise TaggerError(f"{folder}: there are no images in it.")
    files = _chain(first, files)

    def tagger() -> Tagger:
        return load(run, thresholds=thresholds, screen=screen)

    if format in sidecar_formats.names():
        target = Path(out) if out is not None else Path(folder)
        check_list(target / "unreadable.csv", UNREADABLE)
        with locked(output_lock(target, folder=True), "predict", target, warn=screen.say):
            model = tagger()
            writer = sidecar_formats.build(format, model.labels)
            return _sidecars(model, writer, Path(folder), files, target, on_existing, problems)
    target = table_target(out, format)
    resume = resume and _mark(target).is_file()

    def check() -> None:
        check_target(target, on_existing, resume=resume, folder=format.startswith("folders"))
        check_list(_unreadable(target), UNREADABLE)
        if not resume:
            check_claim(_mark(target).parent, PARTS, "Move it away, or name another --out.")

    check()
    with locked(output_lock(target), "predict", target, warn=screen.say):
        check()  # another may have written it meanwhile
        model = tagger()
        result = _table(
            model,
            table_formats.build(format, Path(folder), target, model.labels),
            Path(folder),
            files,
            target,
            _identity(model, Path(folder), format),
            problems,
            resume=resume,
        )
    return replace(result, out=Path(out)) if out is not None else result


def _table(
    tagger: Tagger,
    writer: TableWriter,
    root: Path,
    files: Iterator[str],
    out: Path,
    identity: str,
    problems: list[Problem],
    *,
    resume: bool,
) -> Prediction:
    """One row an image, through part files in a folder beside ``out`` that is removed at the end."""
    mark = _mark(out)
    parts_folder = mark.parent
    if resume:
        _check_same(mark, identity, out)
        write_mark(parts_folder)  # parts of the last version have none yet
    else:
        clear(parts_folder, PARTS)
        write_mark(parts_folder)
        write_text(mark, identity)
    parts: list[Path] = []
    done = num_unreadable = num_left_out = 0
    for number, chunk in enumerate(_chunks(files)):
        part, note = parts_folder / f"{number:08d}", parts_folder / f"{number:08d}.json"
        listing, stamps = _digest(chunk), _digest(_stamp(root / file) for file in chunk)
        noted = json.loads(note.read_text("utf-8")) if note.is_file() else None
        if noted and noted["listing"] == listing and noted.get("stamps", stamps) != stamps:
            tagger.screen.say(f"Some of {chunk[0]} to {chunk[-1]} were changed meanwhile: tagged again.")
            noted = None
        if noted is None:
            tagged = tagger.tag(root, chunk, description=f"tagging (after {done:,})" if done else "tagging")
            made = _part(tagger, tagged)
            writer.write_part(made, part)
            bad = [[chunk[row], reason] for row, reason in sorted(tagged.reasons.items())]
            none = sum(not labels for labels in made.chosen) - len(bad)
            noted = {"listing": listing, "stamps": stamps, "unreadable": bad, "none": none}
            write_text(note, json.dumps(noted))
        if noted["listing"] != listing:
            raise TaggerError(f"{root}: its images have changed since {out} was begun. Start again without --resume.")
        problems += [Problem(file, None, reason) for file, reason in noted["unreadable"]]
        num_unreadable += len(noted["unreadable"])
        num_left_out += 0 if writer.says.none else noted["none"]
        parts.append(part)
        done += len(chunk)
    _list_unreadable(problems, _unreadable(out))
    writer.join(parts, _part(tagger, tagger.tag(root, [])), out)
    sweep(out.parent, glob.escape(out.name))
    if num_left_out:
        tagger.screen.say(f"{counted(num_left_out, 'image')} got no label and has no folder to be in: left out.")
    mark.unlink()  # without it the parts are waste, whenever their removal is interrupted
    clear(parts_folder, PARTS)
    return Prediction(out, done - num_unreadable, problems)


def _part(tagger: Tagger, tagged: Tagged) -> Part:
    return Part(tagger.table(tagged), list(tagger.choose(tagged.probs_NK)), frozenset(tagged.reasons))


def _sidecars(
    tagger: Tagger,
    writer: SidecarWriter,
    root: Path,
    files: Iterator[str],
    out: Path,
    on_existing: str,
    problems: list[Problem],
) -> Prediction:
    """A sidecar for each image, under ``out`` as the images lie under ``root``. Doing it again changes nothing."""
    done = skipped = 0
    folders: set[Path] = set()
    for chunk in _chunks(files):
        places = {file: out / writer.place(file) for file in chunk}
        folders |= {place.parent for place in places.values()}
        wanted = [file for file in chunk if on_existing != "skip" or not places[file].exists()]
        skipped += len(chunk) - len(wanted)
        if not wanted:
            continue
        tagged = tagger.tag(root, wanted)
        written: dict[Path, list[str]] = {}  # a.jpg and a.png may share one sidecar, which then has the labels of both
        for row, (file, labels) in enumerate(zip(wanted, tagger.choose(tagged.probs_NK), strict=True)):
            if row in tagged.reasons:
                problems.append(Problem(file, None, tagged.reasons[row]))
                continue
            place = places[file]
            both = list(dict.fromkeys([*written.get(place, []), *labels]))
            existing = "merge" if place in written else on_existing
            try:
                writer.write(place, both, existing=existing, settled=existing != "merge" or not place.exists())
            except TaggerError as error:
                problems.append(Problem(file, None, f"its sidecar is left as it is: {error}"))
                continue
            written[place] = both
            done += 1
    for folder in folders:
        sweep(folder, f"*{writer.place('a.jpg').suffix}")
    _list_unreadable(problems, out / "unreadable.csv")
    return Prediction(out, done, problems, skipped)


def table_target(out: str | Path | None, format: str) -> Path:
    """The file that a table format writes; an image folder's is the list in it, and the folder is made."""
    if format.startswith("folders"):
        return Path(out) if out is not None else Path("predictions")
    if not format.startswith("imagefolder"):
        suffix = {"coco": "coco.json", "label-studio": "label-studio.json"}.get(format, format)
        return Path(out) if out is not None else Path(f"predictions.{suffix}")
    folder = Path(out) if out is not None else Path("predictions")
    if folder.is_file():
        raise TaggerError(f"--out {folder} is a file; an image folder needs a folder. Name another")
    if folder.absolute().parent.is_dir():
        folder.mkdir(exist_ok=True)
    return folder / METADATA


def _mark(out: Path) -> Path:
    """The file that says what was begun for ``out``, in the folder of its parts; it goes when ``out`` is whole."""
    return out.with_name(f".{out.name}.parts") / "of.json"


def check_target(out: Path, on_existing: str, *, resume: bool, folder: bool = False) -> None:
    """Pass if a table, or a folder of folders, may be written there; TaggerError says what to do otherwise."""
    if folder:
        if not resume:
            check_empty(out)
    elif out.is_dir():
        raise TaggerError(f"--out {out} is a folder; name a file in it, such as {out / 'predictions.csv'}.")
    elif out.exists() and on_existing == "skip" and not resume:
        raise TaggerError(f"{out} exists already. Replace it with --on-existing overwrite, or give another --out.")
    if on_existing == "merge":
        raise TaggerError("--on-existing merge is for sidecars (txt, xmp); tables are replaced as a whole.")
    if not out.parent.exists():
        raise TaggerError(f"--out {out}: there is no folder {out.parent}. Make it, or name another.")


def _identity(tagger: Tagger, root: Path, format: str) -> str:
    """What an interrupted prediction was: another model, folder or format cannot go on with its parts."""
    model = hashlib.blake2b(tagger.run.model_path.read_bytes(), digest_size=16).hexdigest()
    rule = tagger.thresholds.to_json() | {"calibration": tagger.calibration.to_json()}
    rule |= {"structure": repr(tagger.structure)}
    return json.dumps({"model": model, "rule": rule, "folder": str(root.resolve()), "format": format, "chunk": CHUNK})


def _check_same(path: Path, identity: str, out: Path) -> None:
    if not path.is_file() or path.read_text("utf-8") != identity:
        raise TaggerError(f"{out} was begun with another run, folder or format. Start again without --resume.")


def _digest(words: Iterable[str]) -> str:
    return hashlib.blake2b("\n".join(words).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def _stamp(path: Path) -> str:
    """What differs where a file is another one than before: its size and when it was written."""
    try:
        found = path.stat()
    except OSError:
        return "gone"
    return f"{found.st_size} {found.st_mtime_ns}"


def _chunks(files: Iterator[str]) -> Iterator[list[str]]:
    while chunk := list(islice(files, CHUNK)):
        yield chunk


def _chain(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _unreadable(out: Path) -> Path:
    """Where the images are listed that could not be read."""
    return out.with_name(f"{out.name}.unreadable.csv")


def _list_unreadable(problems: list[Problem], path: Path) -> None:
    """The images that could not be read, if there are any; an older list of ours (``check_list``) goes."""
    if not problems:
        path.unlink(missing_ok=True)
        return
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        [UNREADABLE.split(","), *((guarded(p.file), guarded(p.reason)) for p in problems)]
    )
    write_text(path, text.getvalue())
