"""``tagger decisions export``: all decisions and label operations as a table."""

from contextlib import closing
from pathlib import Path

from tagger.commands.console.screen import Screen
from tagger.commands.decisions.decision_files import check_export_path, write_log
from tagger.commands.decisions.place import files_by_hash, find_place
from tagger.commands.steps.reviewed_labels import hide_password
from tagger.review import Store
from tagger.review.decision_log import DecisionLog
from tagger.review.readable_store import readable
from tagger.review.store_import import read_log
from tagger.text import counted


def export_decisions(
    out: str | Path,
    *,
    run: str | Path | None = None,
    store: str | None = None,
    data: str | Path | None = None,
    screen: Screen | None = None,
) -> DecisionLog:
    """Write all that is in the store to ``out`` (.csv, .tsv or .jsonl); imported elsewhere, it means the same."""
    screen = screen or Screen(quiet=True)
    out = Path(out)
    check_export_path(out)
    place = find_place(run, store, data, screen.say)
    place.require_store()
    with closing(Store.open(readable(place.url))) as opened:
        log, pictures = read_log(opened), place.pictures(opened)
    images = place.images()
    write_log(log, files_by_hash(images), pictures, out)
    changes = counted(len(log.operations), "change")
    screen.say(
        f"{counted(len(log.decisions), 'decision')} and {changes} of labels from {hide_password(place.url)}: {out}"
    )
    unknown = {row.hash for row in log.decisions} - set(images["hash"])
    if unknown and place.run:
        screen.say(
            f"{counted(len(unknown), 'photo')} not in {place.run.path}: the column 'file' is empty, 'hash' is there."
        )
    return log
