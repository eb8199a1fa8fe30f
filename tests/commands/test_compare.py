"""Two runs compared: against a slow loop, against itself, and only where the comparison is fair."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score

from tagger.commands.compare import compare, difference_sentence
from tagger.config import Settings
from tagger.data import Rule
from tagger.errors import TaggerError
from tagger.runs import RunFolder
from tagger.scoring import choose_thresholds, fit_calibration
from tagger.scoring.paired_comparison import paired_table

N, NAMES = 60, ("cat", "<b>dog</b>", "sea | side")
TEST = np.arange(40, 60)


def make_run(path: Path, seed: int, **chosen: Any) -> RunFolder:
    """A finished run of numbers: labels that all runs share, probabilities of its own."""
    names = chosen.get("names", NAMES)
    hashes = chosen.get("hashes", [f"hash{n:02d}" for n in range(N)])
    test = chosen.get("test", TEST)
    truth_NK = np.random.default_rng(0).random((N, len(NAMES))) < 0.4
    labels_NK = chosen.get(
        "labels", truth_NK.astype(np.int8)[:, [NAMES.index(n) if n in NAMES else 0 for n in names]]
    )
    rng = np.random.default_rng(seed)
    probs_NK = np.clip(0.3 * labels_NK + rng.random(labels_NK.shape) * 0.7, 0, 1).astype(np.float32)
    split = np.where(np.isin(np.arange(N), test), "test", "train")
    run = RunFolder(path)
    run.save_settings(Settings())
    run.save_labels(names, {}, (Rule("cat", "cat"),))
    table = pd.DataFrame({"file": [f"{n}.jpg" for n in range(N)], "hash": hashes, "size": 1, "split": split})
    run.save_images(table.assign(fold=np.where(split == "test", -1, 0)))
    run.save_cells(labels_NK, names)
    run.save_oof(probs_NK, np.where(split == "test", -1, 0))
    thresholds = choose_thresholds(labels_NK, probs_NK, "f1")
    run.save_decision_rule(thresholds, fit_calibration(labels_NK, probs_NK), names)
    if "judged" in chosen:
        run.save_eval_mask(chosen["judged"], names)
    run.finish({"decisions": {"number": chosen.get("decisions", 0)}})
    return run


@pytest.fixture
def a(tmp_path: Path) -> RunFolder:
    """One run."""
    return make_run(tmp_path / "a", 1)


@pytest.fixture
def b(tmp_path: Path) -> RunFolder:
    """Another run on the same data."""
    return make_run(tmp_path / "b", 2)


def slow(labels: np.ndarray, probs: np.ndarray) -> float:
    """Average precision on known cells, by scikit-learn."""
    known = labels >= 0
    return float(average_precision_score(labels[known], probs[known]))


def test_another_score_than_on_the_model_card_is_explained(a: RunFolder, b: RunFolder):
    def finish(run: RunFolder, value: float) -> None:
        run.finish(run.load_metrics() | {"test": {"overall": {"map": {"value": value}}}})

    own = compare(a, b, draws=9)["overall"]["map"]
    finish(a, own["a"]), finish(b, own["b"] + 0.1)
    (note,) = compare(a, b, draws=9)["notes"]
    assert note.startswith(f"b has mAP {own['b'] + 0.1:.3f} on its model card")
    assert f" and {own['b']:.3f} here" in note


def test_values_and_differences_are_those_of_scikit_learn(a: RunFolder, b: RunFolder):
    result = compare(a, b, draws=20)
    labels_NK, probs_a, probs_b = a.load_cells()[TEST], a.load_oof()[0][TEST], b.load_oof()[0][TEST]
    per_label = []
    for k, name in enumerate(NAMES):
        row = result["per_label"][name]["average_precision"]
        assert row["a"] == pytest.approx(slow(labels_NK[:, k], probs_a[:, k]))
        assert row["b"] == pytest.approx(slow(labels_NK[:, k], probs_b[:, k]))
        assert row["difference"] == pytest.approx(row["b"] - row["a"])
        per_label.append((row["a"], row["b"]))
    whole = result["overall"]["map"]
    assert (whole["a"], whole["b"]) == pytest.approx(tuple(np.mean(per_label, axis=0)))
    assert (result["num_images"], result["num_cells"], result["notes"]) == (20, 60, [])


def test_a_run_against_itself_is_no_different(a: RunFolder):
    result = compare(a, a, draws=20)
    rows = [*result["overall"].values(), *(row["average_precision"] for row in result["per_label"].values())]
    assert {row["difference"] for row in rows} <= {0.0, None}
    assert {row["low"] for row in rows} | {row["high"] for row in rows} <= {0.0, None}
    assert difference_sentence(result["overall"]["map"], "x", "y").endswith("no difference.")


def test_the_other_way_round_every_difference_changes_its_sign(a: RunFolder, b: RunFolder):
    there, back = compare(a, b, draws=50), compare(b, a, draws=50)
    for name, row in there["overall"].items():
        assert back["overall"][name]["difference"] == pytest.approx(-row["difference"])
        assert back["overall"][name]["low"] == pytest.approx(-row["high"])


def test_a_comparison_is_the_paired_table_of_the_test_images(a: RunFolder, b: RunFolder):
    labels_NK = a.load_cells()[TEST]
    sides = [(run.load_oof()[0][TEST], run.load_decision_rule()[0].values_K) for run in (a, b)]
    table = paired_table(labels_NK, *sides[0], *sides[1], NAMES, draws=40)
    assert compare(a, b, draws=40)["overall"] == table["overall"]


def test_images_and_labels_are_matched_by_hash_and_name(a: RunFolder, tmp_path: Path):
    """The same run with its rows and columns in another order compares as no different."""
    order, columns = np.random.default_rng(5).permutation(N), [2, 0, 1]
    names = tuple(NAMES[k] for k in columns)
    other = make_run(tmp_path / "other", 1, names=names, hashes=a.load_images()["hash"][order].tolist())
    images = a.load_images().iloc[order].reset_index(drop=True)
    other.save_images(images)
    other.save_cells(a.load_cells()[order][:, columns], names)
    other.save_oof(a.load_oof()[0][order][:, columns], images["fold"].to_numpy())
    thresholds, calibration = a.load_decision_rule()
    labels = tuple(thresholds.labels[k] for k in columns)
    params = type(calibration)(tuple(calibration.params[k] for k in columns))
    other.save_decision_rule(type(thresholds)(labels, thresholds.shared, thresholds.objective), params, names)
    result = compare(a, other, draws=10)
    assert {row["difference"] for row in result["overall"].values()} == {0.0}
    assert result["num_images"] == 20


def test_images_that_either_run_trained_on_do_not_count(a: RunFolder, tmp_path: Path):
    other = make_run(tmp_path / "other", 2, test=np.arange(50, 60))
    result = compare(a, other, draws=5)
    assert result["num_images"] == 10
    assert result["notes"] == [f"Left out: 10 test photos of {a.path} that {other.path} was trained on."]


def test_runs_without_common_test_images_are_refused_with_the_reason(a: RunFolder, tmp_path: Path):
    learnt = make_run(tmp_path / "learnt", 2, test=np.arange(10))
    with pytest.raises(
        TaggerError, match=r"share no test photo \(Left out: 20 test photos of .* was trained on"
    ):
        compare(a, learnt)
    strangers = make_run(tmp_path / "strangers", 2, hashes=[f"other{n}" for n in range(N)])
    with pytest.raises(TaggerError, match="that are not in"):
        compare(a, strangers)
    with pytest.raises(TaggerError, match="has no test split"):
        compare(a, make_run(tmp_path / "untested", 2, test=[]))


def test_labels_that_only_one_run_knows_are_named(a: RunFolder, tmp_path: Path):
    other = make_run(tmp_path / "other", 2, names=("cat", "new"))
    result = compare(a, other, draws=5)
    assert set(result["per_label"]) == {"cat"}
    assert result["notes"] == [
        f"Only {a.path} knows '<b>dog</b>', 'sea | side': not compared.",
        f"Only {other.path} knows 'new': not compared.",
    ]
    with pytest.raises(TaggerError, match=r"no label in common\. Did you mean 'cat'"):
        compare(a, make_run(tmp_path / "stranger", 2, names=("cats",)))


def test_cells_on_which_the_labels_differ_do_not_judge(a: RunFolder, tmp_path: Path):
    labels_NK = a.load_cells().copy()
    labels_NK[TEST[:3], 0] = 1 - labels_NK[TEST[:3], 0]
    labels_NK[TEST[4], 1] = -1
    result = compare(a, make_run(tmp_path / "other", 2, labels=labels_NK), draws=5)
    assert result["num_cells"] == 60 - 4
    assert result["notes"] == ["3 labels left out: the two runs' labels differ there."]


def test_a_retrained_run_says_which_cells_may_judge(a: RunFolder, tmp_path: Path):
    eval_mask_NK = np.zeros((N, 3), dtype=bool)
    eval_mask_NK[TEST] = True
    eval_mask_NK[TEST[:5], 1] = False  # decided because a model had picked them
    labels_NK = a.load_cells().copy()
    labels_NK[TEST[7], 2] = 1 - labels_NK[TEST[7], 2]  # verified blind: the label it had was wrong
    after = make_run(tmp_path / "after", 2, labels=labels_NK, judged=eval_mask_NK, decisions=6)
    for one, two in ((a, after), (after, a)):
        result = compare(one, two, draws=5)
        assert result["num_cells"] == 60 - 5
        assert result["notes"] == [
            "5 labels left out: a model chose them for review, so they would favour it."
        ]
        row = result["per_label"]["sea | side"]["average_precision"]
        probs = [run.load_oof()[0][TEST, 2] for run in (one, two)]
        assert (row["a"], row["b"]) == pytest.approx(tuple(slow(labels_NK[TEST, 2], p) for p in probs))


def test_of_two_retrained_runs_the_one_that_knows_more_decisions_judges(a: RunFolder, tmp_path: Path):
    eval_mask_NK = np.isin(np.arange(N), TEST)[:, None] & np.ones((1, 3), dtype=bool)
    fewer_NK, more_NK = eval_mask_NK.copy(), eval_mask_NK.copy()
    more_NK[TEST[0], 0] = fewer_NK[TEST[1], 0] = False
    turned_NK = a.load_cells().copy()
    turned_NK[TEST[5], 0] = 1 - turned_NK[TEST[5], 0]
    few = make_run(tmp_path / "few", 1, judged=fewer_NK, decisions=1)
    many = make_run(tmp_path / "many", 2, judged=more_NK, labels=turned_NK, decisions=5)
    for one, two in ((few, many), (many, few)):
        result = compare(one, two, draws=5)
        assert result["num_cells"] == 60 - 2  # what either leaves out
        known = np.setdiff1d(TEST, TEST[:2])
        row = result["per_label"]["cat"]["average_precision"]
        assert row["a"] == pytest.approx(slow(turned_NK[known, 0], one.load_oof()[0][known, 0]))


def test_a_label_with_few_images_has_no_interval_and_one_without_no_value(a: RunFolder, tmp_path: Path):
    labels_NK = a.load_cells().copy()
    labels_NK[TEST, 0] = 0
    labels_NK[TEST[:3], 1], labels_NK[TEST[3:], 1] = 1, 0
    one, two = (make_run(tmp_path / name, seed, labels=labels_NK) for name, seed in (("one", 1), ("two", 2)))
    result = compare(one, two, draws=5)
    none, few = (result["per_label"][name] for name in NAMES[:2])
    assert none["average_precision"] == dict.fromkeys(("a", "b", "difference", "low", "high"))
    assert none["positives"] == 0
    assert few["average_precision"]["difference"] is not None
    assert few["average_precision"]["low"] is None


def test_the_command_prints_both_runs_and_loads_no_torch(a: RunFolder, b: RunFolder, tmp_path: Path):
    code = """import atexit, sys
atexit.register(lambda: print("torch" in sys.modules))
from tagger.cli import main
main()"""
    out = tmp_path / "out.json"
    argv = [sys.executable, "-c", code, "compare", str(a.path), str(b.path), "--out", str(out)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.endswith("False\n")
    assert "On 20 test photos, 60 cells" in done.stdout
    assert "<b>dog</b>" in done.stdout
    assert out.is_file()
