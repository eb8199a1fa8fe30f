"""``tagger explain``: heat maps of where one run, or two, saw the labels of photos."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tagger.arrays import Floats
from tagger.batches import UnreadableImage
from tagger.commands.console.screen import MAX_LINES, Screen
from tagger.commands.serving.heat_maps import MAX_SIDE, label_column
from tagger.commands.serving.photo_landmarks import PhotoLandmarks
from tagger.commands.serving.predictor import Predictor, load
from tagger.commands.steps.explained_photos import draw_means, panels_of
from tagger.commands.steps.input_photos import find_photos
from tagger.data.formats.csv_injection import BYTE_ORDER_MARK, escape_formulas
from tagger.data.images.decoding import load_preview
from tagger.errors import TaggerError, did_you_mean
from tagger.explain import MeanMaps, explanations
from tagger.explain.explanation_figure import Panel, draw_explanation
from tagger.runs import RunFolder, atomic_write, write_text
from tagger.runs.ownership import check_absent, mark, marked
from tagger.scoring.bootstrap import bootstrap_draws, percentile_interval
from tagger.text import counted

COLUMNS = ["file", "run", "label", "prob", "chosen", "outside", "picture"]


def explain_images(
    images: str | Path | Sequence[str | Path],
    *,
    run: str | Path | RunFolder | None = None,
    labels: Sequence[str] | None = None,
    out: str | Path = "explained",
    method: str = "grad_cam",
    against: str | Path | RunFolder | None = None,
    average: bool = False,
    landmarks: str | Path | None = None,
    screen: Screen | None = None,
) -> pd.DataFrame:
    """One row for each image, run and label: where the model saw the label, drawn as ``out``/NAME.METHOD.png.

    Columns: file, run, label, prob, chosen, outside (share of the heat outside the hottest cell, NaN
    without heat), picture; ``out``/METHOD.csv has the same. ``images`` are files and folders. ``labels``:
    unless given, those that ``run`` chooses for an image, else its most probable one. ``against``: a second
    run, asked for the same labels. ``average``: one more figure, of the mean map of each label over all photos
    (``attrs["average"]``). Method ``attention`` draws each head of gated attention in a label's place: ``label`` is
    the head, ``prob`` its share in the scores. ``landmarks`` as in ``tagger.load``. ``attrs["unreadable"]`` has a
    reason for each file that cannot be read. TaggerError: no such image, label or method, or a network that the method
    does not work for.
    """
    screen = screen or Screen(quiet=True)
    out = Path(out)
    _check_method(method, labels)
    given = [images] if isinstance(images, str | Path) else images
    photos = find_photos(given, out=out, suffix=f".{method}.png")
    predictors = _load_predictors(run, against, landmarks, screen)
    paths = [predictor.run.path for predictor in predictors]
    if len({path.resolve() for path in paths}) < len(paths):
        raise TaggerError(f"{paths[0]} cannot be compared with itself. Give another run with --against.")
    shared = _shared_labels(predictors, labels or ())
    files = [str(photo.path) for photo in photos]
    probs = [predictor.predict_probs(Path(), files).probs_NK for predictor in predictors]
    average_name = f"average-of-photos.{method}.png"
    more = {average_name} if average else set()
    folder = _FigureFolder(out, {*(photo.name for photo in photos), f"{method}.csv", *more})
    means = [MeanMaps() for _ in predictors]
    rows: list[dict[str, Any]] = []
    unreadable: dict[str, str] = {}
    for n, photo in enumerate(screen.track(photos, "explaining")):
        try:
            whole_HWC = np.asarray(load_preview(photo.path, max_side=MAX_SIDE)[0])
        except UnreadableImage as error:
            unreadable[str(photo.path)] = error.reason
            continue
        asked = list(dict.fromkeys(labels or _default_labels(predictors[0], probs[0][n], shared)))
        drawn = []
        for predictor, probs_NK, mean in zip(predictors, probs, means, strict=True):
            panels = panels_of(
                predictor, photo.path, probs_NK[n], asked, method=method, shape=whole_HWC.shape, mean=mean
            )
            drawn.append((_run_title(predictor.run.path, paths), panels))
            known = {
                "file": str(photo.path),
                "run": str(predictor.run.path),
                "picture": str(out / photo.name),
            }
            rows += [known | {name: getattr(panel, name) for name in COLUMNS[2:6]} for panel in panels]
        _check_same_panels(drawn)
        folder.save(photo.name, draw_explanation(whole_HWC, drawn, method=method))
    table = pd.DataFrame(rows, columns=COLUMNS)
    table.attrs |= {"unreadable": unreadable, "method": method}
    if rows and average:
        titles = [_run_title(path, paths) for path in paths]
        folder.save(average_name, draw_means(list(zip(titles, means, strict=True)), method=method))
        table.attrs["average"] = str(out / average_name)
    if rows:
        text = escape_formulas(table.round(6)).to_csv(index=False, lineterminator="\n")
        write_text(out / f"{method}.csv", BYTE_ORDER_MARK + text)
    return table


def _check_method(method: str, labels: Sequence[str] | None) -> None:
    """TaggerError if there is no such method, or labels are asked for where it has none."""
    if method != "attention":
        if method not in explanations.names():
            known = [*explanations.names(), "attention"]
            raise TaggerError(
                f"Unknown explanation {method!r}.{did_you_mean(method, known)} Available: {', '.join(sorted(known))}"
            )
    elif labels:
        raise TaggerError("attention: heads look at the same places for every label. Leave --label out.")


def _check_same_panels(drawn: Sequence[tuple[str, Sequence[Panel]]]) -> None:
    """TaggerError if two runs have other attention heads, so that they cannot stand side by side."""
    titles = [[panel.label for panel in panels] for _, panels in drawn]
    if titles[0] != titles[-1]:
        raise TaggerError(
            f"attention: {drawn[0][0]} has {len(titles[0])} heads and {drawn[1][0]} {len(titles[1])}, on other maps."
            " Draw them one after the other, without --against."
        )


def _load_predictors(
    run: str | Path | RunFolder | None,
    against: str | Path | RunFolder | None,
    landmarks: str | Path | None,
    screen: Screen,
) -> list[Predictor]:
    """The predictors of one run or two. Landmarks go to the runs that align; TaggerError if none does."""
    first = load(run, landmarks=landmarks if against is None else None, screen=screen)
    if against is None:
        return [first]
    both = [first, load(against, screen=screen)]
    aligning = [one for one in both if one.landmarks.alignment is not None]
    if landmarks is not None and not aligning:
        raise TaggerError(f"--landmarks {landmarks}: neither run aligns photos. Leave the option out.")
    for one in aligning:
        one.landmarks = PhotoLandmarks(one.run, one.settings, landmarks, screen)
    return both


class _FigureFolder:
    """The folder of the figures. Only files that an earlier call wrote there are replaced; TaggerError otherwise."""

    def __init__(self, path: Path, names: set[str]):
        self.path = path
        self.names = names
        self.ours = set(json.loads(marked(path) or "[]"))
        others = [name for name in names - self.ours if os.path.lexists(path / name)]
        check_absent(path, others, "Move it away, or name another --out.")

    def save(self, name: str, png: bytes) -> None:
        """Write a figure. All names are marked as ours before the first one is there."""
        if not self.names <= self.ours:
            self.ours |= self.names
            mark(self.path, json.dumps(sorted(self.ours)))
        with atomic_write(self.path / name) as temporary:
            temporary.write_bytes(png)


def _shared_labels(predictors: Sequence[Predictor], asked: Sequence[str]) -> list[str]:
    """The labels that may be shown: all runs know them. TaggerError if one that is asked for is none of them."""
    for predictor in predictors:
        for label in asked:
            label_column(predictor, label)
    shared = [
        label for label in predictors[0].labels if all(label in predictor.labels for predictor in predictors)
    ]
    if not shared:
        raise TaggerError(
            f"{' and '.join(str(predictor.run.path) for predictor in predictors)} have no label in common."
        )
    return shared


def _default_labels(predictor: Predictor, probs_K: Floats, shared: Sequence[str]) -> list[str]:
    """The labels chosen for an image, the most probable first; if there are none, the most probable one."""
    prob_of = dict(zip(predictor.labels, probs_K.tolist(), strict=True))
    chosen = [label for label in next(iter(predictor.chosen_labels(probs_K[None]))) if label in shared]
    return sorted(chosen, key=lambda label: -prob_of[label]) or [max(shared, key=prob_of.__getitem__)]


def _run_title(path: Path, paths: Sequence[Path]) -> str:
    """The run's folder name, or all of its path where another run has the same name."""
    return str(path) if sum(path.name == other.name for other in paths) > 1 else path.name


