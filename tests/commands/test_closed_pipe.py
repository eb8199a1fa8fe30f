"""``tagger COMMAND | head -1``: a reader that goes away after one line takes nothing from what is written."""

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from small import options, train_argv

import tagger
from tagger import cli
from tagger.closed_pipes import ForgivingStream
from tagger.commands.decisions.export import export_decisions
from tagger.review import Decision, Store
from tagger.runs import RunFolder

DIFFERENT = ("log.txt", "metrics.json", "README.md", "config.toml", ".ts", ".db")  # these hold times or paths

# What a person types in a folder with photos/, a run that was trained on them, a second one, and decisions.
COMMANDS = {
    "train": train_argv(Path("photos"), Path("trained"), train__epochs=0),
    "suspects": ["suspects", "--run", "run"],
    "apply": ["apply", "--run", "run", "--out", "corrected.csv"],
    "apply-xmp": ["apply", "--run", "run", "--out", "sidecars", "--format", "xmp", "--on-existing", "merge"],
    "retrain": ["retrain", "--run", "run", "--out", "better"],
    "predict": ["predict", "some", "--run", "run", "--out", "tags.csv"],
    "predict-txt": ["predict", "some", "--run", "run", "--out", "tags", "--format", "txt"],
    "predict-one": ["predict", "some/0.png", "--run", "run"],
    "evaluate": ["evaluate", "--data", "photos", "--run", "run", "--out", "result.json"],
    "compare": ["compare", "run", "other", "--out", "compared.json"],
    "explain": ["explain", "some/0.png", "--run", "run", "--out", "maps"],
    "export": ["export", "--run", "run", "--out", "model.ts", "--format", "torchscript"],
    "untag": ["untag", "tagged", "--yes"],
    "runs-list": ["runs", "list", ".", "--out", "listed.json"],
    "runs-show": ["runs", "show", "run", "--out", "shown.json"],
    "runs-name": ["runs", "name", "other", "second"],
    "runs-choose": ["runs", "choose", "third"],
    "runs-move": ["runs", "move", "other", "--data", "photos"],
    "runs-delete": ["runs", "delete", "other", "--yes"],
    "decisions-export": ["decisions", "export", "--run", "run", "--out", "exported.csv"],
    "decisions-backup": ["decisions", "backup", "--run", "run", "--out", "copy.db"],
    "decisions-import": ["decisions", "import", "decided.csv", "--run", "run", "--store", "sqlite:///new.db"],
    "decisions-merge": ["decisions", "merge", "earlier.db", "--into", "new.db"],
    "decisions-restore": ["decisions", "restore", "earlier.db", "--run", "run", "--store", "sqlite:///new.db"],
    "decisions-disagreements": ["decisions", "disagreements", "--run", "run", "--out", "differing.csv"],
    "data-taken-off": ["data", "taken-off", "--run", "run", "--out", "gone.csv"],
    "data-stats": ["data", "stats", "photos", "--html", "stats.html"],
    "data-check": ["data", "check", "some", "--labels", "wrong.csv", "--out", "problems.csv"],
    "data-duplicates": ["data", "duplicates", "some", "--out", "copies.csv", "--apply", "--to", "away"],
    "data-quality": ["data", "quality", "some", "--out", "quality.csv"],
    "data-split": ["data", "split", "photos", "--out", "split.csv"],
    "data-sample": ["data", "sample", "photos", "--num", "10", "--out", "few"],
    "data-merge": ["data", "merge", "photos", "--labels", "photos/labels.csv", "--labels", "others.csv", "--out",
                   "merged.csv"],
    "data-rename": ["data", "rename", "photos", "three=drei", "--out", "renamed.csv"],
    "data-noise": ["data", "noise", "photos", "--out", "noisy.csv"],
    "data-convert": ["data", "convert", "photos", "--out", "labels.jsonl"],
    "data-demo": ["data", "demo", "made", "--num", "20"],
}  # fmt: skip
ELSEWHERE = {
    "review": "it serves pages and writes no files",
    "demo": "it calls the others",
    "data-frames": "it needs ffmpeg",
}
NOT_TRIED = {
    "decisions-history": "it writes nothing",
    "decisions-undo": "it writes no file: one transaction of the store",
    "decisions-redo": "likewise",
}


