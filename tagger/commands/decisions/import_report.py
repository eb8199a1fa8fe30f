"""Report of an import: what is new, known or left out, and what becomes of the labels."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from tagger.commands.console.screen import Screen
from tagger.commands.decisions.place import DecisionPlace, OnRunPhotos
from tagger.commands.steps.reviewed_labels import correct_labels
from tagger.review import CorrectedLabels
from tagger.review.decision import RecordedDecision
from tagger.review.decision_log import DecisionLog, Row
from tagger.review.late_answers import LateAnswer
from tagger.review.log_table import label_of
from tagger.review.store_import import PlannedImport
from tagger.runs import RunFolder
from tagger.text import counted, shortlist


def show_plan(
    plan: PlannedImport, place: DecisionPlace, source: str, on_run: OnRunPhotos, screen: Screen
) -> None:
    """Show what is new and what is not, and what the labels of the run become."""
    new = plan.merge.new
    known = f"{len(plan.merge.known):,} known already"
    screen.say(f"{source}: {_counts(new) if len(new) else 'nothing'} new, {known}.")
    if new.decisions:
        screen.say(f"New decisions: {_by(row.verdict for row in new.decisions)}; of {_people(new)}.")
    _show_left_out(plan, screen)
    _show_late(plan.late, screen)
    if place.run is not None and len(plan.new):
        _show_unmatched(on_run(new.decisions), place, screen)
        show_effect(place.run, plan.ours, plan.after, on_run, screen)


def show_effect(
    run: RunFolder, before: DecisionLog, after: DecisionLog, on_run: OnRunPhotos, screen: Screen
) -> None:
    """Show how many labels of the run are checked, changed and in dispute, before and after; by label."""
    old = correct_labels(run, on_run(before.decisions), before.operations).applied
    new = correct_labels(run, on_run(after.decisions), after.operations).applied
    figures = [
        ("checked", np.sum(old.verified_NK), np.sum(new.verified_NK)),
        ("changed", len(old.changes), len(new.changes)),
        ("in dispute", len(old.disputed), len(new.disputed)),
    ]
    told = ", ".join(f"{name} {was:,} -> {now:,}" for name, was, now in figures)
    screen.say(f"Labels of photos in {run.path}: {told}.")
    for problem in new.problems:
        if problem not in old.problems:
            screen.say(problem)
    rows = _label_rows(old, new)
    if rows:
        screen.label_table(
            "Labels of photos that change", ["label", "to yes", "to no", "checked", "in dispute"], rows,
            rest="see tagger decisions export",
        )  # fmt: skip


def _label_rows(old: CorrectedLabels, new: CorrectedLabels) -> list[list[object]]:
    """label, cells that become yes, that become no, newly checked ones, and disputes, where any is."""
    old_column = {name: k for k, name in enumerate(old.names)}
    disputes = Counter(one.label for one in new.disputed)
    disputes.subtract(one.label for one in old.disputed)
    rows: list[list[object]] = []
    for k, name in enumerate(new.names):
        was = old.labels_NK[:, old_column[name]] if name in old_column else np.full(len(new.labels_NK), -1)
        checked = old.verified_NK[:, old_column[name]] if name in old_column else np.zeros(len(was), bool)
        now = new.labels_NK[:, k]
        counts = [
            int(np.sum((now == 1) & (was != 1))),
            int(np.sum((now == 0) & (was != 0))),
            int(np.sum(new.verified_NK[:, k])) - int(np.sum(checked)),
            disputes[name],
        ]
        if any(counts):
            rows.append([name, *counts])
    return rows


def _show_left_out(plan: PlannedImport, screen: Screen) -> None:
    merge = plan.merge
    if merge.differing:
        screen.say(
            f"{counted(len(merge.differing), 'row')} known already, but changed since the export. The store keeps"
            " its own. Change an answer in the app, or give a table of labels with --as verified:"
        )
        screen.say_list([f"{label_of(mine)}; in the file: {label_of(row)}" for mine, row in merge.differing])
    _show_rows(
        merge.dangling, "Left out, since what they take back is neither in the store nor there:", screen
    )
    if merge.not_taken_back:
        screen.say(
            f"{counted(len(merge.not_taken_back), 'row')} that were taken back there stay in force here: each store"
            " decides on its own imports."
        )


def _show_late(late: Sequence[LateAnswer], screen: Screen) -> None:
    if late:
        screen.say(
            f"{counted(len(late), 'answer')} will be recorded and not count: the store has a later one, by its time."
        )
        screen.say_list(
            [
                f"{label_of(one.answer)} {one.answer.time[:16]}; later: {one.later.verdict}, {one.later.reviewer}"
                f" {one.later.time[:16]}"
                for one in late
            ]
        )


def _show_unmatched(new: Sequence[RecordedDecision], place: DecisionPlace, screen: Screen) -> None:
    here = set(place.images()["hash"])
    elsewhere = {row.hash for row in new} - here
    if elsewhere and place.run is not None:
        number = sum(row.hash in elsewhere for row in new)
        screen.say(
            f"{counted(number, 'decision')} on {counted(len(elsewhere), 'photo')} that {place.run.path} does not have"
            " (other photos, or their files have changed). They are kept for runs that have them."
        )


def _show_rows(rows: Sequence[Row], title: str, screen: Screen) -> None:
    if rows:
        screen.say(title)
        screen.say_list([label_of(row) for row in rows])


def _counts(log: DecisionLog) -> str:
    return (
        f"{counted(len(log.decisions), 'decision')} and {counted(len(log.operations), 'change')} of labels"
        if log.operations
        else counted(len(log.decisions), "decision")
    )


def _by(words: object) -> str:
    found = Counter(words)  # type: ignore[call-overload]
    return ", ".join(f"{number:,} {word}" for word, number in found.most_common())


def _people(log: DecisionLog) -> str:
    found = Counter(row.reviewer for row in log.decisions if isinstance(row, RecordedDecision))
    return shortlist([f"{who} ({number:,})" for who, number in found.most_common()], 6)
