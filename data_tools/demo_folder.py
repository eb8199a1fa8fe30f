"""The demo's folder: what in it is the demo's own, and how that is removed without anything else.

The folder has a mark with the hash of each file of the data set. A file that was changed since is a
person's, as are threshold sets and decisions that a person made in it; where such things lie in the demo's
way, it does not begin.
"""

import hashlib
import json
import re
import sys
from pathlib import Path

from tagger.commands.predict import PARTS
from tagger.commands.steps.decisions import read_decisions
from tagger.errors import TaggerError
from tagger.review import default_url
from tagger.runs.checkpoint import FILES as CHECKPOINT
from tagger.runs.folder import RUN
from tagger.runs.ownership import MARK, clear, is_ours, mark, marked, names_in, remove, remove_empty
from tagger.text import shortlist

REVIEWER = "truth"  # who answers in the demo
PLACES = ("data", "new", "run", "retrained", "predictions.csv", "predictions.csv.unreadable.csv")
SET = re.compile(
    r"data/(images/\d{5}\.(png|jpg)|labels\.csv|README\.txt|truth/(new_)?truth\.csv)|(data/)?new/new-\d{5}\.jpg"
)
STORE = r"(data|new)/\.tagger/(review\.db(-\w+)?|\.?files\.npz(\.\w+)?|previews/\w+/[\w-]+\.(jpg|part))"
RUNS = rf"(run|retrained)/({RUN.pattern}|checkpoint/(lock|{CHECKPOINT.pattern}|{re.escape(MARK)}))"
PARTLY = rf"\.predictions\.csv\.(lock|parts/({PARTS.pattern}|{re.escape(MARK)}))"
PREDICTION = rf"predictions\.csv(\.unreadable\.csv)?|{PARTLY}"
OURS = re.compile("|".join((SET.pattern, STORE, RUNS, PREDICTION)))
FOLDERS = ("data/images", "data/truth", "data/new", "new", "run/checkpoint", "retrained/checkpoint")


def begin(out: Path) -> None:
    """The folder, marked, without what an earlier demo left. TaggerError if it is not a demo's, or a person's
    things are in the way; all that is not the demo's stays.
    """
    if out.exists() and not out.is_dir():
        raise TaggerError(f"{out}: this is a file. Name another folder with --out")
    if marked(out) is None and out.exists() and any(out.iterdir()):
        raise TaggerError(
            f"{out}: it is not empty, and no demo made it ({MARK} is missing). Name another folder with --out"
        )
    if found := [path for path in _not_ours(out) if path.partition("/")[0] in PLACES]:
        raise TaggerError(
            f"{out}: the demo did not write {shortlist(found, 5)}, or it was changed since."
            " Move it away, or name another folder with --out"
        )
    if _decided(out / "data"):
        raise TaggerError(
            f"{out}: somebody has taken decisions in it (data/.tagger/review.db). Move the folder away, or name another"
            " with --out"
        )
    remove(out, OURS)
    for folder in FOLDERS:
        remove_empty(out, Path(folder))
    mark(out)


def note(out: Path) -> None:
    """Keep the hash of each file of the data set: one that is changed later is no longer ours."""
    mark(out, json.dumps({path: _hash(out / path) for path in sorted(names_in(out)) if SET.fullmatch(path)}))


def take_away(out: Path) -> list[str]:
    """What is not the demo's and stays; the demo's files are removed, and the folder if nothing else is in it."""
    kept = _not_ours(out) if marked(out) is not None else [*names_in(out)]
    if _decided(out / "data"):
        kept.append("data/.tagger/review.db")
    if marked(out) is not None:
        ours = [re.escape(path) for path in names_in(out) if is_ours(path, OURS) and path not in kept]
        clear(out, re.compile("|".join(ours)))
    return sorted(kept)


def _not_ours(out: Path) -> list[str]:
    """What is in the folder and not the demo's, or was changed since; relative paths."""
    hashes = json.loads(marked(out) or "{}")
    return [
        path
        for path in names_in(out)
        if not is_ours(path, OURS)
        or (hashes and SET.fullmatch(path) and hashes.get(path) != _hash(out / path))
    ]


def _decided(data: Path) -> bool:
    """Whether somebody else than the demo has decided something about its photos."""
    decisions, operations = read_decisions(default_url(data)) if data.is_dir() else ([], [])
    who = {one.reviewer for one in decisions} | {one.reviewer for one in operations}
    return bool(who - {REVIEWER})


def _hash(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()


if __name__ == "__main__":
    for name in sys.argv[1:]:
        if stays := take_away(Path(name)):
            print(f"{name} stays, as not all in it is the demo's: {shortlist(stays, 5)}")
