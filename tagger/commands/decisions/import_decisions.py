"""``tagger decisions import``: a table of decisions into a store, each one once, as one step."""

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from tagger.commands.console.screen import Screen
from tagger.commands.decisions.backups import back_up
from tagger.commands.decisions.decision_files import read_log_file, times_of
from tagger.commands.decisions.import_report import show_plan
from tagger.commands.decisions.place import DecisionPlace, find_place, photo_finder
from tagger.commands.steps.reviewed_labels import store_is_missing
from tagger.errors import TaggerError, did_you_mean
from tagger.review import Store
from tagger.review.decision_log import DecisionLog
from tagger.review.log_parsing import ParsedLog, parse_log
from tagger.review.log_times import ORDERS, date_order, parse_time
from tagger.review.photo_identity import PhotoRow, add_photo_rows, photo_rows
from tagger.review.readable_store import readable
from tagger.review.store_import import (
    PlannedImport,
    import_log,
    import_records,
    plan_import,
    read_log,
)
from tagger.text import counted, quoted


def import_decisions(
    file: str | Path,
    *,
    run: str | Path | None = None,
    store: str | None = None,
    data: str | Path | None = None,
    reviewer: str,
    dates: str | None = None,
    preview: bool = False,
    screen: Screen | None = None,
) -> tuple[PlannedImport, tuple[str, ...]]:
    """What was imported from ``file`` (.csv, .tsv, .jsonl), and the rows that could not be, with the reason.

    ``preview`` shows it and changes nothing. ``dates`` says how dates are written where the file does not tell.
    """
    screen = screen or Screen(quiet=True)
    file = Path(file)
    if dates not in (None, *ORDERS):
        raise TaggerError(
            f"--dates {dates}: unknown.{did_you_mean(dates, ORDERS)} Available: {', '.join(ORDERS)}"
        )
    place = find_place(run, store, data, screen.say)
    parsed = _parse(file, place, dates, screen)
    if parsed.problems:
        screen.say(f"{counted(len(parsed.problems), 'row')} of {file} cannot be imported:")
        screen.say_list(parsed.problems)
    plan = bring_in(parsed.log, place, "import", str(file), reviewer, preview, screen, parsed.photos)
    return plan, parsed.problems


def bring_in(
    theirs: DecisionLog,
    place: DecisionPlace,
    kind: str,
    source: str,
    reviewer: str,
    preview: bool,
    screen: Screen,
    photos: Sequence[PhotoRow] = (),
) -> PlannedImport:
    """Show what ``theirs`` adds to a store, and, without ``preview``, import it after a backup.

    ``photos``: what is known there of the pictures of decided photos.
    """
    ours, known = _present(place)
    plan, on_run = plan_import(ours, theirs), place.on_run_photos([*known, *photos])
    if preview or not len(plan.new):
        if photos and not preview and readable(place.url) == place.url:
            _know_photos(place, photos)
        show_plan(plan, place, source, on_run, screen)
        screen.say("This was a preview: nothing was changed." if preview else "The store is as it was.")
        _show_taken_back(plan, place, screen)
        return plan
    kept = back_up(place, reason="merge" if kind == "merge" else "import")
    with closing(Store.open(place.url)) as opened:
        plan, record = import_log(opened, theirs, kind=kind, source=source, reviewer=reviewer)
        url = opened.url
    _know_photos(place, photos)
    show_plan(plan, place, source, on_run, screen)
    if record is not None:
        screen.say(f"Import {record.number} into {url}. Take it back: tagger decisions undo {record.number}")
    if kept is not None:
        screen.say(f"Backup of the store as it was: {kept}")
    return plan


def _show_taken_back(plan: PlannedImport, place: DecisionPlace, screen: Screen) -> None:
    """Show which import brought what is known already, if it was taken back."""
    if not plan.merge.known:
        return
    known = {(row.client, row.seq) for row in plan.merge.known}
    ids = [row.id for row in plan.ours.decisions if (row.client, row.seq) in known]
    with closing(Store.open(place.url)) as opened:
        records = import_records(opened)
    for one in records:
        if one.taken_back and any(one.decisions[0] <= id <= one.decisions[1] for id in ids):
            screen.say(
                f"What is known came with import {one.number}, which was taken back. Bring it back: tagger decisions"
                f" redo {one.number}"
            )


def _present(place: DecisionPlace) -> tuple[DecisionLog, list[PhotoRow]]:
    if store_is_missing(place.url):
        return DecisionLog(), []
    with closing(Store.open(readable(place.url))) as opened, opened.reading() as connection:
        return read_log(opened), photo_rows(connection)


def _know_photos(place: DecisionPlace, photos: Sequence[PhotoRow]) -> None:
    with closing(Store.open(place.url)) as store, store.writing() as connection:
        add_photo_rows(connection, photos)


def _parse(file: Path, place: DecisionPlace, dates: str | None, screen: Screen) -> ParsedLog:
    rows, unused = read_log_file(file)
    if unused:
        screen.say(f"{file}: columns not used: {quoted(unused)}")
    order = date_order(times_of(rows), dates)
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    by_name = any(not cells.get("hash", "").strip() for _, cells in rows)
    find = photo_finder(place.present_images() if by_name else place.images())
    return parse_log(rows, find, lambda text: parse_time(text, order, now))
