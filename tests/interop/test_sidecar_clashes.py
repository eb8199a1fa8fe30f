"""``a.jpg`` and ``a.png`` are two photos with one ``a.txt``: it is neither written nor read, and both are named."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tagger.commands.predict import predict
from tagger.commands.writers import WriteResult, write_labels
from tagger.commands.writers.disk_names import ignores_case
from tagger.commands.writers.sidecar_clashes import SidecarClashes
from tagger.commands.writers.text_sidecar import TextSidecarWriter
from tagger.commands.writers.xmp_sidecar import XmpSidecarWriter
from tagger.data import read_dataset
from tagger.errors import TaggerError

NAMES = ("cat", "dog")
FILES = ("a.jpg", "a.png", "b.jpg", "x/a.jpg")
CELLS = np.array([[1, 0], [0, 1], [1, 1], [0, 1]], dtype=np.int8)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two photos of one name, one of another name, and one of the same name in another folder."""
    for seed, file in enumerate(FILES):
        path = tmp_path / "photos" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 255, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    return tmp_path / "photos"


def write(root: Path, format: str, out: Path | None = None, **how: Any) -> WriteResult:
    """The labels of all photos, beside them."""
    return write_labels(FILES, CELLS, NAMES, root=root, out=out or root, format=format, **how)


def made(folder: Path, suffix: str) -> list[str]:
    """The sidecars in a folder and below."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob(f"*{suffix}"))


@pytest.mark.parametrize("on_existing", ["skip", "overwrite", "merge"])
@pytest.mark.parametrize(("format", "suffix"), [("txt", ".txt"), ("xmp-lightroom", ".xmp")])
def test_photos_of_one_name_get_no_sidecar_together(root: Path, format: str, suffix: str, on_existing: str):
    done = write(root, format, on_existing=on_existing)
    assert made(root, suffix) == [f"b{suffix}", f"x/a{suffix}"]
    assert [problem.file for problem in done.problems] == ["a.jpg", "a.png"]
    assert f"a{suffix} would be that of 'a.png', too. Use --format xmp" in str(done.problems[0])
    assert (done.num_images, done.num_skipped) == (2, 0)


def test_a_photo_that_is_not_among_the_written_ones_counts_too(root: Path):
    done = write_labels(FILES[:1], CELLS[:1], NAMES, root=root, out=root, format="txt")
    assert not made(root, ".txt")
    assert "'a.png'" in str(done.problems)


def test_xmp_has_a_sidecar_for_each(root: Path):
    assert not write(root, "xmp").problems
    data = read_dataset(root)
    assert dict(zip(data.images["file"], data.labels_NK.tolist(), strict=True)) == dict(
        zip(FILES, CELLS.tolist(), strict=True)
    )


def test_xmp_leaves_a_shared_sidecar_as_it_is_and_says_what_to_rename(root: Path):
    write(root, "xmp-lightroom")
    (root / "a.xmp").write_bytes(before := (root / "b.xmp").read_bytes())
    done = write(root, "xmp", on_existing="merge")
    assert (root / "a.xmp").read_bytes() == before
    assert "rename a.xmp first: a.jpg.xmp if it is for this photo" in str(done.problems[0])
    (root / "a.xmp").rename(root / "a.jpg.xmp")
    assert not write(root, "xmp", on_existing="merge").problems
    assert (root / "a.png.xmp").is_file()


def test_a_raw_file_and_its_photo_share(tmp_path: Path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg")
    (tmp_path / "a.nef").write_bytes(b"raw")
    done = write_labels(["a.jpg"], CELLS[:1], NAMES, root=tmp_path, out=tmp_path, format="txt")
    assert (tmp_path / "a.txt").read_text() == "cat\n"
    assert not done.problems
    assert read_dataset(tmp_path).images["file"].tolist() == ["a.jpg"]


@pytest.mark.parametrize(("format", "suffix"), [("txt", ".txt"), ("xmp-lightroom", ".xmp")])
def test_a_sidecar_beside_two_photos_is_read_for_neither(root: Path, format: str, suffix: str):
    write(root, format)
    (root / f"a{suffix}").write_bytes((root / f"b{suffix}").read_bytes())
    data = read_dataset(root)
    assert data.images["file"].tolist() == ["b.jpg", "x/a.jpg"]
    assert [str(problem) for problem in data.problems if "'a.jpg' and 'a.png'" in str(problem)]
    for path in ("b.jpg", "x/a.jpg"):
        (root / path).unlink()
    with pytest.raises(TaggerError, match=r"'a\.jpg' and 'a\.png'"):
        read_dataset(root)


def test_a_photo_with_a_sidecar_of_its_own_keeps_it(root: Path):
    write(root, "xmp")
    (root / "a.png.xmp").unlink()
    (root / "a.xmp").write_bytes((root / "b.jpg.xmp").read_bytes())
    data = read_dataset(root)
    labels = dict(zip(data.images["file"], data.labels_NK.tolist(), strict=True))
    assert labels["a.jpg"] == [1, 0]
    assert "a.png" not in labels


@pytest.mark.parametrize("ignored", [False, True])
def test_capitals_count_where_the_disk_tells_them_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ignored: bool
):
    monkeypatch.setattr("tagger.commands.writers.sidecar_clashes.ignores_case", lambda folder: ignored)
    files = ["A.PNG", "a.png", "B.jpg", "b.png"]
    texts = SidecarClashes(TextSidecarWriter(NAMES), tmp_path, None, files)
    assert [bool(texts.reason(file)) for file in files] == [ignored] * 4
    xmp = SidecarClashes(XmpSidecarWriter(NAMES), tmp_path, None, files)
    assert [bool(xmp.reason(file)) for file in files] == [ignored, ignored, False, False]


def test_a_disk_is_asked_by_the_names_on_it(tmp_path: Path):
    (tmp_path / "probe").touch()
    assert ignores_case(tmp_path) == (tmp_path / "PROBE").exists()
    assert ignores_case(tmp_path / "not" / "there") == (tmp_path / "PROBE").exists()


@pytest.mark.parametrize("ignored", [False, True])
def test_labels_that_differ_in_capitals_are_one_folder_on_such_a_disk(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ignored: bool
):
    monkeypatch.setattr("tagger.commands.writers.label_folders.ignores_case", lambda folder: ignored)
    out = tmp_path / "folders"
    if ignored:
        with pytest.raises(TaggerError, match="'cat' and 'Cat'"):
            write_labels(FILES, CELLS, ("cat", "Cat"), root=root, out=out, format="folders")
        assert not out.exists()
    else:
        write_labels(FILES, CELLS, ("cat", "Cat"), root=root, out=out, format="folders")
        assert made(out / "cat", ".png") == []
        assert made(out / "Cat", ".png") == ["a.png"]


@pytest.mark.parametrize(("format", "suffix"), [("txt", ".txt"), ("xmp-lightroom", ".xmp")])
def test_predict_names_both_and_writes_the_rest(
    root: Path, finished: Path, format: str, suffix: str, tmp_path: Path
):
    result = predict(root, run=finished, format=format, out=tmp_path / "tags")
    assert made(tmp_path / "tags", suffix) == [f"b{suffix}", f"x/a{suffix}"]
    assert [problem.file for problem in result.unreadable] == ["a.jpg", "a.png"]
    assert pd.read_csv(tmp_path / "tags" / "unreadable.csv")["file"].tolist() == ["a.jpg", "a.png"]
    again = predict(root, run=finished, format=format, out=tmp_path / "tags")
    assert len(again.unreadable) == 2
