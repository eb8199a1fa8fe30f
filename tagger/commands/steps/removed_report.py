"""Keywords that go from sidecars: shown, and listed in the changes file of ``tagger apply``."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from tagger.commands.console.screen import Screen
from tagger.commands.steps.reviewed_labels import ReviewedLabels
from tagger.commands.writers import RemovedKeyword
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


def check_changes(changes: Path) -> None:
    """Pass if the changes file is absent, or one of ours with or without removed keywords; TaggerError otherwise."""
    if not lists_removed(changes):
        check_own_csv(changes, ",".join(CHANGE_COLUMNS))


def lists_removed(changes: Path) -> bool:
    """Whether it is a changes file of ours that may list removed keywords."""
    return begins_with(changes, ",".join(SIDECAR_COLUMNS) + "\n")


def changes_with_removed(
    run: RunFolder, corrected: ReviewedLabels, removed: Sequence[RemovedKeyword], out: Path, changes: Path
) -> pd.DataFrame:
    """The changed labels and the removed keywords, a row each, in ``SIDECAR_COLUMNS``.

    Removed keywords of an earlier call stay listed: a second call finds them gone.
    """
    images = run.load_images()
    vocabulary = vocabulary_after(run.load_labels(), corrected.operations)
    decisions_on: dict[tuple[str, str | None], list] = {}
    for decision in effective_decisions(corrected.decisions):
        if decision.value is not None:
            key = decision.hash, vocabulary.resolve(decision.label)
            decisions_on.setdefault(key, []).append(decision)
    rows = []
    for gone in removed:
        file, hash = images["file"][gone.row], images["hash"][gone.row]
        about = decisions_on.get((hash, gone.keyword), [])
        people = ", ".join(sorted({decision.reviewer for decision in about}))
        ids = " ".join(str(decision.id) for decision in about)
        sidecar = gone.sidecar.relative_to(out).as_posix()
        rows.append((file, hash, gone.keyword, 1, 0, people, about[-1].time if about else "", ids, sidecar))
    now = pd.DataFrame(sorted(rows), columns=SIDECAR_COLUMNS)
    before = _removed_before(changes)
    listed = pd.concat([before, now], ignore_index=True).drop_duplicates(["sidecar", "label"], keep="last")
    changed = corrected.applied.changes.assign(sidecar="")
    return pd.concat([changed, listed.sort_values(["file", "label", "sidecar"])], ignore_index=True)


def show_removed(removed: Sequence[RemovedKeyword], why: str, screen: Screen) -> None:
    """Show how many keywords go from how many sidecars, and which."""
    if removed:
        sidecars = counted(len({gone.sidecar for gone in removed}), "sidecar")
        screen.say(f"{counted(len(removed), 'keyword')} removed from {sidecars} ({why}):")
        screen.say_list([f"{gone.sidecar}: {gone.keyword!r}" for gone in removed])


def why_removed(on_existing: str) -> str:
    """The reason for which keywords go, in words.

    >>> why_removed("overwrite")
    'replaced, as --on-existing overwrite asks'
    """
    if on_existing == "overwrite":
        return "replaced, as --on-existing overwrite asks"
    return "a person decided no, or tagger itself wrote them"


def _removed_before(changes: Path) -> pd.DataFrame:
    """The removed keywords that an earlier call listed."""
    if not lists_removed(changes):
        return pd.DataFrame(columns=SIDECAR_COLUMNS)
    try:
        table = pd.read_csv(changes, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (ValueError, OSError) as error:
        raise TaggerError(f"{changes}: cannot be read ({error}). Move it away.") from None
    table = table[table["sidecar"] != ""].map(unescape_formula)
    return table.assign(before=table["before"].astype(int), after=table["after"].astype(int))
