"""What is shown of long lists: the first of them, how many more there are, and where; all lines are in the log."""

from pathlib import Path

import numpy as np
import pytest

from tagger.commands.console.metrics_report import report
from tagger.commands.console.screen import MAX_LABEL_ROWS, MAX_LINES, Screen
from tagger.scoring import evaluate


def test_a_few_lines_are_shown_and_all_are_in_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    screen = Screen()
    screen.log_path = tmp_path / "log.txt"
    screen.say_list([f"note {n}" for n in range(1500)], indent="")
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        *(f"note {n}" for n in range(MAX_LINES)),
        f"... and 1,492 more, all of them in {screen.log_path}",
    ]
    assert sum("note " in line for line in screen.log_path.read_text().splitlines()) == 1500
    screen.say_list(["one"])
    assert capsys.readouterr().out == "  one\n"


@pytest.mark.parametrize("num_labels", [3, MAX_LABEL_ROWS, MAX_LABEL_ROWS + 1200])
def test_of_very_many_labels_the_most_frequent_are_shown(num_labels: int, capsys: pytest.CaptureFixture[str]):
    rng = np.random.default_rng(0)
    labels_NK = (rng.random((60, num_labels)) < np.linspace(0.2, 0.6, num_labels)).astype(np.int8)
    names = [f"label {k}" for k in range(num_labels)]
    result = evaluate(
        labels_NK, rng.random(labels_NK.shape), np.full(num_labels, 0.5), names, shared=0.5, draws=2
    )
    report(result, "test split", Screen(), rest="metrics.json has all")
    out = capsys.readouterr().out
    shown = [line.split()[1] for line in out.splitlines() if line.startswith("label ") and "AP" not in line]
    assert len(shown) == min(num_labels, MAX_LABEL_ROWS)
    images = [result["per_label"][f"label {k}"]["positives"] for k in shown]
    assert (
        images
        == sorted((row["positives"] for row in result["per_label"].values()), reverse=True)[: len(shown)]
    )
    assert ("... and 1,200 labels more: metrics.json has all" in out) == (num_labels > MAX_LABEL_ROWS)
