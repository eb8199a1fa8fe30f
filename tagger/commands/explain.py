"""``tagger explain``: pictures of where a run, or two, saw the labels of photos, and how widely the heat is spread."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tagger.arrays import Floats
from tagger.batches import UnreadableImage
from tagger.commands.heat import MOST_SIDE, check_label, heat_over_photo
from tagger.commands.photo_list import find_photos
from tagger.commands.screen import SHOWN, Screen
from tagger.commands.tagger_model import Tagger, load
from tagger.data.decode import load_photo
from tagger.data.spreadsheet import guarded_table
from tagger.data.wording import counted
from tagger.errors import TaggerError
from tagger.explain import explanations, outside_hottest_cell
from tagger.explain.picture import Panel, draw_picture
from tagger.runs import RunFolder, replacing, write_text
from tagger.runs.ours import check_absent, mark, marked
from tagger.scoring.bootstrap import draw, interval

COLUMNS = ["file", "run", "label", "prob", "chosen", "outside", "picture"]


def explain_images(
    images: str | Path | Sequence[str | Path],
    *,
    run: str | Path | RunFolder | None = None,
    labels: Sequence[str] | None = None,
    out: str | Path = "explained",
    method: str = "grad_cam",
    against: str | Path | RunFolder | None = None,
    screen: Screen | None = None,
) -> pd.DataFrame:
    """One row for each image, run and label: where the model saw the label, drawn as ``out``/NAME.METHOD.png.

    Columns: file, run, label, prob, chosen, outside (share of the heat outside the hottest cell, NaN without heat),
    picture; ``out``/METHOD.csv has the same. ``images`` are files and folders. ``labels``: unless given, those that
    ``run`` chooses for an image, else its most probable one. ``against``: a second run, asked for the same labels.
    ``attrs["unreadable"]`` has a reason for each file that cannot be read. TaggerError: no such image, label or method,
    or a network that the method does not work for.
    """
    screen, out = screen or Screen(quiet=True), Path(out)
    explanations.check(method, {})
    given = [images] if isinstance(images, str | Path) else images
    photos = find_photos(given, out=out, ending=f".{method}.png")
    taggers = [load(which, screen=screen) for which in ([run] if against is None else [run, against])]
    paths = [tagger.run.path for tagger in taggers]
    if len({path.resolve() for path in paths}) < len(paths):
        raise TaggerError(f"{paths[0]} is to be seen beside itself. Give another run with --against.")
    shared = _shared_labels(taggers, labels or ())
    files = [str(photo.path) for photo in photos]
    probs = [tagger.tag(Path(), files).probs_NK for tagger in taggers]
    names, before = {*(photo.name for photo in photos), f"{method}.csv"}, set(json.loads(marked(out) or "[]"))
    strangers = [name for name in names - before if os.path.lexists(out / name)]
    check_absent(out, strangers, "Move it away, or name another --out.")
    rows: list[dict[str, Any]] = []
    unreadable: dict[str, str] = {}
    for n, photo in enumerate(screen.track(photos, "explaining")):
        try:
            whole_HWC = np.asarray(load_photo(photo.path, most=MOST_SIDE)[0])
        except UnreadableImage as error:
            unreadable[str(photo.path)] = error.reason
            continue
        asked = list(dict.fromkeys(labels or _own_labels(taggers[0], probs[0][n], shared)))
        drawn = []
        for tagger, probs_NK in zip(taggers, probs, strict=True):
            panels = [_panel(tagger, photo.path, label, probs_NK[n], whole_HWC.shape, method) for label in asked]
            drawn.append((_name(tagger.run.path, paths), panels))
            known = {"file": str(photo.path), "run": str(tagger.run.path), "picture": str(out / photo.name)}
            rows += [known | {name: getattr(panel, name) for name in COLUMNS[2:6]} for panel in panels]
        if not names <= before:
            before |= names
            mark(out, json.dumps(sorted(before)))
        with replacing(out / photo.name) as temporary:
            temporary.write_bytes(draw_picture(whole_HWC, drawn, method=method))
    table = pd.DataFrame(rows, columns=COLUMNS)
    table.attrs["unreadable"] = unreadable
    if rows:
        write_text(out / f"{method}.csv", guarded_table(table.round(6)).to_csv(index=False, lineterminator="\n"))
    return table


def _shared_labels(taggers: Sequence[Tagger], asked: Sequence[str]) -> list[str]:
    """The labels that may be shown: all runs know them. TaggerError if one that is asked for is none of them."""
    for tagger in taggers:
        for label in asked:
            check_label(tagger, label)
    shared = [label for label in taggers[0].labels if all(label in tagger.labels for tagger in taggers)]
    if not shared:
        raise TaggerError(f"{' and '.join(str(tagger.run.path) for tagger in taggers)} have no label in common.")
    return shared


def _own_labels(tagger: Tagger, probs_K: Floats, shared: Sequence[str]) -> list[str]:
    """The labels chosen for an image, the most probable first; if there are none, the most probable one."""
    prob_of = dict(zip(tagger.labels, probs_K.tolist(), strict=True))
    chosen = [label for label in next(iter(tagger.choose(probs_K[None]))) if label in shared]
    return sorted(chosen, key=lambda label: -prob_of[label]) or [max(shared, key=prob_of.__getitem__)]


def _name(path: Path, paths: Sequence[Path]) -> str:
    """The run's folder name, or all of its path where another run has the same name."""
    return str(path) if sum(path.name == other.name for other in paths) > 1 else path.name


