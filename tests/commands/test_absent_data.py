"""A data folder that was moved, or whose disk is not mounted: absent is not empty."""

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from noise_photos import refused

from tagger.commands.steps.reviewed_labels import store_url
from tagger.errors import TaggerError
from tagger.review import Decision, Store, default_url
from tagger.runs import RunFolder, with_data
from tagger.ui.app_state import open_app_state

Cli = Callable[..., Any]
COMMANDS = {
    "apply": ("--out", "out.csv"),
    "suspects": (),
    "retrain": ("--out", "again"),
    "review": ("--no-browser",),
}


class Reviewed(NamedTuple):
    """A run with a data folder of its own, in which one cell is decided."""

    run: RunFolder
    data: Path
    label: str
    file: str


@pytest.fixture
def reviewed(finished: Path, demo: Path, tmp_path: Path) -> Reviewed:
    """A reviewed run: one *no* turned into a *yes*."""
    data = shutil.copytree(demo, tmp_path / "data")
    run = RunFolder(shutil.copytree(finished, tmp_path / "run"))
    settings = run.load_settings()
    place = settings.data.model_copy(update={"path": str(data)})
    run.save_settings(settings.model_copy(update={"data": place}))
    images, cells_NK = run.load_images(), run.load_cells()
    row = int((cells_NK[:, 0] == 0).argmax())
    label = run.load_labels()[0]
    with closing(Store.open(default_url(data))) as store:
        store.record(
            [Decision(hash=images["hash"][row], label=label, verdict="yes", before=0, suggested=1, doubt=None,
                      run="run", reviewer="ann", seconds=None, client="c", seq=1)]
        )  # fmt: skip
    from tagger.commands.suspects import suspects

    suspects(run)
    return Reviewed(run, data, label, str(images["file"][row]))


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("empty", [False, True])
def test_a_command_stops_where_the_data_folder_is_absent(
    command: str, empty: bool, reviewed: Reviewed, tagger_cli: Cli
):
    reviewed.data.rename(reviewed.data.with_name("moved"))
    if empty:  # as the mount point of a disk
        reviewed.data.mkdir()
    before = (reviewed.run.path / "suspects.parquet").read_bytes()
    end = tagger_cli(command, "--run", reviewed.run.path, *COMMANDS[command])
    refused(end, str(reviewed.data), "is empty" if empty else "is not there", "--data DIR", "--store URL")
    assert list(Path().iterdir()) == []
    assert (reviewed.run.path / "suspects.parquet").read_bytes() == before
    assert (list(reviewed.data.iterdir()) == []) if empty else not reviewed.data.exists()


def test_the_moved_folder_is_named_and_its_decisions_count(reviewed: Reviewed, tagger_cli: Cli):
    moved = reviewed.data.rename(reviewed.data.with_name("moved"))
    argv = ("--run", reviewed.run.path, "--data", moved)
    end = tagger_cli("apply", *argv, "--out", "out.csv")
    assert end.code == 0, end.err
    assert f"1 decision in sqlite:///{moved}" in end.out
    assert reviewed.file in Path("out.changes.csv").read_text("utf-8")
    assert tagger_cli("suspects", *argv).code == 0
    again = tagger_cli("retrain", *argv, "--out", "again")
    assert again.code == 0, again.err
    assert RunFolder("again").load_metrics()["decisions"]["number"] == 1
    assert RunFolder("again").load_settings().data.path == str(moved)
    assert RunFolder(reviewed.run.path).load_settings().data.path == str(reviewed.data)
    state = open_app_state(reviewed.run.path, data=moved)
    assert state.store.last_id() == 1
    state.store.close()


def test_a_folder_of_other_photos_is_refused(
    reviewed: Reviewed, photos: Any, tagger_cli: Cli, tmp_path: Path
):
    other = shutil.copytree(reviewed.data, tmp_path / "other")
    for path in reviewed.run.load_images()["file"][:60]:
        (other / path).write_bytes(b"another photo")
    end = tagger_cli("apply", "--run", reviewed.run.path, "--data", other, "--out", "out.csv")
    refused(end, str(other), "not the data folder of", "not there with the same picture")
    refused(
        tagger_cli("suspects", "--run", reviewed.run.path, "--data", "nix"), "nix: there is no such folder"
    )
    assert not Path("out.csv").exists()


def test_a_few_changed_photos_do_not_matter(reviewed: Reviewed):
    for path in reviewed.run.load_images()["file"][:20]:
        (reviewed.data / path).write_bytes(b"another photo")
    assert with_data(reviewed.run, reviewed.data).load_settings().data.path == str(reviewed.data)