@pytest.fixture(scope="module")
def desk(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that ``COMMANDS`` are typed in; to be copied."""
    desk = tmp_path_factory.mktemp("desk") / "desk"
    shutil.copytree(demo, desk / "photos")
    chosen = {"backbone": "test_resnet", "weights": "none", "overrides": options(train__epochs=0)}
    tagger.train(desk / "photos", run=desk / "run", **chosen)
    config = desk / "run" / "config.toml"
    config.write_text(config.read_text("utf-8").replace(str(desk / "photos"), "photos"), "utf-8")
    shutil.copytree(desk / "run", desk / "other")
    shutil.copytree(demo / "new", desk / "some")
    photos = sorted((desk / "some").iterdir())
    photos[0].rename(desk / "some" / "0.png")
    shutil.copy(desk / "some" / "0.png", desk / "some" / "copy.png")
    Image.new("RGB", (8, 8)).save(desk / "some" / "black.png")
    (desk / "some" / "broken.png").write_bytes(b"no image")
    (desk / "wrong.csv").write_text(
        "file,labels\nnobody.png,cat\nnothing.png,dog\n0.png,cat\nblack.png,dog\n"
    )
    table = (demo / "labels.csv").read_text("utf-8").splitlines()
    (desk / "others.csv").write_text(
        "\n".join(line.replace("three", "one") for line in table) + "\n", "utf-8"
    )
    decide(RunFolder(desk / "run"), desk)
    shutil.copytree(desk / "run", desk / "runs" / "third")
    tagger.predict(desk / "some", run=desk / "run", out=desk / "tagged", format="txt")
    store = desk / "photos" / ".tagger" / "review.db"
    shutil.copy(store, desk / "earlier.db")
    export_decisions(run=desk / "run", store=f"sqlite:///{store}", out=desk / "decided.csv")
    return desk


def decide(run: RunFolder, desk: Path) -> None:
    """A person turns some cells of the training split over."""
    images, cells, name = run.load_images(), run.load_cells(), run.load_labels()[0]
    rows = [row for row in range(len(images)) if images["split"][row] == "train"][:6]
    (desk / "photos" / ".tagger").mkdir(exist_ok=True)
    store = Store.open(f"sqlite:///{desk / 'photos' / '.tagger' / 'review.db'}")
    store.record(
        [
            Decision(hash=images["hash"][row], label=name, verdict="no" if cells[row, 0] == 1 else "yes",
                     before=int(cells[row, 0]), suggested=None, doubt=None, run="run", reviewer="ann", seconds=None,
                     client="c", seq=seq)
            for seq, row in enumerate(rows)
        ]
    )  # fmt: skip
    store.close()


class OneLine(io.FileIO):
    """The end of a pipe that a command writes to; the reader closes the other end after the first line."""

    def __init__(self):
        self.reader, writer = os.pipe()
        self.heard = False
        super().__init__(writer, "w")

    def write(self, data: Any) -> int:
        """Write, and be left after a line."""
        written = super().write(data)
        if not self.heard and b"\n" in bytes(data):
            os.close(self.reader)
            self.heard = True
        return written


@contextmanager
def reader_that_leaves(monkeypatch: pytest.MonkeyPatch) -> Iterator[OneLine]:
    """Standard output and standard error, each a pipe that is closed after its first line."""
    ends = OneLine(), OneLine()
    with monkeypatch.context() as patch:
        for name, end in zip(("stdout", "stderr"), ends, strict=True):
            patch.setattr(sys, name, io.TextIOWrapper(io.BufferedWriter(end), "utf-8"))
        yield ends[0]
        for stream in (sys.stdout, sys.stderr):
            stream.close()
    for end in ends:
        if not end.heard:
            os.close(end.reader)


def run_command(name: str, here: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit code of one of the ``COMMANDS``, typed in ``here``."""
    monkeypatch.chdir(here)
    monkeypatch.setattr(sys, "argv", ["tagger", *COMMANDS[name]])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return int(stop.value.code or 0)


def files_in(folder: Path) -> dict[str, bytes]:
    """Every file, with its bytes where two calls give the same ones; the store has times in it."""
    here = str(folder).encode()
    return {
        path.relative_to(folder).as_posix(): b""
        if path.name.endswith(DIFFERENT)
        else path.read_bytes().replace(here, b"")
        for path in folder.rglob("*")
        if path.is_file() and ".tagger" not in path.parts
    }


@pytest.mark.filterwarnings("ignore:.torch.jit")
@pytest.mark.parametrize("name", COMMANDS)
def test_the_files_are_those_of_a_call_that_is_read_to_its_end(
    name: str, desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    ends = {}
    for folder in ("heard", "left"):
        shutil.copytree(desk, tmp_path / folder / "desk")
    ends["heard"] = run_command(name, tmp_path / "heard" / "desk", monkeypatch)
    with reader_that_leaves(monkeypatch) as pipe:
        ends["left"] = run_command(name, tmp_path / "left" / "desk", monkeypatch)
    assert pipe.heard
    assert ends["left"] == ends["heard"] in (0, 2, 3), capsys.readouterr().err
    heard, left = (files_in(tmp_path / folder / "desk") for folder in ("heard", "left"))
    assert left.keys() == heard.keys()
    assert [file for file in left if left[file] != heard[file]] == []
    assert name == "predict-one" or heard.keys() - files_in(desk).keys() or heard != files_in(desk)


def test_every_command_is_tried():
    groups = [(f"{group.name}-", group.typer_instance) for group in cli.app.registered_groups]
    apps = [("", cli.app), *groups]
    names = {
        prefix + str(command.name or command.callback.__name__)
        for prefix, app in apps
        for command in app.registered_commands
        if command.callback
    }
    assert names - COMMANDS.keys() - NOT_TRIED.keys() == ELSEWHERE.keys()


def test_a_pipe_of_the_shell(desk: Path, tmp_path: Path):
    command = (
        f"{sys.executable} -m tagger.cli evaluate --data {desk / 'photos'} --run {desk / 'run'} --out x.json"
    )
    line = f"set -o pipefail; {command} 2>&1 | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert done.stdout.splitlines()[-1] == "0", done.stdout
    assert done.stderr == ""
    assert (tmp_path / "x.json").stat().st_size > 1000


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_output_that_a_full_disk_cannot_hold_is_still_an_error():
    full = open("/dev/full", "w", buffering=1)  # noqa: SIM115
    with pytest.raises(OSError, match="No space"):
        ForgivingStream(full).write("a line\n")
    os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())  # what it holds goes somewhere
    full.close()
