"""``tagger runs``, and which run commands use: the chosen one, never another in silence."""

import json
import os
import shutil
import tomllib
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import tomli_w
import typer
from killing import arm
from noise_photos import refused
from small import train_argv
from test_ignored_options import options_of

from tagger.cli import app
from tagger.commands.console.screen import Screen
from tagger.commands.runs import list_runs
from tagger.commands.runs_write import choose_run, delete_run
from tagger.commands.steps.settle_choice import keep_run_in_use, settle_choice
from tagger.review import Decision, Store, default_url
from tagger.runs import RunFolder, find_run
from tagger.runs.choice import load_choice
from tagger.runs.notes_file import RunNotes

Cli = Callable[..., Any]
Row = dict[str, float | None]
BETTER: Row = {"a": 0.5, "b": 0.6, "difference": 0.1, "low": 0.05, "high": 0.15}
WORSE: Row = {"a": 0.6, "b": 0.5, "difference": -0.1, "low": -0.15, "high": -0.05}
UNSURE: Row = {"a": 0.5, "b": 0.51, "difference": 0.01, "low": -0.05, "high": 0.07}
UNKNOWN: Row = {"a": None, "b": None, "difference": None, "low": None, "high": None}


class Told(Screen):
    """A screen that keeps what it is told."""

    def __init__(self) -> None:
        super().__init__(quiet=True)
        self.lines: list[str] = []

    def say(self, text: str = "", *, style: str | None = None) -> None:
        self.lines.append(text)


