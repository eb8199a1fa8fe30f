"""Strangers' files stay: whatever a command removes or replaces is a file that tagger wrote itself.

Each test puts a file of somebody else where a command works, and finds the same bytes afterwards. The last
one lists every call that removes or replaces a file, with the reason why it cannot be another's.
"""

import ast
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from small import train_argv
from untrained import make_run

from data_tools import demo_folder, demo_loop
from data_tools.demo import make_demo
from data_tools.quarantine import quarantine_files, restore_files
from tagger.commands.apply import apply
from tagger.commands.console import screen
from tagger.commands.explain import explain_images as explain
from tagger.commands.exporting.hub_folder import write_hub
from tagger.commands.predict import predict
from tagger.commands.writers import write_labels
from tagger.errors import TaggerError
from tagger.exit_codes import exit_code_of
from tagger.review import Decision, Store, default_url
from tagger.runs import RunFolder, atomic_write, locked, output_lock, remove_leftovers
from tagger.runs.ownership import MARK
from tagger.ui.retrain_job import start_job

ROOT = Path(__file__).parents[2]
BYTES = b"somebody's only copy \x00\xff"


def plant(*paths: Path) -> Callable[[], bool]:
    """Files of somebody else; the answer says whether all of them are as they were."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(BYTES)
    return lambda: [path for path in paths if not path.is_file() or path.read_bytes() != BYTES] == []


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run."""
    return make_run(tmp_path_factory.mktemp("strangers"))


@pytest.fixture
def photos(run: RunFolder, tmp_path: Path) -> Path:
    """Three photos of one's own."""
    return Path(shutil.copytree(run.path.parent / "photos", tmp_path / "photos"))


# the demo's folder


def small_demo(out: Path) -> None:
    """The demo's folder as a finished demo leaves it, without the minutes of its trainings."""
    demo_folder.begin(out)
    data = make_demo(out / "data", num_images=9, num_new=3)
    (data / "new").rename(out / "new")
    demo_folder.note(out)
    for name in ("run", "retrained"):
        begun = RunFolder(out / name)
        begun.claim()
        begun.checkpoint.save_origin({})
        begun.finish({})
    (out / "predictions.csv").write_text("file,labels\n")
    Store.open(default_url(data)).close()


