"""`tagger decisions`: out and in again, two stores as one, a checked table, backups."""

import csv
import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tagger.review import Decision, LabelOperation, Store
from tagger.review.store_import import read_log
from tagger.runs import RunFolder

Cli = Callable[..., Any]


class Desk:
    """A run, and stores of people who review it."""

    def __init__(self, run: Path, folder: Path, cli: Cli):
        self.run, self.folder, self.cli = RunFolder(run), folder, cli
        self.label, self.other = self.run.load_labels()[:2]
        self.hashes = self.run.load_images()["hash"].tolist()
        self.files = self.run.load_images()["file"].tolist()

    def store(self, name: str) -> Store:
        return Store.open(f"sqlite:///{self.folder / name}")

    def say(self, store: str, who: str, seq: int, n: int, verdict: str, **more: Any) -> None:
        one = Decision(
            hash=self.hashes[n], label=self.label, verdict=verdict, before=0, suggested=1, doubt=0.5, run="r",
            reviewer=who, seconds=1.0, client=f"{who}-tab", seq=seq, **more,
        )  # fmt: skip
        with closing(self.store(store)) as opened:
            opened.record([one])

    def log(self, store: str):
        with closing(self.store(store)) as opened:
            return read_log(opened)

    def __call__(self, *argv: Any, store: str | None = "mine.db", code: int = 0) -> Any:
        place = () if store is None else ("--store", f"sqlite:///{self.folder / store}")
        end = self.cli("decisions", *argv, "--run", self.run.path, *place)
        assert end.code == code, end.err
        return end


@pytest.fixture
def desk(finished: Path, tmp_path: Path, tagger_cli: Cli) -> Desk:
    """Ann's store: three answers, one of them undone, and a label renamed."""
    made = Desk(finished, tmp_path, tagger_cli)
    for n in range(3):
        made.say("mine.db", "=ann", n + 1, n, "yes")
    made.say("mine.db", "=ann", 4, 2, "undo", undoes_seq=3)
    with closing(made.store("mine.db")) as opened:
        opened.record_operation(
            LabelOperation(
                kind="rename", label=made.label, target="new; name", reviewer="ann", client="p", seq=1
            )
        )
    return made


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl"])
def test_an_export_makes_the_same_store_anew(desk: Desk, suffix: str):
    end = desk("export", "--out", f"all.{suffix}")
    assert "4 decisions and 1 change of labels" in end.out
    end = desk("import", f"all.{suffix}", store="new.db")
    assert "4 decisions and 1 change of labels new, 0 known already" in end.out
    assert desk.log("new.db") == desk.log("mine.db")
    before = desk.log("new.db")
    end = desk("import", f"all.{suffix}", store="new.db")
    assert "nothing new, 5 known already" in end.out
    assert desk.log("new.db") == before
    desk("export", "--out", f"all.{suffix}")  # our own export is written anew
    Path(f"mine.{suffix}").write_text("a")
    assert "tagger did not write it" in desk("export", "--out", f"mine.{suffix}", code=2).err
    assert Path(f"mine.{suffix}").read_text() == "a"


