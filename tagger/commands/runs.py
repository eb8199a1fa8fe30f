"""``tagger runs``, ``runs list`` and ``runs show``: the runs of a folder, what they scored, and which one is chosen."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any

from tagger.commands.compare import difference_sentence
from tagger.commands.console.screen import Screen
from tagger.commands.steps.reviewed_labels import read_decisions
from tagger.errors import TaggerError
from tagger.review import RecordedDecision, default_url
from tagger.runs import RunFolder, is_absent
from tagger.runs.choice import RUNS_FOLDER, load_choice, runs_folder_of
from tagger.runs.lineage import children_of
from tagger.runs.locate import all_runs, find_any_run, run_in_use, use_sentence
from tagger.runs.run_advice import short_path
from tagger.runs.summary import RunSummary, summarise, summarise_run
from tagger.text import counted

SHOWN = 20  # runs on the screen without --all
HEAD = f"  {'made':16} {'photos':>9} {'labels':>6} {'mAP':>6}  {'on photos':14} {'size':>8} {'decided':>9}"
RESUME = {True: "tagger retrain --resume --out", False: "tagger train --resume --run"}


@dataclass(frozen=True)
class RunListing:
    """The runs of a folder, oldest first, and one line on the run in use, or on why there is none."""

    folder: Path
    runs: list[RunSummary]
    in_use: str

    def to_json(self) -> dict[str, Any]:
        """{"folder", "chosen", "runs"}."""
        chosen = next((one.path.name for one in self.runs if one.chosen), None)
        return {"folder": str(self.folder), "chosen": chosen, "runs": [to_json(one) for one in self.runs]}


def list_runs(folder: Path | None, *, store: str | None) -> RunListing:
    """The runs of a folder (default: ``./runs``). TaggerError if there is none."""
    folder = folder or RUNS_FOLDER
    runs = summarise(folder)
    if not runs:
        raise TaggerError(f"{folder}: there are no runs in it. Make one: tagger train --data DIR.")
    problem = _mark_chosen(folder, runs)
    _count_decisions(runs, store)
    return RunListing(folder, runs, problem or _choice_line(folder))


def describe_run(run: Path, *, store: str | None) -> tuple[RunSummary, list[str]]:
    """(what is known of a run, the paths of runs that were retrained from it)."""
    place = runs_folder_of(find_any_run(run).path)
    path = find_any_run(run).path if place is None else place[0] / place[1]
    found = summarise_run(path)
    if found is None:
        raise TaggerError(f"{run} is no run folder: it has no config.toml.")
    if place is not None:
        _mark_chosen(place[0], [found])
    _count_decisions([found], store)
    others = [other for other in all_runs(path.parent) if other.path != path]
    return found, [str(short_path(child.path)) for child in children_of(RunFolder(path), others)]


def to_json(found: RunSummary) -> dict[str, Any]:
    """A run as JSON."""
    paths = {"path": str(found.path), "parent": None if found.parent is None else str(found.parent)}
    return asdict(found) | paths


def _mark_chosen(folder: Path, runs: Sequence[RunSummary]) -> str:
    """Note which run is the chosen one; what is wrong with the choice, if anything is."""
    try:
        choice = load_choice(folder)
    except TaggerError as error:
        return str(error)
    for one in runs:
        one.chosen = choice is not None and one.path.name == choice.chosen_run
    return ""


def _choice_line(folder: Path) -> str:
    """The sentence on the run in use, or why there is none."""
    try:
        found = run_in_use(folder)
    except TaggerError as error:
        return str(error)
    return "No run is finished." if found is None else use_sentence(found)


def _count_decisions(runs: Sequence[RunSummary], store: str | None) -> None:
    """Count the decisions made on each run that were not undone; each store is read once."""
    known: dict[str, Counter[str] | None] = {}
    for one in runs:
        url = store or (default_url(Path(one.data)) if one.data and not is_absent(Path(one.data)) else "")
        if url not in known:
            known[url] = _decided_by_run(url) if url else None
        counter = known[url]
        one.num_decided = None if counter is None else sum(counter[name] for name in _folder_names(one))


def _folder_names(one: RunSummary) -> set[str]:
    try:
        return RunFolder(one.path).load_notes().folder_names(one.path.name)
    except (TaggerError, OSError):
        return {one.path.name}


def _decided_by_run(url: str) -> Counter[str] | None:
    """How many decisions of a store were made on each run, by its folder name; None where it cannot be read."""
    try:
        rows, _ = read_decisions(url)
    except TaggerError:
        return None
    return Counter(Path(row.run).name for row in standing(rows))  # a name, or in other programs a path


def standing(rows: Sequence[RecordedDecision]) -> list[RecordedDecision]:
    """The decisions that say yes or no and were not undone."""
    undone = {row.undoes for row in rows if row.verdict == "undo"}
    return [row for row in rows if row.value is not None and row.id not in undone]


def show_list(listing: RunListing, screen: Screen, *, all_: bool) -> None:
    """The table: two lines a run, runs of one data folder together, the newest last; then the run in use."""
    runs = listing.runs
    shown = list(runs) if all_ else [one for one in runs if one.chosen or one in runs[-SHOWN:]]
    if len(shown) < len(runs):
        screen.say(f"{counted(len(runs) - len(shown), 'older run')} not shown: tagger runs list --all")
    screen.say(HEAD, style="bold")
    groups = {one.data: None for one in reversed(shown)}
    for data in reversed(list(groups)):
        absent = " (not there)" if data and is_absent(Path(data)) else ""
        screen.say(f"Photos: {data or 'not known'}{absent}")
        for one in (run for run in shown if run.data == data):
            _show_row(one, screen)
    screen.say(listing.in_use)


def _show_row(one: RunSummary, screen: Screen) -> None:
    name = f' "{one.name}"' if one.name else ""
    origin = f"  from {Path(one.origin).name}" if one.origin else ""
    mark = "*" if one.chosen else " "
    screen.say(f"{mark} {short_path(one.path)}{name}{origin}", style="bold" if one.chosen else None)
    if one.state == "finished":
        screen.say(_numbers(one))
        return
    text = f"{one.made[:16]:16}  {one.state}{': ' if one.problem else ''}{one.problem}"
    for line in wrap(text, 76, break_long_words=False, break_on_hyphens=False, subsequent_indent="    "):
        screen.say(f"  {line}")
    if command := next_command(one):
        screen.say(f"      {command}")


def _numbers(one: RunSummary) -> str:
    """The second line of a finished run, in the columns of ``HEAD``."""
    score = one.score or {}
    value = "-" if one.score is None else f"{score['value']:.3f}"
    photos = "" if one.score is None else f"{score['num_images']:,} {score['split']}"
    decided = "-" if one.num_decided is None else f"{one.num_decided:,}"
    return (
        f"  {one.made[:16]:16} {one.num_images or 0:9,} {one.num_labels or 0:6,} {value:>6}  {photos:14}"
        f" {megabytes(one.size):>8} {decided:>9}"
    )


def next_command(one: RunSummary) -> str:
    """The command that goes on with a run that is not finished; empty for others.

    >>> next_command(RunSummary(path=Path("runs/a"), state="interrupted"))
    'tagger train --resume --run runs/a'
    """
    if one.state == "interrupted":
        return f"{RESUME[bool(one.origin)]} {short_path(one.path)}"
    return f"tagger runs delete {short_path(one.path)}" if one.state == "deleted in part" else ""


def show_details(one: RunSummary, children: list[str], screen: Screen) -> None:
    """A line for each thing that is known of a run."""
    for title, value in _details(one, children):
        screen.say(f"{title + ':':18} {value}")


def _details(one: RunSummary, children: list[str]) -> list[tuple[str, str]]:
    """(title, text) of each line of ``tagger runs show``."""
    where = " (not there; if it was moved: tagger runs move RUN --data NEW)"
    absent = where if one.data and is_absent(Path(one.data)) else ""
    state = f"{one.state}: {one.problem}" if one.problem else one.state
    rows = [
        ("run", f"{one.path}{' (chosen)' if one.chosen else ''}"),
        ("name", one.name),
        ("state", state),
        ("go on", next_command(one)),
        ("made", one.made[:16]),
        ("photos", f"{one.data}{absent}"),
        ("number of photos", "" if one.num_images is None else f"{one.num_images:,}"),
        ("number of labels", "" if one.num_labels is None else f"{one.num_labels:,}"),
        ("mAP", _score_text(one)),
        ("retrained from", _origin_text(one)),
        ("mAP against that", _difference_text(one)),
        ("learned from", "" if one.num_learned is None else counted(one.num_learned, "decision")),
        ("decided on it", _decided_text(one)),
        ("its retrainings", ", ".join(children)),
        ("size", megabytes(one.size)),
    ]
    return [(title, text) for title, text in rows if text]


def _score_text(one: RunSummary) -> str:
    if one.score is None:
        return "not measured" if one.state == "finished" else ""
    low, high = one.score["low"], one.score["high"]
    interval = "" if low is None or high is None else f" (95 % interval {low:.3f} to {high:.3f})"
    return f"{one.score['value']:.3f}{interval} on {one.score['num_images']:,} {one.score['split']} photos"


def _origin_text(one: RunSummary) -> str:
    if not one.origin:
        return ""
    return f"{one.origin} (not there any more)" if one.parent is None else str(short_path(one.parent))


def _difference_text(one: RunSummary) -> str:
    if one.difference is None:
        return ""
    before, after = one.difference["a"], one.difference["b"]
    sentence = difference_sentence(one.difference, "that run", "this run")
    return f"{before:.3f} -> {after:.3f} on the labels that count for both; {sentence}"


def _decided_text(one: RunSummary) -> str:
    if one.num_decided is None:
        return "not known: the database of decisions is not there" if one.data else ""
    return counted(one.num_decided, "decision")


def megabytes(size: int) -> str:
    """A size as text of at most 7 letters.

    >>> megabytes(45_300_000), megabytes(12_300), megabytes(2_345_000_000)
    ('45.3 MB', '0.1 MB', '2.3 GB')
    """
    if size >= 1e9:
        return f"{size / 1e9:.1f} GB"
    return f"{max(size / 1e6, 0.1):.1f} MB" if size else "0 MB"
