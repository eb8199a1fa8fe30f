"""Stills of films: with the ffmpeg of this machine where there is one, with a stand-in for it everywhere."""

import csv
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from data_tools.film_frames import extract_frames
from tagger.cli import app
from tagger.data import read_dataset
from tagger.data.frame_windows import read_frames
from tagger.errors import TaggerError
from tagger.setting_sections import DataSettings

STAND_IN = """#!{python}
import sys
from pathlib import Path
from PIL import Image
words = sys.argv
clip = words[words.index("-i") + 1].removeprefix("file:")
number = int(Path(clip).read_text() or -1)
if number < 0:
    sys.exit("no film: " + clip)
every = int(words[words.index("-vf") + 1].split("mod(n\\\\,")[1].split(")")[0])
for n, frame in enumerate(range(0, number, every)):
    Image.new("RGB", (8, 8), (frame, 0, 0)).save(words[-1].removeprefix("file:") % n, "PNG")
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for films, with a stand-in for ffmpeg as the only program: a film is a text, its number of frames."""
    programs = tmp_path / "programs"
    programs.mkdir()
    script = programs / "ffmpeg"
    script.write_text(STAND_IN.replace("{python}", sys.executable))
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(programs))
    films = tmp_path / "films"
    films.mkdir()
    return films


def rows(out: Path) -> list[list[str]]:
    """The table, without its first line."""
    with (out / "frames.csv").open(newline="") as file:
        return list(csv.reader(file))[1:]


def test_stills_are_numbered_and_the_table_says_which_frame_of_which_clip_each_is(stand_in, tmp_path):
    for name, number in (("walk", "7"), ("50 % run", "4")):
        (stand_in / f"{name}.mp4").write_text(number)
    out = tmp_path / "photos"
    found = extract_frames([stand_in / "walk.mp4", stand_in / "50 % run.mp4"], out, every=3)
    assert found == {"walk": 3, "50 % run": 2}
    assert rows(out) == [
        ["walk_000000.jpg", "walk", "0"],
        ["walk_000001.jpg", "walk", "3"],
        ["walk_000002.jpg", "walk", "6"],
        ["50 % run_000000.jpg", "50 % run", "0"],
        ["50 % run_000001.jpg", "50 % run", "3"],
    ]
    assert Image.open(out / "walk_000002.jpg").getpixel((0, 0))[0] == 6


def test_the_folder_is_read_as_sequences_once_it_has_labels(stand_in, tmp_path):
    for name in ("a", "b"):
        (stand_in / f"{name}.mp4").write_text("4")
    out = tmp_path / "photos"
    extract_frames([stand_in / "a.mp4", stand_in / "b.mp4"], out)
    files = [row[0] for row in rows(out)]
    (out / "labels.csv").write_text("file,labels\n" + "\n".join(f"{file},cat" for file in files))
    settings = DataSettings(path=str(out), sequence_column="sequence", frame_column="frame")
    dataset = read_dataset(out, read_options=settings)
    assert dataset.labels == ("cat",)
    frames = read_frames(out, dataset.images["file"].tolist(), settings)
    assert frames.windows(4)[3].tolist() == [0, 1, 2, 3]
    assert frames.windows(4)[4].tolist() == [-1, -1, -1, 4]


def test_without_ffmpeg_the_command_says_how_to_get_it_and_makes_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "a.mp4").write_text("3")
    result = CliRunner().invoke(
        app, ["data", "frames", str(tmp_path / "a.mp4"), "--out", str(tmp_path / "out")]
    )
    assert isinstance(result.exception, TaggerError)
    assert "no ffmpeg" in str(result.exception)
    assert "apt install" in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_read_is_said_in_the_words_of_ffmpeg(stand_in, tmp_path):
    (stand_in / "broken.mp4").write_text("")
    with pytest.raises(
        TaggerError, match=r"broken\.mp4: ffmpeg cannot read it \(no film: .*Remove that folder"
    ):
        extract_frames([stand_in / "broken.mp4"], tmp_path / "out")
    assert not (tmp_path / "out" / "frames.csv").exists()


def test_missing_clips_equal_names_and_a_folder_that_exists_are_refused_before_anything_is_written(
    stand_in, tmp_path
):
    out = tmp_path / "out"
    with pytest.raises(TaggerError, match=r"2 clips not there: .*x\.mp4, .*y\.mp4"):
        extract_frames([stand_in / "x.mp4", stand_in / "y.mp4"], out)
    (stand_in / "more").mkdir()
    for path in (stand_in / "a.mp4", stand_in / "more" / "A.avi"):
        path.write_text("3")
    with pytest.raises(TaggerError, match=r"a\.mp4 and .*A\.avi"):
        extract_frames([stand_in / "a.mp4", stand_in / "more" / "A.avi"], out)
    assert not out.exists()
    out.mkdir()
    with pytest.raises(TaggerError, match="exists already"):
        extract_frames([stand_in / "a.mp4"], out)


def test_a_clip_without_pictures_is_named(stand_in, tmp_path):
    (stand_in / "sound.mp3").write_text("0")
    with pytest.raises(TaggerError, match=r"sound\.mp3: ffmpeg finds no picture"):
        extract_frames([stand_in / "sound.mp3"], tmp_path / "out")


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg on this machine")
def test_a_film_of_ffmpeg_itself_gives_every_nth_of_its_frames(tmp_path):
    """Twelve frames of one brightness each, which rises: the stills are frames 0, 5 and 10."""
    clip = tmp_path / "odd: name.mkv"
    source = "color=black:s=32x32:r=10:d=1.2,geq=lum='20*N':cb=128:cr=128"
    made = subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-c:v", "ffv1", f"file:{clip}"],
        capture_output=True, check=False,
    )  # fmt: skip
    if made.returncode:
        pytest.skip(f"this ffmpeg makes no such film: {made.stderr!r}")
    out = tmp_path / "photos"
    words = ["data", "frames", str(clip), "--out", str(out), "--every", "5"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "odd: name: 3 photos" in result.output
    assert [row[2] for row in rows(out)] == ["0", "5", "10"]
    grey = [Image.open(out / row[0]).convert("L").getpixel((16, 16)) for row in rows(out)]
    assert grey[0] < 15
    assert 75 < grey[1] - grey[0] < 145
    assert 75 < grey[2] - grey[1] < 145