def test_a_spreadsheet_opens_it_and_what_it_saves_is_read(desk: Desk):
    """As LibreOffice and Excel in German save it: semicolons, dates, decimal commas, an added column, sorted rows."""
    desk("export", "--out", "all.csv")
    assert Path("all.csv").read_bytes().startswith(b"\xef\xbb\xbfentry,id,time,reviewer,file,label")
    with Path("all.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["reviewer"] == "'=ann"  # no formula
    assert [row["file"] for row in rows[:2]] == desk.files[:2]
    assert [row["undone"] for row in rows] == ["no", "no", "yes", "no", "no"]
    for row in rows:
        day, clock = row["time"].split("T")
        row["time"] = ".".join(reversed(day.split("-"))) + " " + clock[:5]
        row["doubt"] = row["doubt"].replace(".", ",")
        row["comment"] = "looks odd"
    with Path("saved.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=";", lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(reversed(rows))
    end = desk("import", "saved.csv", store="new.db")
    assert "columns not used: 'comment'" in end.out
    ours, theirs = desk.log("mine.db"), desk.log("new.db")
    assert [replace(row, time="") for row in theirs.decisions] == [
        replace(row, time="") for row in ours.decisions
    ]
    assert [row.time[:16] for row in theirs.decisions] == [row.time[:16] for row in ours.decisions]
    assert theirs.operations[0].target == "new; name"
    assert "nothing new" in desk("import", "saved.csv").out


def test_a_table_by_hand_is_matched_by_file_and_what_cannot_be_is_listed(desk: Desk):
    table = [
        ("photo", desk.label), (desk.files[4], "yes"), (desk.files[5].rpartition("/")[2], "no"), ("gone.jpg", "yes"),
        (desk.files[6], "perhaps"), (desk.files[4], "yes"),
    ]  # fmt: skip
    lines = [f"{file},{desk.label},{verdict},Zoë,2026-11-20" for file, verdict in table[1:]]
    Path("hand.csv").write_text("\n".join(["file,label,verdict,reviewer,time", *lines]), "utf-8")
    end = desk("import", "hand.csv", store="new.db", code=3)
    assert "2 rows of hand.csv cannot be imported" in end.out
    assert "row 4: the photo 'gone.jpg' is not in the run" in end.out
    assert "row 5: Unknown verdict 'perhaps'" in end.out
    assert [(row.hash, row.verdict, row.reviewer) for row in desk.log("new.db").decisions] == [
        (desk.hashes[4], "yes", "Zoë"), (desk.hashes[5], "no", "Zoë"),
    ]  # fmt: skip
    assert "nothing new" in desk("import", "hand.csv", store="new.db", code=3).out


def test_a_preview_changes_nothing_and_says_what_would(desk: Desk):
    for n in range(4):
        desk.say("laptop.db", "ben", n + 1, n, "no")
    before = (desk.folder / "mine.db").read_bytes()
    end = desk("merge", desk.folder / "laptop.db", "--into", desk.folder / "mine.db", "--preview", store=None)
    assert "4 decisions new, 0 known already" in end.out
    assert "in dispute 0 -> 2" in end.out
    assert "nothing was changed" in end.out
    assert (desk.folder / "mine.db").read_bytes() == before
    assert not (desk.folder / "backups").exists()


def test_two_laptops_merge_and_take_it_back(desk: Desk):
    for n in range(4):
        desk.say("laptop.db", "ben", n + 1, n, "no")
    laptop = (desk.folder / "laptop.db").read_bytes()
    argv = ("merge", desk.folder / "laptop.db", "--into", desk.folder / "mine.db")
    end = desk(*argv, store=None)
    assert "Take it back: tagger decisions undo 1" in end.out
    assert (desk.folder / "laptop.db").read_bytes() == laptop  # only read
    merged = desk.log("mine.db")
    assert len(merged.decisions) == 8
    assert "nothing new, 4 known" in desk(*argv, store=None).out
    assert desk.log("mine.db") == merged
    assert "checked 2 -> 2" in desk("undo").out
    assert "taken back. Bring it back: tagger decisions redo 1" in desk(*argv, store=None).out
    assert "(taken back)" in desk("history").out
    assert "brought back" in desk("redo").out
    assert "this is the store to merge into" in desk(*argv[:1], argv[3], *argv[2:], store=None, code=2).err
    assert "no store" in desk(*argv[:1], desk.folder / "none.db", *argv[2:], store=None, code=2).err


def test_an_answer_of_the_same_person_that_came_later_counts(desk: Desk):
    desk.say("laptop.db", "=ann", 90, 1, "no")  # later than what Ann said at home
    desk.say("laptop.db", "=ann", 91, 7, "no")
    desk.say("mine.db", "=ann", 5, 7, "yes")  # later than what she said on the laptop
    end = desk("merge", desk.folder / "laptop.db", "--into", desk.folder / "mine.db", store=None)
    assert "1 answer will be recorded and not count: the store has a later one" in end.out
    out = Path("out.csv")
    desk.cli("apply", "--run", desk.run.path, "--store", f"sqlite:///{desk.folder / 'mine.db'}", "--out", out)
    changed = pd.read_csv("out.changes.csv")
    assert changed.set_index("file")["after"].get(desk.files[1], 0) == 0
    cells = desk.run.load_cells()[:, 0]
    assert changed.set_index("file")["after"].get(desk.files[7], cells[7]) == 1


def test_a_checked_table_counts_as_decided(desk: Desk):
    """Blank cells stay undecided; who differs is in dispute; the same table again adds nothing."""
    rows = [
        {"file": file, desk.label: "" if n % 2 else 0, desk.other: 1 if n < 3 else "", "boat": 1}
        for n, file in enumerate(desk.files[:8])
    ]
    pd.DataFrame([*rows, {"file": "gone.png", desk.label: 1, desk.other: 1, "boat": 1}]).to_csv(
        "checked.csv", index=False
    )
    argv = ("import", "checked.csv", "--as", "verified", "--reviewer", "dora")
    end = desk(*argv, "--preview")
    assert "7 decisions new" in end.out
    assert "'boat'" in end.out
    assert "gone.png" in end.out
    assert "in dispute 0 -> 1" in end.out  # Ann said yes on photo 0
    assert len(desk.log("mine.db").decisions) == 4
    desk(*argv)
    new = desk.log("mine.db").decisions[4:]
    assert {(row.hash, row.label, row.verdict) for row in new} == {
        *((desk.hashes[n], "new; name", "no") for n in range(0, 8, 2)),
        *((desk.hashes[n], desk.other, "yes") for n in range(3)),
    }
    assert {row.reviewer for row in new} == {"dora"}
    assert "nothing new" in desk(*argv).out
    desk("undo")
    assert "7 decisions new" in desk(*argv, "--preview").out  # after it was taken back, it can come again
    assert "4 decisions new" in desk(*argv, "--label", desk.label, "--preview").out
    assert "has no such label" in desk(*argv, "--label", "bote", code=2).err
    assert "no dates" in desk(*argv, "--dates", "day-first", code=2).err
    assert "only with --as verified" in desk("import", "x.csv", "--label", "a", code=2).err


def test_a_backup_is_whole_while_the_app_is_open_and_comes_back(desk: Desk):
    with closing(desk.store("mine.db")) as running:
        desk("backup", "--out", "copy.db")
        running.record([replace_seq(running, desk)])
    assert len(desk.log("mine.db").decisions) == 5
    assert "would be overwritten" in desk("backup", "--out", "copy.db", code=2).err
    end = desk("restore", "copy.db")
    assert "has 4 decisions now" in end.out
    assert len(desk.log("mine.db").decisions) == 4
    kept = Path(re.findall(r"is kept: (\S+)", end.out)[0])
    desk("restore", kept)  # the other way round
    assert len(desk.log("mine.db").decisions) == 5
    (desk.folder / "mine.db").write_bytes(b"garbage" * 999)
    desk("restore", "copy.db")
    assert len(desk.log("mine.db").decisions) == 4
    assert (desk.folder / "mine-damaged-1.db").read_bytes() == b"garbage" * 999
    Path("no.db").write_bytes(b"garbage" * 999)
    assert "no store of decisions" in desk("restore", "no.db", code=2).err
    with closing(desk.store("mine.db")) as running:
        running.lease("tab", [("h", "k")], count=1, seconds=60)
        assert "somebody is reviewing" in desk("restore", "copy.db", code=2).err


def replace_seq(store: Store, desk: Desk) -> Decision:
    return Decision(
        hash=desk.hashes[9], label=desk.label, verdict="yes", before=0, suggested=1, doubt=None, run="r",
        reviewer="ann", seconds=None, client="late", seq=1,
    )  # fmt: skip


def test_without_a_store_nothing_is_made(desk: Desk):
    for argv in (("export", "--out", "x.csv"), ("history",), ("undo",), ("backup",)):
        assert "no decisions yet" in desk(*argv, store="none.db", code=2).err
    assert not (desk.folder / "none.db").exists()
