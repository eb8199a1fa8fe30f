"""Which images lie in a folder, and what identifies them."""

import hashlib
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagger.data import hash_files, iter_images, list_images
from tagger.data.images import hashes
from tagger.errors import TaggerError


def test_images_are_found_by_suffix_in_any_case_and_below(folder):
    root = folder(["b.JPG", "a.jpeg", "deep/er/x.Tiff", "notes.txt", "model.bin", "z.webp", ".jpg"])
    assert list_images(root).files == ("a.jpeg", "b.JPG", "deep/er/x.Tiff", "z.webp")


def test_hidden_files_and_folders_are_passed_over(folder):
    root = folder([".tagger/a.jpg", "x/.cache/b.jpg", "._c.jpg", "d.jpg"])
    assert list_images(root).files == ("d.jpg",)


name = st.text(st.sampled_from("ab-. 0é/"), min_size=1, max_size=6)


@settings(max_examples=40, deadline=None)
@given(st.sets(name, min_size=1, max_size=12))
def test_the_order_is_that_of_sorted_paths(names):
    with tempfile.TemporaryDirectory() as root:
        for path in names:
            target = Path(root, path.strip("/. ") + "x.jpg" if path.strip("/. ") else "x.jpg")
            if not any(part.startswith(".") for part in target.relative_to(root).parts):
                target.parent.mkdir(parents=True, exist_ok=True)
                target.touch()
        files = list(iter_images(root))
        assert files == sorted(files)
        assert set(files) == {p.relative_to(root).as_posix() for p in Path(root).rglob("*.jpg")}


def test_loops_of_links_end_and_no_image_comes_twice(folder):
    root = folder(["a/x.jpg", "b/y.jpg"])
    (root / "a" / "up").symlink_to(root)
    (root / "a" / "across").symlink_to(root / "b")
    (root / "b" / "across").symlink_to(root / "a")
    (root / "self").symlink_to("self")
    assert list_images(root).files == ("a/x.jpg", "b/y.jpg")


def test_a_link_out_of_the_folder_is_followed_once(folder, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "far.jpg").write_bytes(b"far")
    (outside / "back").symlink_to(outside)
    root = folder(["a.jpg"])
    (root / "link").symlink_to(outside)
    (root / "second").symlink_to(outside)
    assert list_images(root).files == ("a.jpg", "link/far.jpg")


def test_pipes_and_broken_links_are_reported(folder):
    root = folder(["a.jpg"])
    os.mkfifo(root / "pipe.jpg")
    (root / "gone.jpg").symlink_to(root / "nowhere.jpg")
    listing = list_images(root)
    assert listing.files == ("a.jpg",)
    assert [str(p) for p in listing.problems] == [
        "gone.jpg: a broken link",
        "pipe.jpg: not a regular file",
    ]


def test_a_name_that_is_not_utf8_is_reported(folder):
    root = folder(["a.jpg"])
    (root / os.fsdecode(b"\xff.jpg")).write_bytes(b"x")
    listing = list_images(root)
    assert listing.files == ("a.jpg",)
    assert "not valid UTF-8" in str(listing.problems[0])


def test_images_in_a_folder_whose_name_is_not_utf8_are_reported(folder):
    root = folder(["a.jpg"])
    (root / os.fsdecode(b"\xff")).mkdir()
    (root / os.fsdecode(b"\xff/b.jpg")).write_bytes(b"x")
    listing = list_images(root)
    assert listing.files == ("a.jpg",)
    assert "not valid UTF-8" in str(listing.problems[0])


def test_regular_files_are_not_asked_for_one_by_one(folder, monkeypatch):
    root = folder(["a.jpg", "b/c.jpg", "b/é.png", "notes.txt"])
    asked: list[str] = []
    is_file = os.path.isfile
    monkeypatch.setattr(os.path, "isfile", lambda path: (asked.append(Path(path).name), is_file(path))[1])
    assert list_images(root).files == ("a.jpg", "b/c.jpg", "b/é.png")
    assert asked == ["é.png"]


def test_an_unreadable_folder_is_reported_and_the_rest_is_listed(folder, monkeypatch):
    root = folder(["a.jpg", "shut/b.jpg", "z.jpg"])
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "shut":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    listing = list_images(root)
    assert listing.files == ("a.jpg", "z.jpg")
    assert [p.file for p in listing.problems] == ["shut"]
    with pytest.raises(TaggerError, match="cannot be read"):
        list_images(root / "shut")


def test_a_missing_folder_names_the_nearest(folder):
    root = folder(["photos/a.jpg"])
    with pytest.raises(TaggerError, match="Did you mean 'photos'"):
        list_images(root / "photo")
    with pytest.raises(TaggerError, match="a file, not a folder"):
        list_images(root / "photos" / "a.jpg")


def test_hashes_are_of_the_bytes_only(folder):
    root = folder(["a.jpg", "b/a.jpg"])
    (root / "copy.png").write_bytes(b"a.jpg")
    done: list[int] = []
    found, sizes, problems = hash_files(root, ["a.jpg", "b/a.jpg", "copy.png"], progress=done.append)
    assert found[0] == found[2] == hashlib.blake2b(b"a.jpg", digest_size=16).hexdigest()
    assert found[0] != found[1]
    assert sizes.tolist() == [5, 7, 5]
    assert (problems, done) == ([], [3])


@pytest.mark.parametrize("slow", [0.0, 1e9], ids=["in threads", "alone"])
def test_hashes_of_many_batches_are_those_of_each_file_whatever_its_size(folder, monkeypatch, slow):
    monkeypatch.setattr(hashes, "SLOW_SECONDS", slow)
    for name, value in {"BATCH": 3, "BATCHES_IN_THREADS": 2, "BLOCK": 64}.items():
        monkeypatch.setattr(hashes, name, value)
    root = folder([])
    files, done = [f"{n:02d}.jpg" for n in range(20)], list[int]()
    for n, file in enumerate(files):
        (root / file).write_bytes(bytes(range(n, n + 9)) * n * 2)
    found, sizes, problems = hash_files(root, [*files, "gone.jpg"], progress=done.append)
    contents = [(root / file).read_bytes() for file in files]
    assert found[1:-1] == [hashlib.blake2b(content, digest_size=16).hexdigest() for content in contents[1:]]
    assert sizes.tolist() == [*map(len, contents), 0]
    assert [problem.file for problem in problems] == ["00.jpg", "gone.jpg"]
    assert done == [3, 6, 9, 12, 15, 18, 21]


def test_empty_vanished_and_odd_files_are_reported(folder):
    root = folder(["a.jpg"])
    (root / "empty.jpg").touch()
    os.mkfifo(root / "pipe.jpg")
    found, _, problems = hash_files(root, ["empty.jpg", "a.jpg", "gone.jpg", "pipe.jpg"])
    assert [bool(digest) for digest in found] == [False, True, False, False]
    assert [str(p) for p in problems] == [
        "empty.jpg: 0 bytes: left out",
        "gone.jpg: the file has vanished: left out",
        "pipe.jpg: not a regular file: left out",
    ]