def show_explanations(table: pd.DataFrame, screen: Screen) -> None:
    """The share of heat outside the hottest cell for the first photos, and on average; of two runs, side by side."""
    runs = list(dict.fromkeys(table["run"]))
    lines = []
    for (file, label), part in table.groupby(["file", "label"], sort=False):
        shares = [None if np.isnan(share) else share for share in part["outside"]]
        lines.append([f"{Path(str(file)).name}  {label}", *part["prob"][: 2 - len(runs)], *shares])
    columns = ["outside"] if len(runs) == 1 else [_run_title(Path(run), [*map(Path, runs)]) for run in runs]
    heads = table.attrs.get("method") == "attention"
    columns = [
        "photo, head" if heads else "photo, label",
        *["share" if heads else "probability"][: 2 - len(runs)],
        *columns,
    ]
    screen.table("Share of the heat outside the hottest of 7 x 7 cells", columns, lines[:MAX_LINES])
    if len(lines) > MAX_LINES:
        screen.say(f"  ... and {len(lines) - MAX_LINES:,} more, all in the CSV file beside the figures")
    if len(runs) == 2:
        screen.say(heat_difference_sentence(table, runs[0], runs[1]))
    elif table["outside"].notna().any():
        screen.say(f"On average {table['outside'].mean():.3f}.")


