"""The demo's folder: the files that the demo wrote, and their removal without any other file.

A mark in the folder holds the hash of each file of the data set. A file that was changed since belongs to the
user, as do threshold sets and decisions that a user made. The demo does not start if it would overwrite them.
"""

import hashlib
import json
import re
import sys
from pathlib import Path

from tagger.commands.steps.predict_table import BATCH_FILES
from tagger.commands.steps.reviewed_labels import read_decisions
from tagger.errors import TaggerError
from tagger.review import default_url
from tagger.runs.checkpoint import FILES as CHECKPOINT
from tagger.runs.folder import RUN_FILES
from tagger.runs.ownership import MARK, clear, is_ours, mark, marked, names_in, remove, remove_empty
from tagger.text import shortlist

REVIEWER = "truth"  # name of the demo's reviewer
PLACES = ("data", "new", "run", "retrained", "predictions.csv", "predictions.csv.unreadable.csv")
SET = re.compile(
    r"data/(images/\d{5}\.(png|jpg)|labels\.csv|README\.txt|truth/(new_)?truth\.csv)|(data/)?new/new-\d{5}\.jpg"
)
STORE = r"(data|new)/\.tagger/(review\.db(-\w+)?|\.?files\.npz(\.\w+)?|previews/\w+/[\w-]+\.(jpg|part))"
RUNS = rf"(run|retrained)/({RUN_FILES.pattern}|checkpoint/(lock|{CHECKPOINT.pattern}|{re.escape(MARK)}))"
PARTLY = rf"\.predictions\.csv\.(lock|parts/({BATCH_FILES.pattern}|{re.escape(MARK)}))"
PREDICTION = rf"predictions\.csv(\.unreadable\.csv)?|{PARTLY}"
OURS = re.compile("|".join((SET.pattern, STORE, RUNS, PREDICTION)))
FOLDERS = ("data/images", "data/truth", "data/new", "new", "run/checkpoint", "retrained/checkpoint")


def begin(out: Path) -> None:
    """Prepare the folder: mark it, and remove the files of an earlier demo; all other files stay.

    TaggerError if no demo made the folder, or if a user's files or decisions are in the way.
    """
    if out.exists() and not out.is_dir():
        raise TaggerError(f"{out}: this is a file. Name another folder with --out")
    if marked(out) is None and out.exists() and any(out.iterdir()):
        raise TaggerError(
            f"{out}: the folder is not empty, and no demo made it ({MARK} is missing). Name another folder with --out"
        )
    if found := [path for path in _not_ours(out) if path.partition("/")[0] in PLACES]:
        raise TaggerError(
            f"{out}: these files were changed, or the demo did not write them: {shortlist(found, 5)}."
            " Move them away, or name another folder with --out"
        )
    if _decided(out / "data"):
        raise TaggerError(
            f"{out}: somebody has reviewed labels in it (data/.tagger/review.db). Move the folder away, or name"
            " another one with --out"
        )
    remove(out, OURS)
    for folder in FOLDERS:
        remove_empty(out, Path(folder))
    mark(out)


def note(out: Path) -> None:
    """Store the hash of each file of the data set in the mark: a file that changes later is the user's."""
    mark(out, json.dumps({path: _hash(out / path) for path in sorted(names_in(out)) if SET.fullmatch(path)}))


def take_away(out: Path) -> list[str]:
    """Remove the demo's files, and the folder if it is then empty; return the files that stay."""
    kept = _not_ours(out) if marked(out) is not None else [*names_in(out)]
    if _decided(out / "data"):
        kept.append("data/.tagger/review.db")
    if marked(out) is not None:
        ours = [re.escape(path) for path in names_in(out) if is_ours(path, OURS) and path not in kept]
        clear(out, re.compile("|".join(ours)))
    return sorted(kept)


def _not_ours(out: Path) -> list[str]:
    """Files in the folder that the demo did not write, or that were changed since (relative paths)."""
    hashes = json.loads(marked(out) or "{}")
    return [
        path
        for path in names_in(out)
        if not is_ours(path, OURS)
        or (hashes and SET.fullmatch(path) and hashes.get(path) != _hash(out / path))
    ]


def _decided(data: Path) -> bool:
    """True if anybody but the demo has reviewed its photos."""
    decisions, operations = read_decisions(default_url(data)) if data.is_dir() else ([], [])
    reviewers = {one.reviewer for one in decisions} | {one.reviewer for one in operations}
    return bool(reviewers - {REVIEWER})


def _hash(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()


if __name__ == "__main__":
    for name in sys.argv[1:]:
        if stays := take_away(Path(name)):
            print(f"{name} is kept: it holds files that the demo did not write: {shortlist(stays, 5)}")