def _panel(tagger: Tagger, path: Path, label: str, probs_K: Floats, shape: tuple[int, ...], method: str) -> Panel:
    heat_HW = heat_over_photo(tagger, path, label, method=method, shape=shape)
    chosen = label in next(iter(tagger.choose(probs_K[None])))
    prob = float(probs_K[tagger.labels.index(label)])
    return Panel(label, prob, chosen, heat_HW, outside_hottest_cell(heat_HW))


def show(table: pd.DataFrame, screen: Screen) -> None:
    """The share of heat outside the hottest cell for the first photos, and on average; of two runs, side by side."""
    runs = list(dict.fromkeys(table["run"]))
    lines = []
    for (file, label), part in table.groupby(["file", "label"], sort=False):
        shares = [None if np.isnan(share) else share for share in part["outside"]]
        lines.append([f"{Path(str(file)).name}  {label}", *part["prob"][: 2 - len(runs)], *shares])
    columns = ["outside"] if len(runs) == 1 else [_name(Path(run), [*map(Path, runs)]) for run in runs]
    columns = ["photo, label", *["probability"][: 2 - len(runs)], *columns]
    screen.table("Share of the heat outside the hottest of 7 x 7 cells", columns, lines[:SHOWN])
    if len(lines) > SHOWN:
        screen.say(f"  ... and {len(lines) - SHOWN:,} more, all of them in the CSV file beside the pictures")
    if len(runs) == 2:
        screen.say(difference(table, runs[0], runs[1]))
    elif table["outside"].notna().any():
        screen.say(f"On average {table['outside'].mean():.3f}.")


def difference(table: pd.DataFrame, first: str, second: str, *, draws: int = 1000) -> str:
    """One sentence on how much more of the first run's heat lies outside the hottest cell than of the second run's.

    The means are over photos, each the mean of its labels that have heat in both runs; the interval is over photos
    drawn with replacement.

    >>> rows = [("1.jpg", "sea", "x", 0.5), ("1.jpg", "sea", "y", 0.7)]
    >>> difference(pd.DataFrame(rows, columns=["file", "label", "run", "outside"]), "x", "y", draws=9)
    'On average x 0.500, y 0.700: difference -0.200 (-0.200 to -0.200 over 1 photo).'
    """
    shares = table.pivot_table(index=["file", "label"], columns="run", values="outside", sort=False)
    shares = shares.reindex(columns=[first, second]).dropna().groupby(level="file").mean()
    if shares.empty:
        return "The two runs cannot be compared: no label of a photo has heat in both."
    apart_N = (shares[first] - shares[second]).to_numpy()

    def mean(weights_NB: Floats) -> dict[str, Floats]:
        return {"mean": apart_N @ weights_NB / weights_NB.sum(0)}

    low, high = interval(float(apart_N.mean()), draw(mean, len(apart_N), draws=draws)["mean"])
    paths = [Path(first), Path(second)]
    of_runs = ", ".join(f"{_name(path, paths)} {shares[str(path)].mean():.3f}" for path in paths)
    between = f"{low:+.3f} to {high:+.3f} over {counted(len(apart_N), 'photo')}"
    return f"On average {of_runs}: difference {apart_N.mean():+.3f} ({between})."
