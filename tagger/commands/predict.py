"""``tagger predict``: tag every image of a folder, batch by batch, in constant memory, resumable."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

from tagger.commands.console.screen import Screen
from tagger.commands.serving.predictor import Predictor, load
from tagger.commands.steps.predict_outputs import (
    UNREADABLE_HEADER,
    PredictResult,
    check_output_path,
    make_parent,
    table_path,
    unreadable_path,
)
from tagger.commands.steps.predict_sidecars import predict_sidecars
from tagger.commands.steps.predict_table import (
    BATCH_FILES,
    identity_path_of,
    predict_table,
    prediction_identity,
)
from tagger.commands.steps.text_separators import check_text_merge
from tagger.commands.writers import LABEL_FORMATS, ON_EXISTING, batch_formats, sidecar_formats
from tagger.data import iter_images
from tagger.data.images.listing import LeftAlone
from tagger.errors import Problem, TaggerError, did_you_mean
from tagger.runs import RunFolder, find_run, locked, output_lock
from tagger.runs.ownership import check_claim, check_own_csv


def predict(
    folder: str | Path,
    *,
    run: str | Path | None = None,
    out: str | Path | None = None,
    format: str = "csv",
    on_existing: str = "skip",
    resume: bool = False,
    thresholds: str | None = None,
    landmarks: str | Path | None = None,
    screen: Screen | None = None,
) -> PredictResult:
    """Labels of every image in ``folder`` and below, written to ``out``: a file, or a folder of sidecars or images.

    The defaults: ``predictions.FORMAT`` here; sidecars are written beside the images. Unreadable images are
    listed in ``OUT.unreadable.csv``. ``resume`` continues an interrupted call on the same folder; images
    that were changed meanwhile are tagged again. ``thresholds`` names a set saved in the review app, ``landmarks``
    a file or folder of the photos' landmarks, for a run that aligns by them.
    TaggerError before anything is written where possible.
    """
    screen = screen or Screen(quiet=True)
    for value, known, what in ((format, LABEL_FORMATS, "format"), (on_existing, ON_EXISTING, "on-existing")):
        if value not in known:
            raise TaggerError(
                f"Unknown --{what} {value!r}.{did_you_mean(value, known)} Available: {', '.join(known)}."
            )
    root = Path(folder)
    problems: list[Problem] = []
    files = _find_images(root, problems, screen, _pairs(run))

    def load_predictor() -> Predictor:
        return load(run, thresholds=thresholds, landmarks=landmarks, screen=screen)

    if format in sidecar_formats.names():
        _check_resume_sidecars(on_existing, resume=resume)
        target = Path(out) if out is not None else root
        check_own_csv(target / "unreadable.csv", UNREADABLE_HEADER)
        with locked(output_lock(target, folder=True), "predict", target, warn=screen.say):
            loaded = load_predictor()
            check_text_merge(loaded.settings.data, format, on_existing)
            sidecar_writer = sidecar_formats.build(format, loaded.labels)
            files = iter(loaded.follow(root, files))
            return predict_sidecars(loaded, sidecar_writer, root, files, target, on_existing, problems)
    target = table_path(out, format)
    resume = resume and identity_path_of(target).is_file()
    _check_output(target, format, on_existing, resume=resume)
    whole = target.parent if format.startswith("imagefolder") else target  # the lock makes an image folder
    predictor = (
        None if whole.absolute().parent.is_dir() else load_predictor()
    )  # else no folder is left behind
    make_parent(whole)
    with locked(output_lock(target), "predict", target, warn=screen.say):
        _check_output(
            target, format, on_existing, resume=resume
        )  # another call may have written it meanwhile
        predictor = predictor or load_predictor()
        writer = batch_formats.build(format, root, target, predictor.labels)
        files = iter(predictor.follow(root, files))
        identity = prediction_identity(predictor, root, format)
        result = predict_table(predictor, writer, root, files, target, identity, problems, resume=resume)
    return replace(result, out=Path(out)) if out is not None else result


def _pairs(run: str | Path | RunFolder | None) -> str:
    """Which files of one name the run takes for one photo. What is wrong with the run is said when it is loaded."""
    try:
        found = run if isinstance(run, RunFolder) else find_run(run)
        pairs = found.load_settings().data.pairs
    except TaggerError:
        return "raw"
    return "raw" if pairs == "refuse" else pairs


def _find_images(root: Path, problems: list[Problem], screen: Screen, pairs: str) -> Iterator[str]:
    """The images of the folder; TaggerError if there is none. What cannot be listed is added to ``problems``.

    After the last one, ``screen`` says what was left alone.
    """
    left = LeftAlone()
    files = iter_images(root, on_problem=problems.append, left_alone=left, pairs=pairs)
    first = next(files, None)
    if first is None:
        raise TaggerError("; ".join([f"{root}: there are no photos in it", *left.sentences()]) + ".")
    return chain([first], files, _say_at_end(left, screen))


def _say_at_end(left: LeftAlone, screen: Screen) -> Iterator[str]:
    """No image; says what was left alone once all images before it were taken."""
    for sentence in left.sentences():
        screen.say(f"{sentence[0].upper()}{sentence[1:]}.")
    yield from ()


def _check_resume_sidecars(on_existing: str, *, resume: bool) -> None:
    """TaggerError if ``--resume`` would tag all photos again; with ``skip`` those with a sidecar are done."""
    if resume and on_existing != "skip":
        raise TaggerError(
            f"--resume with --on-existing {on_existing}: sidecars are resumed by skipping those that exist."
            f" Leave out --resume to {on_existing} all of them, or leave out --on-existing."
        )


def _check_output(target: Path, format: str, on_existing: str, *, resume: bool) -> None:
    """TaggerError if the table, its list of unreadable images or its batches would replace what is not ours."""
    check_output_path(target, on_existing, format, resume=resume)
    check_own_csv(unreadable_path(target), UNREADABLE_HEADER)
    if not resume:
        check_claim(identity_path_of(target).parent, BATCH_FILES, "Move it away, or name another --out.")