def files(folder: Path) -> set[str]:
    """Every file below a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_demo_does_not_begin_in_a_project_that_looks_like_it(tmp_path: Path, tagger_cli):
    project = tmp_path / "project"
    untouched = plant(project / "data/labels.csv", project / "thesis.tex", project / "run/metrics.json")
    ended = tagger_cli("demo", "--out", project)
    assert ended.code == 2
    assert f"{project}: the folder is not empty, and no demo made it" in ended.err
    assert "Name another folder with --out" in ended.err
    assert untouched()
    assert len(files(project)) == 3


def test_demo_done_again_replaces_its_own_files_and_leaves_a_strangers(tmp_path: Path):
    out = tmp_path / "demo"
    small_demo(out)
    before = files(out)
    untouched = plant(out / "notes.txt", out / "retrained-2/model.safetensors", out / "mine/data/labels.csv")
    demo_folder.begin(out)
    assert files(out) == {MARK, "notes.txt", "retrained-2/model.safetensors", "mine/data/labels.csv"}
    small_demo(out)
    assert untouched()
    assert before < files(out)


@pytest.mark.parametrize(
    "place",
    ["data/images/mine.jpg", "data/labels.csv", "new/new-00001.jpg", "run/notes.md", "retrained/checkpoint/best.pt",
     "run/thresholds/strict.json", "data/images/00099.jpg"],
)  # fmt: skip
def test_demo_does_not_begin_where_a_strangers_or_a_changed_file_is_in_its_way(tmp_path: Path, place: str):
    out = tmp_path / "demo"
    small_demo(out)
    untouched = plant(out / place)
    before = files(out)
    with pytest.raises(
        TaggerError, match=rf"did not write them: {place}.*Move them away, or name another folder"
    ):
        demo_loop.run_demo(out, screen.Screen(quiet=True))
    assert untouched()
    assert files(out) == before
    assert place in demo_folder.take_away(out)
    assert untouched()


def test_demo_keeps_decisions_that_a_person_took_in_it(tmp_path: Path):
    out = tmp_path / "demo"
    small_demo(out)
    said = Decision(
        hash="a" * 32, label="one", verdict="yes", before=0, suggested=1, doubt=0.9, run="run", reviewer="Ada",
        seconds=1.0, client="tab", seq=1,
    )  # fmt: skip
    with closing(Store.open(default_url(out / "data"))) as store:
        store.record([said])
    with pytest.raises(TaggerError, match="somebody has reviewed labels in it"):
        demo_folder.begin(out)
    assert "data/.tagger/review.db" in demo_folder.take_away(out)
    assert (out / "data/.tagger/review.db").is_file()


def test_an_interrupted_demo_begins_again(tmp_path: Path):
    out = tmp_path / "demo"
    demo_folder.begin(out)
    make_demo(out / "data", num_images=9, num_new=3)  # killed before the list of its files
    small_demo(out)
    assert demo_folder.take_away(out) == []
    assert not out.exists()


def test_make_clean_removes_ours_and_leaves_what_lies_beside_it(tmp_path: Path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/installed").touch()
    (tmp_path / "retagger.egg-info").mkdir()
    (tmp_path / "retagger.egg-info/PKG-INFO").touch()
    places = "demo/x.txt", "build/x.txt", "other.egg-info/x.txt", "retagger.egg-info/x.txt", ".venv/x.txt"
    untouched = plant(*(tmp_path / place for place in places))
    subprocess.run(["make", "clean"], cwd=tmp_path, check=True, capture_output=True)
    assert untouched()
    assert files(tmp_path) == {"Makefile", *places}


# half-written files and locks


@pytest.mark.parametrize(
    "name", [".a.csv.part", ".a.csv.7.part", ".a.csv.old.part", ".a.csv.7-0a1b2c3.part", "a.csv.part"]
)
def test_only_half_written_files_of_ours_are_swept(tmp_path: Path, name: str):
    untouched = plant(tmp_path / name)
    (tmp_path / ".a.csv.7-0a1b2c3d.part").touch()
    remove_leftovers(tmp_path)
    assert untouched()
    assert files(tmp_path) == {name}


def test_a_half_written_file_has_a_name_that_nobody_can_guess(tmp_path: Path):
    with atomic_write(tmp_path / "a.csv") as first, atomic_write(tmp_path / "b.csv") as second:
        first.touch()
        second.touch()
        assert first.name.rpartition("-")[2] != second.name.rpartition("-")[2]


def test_a_file_with_the_longest_name_can_be_written(tmp_path: Path):
    with atomic_write(tmp_path / ("é" * 127)) as temporary:
        temporary.touch()
    assert files(tmp_path) == {"é" * 127}


@pytest.mark.parametrize("folder", [True, False])
def test_a_file_in_the_place_of_a_lock_stays(tmp_path: Path, folder: bool):
    path = output_lock(tmp_path / "out", folder=folder)
    untouched = plant(path)
    with pytest.raises(TaggerError, match="did not write this file"), locked(path, "predict", tmp_path):
        pass
    assert untouched()


def test_the_lock_of_a_killed_command_is_taken_over(tmp_path: Path):
    path = output_lock(tmp_path / "out")
    path.write_text("predict, process 1 on host, since 2026-01-31 12:00\n")
    with locked(path, "predict", tmp_path):
        pass
    assert not path.exists()


# runs


@pytest.mark.parametrize(
    "place",
    ["README.md", "log.txt", "plots/per_label.png", "members/network.safetensors", "checkpoint/files.npy"],
)
def test_no_training_begins_over_a_strangers_file(tmp_path: Path, photos: Path, tagger_cli, place: str):
    project = tmp_path / "project"
    untouched = plant(project / place, project / "notes.txt")
    ended = tagger_cli(*train_argv(photos, project))
    assert ended.code == 2
    assert "would be overwritten, and tagger did not write it. Choose another --run" in ended.err
    assert untouched()
    assert files(project) == {place, "notes.txt"}


@pytest.mark.parametrize("end", ["finish", "discard"])
def test_a_strangers_file_in_a_run_outlives_its_checkpoint(tmp_path: Path, end: str):
    made = RunFolder(tmp_path / "run")
    untouched = plant(
        made.path / "notes.txt", made.checkpoint.path / "best.pt", made.checkpoint.path / ".a.7.part"
    )
    made.check_claim("--run")
    made.claim()
    (made.checkpoint.path / "network.pt").write_bytes(b"ours")
    made.finish({}) if end == "finish" else made.discard()
    assert untouched()
    assert files(made.path) - {"metrics.json"} == {"notes.txt", "checkpoint/best.pt", "checkpoint/.a.7.part"}


def test_a_folder_without_a_mark_is_not_cleared(tmp_path: Path):
    untouched = plant(tmp_path / "checkpoint/network.pt", tmp_path / "checkpoint" / MARK)
    RunFolder(tmp_path).checkpoint.remove()
    assert untouched()


@pytest.mark.parametrize("name", ["log.txt", "progress.jsonl", "notes.txt"])
def test_a_retraining_from_the_app_leaves_what_it_did_not_write(run: RunFolder, tmp_path: Path, name: str):
    untouched = plant(tmp_path / ".better.retrain" / name)
    expected = (
        nullcontext() if name == "notes.txt" else pytest.raises(TaggerError, match="tagger did not write it")
    )
    with closing(Store.open(f"sqlite:///{tmp_path / 'review.db'}")) as store, expected:
        start_job(run.path, tmp_path / "better", store, now=datetime.now(), make_command=lambda *_: ["true"])
    assert untouched()


# what commands write


def test_predictions_leave_a_strangers_folder_of_parts(run: RunFolder, photos: Path, tmp_path: Path):
    out = tmp_path / "tags.csv"
    untouched = plant(tmp_path / ".tags.csv.parts/notes.txt")
    predict(photos, run=run.path, out=out)
    assert untouched()
    untouched = plant(tmp_path / ".other.csv.parts/00000000.json")
    with pytest.raises(TaggerError, match=r"00000000.json would be overwritten.*name another --out"):
        predict(photos, run=run.path, out=tmp_path / "other.csv")
    assert untouched()
    assert not (tmp_path / "other.csv").exists()


@pytest.mark.parametrize(("format", "place"), [("csv", "out.unreadable.csv"), ("txt", "out/unreadable.csv")])
def test_a_strangers_list_of_unreadable_images_stays(
    run: RunFolder, photos: Path, tmp_path: Path, format: str, place: str
):
    untouched = plant(tmp_path / place)
    with pytest.raises(TaggerError, match=r"unreadable.csv would be overwritten"):
        predict(photos, run=run.path, out=tmp_path / "out", format=format)
    assert untouched()


def test_an_older_list_of_unreadable_images_goes(run: RunFolder, photos: Path, tmp_path: Path):
    (tmp_path / "tags.csv.unreadable.csv").write_text("file,reason\nold.jpg,gone\n")
    predict(photos, run=run.path, out=tmp_path / "tags.csv")
    assert not (tmp_path / "tags.csv.unreadable.csv").exists()


@pytest.mark.parametrize(
    "format", ["imagefolder", "imagefolder-link", "xmp", "txt", "csv", "parquet", "jsonl", "coco"]
)
def test_half_written_files_of_others_stay_below_an_output(
    run: RunFolder, photos: Path, tmp_path: Path, format: str
):
    place = tmp_path / "out"
    untouched = plant(
        place / ".film.mp4.part",
        place / "sub/.0.png.part",
        place / ".0.txt.7.part",
        place / ".0.jpg.xmp.part",
    )
    whole = format.startswith("imagefolder") or format in ("xmp", "txt")
    predict(photos, run=run.path, out=place if whole else place / "tags.x", format=format)
    assert untouched()


def test_labels_in_folders_are_written_into_an_empty_folder_only(photos: Path, tmp_path: Path):
    untouched = plant(tmp_path / "out/cat/mine.jpg")
    with pytest.raises(TaggerError, match="is not empty"):
        write_labels(
            ["0.png"], np.ones((1, 1), np.int8), ["cat"], root=photos, out=tmp_path / "out", format="folders"
        )
    assert untouched()


def test_another_image_of_the_same_name_stays(photos: Path, tmp_path: Path):
    untouched = plant(tmp_path / "out/0.png")
    with pytest.raises(TaggerError, match="exists already and differs"):
        write_labels(
            ["0.png"],
            np.ones((1, 1), np.int8),
            ["cat"],
            root=photos,
            out=tmp_path / "out",
            format="imagefolder",
        )
    assert untouched()


def test_a_strangers_labelling_interface_stays(photos: Path, tmp_path: Path):
    def write(on_existing: str) -> None:
        write_labels(
            ["0.png"], np.ones((1, 2), np.int8), ["cat", "it's \"a\" <dog>"], root=photos, out=tmp_path / "tasks.json",
            format="label-studio", on_existing=on_existing,
        )  # fmt: skip

    untouched = plant(tmp_path / "tasks.config.xml")
    with pytest.raises(TaggerError, match=r"tasks.config.xml would be overwritten"):
        write("skip")
    assert untouched()
    (tmp_path / "tasks.config.xml").unlink()
    write("skip")
    write("overwrite")  # our own is replaced


@pytest.mark.parametrize(("format", "place"), [("csv", "out.changes.csv"), ("txt", "out/labels.changes.csv")])
def test_a_strangers_list_of_changes_stays(run: RunFolder, tmp_path: Path, format: str, place: str):
    untouched = plant(tmp_path / place)
    with pytest.raises(TaggerError, match=r"changes.csv would be overwritten"):
        apply(run, out=tmp_path / ("out.csv" if format == "csv" else "out"), format=format)
    assert untouched()


@pytest.mark.parametrize("place", ["0.grad_cam.png", "grad_cam.csv"])
def test_a_strangers_picture_is_not_drawn_over(run: RunFolder, photos: Path, tmp_path: Path, place: str):
    untouched = plant(tmp_path / "out" / place)
    with pytest.raises(TaggerError, match=f"{place} would be overwritten"):
        explain(photos, run=run, out=tmp_path / "out")
    assert untouched()
    explain(photos / "1.png", run=run, out=tmp_path / "beside")
    untouched = plant(tmp_path / "beside/0.grad_cam.png")
    explain(photos / "1.png", run=run, out=tmp_path / "beside")  # our own are drawn again
    with pytest.raises(TaggerError, match=r"0.grad_cam.png would be overwritten"):
        explain(photos, run=run, out=tmp_path / "beside")
    assert untouched()


@pytest.mark.parametrize("command", ["evaluate", "compare"])
def test_results_replace_no_file_of_others(
    run: RunFolder, photos: Path, tmp_path: Path, tagger_cli, command: str
):
    untouched = plant(tmp_path / "numbers.json")
    named = ["--data", photos, "--run", run.path] if command == "evaluate" else [run.path, run.path]
    ended = tagger_cli(command, *named, "--out", tmp_path / "numbers.json")
    assert ended.code == 2
    assert "tagger did not write it. Name another file" in ended.err
    assert untouched()


def test_an_export_that_fails_removes_no_folder_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tagger.commands.exporting.hub_folder.unsupported_reason", lambda model: "")
    monkeypatch.setattr("tagger.commands.exporting.hub_folder.linear_weights", lambda model: ())
    monkeypatch.setattr("tagger.commands.exporting.hub_folder.net_with_classifier", lambda *_: None)
    monkeypatch.setattr("tagger.commands.exporting.hub_folder.temporary_name", lambda name: "taken")
    untouched = plant(tmp_path / "taken/model.safetensors")
    with pytest.raises(FileExistsError):
        write_hub(SimpleNamespace(model=None), None, None, tmp_path / "hub")  # type: ignore[arg-type]
    assert untouched()


def test_our_fault_is_written_at_the_end_of_a_log_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tagger-error.log").write_bytes(BYTES)
    assert exit_code_of(lambda: 1 / 0) == 1
    assert (tmp_path / "tagger-error.log").read_bytes().startswith(BYTES + b"Traceback")


# copies that were set aside


@pytest.fixture
def copies() -> pd.DataFrame:
    """A table of two files."""
    return pd.DataFrame({"file": ["0.png", "1.png"]})


def test_taking_copies_back_leaves_others_in_the_folder(photos: Path, tmp_path: Path, copies: pd.DataFrame):
    aside = tmp_path / "aside"
    quarantine_files(photos, copies, ["0.png", "1.png"], aside)
    untouched = plant(aside / "notes.txt", aside / "2.png")
    (aside / "empty").mkdir()
    restore_files(photos, aside)
    assert untouched()
    assert files(aside) == {"notes.txt", "2.png"}
    assert (aside / "empty").is_dir()


def test_a_folder_of_others_with_such_a_list_loses_nothing(
    photos: Path, tmp_path: Path, copies: pd.DataFrame
):
    aside = tmp_path / "mine"
    shutil.copytree(photos, aside)
    copies.to_csv(aside / "moved.csv", index=False)
    before = files(aside)
    restore_files(photos, aside)
    assert files(aside) == before


def test_no_file_is_moved_over_another(photos: Path, tmp_path: Path, copies: pd.DataFrame):
    aside = tmp_path / "aside"
    quarantine_files(photos, copies, ["0.png"], aside)
    (photos / "0.png").symlink_to("nowhere")
    with pytest.raises(TaggerError, match="stays as it is"):
        restore_files(photos, aside)
    assert (photos / "0.png").is_symlink()
    assert (aside / "0.png").is_file()


# the source

REMOVING = {
    "rmtree",
    "unlink",
    "rmdir",
    "remove",
    "removedirs",
    "replace",
    "rename",
    "renames",
    "move",
    "move_file",
}
ALLOWED = {
    (
        "tagger/commands/decisions/restore.py",
        "file.rename",
    ): "a store that no SQLite can read, to a name that is free; its log with it",
    (
        "tagger/commands/decisions/backups.py",
        "remove",
    ): "ours.remove, with exact names of backups made by themselves, in a folder with our mark",
    ("data_tools/quarantine.py", "source.rename"): "moves one file to where nothing is (checked), whole",
    ("data_tools/quarantine.py", "source.unlink"): "an original whose copy on another disk is whole",
    (
        "data_tools/quarantine.py",
        "there.unlink",
    ): "a copy in a folder of ours; the same bytes are back in their place",
    ("data_tools/quarantine.py", "move_file"): "the function above",
    ("data_tools/demo_folder.py", "remove"): "ours.remove, with the names of the demo",
    ("data_tools/demo_loop.py", "(data / 'new').rename"): "the demo's new photos, to where nothing is",
    (
        "tagger/commands/exporting/model_files.py",
        "path.replace",
    ): "to an unfinished file of ours, out of a new folder of ours",
    (
        "tagger/commands/exporting/hub_folder.py",
        "shutil.rmtree",
    ): "a folder that this call made, with a random name",
    (
        "tagger/commands/exporting/hub_folder.py",
        "temporary.rename",
    ): "to where nothing was when the command began",
    (
        "tagger/commands/steps/predict_table.py",
        "identity_path.unlink",
    ): "of.json in the folder of batches, which has our mark",
    (
        "tagger/commands/steps/predict_outputs.py",
        "path.unlink",
    ): "a list of unreadable images that begins as ours do (check_own_csv)",
    ("tagger/commands/writers/write_labels.py", "shutil.rmtree"): "a folder that this call made (mkdtemp)",
    ("tagger/commands/untag.py", "change.path.unlink"): "a sidecar that tagger made, with nothing else in it",
    ("tagger/data/images/hash_cache.py", "Path(name).unlink"): "a file that this call made (mkstemp)",
    ("tagger/data/images/hash_cache.py", "os.replace"): ".tagger/files.npz: a folder and a name of ours",
    ("tagger/review/store_upgrade.py", "os.replace"): "to a name that is free",
    ("tagger/review/store_upgrade.py", "part.unlink"): "an unfinished file of this call, with a random name",
    ("tagger/runs/atomic.py", "leftover.unlink"): "an unfinished file of ours, by the shape of its name",
    ("tagger/runs/atomic.py", "path.unlink"): "an array that this call began",
    (
        "tagger/runs/atomic.py",
        "temporary.replace",
    ): "the one way to write a file; who calls it checks what is there",
    ("tagger/runs/atomic.py", "temporary.unlink"): "an unfinished file of this call, with a random name",
    (
        "tagger/runs/checkpoint.py",
        "self.state_path.unlink",
    ): "a network's state, in a folder that has our mark",
    (
        "tagger/runs/folder.py",
        "(self.path / name).unlink",
    ): "a begun training's own files; check_claim came before",
    ("tagger/runs/choice.py", "(folder / CHOICE).unlink"): "a file that was just read as one of ours",
    (
        "tagger/commands/runs_move.py",
        "folder.rename",
    ): "a run folder as a whole, to where nothing is (checked)",
    ("tagger/runs/removal.py", "(folder / name).unlink"): "exact names in a run, which then has our mark",
    ("tagger/runs/removal.py", "(folder / MARK).unlink"): "the mark",
    ("tagger/runs/removal.py", "folder.rmdir"): "only if it is empty",
    ("tagger/runs/lock.py", "folder.rmdir"): "a folder that this call made, if it is empty",
    ("tagger/runs/lock.py", "path.unlink"): "a lock that we hold, and whose line is ours",
    ("tagger/runs/ownership.py", "(folder / MARK).unlink"): "the mark",
    ("tagger/runs/ownership.py", "(folder / inner).rmdir"): "only if it is empty",
    ("tagger/runs/ownership.py", "(folder / path).unlink"): "exact names in a folder with our mark",
    ("tagger/runs/ownership.py", "folder.rmdir"): "only if it is empty",
    ("tagger/runs/ownership.py", "os.replace"): "the mark",
    ("tagger/runs/ownership.py", "remove"): "ours.remove",
    ("tagger/runs/ownership.py", "temporary.unlink"): "an unfinished mark of this call, with a random name",
    ("tagger/ui/photo_previews.py", "os.replace"): ".tagger/previews/, by hash: a folder and names of ours",
    ("tagger/ui/command_job.py", "remove"): "ours.remove, with the names of a job, in a folder with our mark",
}


TWICE = {("tagger/runs/atomic.py", "temporary.unlink"), ("data_tools/quarantine.py", "move_file")}


def removing(path: Path) -> Iterator[str]:
    """Each call in a file that removes or replaces a file; strings, tables and hooks have methods of the same names."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        call = ast.unparse(node.func)
        module, _, name = call.rpartition(".")
        if name in ("replace", "rename"):
            if module == "os" or (
                module and len(node.args) == 1 and not node.keywords and not _of_table(node)
            ):
                yield call
        elif name in REMOVING and (name != "remove" or module in ("", "os", "ours")):
            yield call


