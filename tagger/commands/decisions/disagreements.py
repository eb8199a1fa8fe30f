"""``tagger decisions disagreements``: the labels on which people differ, as a table."""

from pathlib import Path

import pandas as pd

from tagger.commands.console.screen import Screen
from tagger.commands.decisions.report_files import check_new_report
from tagger.commands.steps.disagreements import COLUMNS, disagreement_lines, disagreement_table
from tagger.commands.steps.reviewed_labels import (
    ReviewedLabels,
    correct_labels,
    read_decisions,
    store_url,
    store_votes,
)
from tagger.commands.writers import write_report
from tagger.review import kappa_table
from tagger.review.vote_reliability import PEOPLE_COLUMNS
from tagger.runs import RunFolder, find_run, with_data
from tagger.text import counted


def disagreements(
    run: str | Path | RunFolder | None = None,
    *,
    out: str | Path | None = None,
    store: str | None = None,
    data: str | Path | None = None,
    screen: Screen | None = None,
) -> pd.DataFrame:
    """A row for each label of a photo on which people differ and that nobody has settled; also written to ``out``."""
    screen = screen or Screen(quiet=True)
    folder = with_data(run if isinstance(run, RunFolder) else find_run(run, screen.say), data)
    if out is not None:
        check_new_report(Path(out), COLUMNS)
    corrected = correct_labels(folder, *read_decisions(store_url(folder, store), folder))
    table = disagreement_table(corrected.applied.disputed, folder.load_images())
    if out is not None:
        write_report(table, Path(out))
    screen.say(f"People differ on {counted(len(corrected.applied.disputed), 'label')}.")
    screen.say_list(disagreement_lines(table))
    _show_people(folder, corrected, screen)
    if len(table):
        screen.say("Settle them: tagger review, page Disagreements.")
    if out is not None:
        screen.say(f"Written: {out}")
    return table


def _show_people(run: RunFolder, corrected: ReviewedLabels, screen: Screen) -> None:
    """Show how reliable each person is, as far as votes on the same labels tell, and how well people agree."""
    people = store_votes(run, corrected.decisions, corrected.operations).people_table()
    if len(people) < 2:
        return
    rows = people.sort_values("votes", ascending=False, kind="stable").to_numpy().tolist()
    screen.table("Estimated reliability, by votes and the model", PEOPLE_COLUMNS, rows)
    pooled = kappa_table(corrected.decisions).iloc[-1]
    if pooled["kappa"] is not None:
        screen.say(
            f"Cohen's kappa over {counted(pooled['pairs'], 'pair')} of answers: {pooled['kappa']:.2f}"
            f" (95 % interval {pooled['low']:.2f} to {pooled['high']:.2f})."
        )
