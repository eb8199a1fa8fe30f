"""``tagger decisions disagreements``: the labels on which people differ, as a table."""

from pathlib import Path

import pandas as pd

from tagger.commands.console.screen import Screen
from tagger.commands.decisions.report_files import check_new_report
from tagger.commands.steps.disagreements import COLUMNS, disagreement_lines, disagreement_table
from tagger.commands.steps.reviewed_labels import correct_labels, read_decisions, store_url
from tagger.commands.writers import write_report
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
    corrected = correct_labels(folder, *read_decisions(store_url(folder, store)))
    table = disagreement_table(corrected.applied.disputed, folder.load_images())
    if out is not None:
        write_report(table, Path(out))
    screen.say(f"People differ on {counted(len(corrected.applied.disputed), 'label')}.")
    screen.say_list(disagreement_lines(table))
    if len(table):
        screen.say("Settle them: tagger review, page Disagreements.")
    if out is not None:
        screen.say(f"Written: {out}")
    return table