def _of_table(node: ast.Call) -> bool:
    """Whether what is replaced is given as a list or dictionary: in a table."""
    return isinstance(node.args[0], ast.List | ast.Dict)


def test_every_call_that_removes_or_replaces_a_file_has_a_reason():
    found = Counter(
        (path.relative_to(ROOT).as_posix(), call)
        for package in ("tagger", "data_tools")
        for path in (ROOT / package).rglob("*.py")
        for call in removing(path)
    )
    expected = {call: 2 if call in TWICE else 1 for call in ALLOWED}
    assert found - Counter(expected) == Counter(), "why can this never be a stranger's file?"
    assert Counter(expected) - found == Counter(), "these reasons are for calls that are gone"


@pytest.mark.parametrize(
    "line",
    ["shutil.rmtree(x)", "os.replace(a, b)", "a.replace(b)", "a.rename(b)", "os.remove(a)", "a.unlink(missing_ok=True)",
     "shutil.move(a, b)", "os.rmdir(a)"],
)  # fmt: skip
def test_a_new_call_is_found(tmp_path: Path, line: str):
    (tmp_path / "x.py").write_text(
        f"{line}\n'a'.replace('b', 'c')\nframe.rename(columns=names)\nhook.remove()\n"
    )
    assert list(removing(tmp_path / "x.py")) == [line.partition("(")[0]]