def test_a_folder_without_a_store_has_no_decisions_yet(reviewed: Reviewed, tagger_cli: Cli):
    shutil.rmtree(reviewed.data / ".tagger")
    end = tagger_cli("apply", "--run", reviewed.run.path, "--out", "out.csv")
    assert end.code == 0, end.err
    assert "0 decisions" in end.out


def test_a_named_store_needs_no_data_folder_and_has_to_be_there(
    reviewed: Reviewed, tagger_cli: Cli, tmp_path: Path
):
    moved = reviewed.data.rename(reviewed.data.with_name("moved"))
    argv = ("apply", "--run", reviewed.run.path, "--out", "out.csv", "--store")
    refused(tagger_cli(*argv, default_url(reviewed.data)), str(reviewed.data), "is not there", "--store URL")
    refused(tagger_cli(*argv, f"sqlite:///{tmp_path}/disk/review.db"), f"{tmp_path}/disk", "Mount its disk")
    assert tagger_cli(*argv, default_url(moved)).code == 0


@pytest.mark.parametrize("command", [*COMMANDS, "decisions disagreements"])
def test_a_named_store_that_is_not_there_is_not_one_without_decisions(
    command: str, reviewed: Reviewed, tagger_cli: Cli, tmp_path: Path
):
    """Its folder is there, with other files: a name that was typed wrong. Only the app begins a new store."""
    (tmp_path / "other.txt").write_text("a")
    url = f"sqlite:///{tmp_path}/reviw.db"
    if command == "suspects":  # it comes before the first review
        assert (
            "not there yet. No decisions count."
            in tagger_cli(command, "--run", reviewed.run.path, "--store", url).out
        )
    elif command != "review":
        end = tagger_cli(
            *command.split(), "--run", reviewed.run.path, *COMMANDS.get(command, ()), "--store", url
        )
        refused(end, f"{tmp_path}/reviw.db: this database of decisions is not there", "--store URL")
    assert store_url(reviewed.run, url, may_be_new=True) == url
    assert not (tmp_path / "reviw.db").exists()
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("empty", [False, True])
def test_a_review_starts_no_store_on_a_disk_that_is_not_mounted(
    empty: bool, reviewed: Reviewed, tmp_path: Path
):
    disk = tmp_path / "disk"
    if empty:
        disk.mkdir()
    url = f"sqlite:///{disk}/review.db"
    with pytest.raises(TaggerError, match=r"Mount its disk.* --new-store"):
        open_app_state(reviewed.run.path, store=url)
    assert not list(disk.glob("*"))
    state = open_app_state(reviewed.run.path, store=url, new_store=True)
    state.store.close()
    assert (disk / "review.db").is_file()
    with pytest.raises(TaggerError, match="is there already"):
        open_app_state(reviewed.run.path, store=url, new_store=True)
    with pytest.raises(TaggerError, match="no database is named"):
        open_app_state(reviewed.run.path, new_store=True)
    open_app_state(reviewed.run.path, store=url).store.close()


def test_a_resumed_retraining_needs_the_decisions_that_it_began_with(
    reviewed: Reviewed, tagger_cli: Cli, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patch:

        def stop(*args: Any, **kwargs: Any) -> None:
            raise KeyboardInterrupt

        patch.setattr("tagger.commands.retrain.finalize", stop)
        assert tagger_cli("retrain", "--run", reviewed.run.path, "--out", "again").code == 130
    store = reviewed.data / ".tagger"
    moved = reviewed.data.rename(reviewed.data.with_name("moved"))
    refused(tagger_cli("retrain", "--resume", "--out", "again"), str(reviewed.data), "is not there")
    moved.rename(reviewed.data)
    store.rename(store.with_name("store"))
    refused(tagger_cli("retrain", "--resume", "--out", "again"), "does not have the decisions")
    store.with_name("store").rename(store)
    reviewed.data.rename(moved)
    end = tagger_cli("retrain", "--resume", "--out", "again", "--data", moved)
    assert end.code == 0, end.err
    assert RunFolder("again").load_settings().data.path == str(moved)
    assert RunFolder("again").load_metrics()["decisions"]["number"] == 1


def test_the_same_from_python(reviewed: Reviewed, tmp_path: Path):
    from tagger.commands.apply import apply

    reviewed.data.rename(reviewed.data.with_name("moved"))
    with pytest.raises(TaggerError, match="is not there"):
        apply(reviewed.run, out=tmp_path / "out.csv")
