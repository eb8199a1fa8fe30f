"""Unchanged files are not read again, and whatever was done to a file, its hash is that of its bytes."""

import os
import time
from pathlib import Path

import pytest

from tagger.data import hash_files
from tagger.data.images import hash_cache, hashes

pytestmark = pytest.mark.skipif(
    os.name == "nt", reason="Windows has no time of the last change: nothing is kept"
)

FILES = ["a.jpg", "b.jpg", "c/d.jpg"]


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three files in a folder of which an index is kept; the user's cache folder is a drawn one."""
    monkeypatch.setattr(hashes, "MIN_CACHED_FILES", 1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "photos"
    (root / "c").mkdir(parents=True)
    for file in FILES:
        (root / file).write_bytes(file.ljust(9).encode())
    return root


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read."""
    names: list[str] = []
    plain = hashes.hash_file
    monkeypatch.setattr(hashes, "hash_file", lambda path: (names.append(Path(path).name), plain(path))[1])
    return names


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """All files were written ten seconds ago."""
    monkeypatch.setattr(hashes, "file_system_time", lambda root: time.time_ns() + 10_000_000_000)


def plain(root: Path, files: list[str]) -> list[str]:
    """The hashes without any index."""
    return [hashes.hash_file(root / file)[0] for file in files]


@pytest.mark.usefixtures("later")
def test_unchanged_files_are_not_read_again(photos, read):
    first = hash_files(photos, FILES)
    assert sorted(read) == ["a.jpg", "b.jpg", "d.jpg"]
    read.clear()
    done: list[int] = []
    again = hash_files(photos, FILES[::-1], progress=done.append)
    assert (read, done) == ([], [3])
    assert again[0] == first[0][::-1]
    assert again[1].tolist() == first[1].tolist() == [9, 9, 9]
    assert again[2] == []


@pytest.mark.usefixtures("later")
def test_other_content_of_the_same_size_with_the_old_time_is_noticed(photos):
    before, _, _ = hash_files(photos, FILES)
    status = (photos / "a.jpg").stat()
    (photos / "a.jpg").write_bytes(b"123456789")
    os.utime(photos / "a.jpg", ns=(status.st_atime_ns, status.st_mtime_ns))
    after, _, _ = hash_files(photos, FILES)
    assert after == plain(photos, FILES)
    assert after[0] != before[0]


@pytest.mark.usefixtures("later")
def test_files_that_changed_places_have_their_own_hashes(photos):
    hash_files(photos, FILES)
    (photos / "a.jpg").rename(photos / "x.jpg")
    (photos / "b.jpg").rename(photos / "a.jpg")
    (photos / "x.jpg").rename(photos / "b.jpg")
    assert hash_files(photos, FILES)[0] == plain(photos, FILES)


@pytest.mark.usefixtures("later")
def test_a_removed_file_is_reported_and_a_new_one_is_read(photos, read):
    hash_files(photos, FILES)
    (photos / "a.jpg").unlink()
    (photos / "new.jpg").write_bytes(b"new")
    read.clear()
    found, _, problems = hash_files(photos, [*FILES, "new.jpg"])
    assert [str(problem) for problem in problems] == ["a.jpg: the file has vanished: left out"]
    assert [bool(digest) for digest in found] == [False, True, True, True]
    assert read == ["a.jpg", "new.jpg"]


@pytest.mark.usefixtures("later")
def test_files_of_another_call_stay_known(photos, read):
    hash_files(photos, FILES[:2])
    hash_files(photos, FILES[1:])
    read.clear()
    hash_files(photos, FILES)
    assert read == []


def test_files_that_were_written_just_now_are_read_again(photos, read):
    hash_files(photos, FILES)
    read.clear()
    assert hash_files(photos, FILES)[0] == plain(photos, FILES)
    assert len(read) >= len(FILES)


def test_files_from_the_future_are_never_noted(photos, read, monkeypatch):
    monkeypatch.setattr(
        hashes, "file_system_time", lambda root: time.time_ns() - 3600 * 10**9
    )  # the clock was put back
    hash_files(photos, FILES)
    read.clear()
    hash_files(photos, FILES)
    assert len(read) == len(FILES)


@pytest.mark.usefixtures("later")
def test_data_that_cannot_be_written_has_its_index_in_the_cache_folder(photos, read, tmp_path):
    (photos / ".tagger").write_bytes(b"no folder")  # also a superuser cannot write below it
    hash_files(photos, FILES)
    assert [path.suffix for path in (tmp_path / "cache" / "tagger").iterdir()] == [".npz"]
    read.clear()
    hash_files(photos, FILES)
    assert read == []


@pytest.mark.usefixtures("later")
def test_without_any_place_to_keep_it_files_are_hashed_as_ever(photos, tmp_path):
    (photos / ".tagger").write_bytes(b"no folder")
    (tmp_path / "cache").write_bytes(b"no folder either")
    assert hash_files(photos, FILES)[0] == plain(photos, FILES)


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("broken", [b"", b"not an index", None])
def test_an_index_that_cannot_be_read_is_made_anew(photos, broken, read):
    hash_files(photos, FILES)
    path = photos / ".tagger" / "files.npz"
    path.write_bytes(path.read_bytes()[:-40] if broken is None else broken)
    assert hash_files(photos, FILES)[0] == plain(photos, FILES)
    read.clear()
    hash_files(photos, FILES)
    assert read == []


@pytest.mark.usefixtures("later")
def test_a_writer_that_is_stopped_leaves_the_old_index_and_nothing_else(photos, monkeypatch):
    hash_files(photos, FILES)
    (photos / "a.jpg").write_bytes(b"other")

    def stop(*paths):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(hash_cache.os, "replace", stop)
        with pytest.raises(KeyboardInterrupt):
            hash_files(photos, FILES)
    assert [path.name for path in (photos / ".tagger").iterdir()] == ["files.npz"]
    assert hash_files(photos, FILES)[0] == plain(photos, FILES)


def test_of_few_files_nothing_is_kept(photos, monkeypatch):
    monkeypatch.setattr(hashes, "MIN_CACHED_FILES", 4)
    hash_files(photos, FILES)
    assert not (photos / ".tagger").exists()
