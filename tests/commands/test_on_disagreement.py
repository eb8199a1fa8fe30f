"""Two people differ: `apply` and `retrain` say on how many labels, on which, and what to do; an option decides."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tagger.review import Decision, Store
from tagger.runs import RunFolder

Cli = Callable[..., Any]


@pytest.fixture
def store(finished: Path, tmp_path: Path) -> str:
    """Ann says yes on six photos, Ben no on three of them and yes on the others; Ann takes one of these back."""
    run = RunFolder(finished)
    label, hashes = run.load_labels()[0], run.load_images()["hash"]
    rows = [n for n, cell in enumerate(run.load_cells()[:, 0]) if cell == 0][:6]

    def say(who: str, seq: int, n: int, verdict: str, **more: Any) -> Decision:
        return Decision(
            hash=hashes[n], label=label, verdict=verdict, before=0, suggested=1, doubt=0.9, run="r", reviewer=who,
            seconds=1.0, client=who, seq=seq, **more,
        )  # fmt: skip

    with closing(Store.open(url := f"sqlite:///{tmp_path / 'two.db'}")) as opened:
        opened.record([say("ann", seq, n, "yes") for seq, n in enumerate(rows)])
        opened.record([say("ben", seq, n, "no" if seq < 3 else "yes") for seq, n in enumerate(rows)])
        opened.record([say("ann", 9, rows[5], "undo", undoes_seq=5)])
    return url


def labels(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def test_apply_says_where_people_differ_and_the_option_decides(finished: Path, store: str, tagger_cli: Cli):
    argv = ("apply", "--run", finished, "--store", store, "--out")
    end = tagger_cli(*argv, "skip.csv")
    assert "People differ on 3 labels, which keep the value from before the review:" in end.out
    assert end.out.count("(ann yes, ben no)") == 3
    assert "page Disagreements" in end.out
    assert "--on-disagreement majority, newest or reliability" in end.out
    assert len(labels(Path("skip.changes.csv"))) == 3
    end = tagger_cli(*argv, "newest.csv", "--on-disagreement", "newest")
    assert "People differ on 3 labels: 3 decided by the newest answer." in end.out
    assert end.out.count("-> no") == 3
    assert labels(Path("newest.csv")).equals(
        labels(Path("skip.csv"))
    )  # they were no, and Ben's no is the newest
    end = tagger_cli(*argv, "draw.csv", "--on-disagreement", "majority")
    assert "As many say yes as no on 3 labels" in end.out
    assert Path("draw.csv").read_bytes() == Path("skip.csv").read_bytes()


def test_votes_are_weighed_by_how_reliable_people_are(finished: Path, tagger_cli: Cli, tmp_path: Path):
    """Cleo knows; Ann and Ben guess, and are the majority where both are wrong."""
    run = RunFolder(finished)
    label, hashes, cells = run.load_labels()[0], run.load_images()["hash"], run.load_cells()[:, 0]
    rng = np.random.default_rng(3)
    rows = []
    for who, right in (("ann", 0.62), ("ben", 0.62), ("cleo", 0.98)):
        for n, cell in enumerate(cells):
            said = bool(cell) == (rng.random() < right)
            rows.append(
                Decision(hash=hashes[n], label=label, verdict="yes" if said else "no", before=int(cell), suggested=None,
                         doubt=None, run="r", reviewer=who, seconds=None, client=who, seq=n)
            )  # fmt: skip
    with closing(Store.open(url := f"sqlite:///{tmp_path / 'three.db'}")) as opened:
        opened.record(rows)
    wrong = {}
    for way in ("majority", "reliability"):
        argv = ("--run", finished, "--store", url, "--on-disagreement", way)
        end = tagger_cli("apply", *argv, "--out", f"{way}.csv")
        assert end.code == 0, end.err
        changed = Path(f"{way}.changes.csv").read_text("utf-8-sig").splitlines()
        wrong[way] = len(changed) - 1
    assert "weighed by how reliable each person is" in end.out
    assert wrong["reliability"] < 0.5 * wrong["majority"]
    end = tagger_cli("decisions", "disagreements", "--run", finished, "--store", url)
    assert "Cohen's kappa over 240 pairs" in end.out
    assert "sensitivity" in end.out


def test_they_are_a_table_of_who_said_what(finished: Path, store: str, tagger_cli: Cli):
    argv = ("decisions", "disagreements", "--run", finished, "--store", store, "--out")
    end = tagger_cli(*argv, "differ.csv")
    assert end.code == 0, end.err
    table = pd.read_csv("differ.csv", dtype=str, keep_default_na=False)
    assert table["answers"].tolist() == ["ann yes, ben no"] * 3
    assert tagger_cli(*argv, "differ.csv").code == 0  # ours is written anew
    Path("mine.csv").write_text("a,b\n")
    assert tagger_cli(*argv, "mine.csv").code == 2
    assert Path("mine.csv").read_text() == "a,b\n"


def test_an_unknown_option_is_refused_before_anything_is_written(finished: Path, store: str, tagger_cli: Cli):
    for argv in (("apply", "--out", "x.csv"), ("retrain", "--out", "new")):
        end = tagger_cli(*argv, "--run", finished, "--store", store, "--on-disagreement", "latest")
        assert end.code == 2
        assert "Available: skip, majority, newest, reliability" in end.err
    assert list(Path().iterdir()) == []


def test_a_resumed_retraining_keeps_its_option(finished: Path, store: str, tagger_cli: Cli, tmp_path: Path):
    end = tagger_cli(
        "retrain", "--run", finished, "--store", store, "--out", "new", "--on-disagreement", "newest"
    )
    assert end.code == 0, end.err
    assert "3 decided by the newest answer" in end.out
    run = RunFolder("new")
    (run.path / "metrics.json").unlink()
    run.checkpoint.save_origin({"from": str(finished), "on_disagreement": "newest"})
    end = tagger_cli("retrain", "--resume", "--out", "new", "--on-disagreement", "majority")
    assert (end.code, "began with newest" in end.err) == (2, True)
