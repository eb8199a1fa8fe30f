"""Page Write labels: what it starts is what the command line takes; paths only where nobody else reaches the app."""

import csv
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from reviewing import texts
from streamlit.testing.v1 import AppTest
from typer.main import get_command

from tagger.cli import app
from tagger.commands.writers import LABEL_FORMATS
from tagger.errors import TaggerError
from tagger.review import Decision, Store
from tagger.runs import RunFolder
from tagger.ui.command_job import is_running, job_status, load_job
from tagger.ui.write_request import FOLDERS, SIDECARS, TABLES, WriteRequest, write_job


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    store = Store.open(f"sqlite:///{tmp_path}/review.db")
    yield store
    store.close()


def page(path: str, url: str) -> None:
    """The page, as a script of AppTest."""
    from tagger.review import Store
    from tagger.runs import RunFolder
    from tagger.ui.pages.write_page import show

    store = Store.open(url)
    try:
        show(RunFolder(path), store)
    finally:
        store.close()


def wait_for_end(store: Store, kind: str) -> str:
    """How the job ended; a minute at most."""
    job = load_job(store, kind)
    assert job is not None
    end = time.monotonic() + 60
    while is_running(job):
        assert time.monotonic() < end
        time.sleep(0.05)
    return job_status(job).kind


def test_corrected_labels_are_written_shown_and_never_written_over(
    finished: Path, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    images = RunFolder(finished).load_images()
    cells_NK = RunFolder(finished).load_cells()
    row, column = (int(where[0]) for where in np.nonzero(cells_NK == 0))
    label = RunFolder(finished).load_labels()[column]
    decision = Decision(
        hash=images["hash"].iloc[row], label=label, verdict="yes", before=0, suggested=1, doubt=0.5, run="run",
        reviewer="ann", seconds=1.0, client="t", seq=1,
    )  # fmt: skip
    store.record([decision])
    shown = AppTest.from_function(
        page, kwargs={"path": str(finished), "url": store.url}, default_timeout=60
    ).run()
    assert not shown.exception
    shown.button(key="start apply").click().run()
    assert not shown.exception
    assert wait_for_end(store, "apply") == "done"
    shown.run()
    assert "Written" in texts(shown.success)
    with (tmp_path / "corrected.csv").open() as file:
        written = {line["file"]: line for line in csv.DictReader(file)}
    assert images["file"].iloc[row] in written
    assert label in shown.dataframe[0].value.to_string()
    shown.button(key="dismiss apply").click().run()
    shown.button(key="start apply").click().run()
    assert "is there already" in texts(shown.error)
    assert load_job(store, "apply") is None
    shown.checkbox(key="apply replace csv").check().run()
    shown.button(key="start apply").click().run()
    assert wait_for_end(store, "apply") == "done"


@pytest.mark.parametrize("format", [*TABLES, *SIDECARS, *FOLDERS])
@pytest.mark.parametrize("kind", ["apply", "predict"])
def test_the_command_line_understands_every_request(kind: str, format: str, finished: Path, tmp_path: Path):
    request = write_job(WriteRequest(kind, format, "mine"), RunFolder(finished), tmp_path, local=False)
    name, *arguments = request.command[3:]
    command = get_command(app).commands[kind]  # type: ignore[attr-defined]
    parsed = command.make_context(kind, arguments).params
    assert (name, parsed["format"], parsed["out"]) == (kind, format, request.out)
    assert format in LABEL_FORMATS
    assert (request.out == tmp_path / f"mine{TABLES.get(format, '')}") != (format in SIDECARS)


@pytest.mark.parametrize(
    "name",
    ["", "  ", "a/b", "../x", "..", ".hidden", "x/", "a\\b", "nul\0", "/etc/passwd", "~root/x", "/tmp/x.csv"],
)
def test_over_the_network_a_name_is_only_a_name(name: str, finished: Path, tmp_path: Path):
    with pytest.raises(TaggerError):
        write_job(WriteRequest("apply", "csv", name), RunFolder(finished), tmp_path, local=False)
    request = WriteRequest("predict", "csv", "x", photos=str(tmp_path))
    with pytest.raises(TaggerError, match="this machine alone"):
        write_job(request, RunFolder(finished), tmp_path, local=False)


def test_on_this_machine_paths_are_taken(finished: Path, tmp_path: Path):
    (tmp_path / "photos").mkdir()
    wanted = WriteRequest("predict", "parquet", str(tmp_path / "tags"), photos=str(tmp_path / "photos"))
    request = write_job(wanted, RunFolder(finished), Path("/nowhere"), local=True)
    assert request.out == tmp_path / "tags.parquet"
    assert str(tmp_path / "photos") in request.command
    for out, photos in ((str(tmp_path / "no" / "x"), ""), ("x", "relative"), ("x", str(tmp_path / "absent"))):
        with pytest.raises(TaggerError):
            write_job(
                WriteRequest("predict", "csv", out, photos=photos), RunFolder(finished), tmp_path, local=True
            )