@pytest.fixture
def here(tagger_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the commands begin, on a screen of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path / "here"


@pytest.fixture
def add(finished: Path, here: Path) -> Callable[..., RunFolder]:
    """``add("a")``: a finished run in ./runs; ``add("b", parent, BETTER)``: one that was retrained."""
    made: list[Path] = []

    def call(name: str, parent: RunFolder | None = None, row: Row | None = None, **more: Any) -> RunFolder:
        run = RunFolder(Path("runs", name))
        shutil.copytree(finished, run.path)
        metrics = run.load_metrics()
        if parent is not None:
            metrics |= {"retrained_from": str(parent.path.resolve())}
            metrics |= {"comparison": {"overall": {"map": row}} if row else None}
        (run.path / "metrics.json").write_text(json.dumps(metrics | more), "utf-8")
        made.append(run.path)
        os.utime(run.path / "metrics.json", (2_000_000_000 + len(made),) * 2)
        return run

    return call


def lines_of(end: Any) -> list[str]:
    assert end.code == 0, end
    return end.out.splitlines()


# which run is used


def test_the_chosen_run_is_used_and_said(add: Callable[..., RunFolder], tagger_cli: Cli, demo: Path):
    add("a"), add("b")
    photo = min((demo / "new").iterdir())
    assert lines_of(tagger_cli("predict", photo))[0].startswith("Run: runs/b (the newest; none is chosen")
    assert "Chosen: runs/a." in tagger_cli("runs", "choose", "runs/a").out
    assert lines_of(tagger_cli("predict", photo))[0] == "Run: runs/a (chosen; 1 newer run: tagger runs)."
    assert "Run:" not in tagger_cli("predict", photo, "--run", "runs/b").out


COMMANDS: dict[str, Sequence[str]] = {
    "predict": ("NEW", "--out", "tags.csv"), "evaluate": ("--data", "DATA"), "suspects": (), "explain": ("PHOTO",),
    "apply": ("--out", "labels.csv"), "retrain": ("--store", "sqlite:///nowhere/x/y.db"),
    "review": ("--no-browser", "--port", "1"), "export": ("--out", "model.onnx", "--thresholds", "unknown"),
    "data taken-off": (), "decisions disagreements": (), "decisions export": ("--out", "decisions.csv"),
    "decisions import": ("none.csv",), "decisions history": (), "decisions undo": (), "decisions redo": (),
    "decisions merge": ("STORE",), "decisions backup": (), "decisions restore": ("none.db",),
}  # fmt: skip
# They take a run to begin from or to look with, and do without one.
WITHOUT = {"train", "data duplicates", "data merge", "untag"}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_which_run_it_uses(
    command: str, add: Callable[..., RunFolder], tagger_cli: Cli, demo: Path, tmp_path: Path
):
    """Whatever comes of it: the data folder of the two runs is a copy, in which a command may write."""
    data = shutil.copytree(demo, tmp_path / "photos")
    for name in ("a", "b"):
        add(name).save_notes(RunNotes(data=str(data)))
    tagger_cli("runs", "choose", "a")
    decide(tmp_path, "a", 1)
    places = {"NEW": demo / "new", "DATA": demo, "PHOTO": min((demo / "new").iterdir())}
    places["STORE"] = tmp_path / ".tagger" / "review.db"
    end = tagger_cli(*command.split(), *(places.get(word, word) for word in COMMANDS[command]))
    assert end.out.splitlines().count("Run: runs/a (chosen; 1 newer run: tagger runs).") == 1


def test_every_command_with_a_run_is_tried():
    root: Any = typer.main.get_command(app)
    names = {name for name in root.commands if not hasattr(root.commands[name], "commands")}
    groups = root.commands.keys() - names
    names |= {f"{group} {name}" for group in groups for name in root.commands[group].commands}
    assert {name for name in names if "--run" in options_of(name)} - WITHOUT == COMMANDS.keys()


def test_a_better_retrained_run_is_named_where_the_old_one_is_used(
    add: Callable[..., RunFolder], tagger_cli: Cli
):
    first = add("a")
    tagger_cli("runs", "choose", "a")
    add("b", first, BETTER), add("c", first, WORSE)
    said: list[str] = []
    assert find_run(None, said.append).path.name == "a"
    assert said == [
        "Run: runs/a (chosen). runs/b, retrained from it, measured better: tagger runs choose runs/b"
    ]


def test_the_newest_is_said_to_be_worse(add: Callable[..., RunFolder]):
    add("b", add("a"), WORSE)
    said: list[str] = []
    assert find_run(None, said.append).path.name == "b"
    assert "measured worse than runs/a" in said[0]


def test_a_run_is_found_by_its_name(add: Callable[..., RunFolder], tagger_cli: Cli):
    run = add("2026-01-01-0000-vit")
    assert find_run("2026-01-01-0000-vit").path == run.path
    assert "holiday 2025" in tagger_cli("runs", "name", run.path, "holiday 2025").out
    assert find_run("holiday 2025").path == run.path
    add("other")
    refused(
        tagger_cli("runs", "name", "other", "holiday 2025"), "is the name of runs/2026-01-01-0000-vit already"
    )
    refused(tagger_cli("runs", "name", "other", "2026-01-01-0000-vit"), "already")
    refused(tagger_cli("runs", "name", "other", "a/b"), "no name for a run")
    assert '"holiday 2025"' in tagger_cli("runs").out
    tagger_cli("runs", "name", "holiday 2025", "")
    refused(tagger_cli("runs", "choose", "holiday 2025"), "no such run")


def test_a_chosen_run_that_is_gone_is_not_replaced_in_silence(
    add: Callable[..., RunFolder], tagger_cli: Cli, demo: Path
):
    add("a"), add("b")
    tagger_cli("runs", "choose", "a")
    shutil.rmtree("runs/a")
    refused(
        tagger_cli("apply", "--out", "x.csv"), "runs/a: the chosen run is not there", "tagger runs choose"
    )
    assert "the chosen run is not there" in tagger_cli("runs").out
    tagger_cli("runs", "choose", "b")
    assert find_run().path.name == "b"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"chosen_run": "../a", "why": "", "time": ""}', '{"chosen_run": 1}', "null"]
)
def test_a_file_that_is_not_ours_is_refused_and_kept(
    text: str, add: Callable[..., RunFolder], tagger_cli: Cli
):
    add("a")
    Path("runs/chosen-run.json").write_text(text)
    for argv in (("suspects",), ("runs", "choose", "a")):
        refused(tagger_cli(*argv), "chosen-run.json: this is not what tagger wrote", "Move it away")
    told = Told()
    settle_choice(RunFolder("runs/a"), told)
    assert "was not changed" in told.lines[0]
    assert "not what tagger wrote" in tagger_cli("runs").out
    assert Path("runs/chosen-run.json").read_text() == text


