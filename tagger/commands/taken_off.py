"""``tagger data taken-off``: list the tags that tagger wrote and somebody took off; learn them as *no*."""

from contextlib import suppress
from pathlib import Path

import pandas as pd

from tagger.commands.console.screen import Screen
from tagger.commands.steps.reviewed_labels import correct_labels, hide_password, read_decisions, store_url
from tagger.commands.steps.taken_off import (
    TakenOff,
    find_taken_off,
    offer_taken_off,
    record_as_no,
    undecided_of_run,
)
from tagger.commands.writers import write_report
from tagger.errors import Problem, TaggerError
from tagger.runs import RunFolder, data_folder, find_run, locate_run, with_data
from tagger.text import counted

COLUMNS = ["file", "label", "sidecar", "hash"]


def taken_off(
    run: str | Path | RunFolder | None = None,
    *,
    data: str | Path | None = None,
    store: str | None = None,
    record: bool = False,
    reviewer: str | None = None,
    out: str | Path | None = None,
    screen: Screen | None = None,
) -> tuple[list[TakenOff], list[Problem]]:
    """(tags of a run's photos that tagger wrote and somebody took off, sidecars that cannot be read).

    Those on which somebody has decided are left out. With ``record`` they become a decided *no* in the review
    store, which can be undone there as any other. ``out`` is a table of them to write.
    """
    screen = screen or Screen(quiet=True)
    folder = with_data(run if isinstance(run, RunFolder) else find_run(run, screen.say), data)
    folder = locate_run(folder, verify=False)
    url = store_url(folder, store, may_be_new=True)
    images = folder.load_images()
    found, problems = find_taken_off(data_folder(folder), images["file"].tolist(), images["hash"].tolist())
    open_ones, names = undecided_of_run(folder, found, *read_decisions(url, folder))
    if out is not None:
        rows = [(one.file, one.label, one.sidecar, one.hash) for one in open_ones]
        write_report(pd.DataFrame(rows, columns=COLUMNS), Path(out))
    screen.say(
        f"{counted(len(open_ones), 'tag')} that tagger wrote to sidecars, taken off by somebody since"
        f"{':' if open_ones else '.'}"
    )
    screen.say_list([f"{one.sidecar}: {one.label!r}" for one in open_ones])
    _record(folder, url, open_ones, names, record, reviewer, screen)
    return open_ones, problems


def offer_before_review(
    run: str | Path | None, data: str | Path | None, store: str | None, screen: Screen
) -> None:
    """Say how many tags were taken off and how to learn them. What is wrong with the run, the app itself says."""
    with suppress(TaggerError):
        folder = locate_run(with_data(find_run(run), data), verify=False)
        corrected = correct_labels(folder, *read_decisions(store_url(folder, store, may_be_new=True), folder))
        offer_taken_off(folder, data_folder(folder), corrected, screen)


def _record(
    folder: RunFolder,
    url: str,
    found: list[TakenOff],
    names: dict[str, str],
    record: bool,
    reviewer: str | None,
    screen: Screen,
) -> None:
    """Record them if asked, else say how."""
    if not found:
        return
    if record:
        number = counted(record_as_no(folder, url, found, names, reviewer), "decision")
        screen.say(
            f"{number} (no) recorded in {hide_password(url)}. Next: tagger retrain --run {folder.path}"
        )
    else:
        screen.say("To learn them as no, the same command with --record.")
