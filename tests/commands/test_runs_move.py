"""``tagger runs move --to``: a run folder in another place, and everything that refers to it follows."""

# ruff: noqa: F811 (fixtures are arguments)

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from noise_photos import refused
from test_runs_command import BETTER, Cli, add, here  # noqa: F401 (fixtures)
from year_steps import killed

from tagger.commands.console.screen import Screen
from tagger.commands.runs_move import move_run_folder
from tagger.review import Decision, Store
from tagger.runs import RunFolder, find_run
from tagger.runs.choice import load_choice
from tagger.runs.lineage import children_of, parent_of
from tagger.runs.locate import all_runs
from tagger.runs.ownership import names_in

Add = Callable[..., RunFolder]


def test_the_choice_the_children_and_the_parent_follow(add: Add, tagger_cli: Cli):
    first = add("first")
    middle = add("middle", first, BETTER)
    last = add("last", middle, BETTER)
    assert tagger_cli("runs", "choose", "middle").code == 0
    files = sorted(names_in(middle.path))
    end = tagger_cli("runs", "move", "middle", "--to", "runs/winter")
    assert end.code == 0, end.err
    assert "It stays the chosen run" in end.out
    assert not middle.path.exists()
    moved = RunFolder("runs/winter")
    assert sorted({*names_in(moved.path)} - {"run.json"}) == sorted({*files} - {"run.json"})
    assert find_run().path == moved.path
    assert [child.path for child in children_of(moved, all_runs(Path("runs")))] == [last.path]
    end = tagger_cli("runs", "move", "winter", "--to", "archive/2026")
    assert "was the chosen run of runs, where none is chosen now" in end.out.replace("\n", " ")
    assert load_choice(Path("runs")) is None
    far = RunFolder("archive/2026")
    for child, parent in ((last, far), (far, first)):
        found = parent_of(child)
        assert found is not None
        assert found.path.samefile(parent.path)
    Path("elsewhere").mkdir()
    assert tagger_cli("runs", "move", "first", "--to", "elsewhere").code == 0
    assert RunFolder("elsewhere/first").finished
    assert tagger_cli("runs", "show", "elsewhere/first").code == 0


def test_decisions_and_tags_are_still_those_of_the_run(
    add: Add,
    tagger_cli: Cli,
    demo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    run = add("a")
    url = f"sqlite:///{tmp_path}/review.db"
    one = Decision(hash=run.load_images()["hash"][0], label=run.load_labels()[0], verdict="yes", before=0, suggested=1,
                   doubt=None, run="a", reviewer="ann", seconds=None, client="c", seq=1)  # fmt: skip
    with closing(Store.open(url)) as store:
        store.record([one])
    photos = tmp_path / "photos"
    photos.mkdir()
    for path in sorted((demo / "new").iterdir())[:4]:
        (photos / path.name).write_bytes(path.read_bytes())
    assert tagger_cli("predict", photos, "--run", "a", "--format", "xmp").code == 0
    assert list(photos.glob("*.xmp"))
    assert tagger_cli("runs", "move", "a", "--to", "runs/b").code == 0
    shown = tagger_cli("runs", "list", "--store", url, "--out", "listed.json")
    assert shown.code == 0
    assert '"num_decided": 1' in Path("listed.json").read_text("utf-8").replace(
        '"decisions"', '"num_decided"'
    )
    assert tagger_cli("untag", photos, "--run", "b", "--yes").code == 0
    assert list(photos.glob("*.xmp")) == []


def test_what_is_there_or_in_use_is_refused(add: Add, tagger_cli: Cli):
    run, other = add("a"), add("b")
    Path("file").write_text("mine")
    os.symlink("a", "runs/link")
    before = {path: path.read_bytes() for path in Path("runs").rglob("*") if path.is_file()}
    for to, words in (("runs/b", "is there already"), ("file", "is there already"), ("runs", "is there already"),
                      ("runs/a/inner", "inside the run itself")):  # fmt: skip
        refused(tagger_cli("runs", "move", "a", "--to", to), words)
    refused(tagger_cli("runs", "move", "runs/link", "--to", "c"), "a link")
    refused(tagger_cli("runs", "move", "a"), "--data DIR", "--to FOLDER")
    with run.locked("train", lambda text: None):
        refused(tagger_cli("runs", "move", "a", "--to", "c"), "another tagger process is running here")
    (other.path / "metrics.json").unlink()
    other.save_settings(other.load_settings().model_copy(update={"started_from": str(run.path.absolute())}))
    refused(tagger_cli("runs", "move", "a", "--to", "c"), "runs/b is not finished")
    now = {path: path.read_bytes() for path in Path("runs").rglob("*") if path.is_file()}
    changed = {other.path / "metrics.json", other.path / "config.toml"}
    assert {path for path in before if now.get(path) != before[path]} <= changed
    assert Path("file").read_text() == "mine"


@pytest.mark.parametrize("event", range(1, 12))
def test_a_killed_move_leaves_the_run_in_one_place(event: int, add: Add):
    first = add("first")
    middle, last = add("middle", first, BETTER), "last"
    child = add(last, middle, BETTER)

    def move() -> Any:
        return move_run_folder(Path("runs/middle"), Path("runs/winter"), Screen(quiet=True))

    killed(event, move)
    there = [path for path in (Path("runs/middle"), Path("runs/winter")) if path.exists()]
    assert len(there) == 1
    parent = parent_of(child)
    assert parent is not None
    assert parent.path.samefile(there[0])
    if there[0].name == "middle":
        assert move().path.samefile("runs/winter")
