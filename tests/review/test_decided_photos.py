"""A photo keeps its decisions when its file gets another hash: two runs with other hashes of the same pictures."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tagger.review import Decision, RunPhotos, Store

OLD = RunPhotos(["a.jpg", "b.jpg"], ["a1", "b1"], ["pa", "pb"])
NEW = RunPhotos(["a.jpg", "b.jpg"], ["a2", "b2"], ["pa", "pb"])


def decision(hash: str, seq: int, **more: object) -> Decision:
    values = {"verdict": "yes", "client": "t"} | more
    return Decision(hash=hash, label="sea", before=0, suggested=None, doubt=None, run="r", reviewer="ann",
                    seconds=None, seq=seq, **values)  # fmt: skip


def hashes(rows: Sequence[Decision]) -> list[str]:
    return [row.hash for row in rows]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/review.db"


def opened(url: str, photos: RunPhotos | None = None) -> Store:
    store = Store.open(url)
    if photos is not None:
        store.know_photos(photos)
    return store


def test_both_runs_read_all_decisions_as_their_own(url: str):
    with closing(opened(url, OLD)) as store:
        store.record([decision("a1", 1)])
    with closing(opened(url, NEW)) as store:
        assert hashes(store.decisions()) == ["a2"]
        store.record([decision("b2", 2)])
        assert hashes(store.history("a2")) == ["a2"]
    with closing(opened(url, OLD)) as store:
        assert hashes(store.decisions()) == hashes(store.new_decisions(0)[0]) == ["a1", "b1"]
        assert hashes(store.history("b1")) == ["b1"]
    with closing(opened(url)) as store:
        assert hashes(store.decisions()) == ["a1", "b2"]  # the log stays as it is
        assert store.photo_files() == {"a1": "a.jpg", "b2": "b.jpg"}


def test_a_run_that_is_open_learns_of_the_other_one_s_new_decisions(url: str):
    with closing(opened(url, OLD)) as one, closing(opened(url, NEW)) as other:
        other.record([decision("a2", 1)])
        assert hashes(one.new_decisions(0)[0]) == ["a1"]
        one.record([decision("a1", 2, verdict="undo", undoes=1)])
        assert [row.verdict for row in other.history("a2")] == ["yes", "undo"]


def test_a_store_without_the_table_gets_it_and_knows_its_photos_from_then_on(url: str, tmp_path: Path):
    with closing(opened(url)) as store:
        store.record([decision("a1", 1), decision("x1", 2)])
    with closing(sqlite3.connect(tmp_path / "review.db")) as database:
        database.execute("DROP TABLE photos")
        database.commit()
    with closing(opened(url, OLD)) as store:
        assert store.photo_pictures() == {"a1": {"pa"}}
    with closing(opened(url, NEW)) as store:
        assert hashes(store.decisions()) == ["a2", "x1"]  # x1 is on no photo of the run


def test_of_several_files_of_one_picture_the_name_decides(url: str):
    with closing(opened(url, OLD)) as store:
        store.record([decision("a1", 1)])
    both = RunPhotos(["copy.jpg", "a.jpg"], ["c2", "a2"], ["pa", "pa"])
    with closing(opened(url, both)) as store:
        assert hashes(store.decisions()) == ["a2"]
    with closing(opened(url, RunPhotos(["c.jpg", "d.jpg"], ["c2", "d2"], ["pa", "pa"]))) as store:
        assert hashes(store.decisions()) == ["c2", "d2"]
        assert {row.id for row in store.decisions()} == {1}
    beside = RunPhotos(["copy.jpg", "a.jpg"], ["c2", "a1"], ["pa", "pa"])
    with closing(opened(url, beside)) as store:
        store.record([decision("c2", 3, verdict="no")])
        assert [(row.hash, row.verdict) for row in store.decisions()] == [("a1", "yes"), ("c2", "no")]


def test_an_accepted_edit_links_the_pictures(url: str):
    with closing(opened(url, OLD)) as store:
        store.record([decision("a1", 1)])
    with closing(opened(url, RunPhotos(["a.jpg"], ["a1"], ["pa cropped"]))) as store:
        assert hashes(store.decisions()) == ["a1"]
    with closing(opened(url, RunPhotos(["z.jpg"], ["z9"], ["pa cropped"]))) as store:
        assert hashes(store.decisions()) == ["z9"]


def test_a_merge_brings_what_the_other_store_knows_of_photos(url: str, tmp_path: Path):
    from tagger.commands.decisions.merge import merge_stores

    with closing(opened(url, OLD)) as store:
        store.record([decision("a1", 1)])
    target = f"sqlite:///{tmp_path}/target.db"
    opened(target).close()
    merge_stores(url, into=target, reviewer="ann")
    with closing(opened(target, NEW)) as store:
        assert hashes(store.decisions()) == ["a2"]
