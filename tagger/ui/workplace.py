"""What does the app work on? One run, one store of decisions, one desk: opened once for a process.

The routes (``api``) and the pages (``main``) of one process share it, and Streamlit runs the pages' script anew for
each change, so there is one place that holds it: ``current``. It is the only state of the app besides the store.
"""

import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path

from tagger.arrays import Floats
from tagger.errors import TaggerError
from tagger.review import Desk, Store, default_url
from tagger.runs import RunFolder, find_run
from tagger.ui.groups import Group, ordered_groups
from tagger.ui.pictures import Pictures

TOKEN_NOTE = "api_token"
_OPENING = threading.Lock()
_OPEN: list["Workplace"] = []


@dataclass(frozen=True, kw_only=True)
class Workplace:
    """The run under review, where decisions go, who hands out cards, and how photos get on screen."""

    run: RunFolder
    store: Store
    desk: Desk
    pictures: Pictures
    token: str  # what our own pages send along; kept in the store, so that an open page outlives a restart
    reviewer: str  # who reviews, unless the page says another
    hashes: Sequence[str]  # of the images, by row
    known_hashes: frozenset[str]
    run_labels: tuple[str, ...]  # in the order of the run's columns
    groups: tuple[Group, ...]  # labels and directions, in the order in which the grid takes them
    signals: frozenset[str]  # that are the main one of some suspect
    served: bool  # whether our routes are there (``tagger review``), or only Streamlit (``streamlit run``)


def open_workplace(
    run: str | Path | None = None, *, store: str | None = None, reviewer: str | None = None, served: bool = True
) -> Workplace:
    """The workplace of a run (default: the newest). TaggerError where there is nothing to review, and what to do."""
    folder = find_run(run)
    suspects, images, names = folder.load_suspects(), folder.load_images(), folder.load_labels()
    root = Path(folder.load_settings().data.path)
    if not root.is_dir():
        raise TaggerError(f"{root}: the images of this run are not there. Bring the folder back, or train anew")
    opened = Store.open(store or default_url(root))
    try:
        neighbours = folder.load_neighbours()
    except TaggerError:
        neighbours = None
    desk = Desk(
        suspects,
        images,
        folder.load_cells(),
        names,
        neighbours,
        opened,
        run=folder.path.name,
        probs_NK=_probabilities(folder),
    )
    return Workplace(
        run=folder,
        store=opened,
        desk=desk,
        pictures=Pictures(root, root / ".tagger" / "previews"),
        token=_token(opened),
        reviewer=reviewer or default_reviewer(),
        hashes=images["hash"].tolist(),
        known_hashes=frozenset(images["hash"]),
        run_labels=names,
        groups=ordered_groups(suspects),
        signals=frozenset(suspects["main_signal"].dropna()),
        served=served,
    )


def use(workplace: Workplace) -> None:
    """Make this the process's workplace."""
    _OPEN[:] = [workplace]


def leave() -> None:
    """Forget the process's workplace; its store stays open."""
    _OPEN.clear()


def current(run: str | Path | None = None, *, store: str | None = None, reviewer: str | None = None) -> Workplace:
    """The process's workplace; opened now, without routes of our own, if nobody has."""
    with _OPENING:
        if not _OPEN:
            _OPEN.append(open_workplace(run, store=store, reviewer=reviewer, served=False))
        return _OPEN[0]


def default_reviewer() -> str:
    """The name of the person whose account this is."""
    try:
        return getuser()
    except (OSError, KeyError):
        return "reviewer"


def _probabilities(folder: RunFolder) -> Floats | None:
    try:
        return folder.load_oof()[0]
    except TaggerError:
        return None


def _token(store: Store) -> str:
    known = store.load_note(TOKEN_NOTE)
    if not known:
        known = secrets.token_urlsafe(24)
        store.save_note(TOKEN_NOTE, known)
    return known