def test_the_choice_holds_when_the_runs_folder_is_moved(
    add: Callable[..., RunFolder], tagger_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    parent = add("a")
    add("b", parent, BETTER)
    tagger_cli("runs", "choose", "a")
    (tmp_path / "disk").mkdir()
    shutil.move("runs", tmp_path / "disk" / "mine")
    monkeypatch.chdir(tmp_path / "disk")
    Path("runs").symlink_to("mine")
    said: list[str] = []
    assert find_run(None, said.append).path == Path("runs/a")
    assert "runs/b, retrained from it, measured better" in said[0], "its parent is found beside it"
    assert "from a" in tagger_cli("runs", "list", "mine").out


# what is chosen by itself


def test_a_first_training_is_chosen_by_itself_and_the_next_one_is_not(
    here: Path, tagger_cli: Cli, demo: Path
):
    first = tagger_cli(*train_argv(demo, Path("runs/one"), train__epochs=0, head_stage__epochs=1))
    assert "Chosen: runs/one, the first run." in first.out
    second = tagger_cli(*train_argv(demo, Path("runs/two"), train__epochs=0, head_stage__epochs=1))
    assert "runs/one stays the chosen run. To use the new one: tagger runs choose runs/two" in second.out
    assert find_run().path.name == "one"
    shutil.copytree("runs/two", "mine")
    told = Told()
    settle_choice(RunFolder("mine"), told)
    assert told.lines == [], "it is in no runs folder, where nobody looks without --run"
    assert {path.name for path in here.iterdir()} == {"runs", "mine"}


@pytest.mark.parametrize(
    ("row", "chosen", "words"),
    [
        (BETTER, "b", "Chosen: runs/b, since it is better than runs/a. Commands without --run use it. To go back: "
         "tagger runs choose runs/a"),
        (WORSE, "a", "runs/a stays the chosen run: the new one measures worse on the test photos. To use the new one: "
         "tagger runs choose runs/b"),
        (UNSURE, "a", "runs/a stays the chosen run: the difference is too close to call"),
        (UNKNOWN, "a", "runs/a stays the chosen run: the two cannot be compared"),
        (None, "a", "runs/a stays the chosen run: the two cannot be compared"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("before", [True, False])
def test_only_a_retrained_run_that_is_better_is_chosen(
    row: Row | None, chosen: str, words: str, before: bool, add: Callable[..., RunFolder], tagger_cli: Cli
):
    parent = add("a")
    if before:
        tagger_cli("runs", "choose", "a")
    run = RunFolder("runs/b")
    unfinished(run, parent)
    keep_run_in_use(run, Told())
    assert find_run().path.name == "a", "as if killed before the end"
    shutil.rmtree(run.path)
    run = add("b", parent, row)
    assert find_run().path.name == "a", "as if killed before the choice is settled"
    told = Told()
    settle_choice(run, told)
    assert told.lines[0].startswith(words)
    assert find_run().path.name == chosen


def unfinished(run: RunFolder, parent: RunFolder) -> None:
    """A retraining that has begun."""
    run.claim()
    run.checkpoint.save_origin({"from": str(parent.path.resolve())})
    run.save_settings(parent.load_settings())


def test_a_better_child_of_a_run_that_is_not_in_use_is_not_chosen(
    add: Callable[..., RunFolder], tagger_cli: Cli
):
    other = add("a")
    add("in use")
    tagger_cli("runs", "choose", "in use")
    told = Told()
    settle_choice(add("b", other, BETTER), told)
    assert "runs/in use stays the chosen run: the new one was retrained from a" in told.lines[0]


def test_the_app_retrains_in_another_folder_and_the_choice_follows(
    add: Callable[..., RunFolder], tagger_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    parent = add("a")
    tagger_cli("runs", "choose", "a")
    run = add("b", parent, BETTER)
    absolute = run.path.absolute()
    monkeypatch.chdir(tmp_path)
    settle_choice(RunFolder(absolute), Told())
    choice = load_choice(absolute.parent)
    assert choice is not None
    assert (choice.chosen_run, choice.why) == ("b", "better than a")


# the list


def test_the_list_says_what_each_run_is(
    add: Callable[..., RunFolder], tagger_cli: Cli, demo: Path, tmp_path: Path
):
    data = shutil.copytree(demo, tmp_path / "photos")
    parent = add("a")
    add("b", parent, BETTER, decisions={"number": 7})
    for run in (parent, RunFolder("runs/b")):
        run.save_notes(RunNotes(data=str(data)))
    decide(data, "a", 3)
    tagger_cli("runs", "choose", "a")
    end = tagger_cli("runs", "list", "--out", "runs.json")
    shown = lines_of(end)
    assert max(map(len, [line for line in shown if not line.startswith(("Photos:", "Run:"))])) <= 80
    assert "* runs/a" in shown
    assert "  runs/b  from a" in shown
    tree = json.loads(Path("runs.json").read_text())
    a, b = tree["runs"]
    assert tree["chosen"] == "a"
    assert (a["chosen"], a["num_decided"], a["num_images"], a["data"]) == (True, 2, 80, str(data))
    assert (b["chosen"], b["num_decided"], b["num_learned"], b["difference"]) == (False, 0, 7, BETTER)
    metrics = parent.load_metrics()["test"]
    assert a["score"]["value"] == metrics["overall"]["map"]["value"]
    assert f"{metrics['overall']['map']['value']:.3f}" in end.out
    assert f"{metrics['num_images']} test" in end.out
    assert a["size"] == sum(path.stat().st_size for path in parent.path.rglob("*") if path.is_file())
    show = tagger_cli("runs", "show", "b", "--out", "b.json").out
    for words in ("runs/a", "0.500 -> 0.600", "this run is better than that run", "7 decisions"):
        assert words in show
    assert json.loads(Path("b.json").read_text())["children"] == []
    assert "its retrainings:   runs/b" in tagger_cli("runs", "show", "a").out
    Path("runs.json").write_text("{}")
    refused(tagger_cli("runs", "list", "--out", "runs.json"), "runs.json exists already")


def decide(data: Path, run: str, number: int) -> None:
    """So many decisions, the last of which is undone."""
    with closing(Store.open(default_url(data))) as store:
        one: dict[str, Any] = {"label": "x", "before": 0, "suggested": 1, "doubt": 0.5, "run": run}
        one |= {"reviewer": "ann", "seconds": 1.0, "client": "c"}
        ids = store.record([Decision(hash=f"h{n}", verdict="yes", seq=n, **one) for n in range(number)])
        store.record([Decision(hash=f"h{number - 1}", verdict="undo", seq=number, undoes=ids[-1], **one)])


def test_damaged_and_half_written_runs_are_listed_as_what_they_are(
    add: Callable[..., RunFolder], tagger_cli: Cli
):
    good = add("good")
    for name, damage in {
        "no-config": lambda path: (path / "config.toml").unlink(),
        "no-oof": lambda path: (path / "oof.npz").unlink(),
        "cut": lambda path: os.truncate(path / "model.safetensors", 5_000),
        "metrics": lambda path: (path / "metrics.json").write_text("{"),
        "settings": lambda path: (path / "config.toml").write_text("format_version = 99\n"),
        "list": lambda path: (path / "metrics.json").write_text("[]"),
        "half": lambda path: (path / "metrics.json").unlink(),
    }.items():
        damage(add(name).path)
    unfinished(RunFolder("runs/begun"), good)
    with RunFolder("runs/half").locked("train", print):
        running = {one.path.name: one.state for one in list_runs(None, store=None).runs}
    assert running["half"] == "training"
    Path("runs/photos").mkdir()
    Path("runs/notes.txt").write_text("mine")
    end = tagger_cli("runs")
    text = " ".join(end.out.split())
    for words in (
        "damaged: config.toml is missing", "damaged: oof.npz is missing", "damaged: model.safetensors",
        "format_version 99", "interrupted tagger train --resume --run runs/half",
        "interrupted tagger retrain --resume --out runs/begun",
    ):  # fmt: skip
        assert words in text, words
    assert "photos" not in [Path(line.strip()).name for line in end.out.splitlines()]
    found = {one.path.name: one.state for one in list_runs(None, store=None).runs}
    assert [name for name, state in found.items() if state == "finished"] == ["good"]
    refused(tagger_cli("runs", "choose", "no-oof"), "is damaged: oof.npz is missing")
    refused(tagger_cli("runs", "choose", "half"), "not finished")


def test_a_run_of_an_older_version_is_listed_like_the_others(add: Callable[..., RunFolder], tagger_cli: Cli):
    old = add("old").path / "config.toml"
    current = tomllib.loads(old.read_text())
    former = {"format_version": 1, "data": {"path": current["data"]["path"]}, "backbone": current["backbone"]}
    former["features"] = {"epochs": 3}  # head_stage now
    old.write_text(tomli_w.dumps(former))
    for name in ("neighbours.npz", "suspects.parquet"):
        (old.parent / name).unlink(missing_ok=True)
    (found,) = list_runs(None, store=None).runs
    assert (found.state, found.num_images, found.problem) == ("finished", 80, "")
    assert tagger_cli("runs", "choose", "old").code == 0


def test_two_hundred_runs_are_readable(add: Callable[..., RunFolder], tagger_cli: Cli, finished: Path):
    for number in range(200):
        run = RunFolder(f"runs/2026-11-{number // 10 + 1:02d}-{number % 10:02d}00-mobilenetv2")
        run.path.mkdir(parents=True)
        for file in finished.iterdir():
            if file.is_file():
                os.link(file, run.path / file.name)
    oldest = min(os.listdir("runs"))
    tagger_cli("runs", "choose", oldest)
    shown = lines_of(tagger_cli("runs"))
    assert "179 older runs not shown: tagger runs list --all" in shown
    assert f"* runs/{oldest}" in shown
    assert max(len(line) for line in shown if not line.startswith(("Photos:", "Run:"))) <= 80
    assert len(shown) < 50
    assert len(lines_of(tagger_cli("runs", "list", "--all"))) > 400


def test_no_runs_at_all(here: Path, tagger_cli: Cli):
    refused(tagger_cli("runs"), "runs: there are no runs in it")
    refused(tagger_cli("runs", "list", "nowhere"), "nowhere: there are no runs in it")
    refused(tagger_cli("runs", "show", "x"), "no such run")


# move


def test_a_moved_data_folder_is_noted_for_all_its_runs(
    add: Callable[..., RunFolder],
    tagger_cli: Cli,
    demo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    old = shutil.copytree(demo, tmp_path / "old")
    for name in ("a", "b"):
        run = add(name)
        run.save_settings(run.load_settings().model_copy(update={"data": run.load_settings().data.model_copy(
            update={"path": str(old), "labels": str(old / "labels.csv")})}))  # fmt: skip
        os.utime(run.path / "metrics.json", None)
    decide(old, "a", 4)
    new = shutil.move(old, tmp_path / "new")
    refused(tagger_cli("apply", "--run", "runs/a", "--out", "x.csv"), str(old), "is not there")
    before = Path("runs/a/config.toml").read_bytes()
    end = tagger_cli("runs", "move", "a", "--data", new)
    assert end.code == 0
    assert end.out.count(f"its photos are in {new} now") == 2
    assert Path("runs/a/config.toml").read_bytes() == before
    assert "3 decisions" in tagger_cli("runs", "show", "a").out or "3" in tagger_cli("runs").out
    assert tagger_cli("apply", "--run", "runs/a", "--out", "x.csv").code == 0
    assert RunFolder("runs/b").load_settings().data.labels == str(Path(new) / "labels.csv")
    back = shutil.copytree(new, tmp_path / "third", ignore=shutil.ignore_patterns(".tagger"))
    refused(tagger_cli("runs", "move", "a", "--data", back), "decisions are in its folder .tagger", "Copy")
    (tmp_path / "empty").mkdir()
    refused(tagger_cli("runs", "move", "a", "--data", tmp_path / "empty"), "is not the data folder of")
    Path("runs/a/run.json").write_text("[]")
    refused(tagger_cli("apply", "--run", "runs/a", "--out", "y.csv"), "run.json")


# delete


def test_a_deletion_shows_what_depends_on_the_run_and_asks(
    add: Callable[..., RunFolder], tagger_cli: Cli, demo: Path, tmp_path: Path
):
    data = shutil.copytree(demo, tmp_path / "photos")
    run = add("a")
    run.save_notes(RunNotes(data=str(data)))
    run.save_threshold_set("strict", {})
    add("b", run, BETTER)
    unfinished(RunFolder("runs/c"), run)
    decide(data, "a", 6)
    Path("runs/a/notes.txt").write_text("mine")
    Path("runs/a/plots/mine.png").write_text("mine")
    Path("runs/a/README.md").write_text("# My own words\n")
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    end = tagger_cli("runs", "delete", "a")
    refused(end, "Nothing was deleted", "--yes")
    for words in (
        "Not deleted, since tagger did not write them: README.md, notes.txt, plots/mine.png", "strict",
        "runs/b was retrained from it", "5 decisions made on it stay",
        "runs/c was retrained from it and is not finished: it cannot be resumed",
    ):  # fmt: skip
        assert words in end.out, words
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before
    assert tagger_cli("runs", "delete", "a", "--yes").code == 0
    left = {str(path.relative_to("runs/a")) for path in Path("runs/a").rglob("*") if path.is_file()}
    assert left == {"README.md", "notes.txt", "plots/mine.png"}
    assert Store.open(default_url(data)).last_id() == 7
    assert tagger_cli("runs", "delete", "b", "--yes").code == 0
    assert not Path("runs/b").exists()


def test_what_is_chosen_or_strange_or_in_use_is_not_deleted(
    add: Callable[..., RunFolder], tagger_cli: Cli, tmp_path: Path
):
    add("a"), add("b")
    tagger_cli("runs", "choose", "a")
    refused(tagger_cli("runs", "delete", "a", "--yes"), "is the chosen run", "tagger runs choose")
    Path("photos").mkdir()
    Path("photos/README.md").write_text("mine")
    Path("photos/labels.parquet").write_text("mine")
    refused(tagger_cli("runs", "delete", "photos", "--yes"), "nothing shows that tagger wrote this folder")
    Path("runs/link").symlink_to("b")
    refused(tagger_cli("runs", "delete", "runs/link", "--yes"), "is a link")
    with RunFolder("runs/b").locked("train", print):
        refused(tagger_cli("runs", "delete", "b", "--yes"), "another tagger process is running here")
    assert Path("runs/b/model.safetensors").is_file()
    assert Path("photos/labels.parquet").read_text() == "mine"
    tagger_cli("runs", "delete", "b", "--yes")
    assert tagger_cli("runs", "delete", "a", "--yes").code == 0
    Path("runs/link").unlink()
    assert list(Path("runs").iterdir()) == [], "nothing is chosen any more"


def killed_at(event: int, call: Callable[[], object]) -> bool:
    """Whether a process that makes the call is killed at its ``event``-th change on disk; it ends before else."""
    pid = os.fork()
    if not pid:
        arm(event)
        try:
            call()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def test_a_killed_deletion_is_known_and_ended(add: Callable[..., RunFolder], tagger_cli: Cli):
    """At each of its changes on disk: it is a run, or the rest of one that is used no more; no other file changes."""
    add("keep")
    tagger_cli("runs", "choose", "keep")
    kept = {path: path.read_bytes() for path in Path("runs").rglob("*") if path.is_file()}
    states = []
    for event in range(1, 60, 3):
        add("go")
        Path("runs/go/mine.txt").write_text("mine")
        killed = killed_at(event, lambda: delete_run(Path("go"), Screen(quiet=True), confirm=lambda: True))
        found = [one.state for one in list_runs(None, store=None).runs if one.path.name == "go"]
        states += found
        assert bool(found) or not killed or event > 20
        if found == ["deleted in part"]:
            refused(tagger_cli("suspects", "--run", "runs/go"), "its deletion has begun")
        if found:
            assert tagger_cli("runs", "delete", "go", "--yes").code == 0
        assert os.listdir("runs/go") == ["mine.txt"]
        shutil.rmtree("runs/go")
        if not killed:
            break
    assert not killed
    assert set(states) == {"deleted in part"}
    assert len(states) > 5
    assert {path: path.read_bytes() for path in kept} == kept


def test_a_killed_choice_is_the_old_or_the_new_one(add: Callable[..., RunFolder], tagger_cli: Cli):
    add("a"), add("b")
    tagger_cli("runs", "choose", "a")
    names = []
    for event in range(1, 9):
        if not killed_at(event, lambda: choose_run(Path("b"), Screen(quiet=True))):
            break
        names.append(find_run().path.name)
        assert tagger_cli("runs", "choose", "a").code == 0
        assert find_run().path.name == "a"
    assert names[0] == "a"
    assert names[-1] == "b"


def test_processes_that_choose_at_once_leave_one_whole_choice(add: Callable[..., RunFolder]):
    from concurrent.futures import ProcessPoolExecutor

    names = [add(f"r{number}").path.name for number in range(4)]
    with ProcessPoolExecutor(4) as pool:
        list(pool.map(_choose, names * 5))
    choice = load_choice(Path("runs"))
    assert choice is not None
    assert choice.chosen_run in names
    assert {path.name for path in Path("runs").iterdir()} == {*names, "chosen-run.json"}


def _choose(name: str) -> None:
    choose_run(Path(name), Screen(quiet=True))
