"""Prediction of one file, batch by batch: each batch is saved beside the file, so that a killed call resumes."""

import glob
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from tagger.commands.serving.predictor import Predictions, Predictor
from tagger.commands.steps.predict_outputs import PredictResult, save_unreadable, unreadable_path
from tagger.commands.writers import LabelBatch, TableWriter
from tagger.errors import Problem, TaggerError
from tagger.runs import remove_leftovers, write_text
from tagger.runs.ownership import clear
from tagger.runs.ownership import mark as write_mark
from tagger.scoring import LabelConstraints
from tagger.text import counted

CHUNK = 2048  # images in a batch
BATCH_FILES = re.compile(r"of\.json|\d{8}(\.json)?")  # every file in the folder of batches


def predict_table(
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
    """Write one row an image to ``out``, through batches in a folder beside it that is removed at the end."""
    identity_path = identity_path_of(out)
    batch_folder = identity_path.parent
    if resume:
        _check_same(identity_path, identity, out)
        write_mark(batch_folder)  # batches of the last version have none yet
    else:
        clear(batch_folder, BATCH_FILES)
        write_mark(batch_folder)
        write_text(identity_path, identity)
    batch_paths: list[Path] = []
    done = num_unreadable = num_without_labels = 0
    for number, batch_files in enumerate(split_batches(files)):
        batch_path = batch_folder / f"{number:08d}"
        state = _write_batch(predictor, writer, root, batch_files, batch_path, done)
        if state["listing"] != _digest(batch_files):
            raise TaggerError(
                f"{root}: its photos have changed since {out} was begun. Start again without --resume."
            )
        problems += [Problem(file, None, reason) for file, reason in state["unreadable"]]
        num_unreadable += len(state["unreadable"])
        num_without_labels += state["none"]
        batch_paths.append(batch_path)
        done += len(batch_files)
    save_unreadable(problems, unreadable_path(out))
    writer.join(batch_paths, _label_batch(predictor, predictor.predict_probs(root, [])), out)
    remove_leftovers(out.parent, glob.escape(out.name))
    if num_without_labels and not writer.capabilities.images_without_labels:
        left_out = counted(num_without_labels, "photo")
        predictor.screen.say(f"{left_out} got no label and so belong in no folder: left out.")
    identity_path.unlink()  # without it the batches are waste, even if their removal is interrupted
    clear(batch_folder, BATCH_FILES)
    return PredictResult(out, done - num_unreadable, problems)


def _write_batch(
    predictor: Predictor, writer: TableWriter, root: Path, files: list[str], path: Path, done: int
) -> dict[str, Any]:
    """The saved state of a batch. It is predicted if there is none yet, or if some of its files were changed."""
    state_path = path.with_name(f"{path.name}.json")
    listing = _digest(files)
    stamps = _digest(_file_stamp(root / file) for file in predictor.read_for(files))
    if state_path.is_file():
        state: dict[str, Any] = json.loads(state_path.read_text("utf-8"))
        if state["listing"] != listing or state.get("stamps", stamps) == stamps:
            return state
        predictor.screen.say(
            f"Some photos from {files[0]} to {files[-1]} were changed meanwhile: tagged again."
        )
    description = f"tagging (after {done:,})" if done else "tagging"
    predictions = predictor.predict_probs(root, files, description=description)
    batch = _label_batch(predictor, predictions)
    writer.write_batch(batch, path)
    unreadable = [[files[row], reason] for row, reason in sorted(predictions.reasons.items())]
    none = sum(not labels for labels in batch.chosen) - len(unreadable)
    state = {"listing": listing, "stamps": stamps, "unreadable": unreadable, "none": none}
    write_text(state_path, json.dumps(state))
    return state


def identity_path_of(out: Path) -> Path:
    """The file that says what was begun for ``out``, in the folder of its batches; removed when ``out`` is whole."""
    return out.with_name(f".{out.name}.parts") / "of.json"


def prediction_identity(predictor: Predictor, root: Path, format: str) -> str:
    """Identity of a prediction: its model, decision rule, folder and format. Only the same one can be resumed."""
    model = hashlib.blake2b(predictor.run.model_path.read_bytes(), digest_size=16).hexdigest()
    rule = predictor.thresholds.to_json() | {"calibration": predictor.calibration.to_json()}
    rule |= {"structure": _constraints_text(predictor.constraints)}
    given = predictor.landmarks.given
    rule |= {"landmarks": str(given.path.resolve())} if given else {}
    return json.dumps(
        {"model": model, "rule": rule, "folder": str(root.resolve()), "format": format, "chunk": CHUNK}
    )


def _constraints_text(constraints: LabelConstraints) -> str:
    """Groups and rules as text, in the form that the first version saved: a prediction begun by it resumes.

    >>> from tagger.scoring.label_constraints import ExclusiveGroup
    >>> _constraints_text(LabelConstraints((ExclusiveGroup("age", (2, 0)),), rules=((0, 1),)))
    "Structure(groups=(OneOf(name='age', columns=(2, 0), always=False, ordinal=False),), rules=((0, 1),))"
    """
    groups = [
        f"OneOf(name={one.name!r}, columns={one.columns!r}, always={one.always!r}, ordinal={one.ordinal!r})"
        for one in constraints.groups
    ]
    in_brackets = f"({groups[0]},)" if len(groups) == 1 else f"({', '.join(groups)})"
    return f"Structure(groups={in_brackets}, rules={constraints.rules!r})"


def split_batches(files: Iterator[str]) -> Iterator[list[str]]:
    """Batches of ``CHUNK`` files, the last one smaller."""
    while batch := list(islice(files, CHUNK)):
        yield batch


def _check_same(path: Path, identity: str, out: Path) -> None:
    if not path.is_file() or path.read_text("utf-8") != identity:
        raise TaggerError(
            f"{out} was begun with another run, folder or format. Start again without --resume."
        )


def _label_batch(predictor: Predictor, predictions: Predictions) -> LabelBatch:
    chosen = list(predictor.chosen_labels(predictions.probs_NK))
    return LabelBatch(predictor.to_table(predictions), chosen, frozenset(predictions.reasons))


def _digest(words: Iterable[str]) -> str:
    return hashlib.blake2b("\n".join(words).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def _file_stamp(path: Path) -> str:
    """Size and modification time of a file, which tell that it was changed."""
    try:
        found = path.stat()
    except OSError:
        return "gone"
    return f"{found.st_size} {found.st_mtime_ns}"
