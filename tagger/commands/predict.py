"""``tagger predict``: tag every image of a folder, batch by batch, in constant memory, resumable."""

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

from tagger.commands.console.screen import Screen
from tagger.commands.serving.predictor import Predictions, Predictor, load
from tagger.commands.writers import (
    FORMATS,
    ON_EXISTING,
    LabelBatch,
    SidecarWriter,
    TableWriter,
    check_empty_folder,
    sidecar_formats,
    table_formats,
)
from tagger.commands.writers.image_folder import METADATA_FILE
from tagger.data import iter_images
from tagger.data.formats.csv_injection import escape_formula
from tagger.errors import Problem, TaggerError, did_you_mean
from tagger.runs import locked, output_lock, remove_leftovers, write_text
from tagger.runs.ownership import check_claim, check_list, clear
from tagger.runs.ownership import mark as write_mark
from tagger.text import counted

CHUNK = 2048  # images between two saved states
PARTS = re.compile(r"of\.json|\d{8}(\.json)?")  # every file in the folder of parts
UNREADABLE = "file,reason"  # how our list of unreadable images begins


@dataclass(frozen=True)
class PredictResult:
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
) -> PredictResult:
    """Tags of every image in ``folder`` and below, written to ``out``: a file, or a folder of sidecars or
    images.

    The defaults: ``predictions.FORMAT`` here; sidecars go beside the images. Unreadable images are listed
    in ``OUT.unreadable.csv``. ``resume`` goes on with an interrupted call over the same folder; photos that
    were changed meanwhile are tagged again. ``thresholds`` names a set that was saved in the review app.
    TaggerError says what to mend, before anything is written where possible.
    """
    screen = screen or Screen(quiet=True)
    for value, known, what in ((format, FORMATS, "format"), (on_existing, ON_EXISTING, "on-existing")):
        if value not in known:
            raise TaggerError(
                f"Unknown --{what} {value!r}.{did_you_mean(value, known)} Available: {', '.join(known)}"
            )
    problems: list[Problem] = []
    files = iter_images(folder, on_problem=problems.append)
    first = next(files, None)
    if first is None:
        raise TaggerError(f"{folder}: there are no images in it.")
    files = _chain(first, files)

    def predictor() -> Predictor:
        return load(run, thresholds=thresholds, screen=screen)

    if format in sidecar_formats.names():
        target = Path(out) if out is not None else Path(folder)
        check_list(target / "unreadable.csv", UNREADABLE)
        with locked(output_lock(target, folder=True), "predict", target, warn=screen.say):
            model = predictor()
            writer = sidecar_formats.build(format, model.labels)
            return _predict_sidecars(model, writer, Path(folder), files, target, on_existing, problems)
    target = table_path(out, format)
    resume = resume and _identity_path(target).is_file()

    def check() -> None:
        check_output_path(target, on_existing, resume=resume, folder=format.startswith("folders"))
        check_list(_unreadable(target), UNREADABLE)
        if not resume:
            check_claim(_identity_path(target).parent, PARTS, "Move it away, or name another --out.")

    check()
    with locked(output_lock(target), "predict", target, warn=screen.say):
        check()  # another may have written it meanwhile
        model = predictor()
        result = _predict_table(
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


def _predict_table(
    predictor: Predictor,
    writer: TableWriter,
    root: Path,
    files: Iterator[str],
    out: Path,
    identity: str,
    problems: list[Problem],
    *,
    resume: bool,
) -> PredictResult:
    """One row an image, through part files in a folder beside ``out`` that is removed at the end."""
    identity_path = _identity_path(out)
    batch_folder = identity_path.parent
    if resume:
        _check_same(identity_path, identity, out)
        write_mark(batch_folder)  # parts of the last version have none yet
    else:
        clear(batch_folder, PARTS)
        write_mark(batch_folder)
        write_text(identity_path, identity)
    batch_paths: list[Path] = []
    done = num_unreadable = num_left_out = 0
    for number, chunk in enumerate(_chunks(files)):
        batch_path = batch_folder / f"{number:08d}"
        state_path = batch_folder / f"{number:08d}.json"
        listing = _digest(chunk)
        stamps = _digest(_file_stamp(root / file) for file in chunk)
        state = json.loads(state_path.read_text("utf-8")) if state_path.is_file() else None
        if state and state["listing"] == listing and state.get("stamps", stamps) != stamps:
            predictor.screen.say(f"Some of {chunk[0]} to {chunk[-1]} were changed meanwhile: tagged again.")
            state = None
        if state is None:
            predictions = predictor.predict_probs(
                root, chunk, description=f"tagging (after {done:,})" if done else "tagging"
            )
            batch = _label_batch(predictor, predictions)
            writer.write_batch(batch, batch_path)
            bad = [[chunk[row], reason] for row, reason in sorted(predictions.reasons.items())]
            none = sum(not labels for labels in batch.chosen) - len(bad)
            state = {"listing": listing, "stamps": stamps, "unreadable": bad, "none": none}
            write_text(state_path, json.dumps(state))
        if state["listing"] != listing:
            raise TaggerError(
                f"{root}: its images have changed since {out} was begun. Start again without --resume."
            )
        problems += [Problem(file, None, reason) for file, reason in state["unreadable"]]
        num_unreadable += len(state["unreadable"])
        num_left_out += 0 if writer.capabilities.images_without_labels else state["none"]
        batch_paths.append(batch_path)
        done += len(chunk)
    _list_unreadable(problems, _unreadable(out))
    writer.join(batch_paths, _label_batch(predictor, predictor.predict_probs(root, [])), out)
    remove_leftovers(out.parent, glob.escape(out.name))
    if num_left_out:
        predictor.screen.say(
            f"{counted(num_left_out, 'image')} got no label and has no folder to be in: left out."
        )
    identity_path.unlink()  # without it the parts are waste, whenever their removal is interrupted
    clear(batch_folder, PARTS)
    return PredictResult(out, done - num_unreadable, problems)


def _label_batch(predictor: Predictor, predictions: Predictions) -> LabelBatch:
    return LabelBatch(
        predictor.table(predictions),
        list(predictor.chosen_labels(predictions.probs_NK)),
        frozenset(predictions.reasons),
    )


def _predict_sidecars(
    predictor: Predictor,
    writer: SidecarWriter,
    root: Path,
    files: Iterator[str],
    out: Path,
    on_existing: str,
    problems: list[Problem],
) -> PredictResult:
    """A sidecar for each image, under ``out`` as the images lie under ``root``. Doing it again changes nothing."""
    done = skipped = 0
    folders: set[Path] = set()
    for chunk in _chunks(files):
        sidecar_paths = {file: out / writer.sidecar_path(file) for file in chunk}
        folders |= {sidecar_path.parent for sidecar_path in sidecar_paths.values()}
        wanted = [file for file in chunk if on_existing != "skip" or not sidecar_paths[file].exists()]
        skipped += len(chunk) - len(wanted)
        if not wanted:
            continue
        predictions = predictor.predict_probs(root, wanted)
        written: dict[
            Path, list[str]
        ] = {}  # a.jpg and a.png may share one sidecar, which then has the labels of both
        for row, (file, labels) in enumerate(
            zip(wanted, predictor.chosen_labels(predictions.probs_NK), strict=True)
        ):
            if row in predictions.reasons:
                problems.append(Problem(file, None, predictions.reasons[row]))
                continue
            sidecar_path = sidecar_paths[file]
            both = list(dict.fromkeys([*written.get(sidecar_path, []), *labels]))
            existing = "merge" if sidecar_path in written else on_existing
            try:
                writer.write(
                    sidecar_path,
                    both,
                    existing=existing,
                    complete=existing != "merge" or not sidecar_path.exists(),
                )
            except TaggerError as error:
                problems.append(Problem(file, None, f"its sidecar is left as it is: {error}"))
                continue
            written[sidecar_path] = both
            done += 1
    for folder in folders:
        remove_leftovers(folder, f"*{writer.sidecar_path('a.jpg').suffix}")
    _list_unreadable(problems, out / "unreadable.csv")
    return PredictResult(out, done, problems, skipped)


def table_path(out: str | Path | None, format: str) -> Path:
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
    return folder / METADATA_FILE


def _identity_path(out: Path) -> Path:
    """The file that says what was begun for ``out``, in the folder of its parts; it goes when ``out`` is whole."""
    return out.with_name(f".{out.name}.parts") / "of.json"


def check_output_path(out: Path, on_existing: str, *, resume: bool, folder: bool = False) -> None:
    """Pass if a table, or a folder of folders, may be written there; TaggerError says what to do otherwise."""
    if folder:
        if not resume:
            check_empty_folder(out)
    elif out.is_dir():
        raise TaggerError(f"--out {out} is a folder; name a file in it, such as {out / 'predictions.csv'}.")
    elif out.exists() and on_existing == "skip" and not resume:
        raise TaggerError(
            f"{out} exists already. Replace it with --on-existing overwrite, or give another --out."
        )
    if on_existing == "merge":
        raise TaggerError("--on-existing merge is for sidecars (txt, xmp); tables are replaced as a whole.")
    if not out.parent.exists():
        raise TaggerError(f"--out {out}: there is no folder {out.parent}. Make it, or name another.")


def _identity(predictor: Predictor, root: Path, format: str) -> str:
    """What an interrupted prediction was: another model, folder or format cannot go on with its parts."""
    model = hashlib.blake2b(predictor.run.model_path.read_bytes(), digest_size=16).hexdigest()
    rule = predictor.thresholds.to_json() | {"calibration": predictor.calibration.to_json()}
    rule |= {"structure": repr(predictor.constraints)}
    return json.dumps(
        {"model": model, "rule": rule, "folder": str(root.resolve()), "format": format, "chunk": CHUNK}
    )


def _check_same(path: Path, identity: str, out: Path) -> None:
    if not path.is_file() or path.read_text("utf-8") != identity:
        raise TaggerError(
            f"{out} was begun with another run, folder or format. Start again without --resume."
        )


def _digest(words: Iterable[str]) -> str:
    return hashlib.blake2b("\n".join(words).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def _file_stamp(path: Path) -> str:
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
        [UNREADABLE.split(","), *((escape_formula(p.file), escape_formula(p.reason)) for p in problems)]
    )
    write_text(path, text.getvalue())
