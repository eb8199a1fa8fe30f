"""Prediction of sidecars: one small file an image, in the same sub-folders as the images."""

from collections.abc import Iterator
from pathlib import Path

from tagger.commands.serving.predictor import Predictions, Predictor
from tagger.commands.steps.predict_outputs import PredictResult, save_unreadable
from tagger.commands.steps.predict_table import split_batches
from tagger.commands.writers import MergeRules, SidecarWriter
from tagger.errors import Problem, TaggerError
from tagger.runs import remove_leftovers


def predict_sidecars(
    predictor: Predictor,
    writer: SidecarWriter,
    root: Path,
    files: Iterator[str],
    out: Path,
    on_existing: str,
    problems: list[Problem],
) -> PredictResult:
    """Write a sidecar for each image, below ``out`` as the images are below ``root``. Running again changes nothing."""
    done = skipped = 0
    folders: set[Path] = set()
    for batch_files in split_batches(files):
        sidecar_paths = {file: out / writer.sidecar_path(file) for file in batch_files}
        folders |= {path.parent for path in sidecar_paths.values()}
        wanted = [file for file in batch_files if on_existing != "skip" or not sidecar_paths[file].exists()]
        skipped += len(batch_files) - len(wanted)
        if wanted:
            predictions = predictor.predict_probs(root, wanted)
            found = _write_batch(predictor, writer, predictions, sidecar_paths, on_existing)
            problems += found
            done += len(wanted) - len(found)
    for folder in folders:
        remove_leftovers(folder, f"*{writer.sidecar_path('a.jpg').suffix}")
    save_unreadable(problems, out / "unreadable.csv")
    return PredictResult(out, done, problems, skipped)


def _write_batch(
    predictor: Predictor,
    writer: SidecarWriter,
    predictions: Predictions,
    sidecar_paths: dict[str, Path],
    on_existing: str,
) -> list[Problem]:
    """Write the sidecars of a batch; the images without one, which are unreadable or whose sidecar is.

    ``a.jpg`` and ``a.png`` may share a sidecar, which then gets the labels of both.
    """
    problems = []
    written: dict[Path, list[str]] = {}
    chosen = predictor.chosen_labels(predictions.probs_NK)
    for row, (file, labels) in enumerate(zip(predictions.files, chosen, strict=True)):
        if row in predictions.reasons:
            problems.append(Problem(file, None, predictions.reasons[row]))
            continue
        path = sidecar_paths[file]
        both = list(dict.fromkeys([*written.get(path, []), *labels]))
        merge = MergeRules(absent=predictor.labels) if path in written or on_existing == "merge" else None
        try:
            writer.write(path, both, merge, complete=merge is None or not path.exists())
        except TaggerError as error:
            problems.append(Problem(file, None, f"its sidecar was not changed: {error}"))
            continue
        written[path] = both
    return problems