def heat_difference_sentence(table: pd.DataFrame, first: str, second: str, *, draws: int = 1000) -> str:
    """One sentence on how much more of the first run's heat lies outside the hottest cell than of the second
    run's.

    The means are over photos, each the mean of its labels that have heat in both runs; the interval is over
    photos drawn with replacement.

    >>> rows = [("1.jpg", "sea", "x", 0.5), ("1.jpg", "sea", "y", 0.7)]
    >>> heat_difference_sentence(pd.DataFrame(rows, columns=["file", "label", "run", "outside"]), "x", "y", draws=9)
    'On average x 0.500, y 0.700: difference -0.200 (-0.200 to -0.200 over 1 photo).'
    """
    shares = table.pivot_table(index=["file", "label"], columns="run", values="outside", sort=False)
    shares = shares.reindex(columns=[first, second]).dropna().groupby(level="file").mean()
    if shares.empty:
        return (
            "The two runs cannot be compared: no photo has a heat map of the same label from both."
            " Name other photos, or a label with --label."
        )
    difference_N = (shares[first] - shares[second]).to_numpy()

    def mean(weights_NB: Floats) -> dict[str, Floats]:
        return {"mean": difference_N @ weights_NB / weights_NB.sum(0)}

    low, high = percentile_interval(
        float(difference_N.mean()), bootstrap_draws(mean, len(difference_N), draws=draws)["mean"]
    )
    paths = [Path(first), Path(second)]
    of_runs = ", ".join(f"{_run_title(path, paths)} {shares[str(path)].mean():.3f}" for path in paths)
    interval_text = f"{low:+.3f} to {high:+.3f} over {counted(len(difference_N), 'photo')}"
    return f"On average {of_runs}: difference {difference_N.mean():+.3f} ({interval_text})."
