"""Prediction of sidecars: one small file an image, in the same sub-folders as the images."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from urllib.parse import quote

from tagger.commands.serving.predictor import Predictions, Predictor
from tagger.commands.steps.former_names import former_names
from tagger.commands.steps.predict_outputs import PredictResult, save_unreadable
from tagger.commands.steps.predict_table import split_batches
from tagger.commands.steps.removed_report import show_changes
from tagger.commands.writers import (
    MergeRules,
    RecordedSidecars,
    SidecarClashes,
    SidecarRequest,
    SidecarWriter,
    say_names,
)
from tagger.errors import Problem, TaggerError
from tagger.runs import remove_leftovers


@dataclass
class _PredictedSidecars:
    """The sidecars of one call: where they go, and how they are written."""

    predictor: Predictor
    sidecars: RecordedSidecars
    root: Path
    rules: MergeRules
    merge: bool

    def request(
        self, row: int, file: str, labels: list[str], notes: dict[str, str], path: Path
    ) -> SidecarRequest:
        """What is to be written for an image."""
        is_new = not path.exists()
        merge = self.rules if self.merge or is_new else None
        return SidecarRequest(path, [row], [self.root / file], labels, merge, merge is None or is_new, notes)


def predict_sidecars(
    predictor: Predictor,
    writer: SidecarWriter,
    root: Path,
    files: Iterator[str],
    out: Path,
    on_existing: str,
    problems: list[Problem],
) -> PredictResult:
    """Write a sidecar for each image, below ``out`` as the images are below ``root``. Running again changes nothing.

    A label that was written before and that a person took off stays off. An image whose sidecar would be another's,
    too, is a problem. All that is added, removed and kept off
    is shown.
    """
    sidecars = RecordedSidecars(writer, out, predictor.run.path.name)
    rules = MergeRules(absent=predictor.labels, former=former_names(predictor.run))
    job = _PredictedSidecars(predictor, sidecars, root, rules, on_existing == "merge")
    done = skipped = 0
    folders: set[Path] = set()
    clashes = SidecarClashes(writer, out, root, pairs=predictor.settings.data.pairs)
    for batch_files in split_batches(_without_clashes(files, clashes, problems)):
        paths = {file: sidecars.path_of(file) for file in batch_files}
        folders |= {path.parent for path in paths.values()}
        wanted = [file for file in batch_files if on_existing != "skip" or not paths[file].exists()]
        skipped += len(batch_files) - len(wanted)
        if wanted:
            found = _write_batch(job, predictor.predict_probs(root, wanted), paths)
            problems += found
            done += len(wanted) - len(found)
    for folder in folders:
        remove_leftovers(folder, f"*{writer.sidecar_path('a.jpg').suffix}")
    save_unreadable(problems, out / "unreadable.csv")
    say_names(sidecars, predictor.screen)
    show_changes(sidecars.changes, on_existing, predictor.screen)
    return PredictResult(out, done, problems, skipped)


def _without_clashes(files: Iterator[str], clashes: SidecarClashes, problems: list[Problem]) -> Iterator[str]:
    """The images whose sidecar is for no other; the others are added to ``problems``."""
    for file in files:
        if reason := clashes.reason(file):
            problems.append(Problem(file, None, reason))
        else:
            yield file


def _write_batch(job: _PredictedSidecars, predictions: Predictions, paths: dict[str, Path]) -> list[Problem]:
    """Write the sidecars of a batch; the images without one, which are unreadable or whose sidecar is."""
    problems = []
    chosen = job.predictor.chosen_labels(predictions.probs_NK)
    for row, (file, labels) in enumerate(zip(predictions.files, chosen, strict=True)):
        if row in predictions.reasons:
            problems.append(Problem(file, None, predictions.reasons[row]))
            continue
        notes = _notes(job.predictor, predictions.probs_NK[row].tolist())
        request = job.request(row, file, labels, notes, paths[file])
        try:
            job.sidecars.write(request)
        except TaggerError as error:
            problems.append(Problem(file, None, f"its sidecar was not changed: {error}"))
            continue
    return problems


def _notes(predictor: Predictor, probs_K: list[float]) -> dict[str, str]:
    """What is noted of each label in an XMP sidecar: probability, day and run."""
    run = quote(predictor.run.path.name, safe="")
    day = f"{date.today():%Y-%m-%d}"
    return {label: f"{prob:.3f} {day} {run}" for label, prob in zip(predictor.labels, probs_K, strict=True)}
