"""Keywords that sidecars get, lose, or do not get: shown, and listed in the changes file of ``tagger apply``."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from tagger.commands.console.screen import Screen
from tagger.commands.steps.reviewed_labels import ReviewedLabels
from tagger.commands.writers import KeywordChange
from tagger.data.formats.csv_injection import unescape_formula
from tagger.errors import TaggerError
from tagger.review import vocabulary_after
from tagger.review.cell_state import effective_decisions
from tagger.review.corrected_labels import CHANGE_COLUMNS
from tagger.runs import RunFolder
from tagger.runs.ownership import begins_with, check_own_csv
from tagger.text import counted

SIDECAR_COLUMNS = [
    *CHANGE_COLUMNS,
    "sidecar",
]  # sidecar: the file that lost the keyword; empty for a changed label


CELLS_OF = {"added": (0, 1), "copied": (1, 1), "removed": (1, 0), "kept off": (0, 0)}  # before and after


def check_changes(changes: Path) -> None:
    """Pass if the changes file is absent, or one of ours with or without sidecars; TaggerError otherwise."""
    if not lists_removed(changes):
        check_own_csv(changes, ",".join(CHANGE_COLUMNS))


def lists_removed(changes: Path) -> bool:
    """Whether it is a changes file of ours that may list changes of sidecars."""
    return begins_with(changes, ",".join(SIDECAR_COLUMNS) + "\n")


def changes_with_removed(
    run: RunFolder, corrected: ReviewedLabels, found: Sequence[KeywordChange], out: Path, changes: Path
) -> pd.DataFrame:
    """The changed labels and the changes of sidecars, a row each, in ``SIDECAR_COLUMNS``.

    A keyword that is added goes from 0 to 1, one that is removed from 1 to 0; one that is kept off stays 0. Those
    of an earlier call stay listed: a second call finds them done.
    """
    images = run.load_images()
    about = _Deciders(run, corrected)
    rows = [
        (
            images["file"][change.row], images["hash"][change.row], change.keyword, *CELLS_OF[change.what],
            *about.columns(images["hash"][change.row], change.keyword), change.sidecar.relative_to(out).as_posix(),
        )
        for change in found
    ]  # fmt: skip
    now = pd.DataFrame(sorted(rows), columns=SIDECAR_COLUMNS)
    before = _listed_before(changes)
    listed = pd.concat([before, now], ignore_index=True).drop_duplicates(["sidecar", "label"], keep="last")
    changed = corrected.applied.changes.assign(sidecar="")
    return pd.concat([changed, listed.sort_values(["file", "label", "sidecar"])], ignore_index=True)


class _Deciders:
    """The people who decided a label of a photo."""

    def __init__(self, run: RunFolder, corrected: ReviewedLabels):
        vocabulary = vocabulary_after(run.load_labels(), corrected.operations)
        self._decisions: dict[tuple[str, str | None], list] = {}
        for decision in effective_decisions(corrected.decisions):
            if decision.value is not None:
                key = decision.hash, vocabulary.resolve(decision.label)
                self._decisions.setdefault(key, []).append(decision)

    def columns(self, hash: str, label: str) -> tuple[str, str, str]:
        """(reviewers, time, ids) of the decisions, as in the table of changes."""
        about = self._decisions.get((hash, label), [])
        people = ", ".join(sorted({decision.reviewer for decision in about}))
        return people, about[-1].time if about else "", " ".join(str(decision.id) for decision in about)


def show_changes(changes: Sequence[KeywordChange], on_existing: str, screen: Screen) -> None:
    """Show how many keywords sidecars get, lose, and do not get; and which, but for those added."""
    added = [change for change in changes if change.what == "added"]
    if added:
        screen.say(f"{counted(len(added), 'keyword')} added to {_num_sidecars(added)}.")
    copied = [change for change in changes if change.what == "copied"]
    if copied:
        number = counted(len(copied), "keyword")
        screen.say(f"{number} of the photos themselves copied into {_num_sidecars(copied)}, to stay visible.")
    show_removed([change for change in changes if change.what == "removed"], why_removed(on_existing), screen)
    kept_off = [change for change in changes if change.what == "kept off"]
    if kept_off:
        number = counted(len(kept_off), "keyword")
        screen.say(
            f"{number} kept off {_num_sidecars(kept_off)} (tagger wrote them, somebody took them off):"
        )
        screen.say_list([f"{change.sidecar}: {change.keyword!r}" for change in kept_off])


def show_removed(removed: Sequence[KeywordChange], why: str, screen: Screen) -> None:
    """Show how many keywords go from how many sidecars, and which."""
    if removed:
        screen.say(f"{counted(len(removed), 'keyword')} removed from {_num_sidecars(removed)} ({why}):")
        screen.say_list([f"{gone.sidecar}: {gone.keyword!r}" for gone in removed])


def _num_sidecars(changes: Sequence[KeywordChange]) -> str:
    return counted(len({change.sidecar for change in changes}), "sidecar")


def why_removed(on_existing: str) -> str:
    """The reason for which keywords go, in words.

    >>> why_removed("overwrite")
    'replaced, as --on-existing overwrite asks'
    """
    if on_existing == "overwrite":
        return "replaced, as --on-existing overwrite asks"
    return "a person decided no, or tagger itself wrote them"


def _listed_before(changes: Path) -> pd.DataFrame:
    """The changes of sidecars that an earlier call listed."""
    if not lists_removed(changes):
        return pd.DataFrame(columns=SIDECAR_COLUMNS)
    try:
        table = pd.read_csv(changes, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (ValueError, OSError) as error:
        raise TaggerError(f"{changes}: cannot be read ({error}). Move it away.") from None
    table = table[table["sidecar"] != ""].map(unescape_formula)
    return table.assign(before=table["before"].astype(int), after=table["after"].astype(int))
